"""Speed and memory of taking letters in, against Postfix (discard transport) and stock aiosmtpd, all of them durable.

Run as a script: `python -m tests.benchmarks.bench_smtp [ROUNDS]` prints a table and one line of JSON. Ours is the SMTP
session with the encrypted spool and its row per letter; Postfix is an instance of its own (so: as root); stock aiosmtpd
writes each letter into a file and syncs file and folder. Whoever they are, 250 is said when the letter is on the disk.
The load is smtp-source's, ten sessions at once; the three take turns, so that a busy machine slows all of them alike.
"""

import asyncio
import hashlib
import json
import os
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import uvloop
from aiosmtpd.smtp import SMTP

from tests.bridge.mailservers import postfix, program
from tests.bridge.receiver import Apart, config_for
from vetrelay.bridge.ports import Arrival, ArrivalState, Arriving, Peer, Reply
from vetrelay.bridge.receiving.smtp_in import listen
from vetrelay.bridge.store.arrivals import Arrivals
from vetrelay.bridge.store.groupcommit import GroupCommit
from vetrelay.bridge.store.sealing import Seals
from vetrelay.bridge.store.spool import Spool
from vetrelay.bridge.store.spoolkey import load_or_make_key
from vetrelay.bridge.store.tables import open_database

ROOT = Path(__file__).resolve().parents[2]
SESSIONS = 10
LARGE_BYTES, LARGE_LETTERS = 1024 * 1024, 80
SMALL_BYTES, SMALL_LETTERS = 10 * 1024, 800
STOCK_SHARE = 4
"""Stock aiosmtpd is slow enough to be measured with a quarter of the letters."""
HUGE_BYTES, HUGE_SESSIONS = 40 * 1024 * 1024, 10
LIMITS = {
    "large_of_postfix": 0.8,
    "large_of_stock": 3.0,
    "small_of_postfix": 0.7,
    "session_mebibytes": 1.0,
}


class Letter:
    """A letter on its way into the spool; file and row are durable before it is accepted."""

    def __init__(self, desk: "Spooling", arriving: Arriving) -> None:
        self.size_bytes = 0
        self._desk, self._arriving = desk, arriving
        self._file = desk.spool.begin()
        self._hash = hashlib.sha256()

    def write(self, chunk: bytes) -> None:
        """Encrypted as it comes."""
        self.size_bytes += len(chunk)
        self._file.write(chunk)
        self._hash.update(chunk)

    async def commit(self) -> Reply:
        """File, folder, row; then 250."""
        arrival = Arrival(
            id=self._file.id,
            spool=self._file.id,
            kind="letter",
            state=ArrivalState.RECEIVED,
            class_="person",
            case="case-one",
            token="a" * 26,
            received_ms=0,
            size_bytes=self.size_bytes,
            peer=self._arriving.peer,
            mail_from=self._arriving.mail_from,
            authenticated=None,
        )
        dedup = self._hash.hexdigest()
        arrivals = self._desk.arrivals
        await self._desk.commits.run(
            lambda tables: arrivals.add_within(tables, (arrival,), dedup=dedup), files=[self._file]
        )
        return Reply(code=250, enhanced="2.0.0", text=arrival.id)

    def abort(self) -> None:
        """No trace."""
        self._file.abort()


class Spooling:
    """Takes every letter for everybody: the reception without its questions, which Postfix is not asked either."""

    def __init__(self, folder: Path) -> None:
        key = load_or_make_key(folder, os.urandom)
        engine = open_database(folder / "bridge.sqlite3")
        self.spool = Spool(folder / "spool", key, os.urandom)
        self.arrivals = Arrivals(engine, Seals(key, os.urandom), lambda: int(time.time() * 1000))
        self.commits = GroupCommit(engine, self.spool)

    def may_begin(self, peer: Peer, mail_from: str, *, size_bytes: int | None) -> Reply | None:
        """Everybody may."""

    async def may_reach(self, peer: Peer, recipient: str) -> Reply | None:
        """Everybody is here."""

    def begin(self, arriving: Arriving) -> Letter:
        """A new spool file."""
        return Letter(self, arriving)


class Stock:
    """What aiosmtpd's documentation leads to, made durable: the letter in memory, then in a file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor = os.open(folder, os.O_RDONLY)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  # aiosmtpd's name
        """Durable, then 250."""
        await asyncio.to_thread(self._keep, envelope.content)
        return "250 OK"

    def _keep(self, content: bytes) -> None:
        name = secrets.token_hex(8)
        with (self._folder / f"{name}.tmp").open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        (self._folder / f"{name}.tmp").rename(self._folder / name)
        os.fsync(self._descriptor)


async def _serve(kind: str, folder: Path) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    if kind == "ours":
        config = config_for(folder, connections_per_address=200)
        listening = await listen(Spooling(folder), config=config, tls=None, random_bytes=secrets.token_bytes)
        print(listening.listens[0], flush=True)
        await stopped.wait()
        await listening.close()
    else:
        handler = Stock(folder)
        server = await loop.create_server(lambda: SMTP(handler, hostname="stock.example", loop=loop), "127.0.0.1", 0)
        print(f"127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await stopped.wait()


@contextmanager
def serving(kind: str) -> Iterator[Apart]:
    """Ours or stock aiosmtpd, each on uvloop in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-m", "tests.benchmarks.bench_smtp", "serve", kind, name]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                yield Apart(where=process.stdout.readline().strip(), pid=process.pid, folder=Path(name))
            finally:
                process.send_signal(signal.SIGTERM)


def load(where: str, *, letters: int, size_bytes: int, sessions: int = SESSIONS) -> float:
    """Letters per second, as smtp-source brings them; each has to be accepted."""
    command = [program("smtp-source"), "-s", str(sessions), "-m", str(letters), "-l", str(size_bytes)]
    began = perf_counter()
    subprocess.run([*command, "-f", "a@b.example", "-t", "case+a@post.example", where], check=True, timeout=300)
    return letters / (perf_counter() - began)


def memory_of_a_session() -> float:
    """MiB that each of several sessions takes at most while it brings a huge letter, to a process that had little ones."""
    with serving("ours") as ours:
        load(ours.where, letters=HUGE_SESSIONS, size_bytes=SMALL_BYTES, sessions=1)
        before = ours.mebibytes()
        ours.forget_most()
        load(ours.where, letters=HUGE_SESSIONS, size_bytes=HUGE_BYTES, sessions=HUGE_SESSIONS)
        return (ours.most_mebibytes() - before) / HUGE_SESSIONS


def measure(rounds: int = 5) -> dict[str, float]:
    """All figures, by name: medians of `rounds` ratios, after one round that warms up."""
    with ExitStack() as stack:
        ours, stock = stack.enter_context(serving("ours")), stack.enter_context(serving("stock"))
        where = {"ours": ours.where, "postfix": stack.enter_context(postfix()), "stock": stock.where}
        sizes = {"large": (LARGE_LETTERS, LARGE_BYTES), "small": (SMALL_LETTERS, SMALL_BYTES)}
        rates: dict[str, dict[str, list[float]]] = {size: {name: [] for name in where} for size in sizes}
        for turn in range(rounds + 1):
            for size, (letters, size_bytes) in sizes.items():
                for name, place in where.items():
                    share = STOCK_SHARE if name == "stock" else 1
                    rate = load(place, letters=letters // share, size_bytes=size_bytes)
                    if turn:
                        rates[size][name].append(rate)
                    time.sleep(0.3)  # Postfix delivers what it took: not at the next one's expense
    figures = {"session_mebibytes": memory_of_a_session()}
    for size, by_name in rates.items():
        for other in ("postfix", "stock"):
            ratios = [mine / theirs for mine, theirs in zip(by_name["ours"], by_name[other], strict=True)]
            figures[f"{size}_of_{other}"] = statistics.median(ratios)
        figures |= {f"{size}_{name}_per_second": statistics.median(some) for name, some in by_name.items()}
    return figures


def main() -> None:
    """Measure and print."""
    figures = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
    print(f"letters of {LARGE_BYTES // 1024} and {SMALL_BYTES // 1024} KiB, {SESSIONS} sessions at once")
    for name, figure in figures.items():
        limit = LIMITS.get(name)
        print(f"  {name:28} {figure:8.2f}" + (f"   limit {limit}" if limit else ""))
    print(json.dumps({name: round(figure, 3) for name, figure in figures.items()}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        uvloop.run(_serve(sys.argv[2], Path(sys.argv[3])))
    else:
        main()
