"""A whole gateway for tests: `vetrelay up` in a folder of its own, and people who use it by typing commands."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from click.testing import CliRunner

from vetrelay.cli.main import cli

PROGRAM: Final = (sys.executable, "-m", "vetrelay.cli.main")
READY_SECONDS: Final = 120
STOP_SECONDS: Final = 30


def clean_environment(**extra: str) -> dict[str, str]:
    """This process's environment without whatever would change what a command does."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VETRELAY_")}
    return {**kept, "TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "100", "TZ": "UTC", **extra}


@dataclass(frozen=True, kw_only=True)
class Done:
    """How a command ended, and what it said where."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """The one document on standard output."""
        return json.loads(self.out)


def type_command(
    *words: str, home: Path | None = None, text: str | None = None, environment: Mapping[str, str] | None = None
) -> Done:
    """One command in a process of its own, as a person would type it; `text` is what they type into it."""
    where = ("--home", str(home)) if home else ()
    done = subprocess.run(
        [*PROGRAM, *where, *words],
        input=text or "",
        env=clean_environment(**(environment or {})),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return Done(code=done.returncode, out=done.stdout, err=done.stderr)


def type_here(
    *words: str, home: Path | None = None, text: str | None = None, environment: Mapping[str, str] | None = None
) -> Done:
    """The same inside this process. Not for tests that are coroutines: the program brings its own event loop."""
    where = ("--home", str(home)) if home else ()
    cleared = {name: None for name in os.environ if name.startswith("VETRELAY_")}
    ended = CliRunner().invoke(
        cli,
        [*where, *words],
        input=text,
        env={**cleared, "NO_COLOR": "1", "VETRELAY_DEBUG": "1", **(environment or {})},
        prog_name="vetrelay",
    )
    return Done(code=ended.exit_code, out=ended.stdout, err=ended.stderr)


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody with a home folder."""

    home: Path

    def run(self, *words: str, code: int | None = 0, text: str | None = None, **environment: str) -> Done:
        """A command that is expected to end with this code (None: with any). It runs in this process, which is ten times faster."""
        done = type_here(*words, home=self.home, text=text, environment=environment)
        assert code in (None, done.code), f"{words} ended with {done.code}:\n{done.out}\n{done.err}"
        return done

    def word(self, *words: str) -> str:
        """The one word that a command answers with."""
        return self.run(*words).out.strip()

    def json(self, *words: str, code: int = 0) -> Any:
        """A command's JSON document."""
        return self.run(*words, "--json", code=code).json()

    def receive(self, *, wait_seconds: float = 20) -> Any:
        """What is new, waited for."""
        return self.run("receive", "--wait", str(wait_seconds), "--json").json()


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """A running gateway. `process` is `vetrelay up`; of the offers the file check's is the first."""

    folder: Path
    url: str
    offers: tuple[Path, ...]
    process: "subprocess.Popen[bytes]"

    def clinic(self, home: Path, *, name: str = "Wrenfield Practice", person: str = "Dr. Oleander") -> Person:
        """A new clinic that has adopted the gateway's machines."""
        code = type_here("relay", "code", "clinic", "--config", str(self.folder / "relay.toml")).out.strip()
        vet = Person(home=home)
        vet.run("--relay", self.url, "clinic", "create", name, "--as", person, "--code", code)
        for offer in self.offers:
            vet.run("clinic", "adopt", str(offer))
        return vet

    def case(self, vet: Person, home: Path, *, title: str = "Luna", owner: str = "Anna Meier") -> tuple[str, Person]:
        """A new case of a clinic with an owner in it: its id, and the owner."""
        case = vet.word("case", "open", "--title", title)
        person = Person(home=home)
        person.run("case", "join", vet.word("case", "invite", case), "--name", owner)
        return case, person

    def child(self, name: str) -> int:
        """The process id of the message server (`relay`), the file check (`intake`), or the email bridge (`bridge`)."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for child in children:
            if name.encode() in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0"):
                return int(child)
        raise AssertionError(f"there is no {name} now")


@contextmanager
def running_gateway(folder: Path, *words: str, listen: str = "127.0.0.1:0") -> Iterator[Gateway]:
    """`vetrelay up` on a folder until the block is left, with these words added; its log is beside the folder."""
    log = folder.with_suffix(".log")
    with log.open("ab") as out:
        process = subprocess.Popen(
            [*PROGRAM, "up", "--data", str(folder), "--listen", listen, *words],
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        yield _ready(folder, process, log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(STOP_SECONDS)


def _ready(folder: Path, process: "subprocess.Popen[bytes]", log: Path) -> Gateway:
    deadline = time.monotonic() + READY_SECONDS
    while not (folder / "ready.json").exists():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    ready = json.loads((folder / "ready.json").read_text())
    return Gateway(folder=folder, url=ready["url"], offers=tuple(map(Path, ready["offers"])), process=process)
