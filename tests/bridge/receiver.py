"""A small reception that puts letters into files, and a raw SMTP client: what the tests of the session share.

As a program (`python -m tests.bridge.receiver FOLDER [LIMIT=NUMBER … chain=FILE key=FILE]`) it listens on a free port in a process of its
own, prints the port, and lives until its standard input ends.
"""

import asyncio
import os
import secrets
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import msgspec
import uvloop

from vetrelay.bridge.ports import Arriving, Peer, Reply
from vetrelay.bridge.receiving.smtp_in import Listening, listen
from vetrelay.config import BridgeConfig, BridgeLimits
from vetrelay.errors import Fault

ROOT = Path(__file__).resolve().parents[2]
DOMAIN = "post.example"
CASE = f"case+abcd@{DOMAIN}"
UNKNOWN = Reply(code=550, enhanced="5.1.1", text="No such recipient here")
RELAYING = Reply(code=550, enhanced="5.7.1", text="Relaying denied")
SECRET = "secret path /var/lib/vetrelay"  # what an exception says, and no peer may read


class LetterFile:
    """A letter on its way into a file; `commit` syncs file and folder in a thread."""

    def __init__(self, desk: "FileReception", arriving: Arriving) -> None:
        self.size_bytes = 0
        self._desk, self._arriving = desk, arriving
        self._id = secrets.token_hex(8)
        self._tmp = desk.folder / "tmp" / self._id
        self._file = self._tmp.open("xb", buffering=0)

    def write(self, chunk: bytes) -> None:
        """Into the file."""
        self._desk.meet("write")
        self.size_bytes += self._file.write(chunk)
        self._desk.writes.append(len(chunk))

    async def commit(self) -> Reply:
        """Durable, then 250."""
        self._desk.committing.set()
        await asyncio.sleep(self._desk.commit_seconds)
        try:
            self._desk.meet("commit")
        except RuntimeError:
            self.abort()
            raise
        await asyncio.to_thread(self._keep)
        self._desk.taken.append((self._arriving, self._id))
        return Reply(code=250, enhanced="2.0.0", text=self._id)

    def _keep(self) -> None:
        os.fsync(self._file.fileno())
        self._file.close()
        self._tmp.rename(self._desk.folder / "new" / self._id)
        os.fsync(self._desk.descriptor)

    def abort(self) -> None:
        """No trace."""
        self._file.close()
        self._tmp.unlink()
        self._desk.meet("abort")


@dataclass
class FileReception:
    """Takes letters for the one case there is. A hook named in `broken` raises; one in `full` says that there is no room."""

    folder: Path
    commit_seconds: float = 0.0
    reach_seconds: float = 0.0
    broken: set[str] = field(default_factory=set)
    full: set[str] = field(default_factory=set)
    begun: list[tuple[Peer, str, int | None]] = field(default_factory=list)
    asked: list[tuple[Peer, str]] = field(default_factory=list)
    taken: list[tuple[Arriving, str]] = field(default_factory=list)
    writes: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.folder / "tmp").mkdir(parents=True)
        (self.folder / "new").mkdir()
        self.descriptor = os.open(self.folder / "new", os.O_RDONLY)
        self.committing = asyncio.Event()

    def meet(self, hook: str) -> None:
        """Raises where it was told to."""
        if hook in self.full:
            raise Fault("storage_full")
        if hook in self.broken:
            raise RuntimeError(SECRET)

    def may_begin(self, peer: Peer, mail_from: str, *, size_bytes: int | None) -> Reply | None:
        """Everybody may."""
        self.meet("may_begin")
        self.begun.append((peer, mail_from, size_bytes))
        return None

    async def may_reach(self, peer: Peer, recipient: str) -> Reply | None:
        """The case's address, and nothing else."""
        self.meet("may_reach")
        await asyncio.sleep(self.reach_seconds)
        self.asked.append((peer, recipient))
        if recipient == CASE:
            return None
        return (
            UNKNOWN
            if recipient.endswith(f"@{DOMAIN}") and recipient.count("@") == 1 and "%" not in recipient
            else RELAYING
        )

    def begin(self, arriving: Arriving) -> LetterFile:
        """A new file."""
        self.meet("begin")
        return LetterFile(self, arriving)

    def letters(self) -> list[bytes]:
        """What was taken, in order."""
        return [(self.folder / "new" / name).read_bytes() for _, name in self.taken]

    def left_over(self) -> list[Path]:
        """Files of letters that did not become whole."""
        return list((self.folder / "tmp").iterdir())


class Wire:
    """A raw SMTP client that says exactly what it is told to. Those still open are closed with their server."""

    opened: ClassVar[list["Wire"]] = []

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.opened.append(self)

    @classmethod
    async def to(cls, where: str) -> Self:
        """A connection, its greeting not yet read."""
        host, _, port = where.rpartition(":")
        return cls(*await asyncio.open_connection(host, int(port)))

    @classmethod
    async def greeted(cls, where: str) -> Self:
        """A connection after its EHLO."""
        wire = await cls.to(where)
        await wire.hear()
        await wire.say("EHLO client.example")
        return wire

    async def hear(self) -> str:
        """The next reply with all of its lines; empty when the connection has ended."""
        lines = []
        while line := (await self.reader.readline()).decode():
            lines.append(line.rstrip("\r\n"))
            if line[3:4] == " ":
                break
        return "\n".join(lines)

    async def say(self, *lines: str | bytes) -> str:
        """Says these lines at once, and hears one reply."""
        await self.put(*lines)
        return await self.hear()

    async def put(self, *lines: str | bytes) -> None:
        """Says these lines; bytes go out as they are."""
        self.writer.writelines(line if isinstance(line, bytes) else f"{line}\r\n".encode() for line in lines)
        await self.writer.drain()

    async def at_data(self, *, sender: str = "clinic@vet.example", recipient: str = CASE) -> Self:
        """Brings the session to where the letter begins."""
        for line in (f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>", "DATA"):
            reply = await self.say(line)
            assert reply[:3] in {"250", "354"}, reply
        return self

    async def letter(self, content: bytes = b"Subject: a\r\n\r\nText\r\n") -> str:
        """Sends one letter, and hears its answer."""
        await self.at_data()
        return await self.say(content + b".\r\n")

    async def ended(self) -> bool:
        """Whether the server has closed; waits for what is still coming."""
        try:
            return not await self.reader.read()
        except ConnectionResetError:
            return True

    async def close(self) -> None:
        """Goes away without a word."""
        self.writer.close()


def hang_up() -> None:
    """Closes every client that is still open."""
    while Wire.opened:
        Wire.opened.pop().writer.close()


def config_for(folder: Path, **settings: Any) -> BridgeConfig:
    """Settings of a bridge that listens on a free port; names of limits go into `limits`."""
    settings.setdefault("listen", ("127.0.0.1:0",))
    limits = {name: settings.pop(name) for name in BridgeLimits.__struct_fields__ if name in settings}
    # Not converted: tests use parts of a second, and settings are whole ones.
    return BridgeConfig(
        data=str(folder),
        relay_url="unix:/nowhere",
        domain=DOMAIN,
        hostname=f"mail.{DOMAIN}",
        web_url="https://mail.post.example",
        limits=msgspec.structs.replace(BridgeLimits(), **limits),
        **settings,
    )


@asynccontextmanager
async def served(
    reception: FileReception, *, tls: ssl.SSLContext | None = None, **settings: Any
) -> AsyncIterator[Listening]:
    """The session at work in this process."""
    config = config_for(reception.folder, **settings)
    listening = await listen(reception, config=config, tls=tls, random_bytes=secrets.token_bytes)
    try:
        yield listening
    finally:
        await listening.close()
        hang_up()


@dataclass(frozen=True)
class Apart:
    """The session at work in a process of its own."""

    where: str
    pid: int
    folder: Path

    def most_mebibytes(self) -> float:
        """The most memory that the process has had resident."""
        return self._status("VmHWM")

    def mebibytes(self) -> float:
        """The memory it has resident now."""
        return self._status("VmRSS")

    def forget_most(self) -> None:
        """From here on, `most_mebibytes` counts anew."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def letters(self) -> list[Path]:
        """The files of the letters it took."""
        return list((self.folder / "new").iterdir())

    def _status(self, name: str) -> float:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024


@contextmanager
def served_apart(folder: Path, *settings: str) -> Iterator[Apart]:
    """Starts the session in a process of its own, on uvloop, as the bridge does. Settings are `LIMIT=NUMBER`."""
    command = [sys.executable, "-m", "tests.bridge.receiver", str(folder), *settings]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Apart(where=process.stdout.readline().strip(), pid=process.pid, folder=folder)
        finally:
            hang_up()
            process.send_signal(signal.SIGTERM)


async def _serve(folder: Path, settings: dict[str, Any]) -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with served(FileReception(folder), **settings) as listening:
        print(listening.listens[0], flush=True)
        await stopped.wait()


if __name__ == "__main__":
    words = dict(word.split("=") for word in sys.argv[2:])
    chain, key = words.pop("chain", None), words.pop("key", None)
    options: dict[str, Any] = {name: int(number) for name, number in words.items()}
    if chain is not None:
        options["tls"] = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        options["tls"].load_cert_chain(chain, key)
    uvloop.run(_serve(Path(sys.argv[1]), options))
