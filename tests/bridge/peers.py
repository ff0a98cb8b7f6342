"""An SMTP server in Python that misbehaves as no real one can be told to: a lost 250, STARTTLS stripped, its own answers."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Misbehaving:
    """How the peer behaves, and what it saw. `answers` replaces its answer to a command; "" ends the connection."""

    context: ssl.SSLContext | None = None
    hides_starttls: bool = False
    loses_250: bool = False
    extensions: tuple[str, ...] = ("SIZE 50000000", "DSN", "ENHANCEDSTATUSCODES")
    answers: dict[str, str] = field(default_factory=dict)
    implicit_tls: bool = False
    port: int = 0
    commands: list[str] = field(default_factory=list)
    letters: list[bytes] = field(default_factory=list)
    data_bytes: int = 0
    sessions: int = 0

    def _greeting(self, *, in_tls: bool) -> str:
        offered = ["STARTTLS"] if self.context and not in_tls and not self.hides_starttls else []
        lines = ["peer.example", *self.extensions, *offered]
        return "\r\n".join(f"250{' ' if at == len(lines) - 1 else '-'}{line}" for at, line in enumerate(lines))

    async def session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.sessions += 1
        in_tls = self.implicit_tls
        writer.write(f"{self.answers.get('CONNECT', '220 peer.example')}\r\n".encode())
        while line := await reader.readline():
            command = line.decode().strip()
            self.commands.append(command)
            word = command.partition(" ")[0].upper()
            if word == "STARTTLS" and self.context is not None and word not in self.answers:
                writer.write(b"220 go on\r\n")
                await writer.start_tls(self.context)
                in_tls = True
                continue
            default = {"EHLO": self._greeting(in_tls=in_tls), "DATA": "354 go on", "QUIT": "221 bye"}.get(
                word, "250 ok"
            )
            answer = self.answers.get(word, default)
            if not answer:
                break
            writer.write(f"{answer}\r\n".encode())
            if answer.startswith("354") and not await self._took_letter(reader, writer):
                break
            if word == "QUIT":
                break

    async def _took_letter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        letter = b""
        while (line := await reader.readline()) != b".\r\n":
            if not line:
                return False
            self.data_bytes += len(line)
            letter += line.removeprefix(b".")
        self.letters.append(letter)
        if self.loses_250:
            return False
        answer = self.answers.get(".", "250 2.0.0 Ok: queued as 4XKq2")
        if answer:
            writer.write(f"{answer}\r\n".encode())
        return bool(answer)


@asynccontextmanager
async def misbehaving(peer: Misbehaving) -> AsyncIterator[Misbehaving]:
    """The peer, listening on a free port of 127.0.0.1 until the block is left."""
    sessions: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        sessions.add(task)
        try:
            with suppress(ConnectionError, ssl.SSLError, asyncio.CancelledError):
                await peer.session(reader, writer)
        finally:
            sessions.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(
        one, "127.0.0.1", 0, ssl=peer.context if peer.implicit_tls else None, limit=2**24
    )
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        for task in tuple(sessions):
            task.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)
