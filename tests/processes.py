"""Real processes for tests: a relay and an intake, each started by `python -m tests.processes`, stopped or killed.

An intake can be told to kill itself at a named step (`die_at`), and to use another worker than the real one.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import uvloop

from vetrelay.config import BridgeConfig, IntakeConfig, RelayConfig, parse_config
from vetrelay.errors import VetRelayError
from vetrelay.inspection.frames import Exit
from vetrelay.inspection.sandbox import WORKER_COMMAND
from vetrelay.intake.process import serve as serve_intake
from vetrelay.relay.enrol import issue_code
from vetrelay.relay.process import open_relay
from vetrelay.relay.process import run as run_relay

ROOT = Path(__file__).resolve().parent.parent
READY_SECONDS = 60
TELL_STEPS = "tell"  # in place of the name of a step: dies at none, and writes when each was reached
STEP_MARK = "step: "
WORKERS = {
    "real": WORKER_COMMAND,
    "pictures": (sys.executable, "-I", str(ROOT / "tests" / "inspection" / "pictures_worker.py")),
    "poisoned": (sys.executable, "-I", str(ROOT / "tests" / "intake" / "poisoned_worker.py")),
    "unconfined": (sys.executable, "-c", f"raise SystemExit({int(Exit.NO_SANDBOX)})"),
}


@dataclass
class Process:
    """A child process that prints one line of JSON when it is ready."""

    arguments: Sequence[str]
    log: Path
    child: subprocess.Popen[bytes] | None = None
    told: dict[str, object] = field(default_factory=dict)

    def start(self, *, until_ready: bool = True) -> None:
        """Starts it, and waits until it says that it is ready."""
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(
                [sys.executable, "-m", "tests.processes", *self.arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=log
            )
        if until_ready:
            self.hear()

    def hear(self) -> None:
        """Waits until it says that it is ready."""
        self.told = json.loads(self._line())

    def _line(self) -> bytes:
        assert self.child is not None
        assert self.child.stdout is not None
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if select.select([self.child.stdout], [], [], 0.2)[0]:
                line = self.child.stdout.readline()
                if line:
                    return line
                raise AssertionError(f"it ended: {self.log.read_text()}")
        raise AssertionError(f"it is not ready: {self.log.read_text()}")

    def wait(self, timeout_seconds: float = READY_SECONDS) -> int:
        """Waits for its end; the exit code, negative for a signal."""
        assert self.child is not None
        try:
            return self.child.wait(timeout_seconds)
        finally:
            if self.child.stdout is not None:
                self.child.stdout.close()

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ends it by a signal, if it still runs."""
        assert self.child is not None
        if self.child.poll() is None:
            self.child.send_signal(number)
        return self.wait()


@contextmanager
def relay(folder: Path, listen: str = "127.0.0.1:0") -> Iterator[Process]:
    """A relay, on a free port of loopback if nothing else is said; `told["url"]` is where it listens."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "relay.toml"
    config.write_text(f'data = "{folder / "relay"}"\nlisten = ["{listen}"]\n')
    process = Process(("relay", str(config)), folder / "relay.log")
    process.start()
    try:
        yield process
    finally:
        process.end()


async def enrolment_code(folder: Path, kind: Literal["clinic", "machine"]) -> str:
    """A one-time code of the relay that runs in this folder."""
    config = parse_config((folder / "relay.toml").read_text(), RelayConfig)
    async with open_relay(Path(config.data), config.limits, origins=frozenset()) as services:
        return await issue_code(services, kind)


def intake_at(
    folder: Path, url: str, *, code: str, die_at: str = "", worker: str = "pictures", settings: str = ""
) -> Process:
    """An intake that is not started yet; its data folder is kept from one to the next."""
    config = folder / "intake.toml"
    config.write_text(
        f'data = "{folder / "intake"}"\nrelay_url = "{url}"\ncode = "{code}"\nwait_seconds = 5\nparallel_jobs = 2\n{settings}'
    )
    return Process(("intake", str(config), die_at, worker), folder / "intake.log")


def bridge_at(
    folder: Path, url: str, *, code: str, die_at: str = "", worker: str = "real", settings: str = ""
) -> Process:
    """An email bridge that is not started yet; its data folder is kept from one to the next.

    `settings` names at least `resolver`, a DNS server of the test's own.
    """
    config = folder / "bridge.toml"
    config.write_text(
        f'data = "{folder / "bridge"}"\nrelay_url = "{url}"\ncode = "{code}"\nwait_seconds = 5\n'
        'domain = "mail.example"\nhostname = "mx.mail.example"\nweb_url = "http://pages.example"\n'
        f'listen = ["127.0.0.1:0"]\nweb_listen = "127.0.0.1:0"\n{settings}'
    )
    return Process(("bridge", str(config), die_at, worker), folder / "bridge.log")


def _relay(config: str) -> None:
    run_relay(parse_config(Path(config).read_text(), RelayConfig), ready=lambda urls: _tell(url=urls[0]))


def _dying(die_at: str) -> Callable[[str], None]:
    """What is told of each step, and ends the process at one; `STEP#3` means the third time."""
    wanted, _, times = die_at.partition("#")
    left = int(times or 1)

    def checkpoint(step: str) -> None:
        nonlocal left
        if step == wanted:
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
        if die_at == TELL_STEPS:
            print(f"{STEP_MARK}{step} {time.time_ns() // 1_000_000}", file=sys.stderr)

    return checkpoint


def _bridge(config: str, die_at: str, worker: str) -> None:
    # The others start sooner without what the bridge brings along.
    from vetrelay.bridge.post import Trial
    from vetrelay.bridge.process import Ready
    from vetrelay.bridge.process import serve as serve_bridge
    from vetrelay.bridge.sending.sender import Pulse

    def ready(where: Ready) -> None:
        _tell(offer=str(where.offer), smtp=where.smtp[0], pages=where.pages)

    trial = Trial(
        checkpoint=_dying(die_at),
        worker=WORKERS[worker],
        pulse=Pulse(start_seconds=0.1, look_seconds=0.5),
        unsafe_private=True,
    )
    uvloop.run(serve_bridge(parse_config(Path(config).read_text(), BridgeConfig), ready=ready, trial=trial))


def _intake(config: str, die_at: str, worker: str) -> None:
    uvloop.run(
        serve_intake(
            parse_config(Path(config).read_text(), IntakeConfig),
            ready=lambda offer: _tell(offer=str(offer)),
            checkpoint=_dying(die_at),
            worker=WORKERS[worker],
        )
    )


def _tell(**facts: str) -> None:
    print(json.dumps(facts), flush=True)


def main(what: str, *arguments: str) -> None:
    """Runs one of the processes."""
    try:
        match what:
            case "relay":
                _relay(*arguments)
            case "intake":
                _intake(*arguments)
            case "bridge":
                _bridge(*arguments)
    except VetRelayError as stopped:
        print(f"{stopped.sentence} [{stopped.code}]", file=sys.stderr)
        raise SystemExit(1) from stopped


if __name__ == "__main__":
    main(*sys.argv[1:])
