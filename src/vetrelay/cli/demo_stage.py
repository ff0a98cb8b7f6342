"""The demo's stage: a folder, a gateway as `vetrelay up` runs it, and commands as people type them."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from vetrelay.cli.ready import BRIDGE_FILE, prepare

READY_SECONDS: Final = 90
VERDICT_SECONDS: Final = 120
MOST_SHOWN_CHARS: Final = 34
FREE_PORTS: Final = ("--listen", "127.0.0.1:0", "--smtp", "127.0.0.1:0")


@dataclass
class Demo:
    """One run: its folder, its gateway, and what did not hold."""

    folder: Path
    console: Console
    gateway: subprocess.Popen[bytes] | None = None
    url: str = ""
    failures: list[str] = field(default_factory=list)

    def run(self, who: str, *words: str) -> str:
        """One command of one person, shown as it would be typed; its standard output."""
        shown = " ".join(_shown(word) for word in words)
        self.console.print(f"{who:>8}  vetrelay {shown}", style="cyan", markup=False, soft_wrap=True)
        done = subprocess.run(  # noqa: S603  # our own program
            [sys.executable, "-m", "vetrelay.cli.main", "--home", str(self.folder / who), *words],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            self.failures.append(f"`vetrelay {words[0]}` of {who} ended with {done.returncode}")
            self.console.print(done.stderr, markup=False)
        return done.stdout

    def json(self, who: str, *words: str) -> Any:
        """The same, for a command's `--json`."""
        out = self.run(who, *words, "--json")
        return json.loads(out) if out else {}

    def hold(self, claim: str, *, true: bool) -> None:
        """Says a claim and whether it held."""
        self.console.print(f"  [{'green]✓' if true else 'red]✗'} {claim}[/]")
        if not true:
            self.failures.append(claim)


def _shown(word: str) -> str:
    """A word of a command line, short enough for one line of the story."""
    if Path(word).is_absolute():
        return "/".join(("…", *Path(word).parts[-2:]))
    short = word if len(word) <= MOST_SHOWN_CHARS else f"{word[: MOST_SHOWN_CHARS - 1]}…"
    return f"'{short}'" if " " in word else short


def start_gateway(demo: Demo, *, mail_settings: str) -> dict[str, Any]:
    """`vetrelay up` in the demo's folder, until it is ready; `mail_settings` is what its operator adds to bridge.toml."""
    data = demo.folder / "gateway"
    data.mkdir(mode=0o700)
    prepare(data)
    with (data / BRIDGE_FILE).open("a") as settings:
        settings.write(mail_settings)
    log = (demo.folder / "gateway.log").open("wb")
    demo.gateway = subprocess.Popen(  # noqa: S603  # our own program
        [sys.executable, "-m", "vetrelay.cli.main", "up", "--data", str(data), *FREE_PORTS],
        stdout=log,
        stderr=log,
    )
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and demo.gateway.poll() is None:
        if (data / "ready.json").exists():
            ready: dict[str, Any] = json.loads((data / "ready.json").read_text())
            return ready
        time.sleep(0.1)
    raise click.ClickException(f"the gateway did not start; its last words are in {demo.folder / 'gateway.log'}")


def end_gateway(demo: Demo) -> None:
    """Stops it as a service manager would, if it runs."""
    if demo.gateway is not None and demo.gateway.poll() is None:
        demo.gateway.send_signal(signal.SIGTERM)
        demo.gateway.wait(timeout=30)


def checked_files(demo: Demo, case: str, place: int) -> dict[str, Any]:
    """The message with files at this place (from 0) as the veterinarian reads it, once its files are checked."""
    deadline = time.monotonic() + VERDICT_SECONDS
    while time.monotonic() < deadline:
        subprocess.run(  # noqa: S603  # our own program; exit 4 means that nothing was new
            [sys.executable, "-m", "vetrelay.cli.main", "--home", str(demo.folder / "vet"), "receive", "--wait", "5"],
            capture_output=True,
            check=False,
        )
        thread: dict[str, Any] = demo.json("vet", "read", case)
        spoken = [entry for entry in thread.get("entries", []) if entry["attachments"]]
        if place < len(spoken) and all(file["verdict"] != "pending" for file in spoken[place]["attachments"]):
            entry: dict[str, Any] = spoken[place]
            return entry
    demo.hold("the file check answered in time", true=False)
    return {}
