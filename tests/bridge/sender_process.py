"""Real sender processes on a queue, forked by `python -m tests.bridge.sender_process`, that can be told where to die by SIGKILL.

Its clock runs ahead of the machine's by what stands in FOLDER/ahead_ms, which may change while it runs; what it tells
goes into FOLDER/told, a line of JSON each. It ends when nothing is left to send or to tell.
"""

import asyncio
import json
import os
import signal
import ssl
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.gateway import clean_environment
from vetrelay.bridge.addressing import bounce_address
from vetrelay.bridge.ports import Delivery, Departure
from vetrelay.bridge.resolver import DnsResolver
from vetrelay.bridge.sending.departures import Departures
from vetrelay.bridge.sending.mta_sts import Policies
from vetrelay.bridge.sending.retry import Patience
from vetrelay.bridge.sending.route import Routes, Smarthost
from vetrelay.bridge.sending.sender import Pulse, Sender, Sending
from vetrelay.bridge.sending.smtp_out import Timeouts, Voice
from vetrelay.bridge.store.sealing import Seals
from vetrelay.bridge.store.spool import Spool
from vetrelay.bridge.store.tables import open_database
from vetrelay.telemetry import set_up_logs

ROOT = Path(__file__).resolve().parent.parent.parent
KEY = bytes(range(32))
DOMAIN = "bridge.example"
END_SECONDS = 60
QUICK = Pulse(start_seconds=0, look_seconds=0.1, parallel_letters=1)


def machine_ms() -> int:
    """The machine's clock."""
    return time.time_ns() // 1_000_000


@contextmanager
def opened_queue(database: str, folder: Path, now_ms: Callable[[], int] = machine_ms) -> Iterator[Departures]:
    """The queue in a database, with the spool beside it, until the block is left."""
    engine = open_database(database)
    try:
        yield Departures(engine, Seals(KEY, os.urandom), Spool(folder / "spool", KEY, os.urandom), now_ms)
    finally:
        engine.dispose()


def add_letter(queue: Departures, number: int, *, domain: str = "clinic.example") -> Departure:
    """Adds one letter, whose Message-ID carries its number."""
    message_id = f"<{number}@{DOMAIN}>"
    letter = f"From: records@{DOMAIN}\r\nTo: desk@{domain}\r\nMessage-ID: {message_id}\r\n\r\nNumber {number}.\r\n"
    departure = queue.add(
        letter.encode(),
        once=f"letter {number}",
        recipient=f"desk@{domain}",
        message_id=message_id,
        mode="notify",
        person=False,
        case="case",
    )
    assert departure is not None
    return departure


def sending_to(port: int, worker: str, **wanted: Any) -> Sending:
    """What a sender sends with, to one host on this machine."""
    resolver = DnsResolver(("127.0.0.1:1",))
    trust = ssl.create_default_context()
    given: dict[str, Any] = {
        "worker": worker,
        "routes": Routes(
            resolver=resolver,
            policies=Policies(resolver, now_ms=machine_ms, trust=trust),
            random_bytes=os.urandom,
            smarthost=Smarthost(host="127.0.0.1", port=port, tls="off"),
        ),
        "voice": Voice(hostname=DOMAIN, trust=trust, timeouts=Timeouts(command_seconds=20)),
        "dkim": None,
        "bounce_address": lambda departure: bounce_address(departure, key=KEY, domain=DOMAIN),
        "now_ms": machine_ms,
        "random_bytes": os.urandom,
        "patience": Patience(),
    }
    return Sending(**{**given, **wanted})


@dataclass(frozen=True, slots=True)
class SenderProcess:
    """A sender process, started by a nursery."""

    nursery: "Nursery"
    pid: int
    log: Path

    def wait(self) -> int:
        """Waits for its end; the exit code, negative for a signal. Once."""
        return self.nursery.ask({"wait": self.pid})


class Nursery:
    """A process that has imported everything once, and from which each sender is forked."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bridge.sender_process"],
            cwd=ROOT,
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(
        self,
        database: str,
        folder: Path,
        *,
        port: int,
        worker: str,
        die_at: str | None = None,
        die_on: int = 1,
        waits_on: int = 0,
    ) -> SenderProcess:
        """Starts a sender, which sends one letter at a time.

        `die_at` is the name of a crash point, and `die_on` which of its passings it dies at; with `waits_on` it stands
        still at that claim until FOLDER/go_on is there.
        """
        log = folder / f"{worker}.log"
        wanted = {
            "database": database,
            "folder": str(folder),
            "port": port,
            "worker": worker,
            "die_at": die_at,
            "die_on": die_on,
            "waits_on": waits_on,
            "log": str(log),
        }
        return SenderProcess(self, self.ask(wanted), log)

    def ask(self, wanted: dict[str, Any]) -> int:
        """One line to the process, and its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(wanted) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """Ends it."""
        self._process.communicate("", timeout=END_SECONDS)


@contextmanager
def sender_nursery() -> Iterator[Nursery]:
    """A nursery until the block is left."""
    nursery = Nursery()
    try:
        yield nursery
    finally:
        nursery.close()


def told_lines(folder: Path) -> Sequence[tuple[str, str]]:
    """What was told: Message-ID and state, in order."""
    path = folder / "told"
    return [tuple(json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []


async def serve(wanted: dict[str, Any]) -> None:
    """One sender until its queue is empty, or until it dies."""
    folder = Path(wanted["folder"])
    passed = claims = 0

    def now_ms() -> int:
        ahead = folder / "ahead_ms"
        return machine_ms() + (int(ahead.read_text()) if ahead.exists() else 0)

    def checkpoint(name: str) -> None:
        nonlocal passed, claims
        claims += name == "claimed"
        while name == "claimed" and claims == wanted["waits_on"] and not (folder / "go_on").exists():
            time.sleep(0.02)
        if name == wanted["die_at"]:
            passed += 1
            if passed == wanted["die_on"]:
                os.kill(os.getpid(), signal.SIGKILL)

    async def tell(delivery: Delivery) -> None:
        line = json.dumps([delivery.departure.message_id, delivery.state]) + "\n"
        descriptor = os.open(folder / "told", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(descriptor, line.encode())
        os.close(descriptor)

    with opened_queue(wanted["database"], folder, now_ms) as queue:
        sending = sending_to(wanted["port"], wanted["worker"], now_ms=now_ms, checkpoint=checkpoint, tell=tell)
        sender = Sender(queue, sending, pulse=QUICK)
        running = asyncio.create_task(sender.run())
        while not running.done():
            await asyncio.sleep(0.05)
            if not queue.spooled() and not queue.tidings.untold():
                sender.finish()
        await running


def forked(wanted: dict[str, Any]) -> int:
    """A new process that serves; its id."""
    child = os.fork()
    if child == 0:
        log = os.open(wanted["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for stream in (1, 2):
            os.dup2(log, stream)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        code = 1
        try:
            set_up_logs(as_json=True)
            asyncio.run(serve(wanted))
            code = 0
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            sys.stderr.flush()
            os._exit(code)
    return child


def main() -> None:
    """Forks senders until standard input ends."""
    for line in sys.stdin:
        wanted = json.loads(line)
        if "wait" in wanted:
            print(os.waitstatus_to_exitcode(os.waitpid(wanted["wait"], 0)[1]), flush=True)
        else:
            print(forked(wanted), flush=True)


if __name__ == "__main__":
    main()
