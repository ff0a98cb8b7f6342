"""One SMTP connection without its letters: greeting, TLS, clocks, and how it ends. aiosmtpd's loop, kept in bounds.

The numbers are those of smtp_in.py.
"""

import asyncio
import ssl
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from aiosmtpd.smtp import SMTP

from vetrelay.bridge.ports import Peer, Reception, Reply
from vetrelay.bridge.receiving import smtp_replies as say
from vetrelay.bridge.receiving.data import READ_BYTES
from vetrelay.bridge.receiving.session_limits import Allowance, Connections
from vetrelay.config import BridgeConfig
from vetrelay.errors import Fault
from vetrelay.telemetry import event_log, place_of

COMMAND_BYTES: Final = 2048
"""RFC 5321 wants 512, and its extensions up to about 1500 more for MAIL."""
COMMANDS: Final = tuple(
    f"smtp_{name}"
    for name in (
        *("HELO", "EHLO", "STARTTLS", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT"),
        *("VRFY", "EXPN", "HELP", "AUTH"),
    )
)
"""Every command there is; what is not named here does not exist, whatever aiosmtpd brings."""
HELO_LETTERS: Final = 255
LINGER_SECONDS: Final = 5.0


class Over(ConnectionResetError):
    """The session has ended. No error: aiosmtpd's loop ends quietly on the one that this is derived from."""


class _OneLimit(defaultdict[str, int]):
    """The same limit for each command. It remembers none: their names are a stranger's words."""

    def __missing__(self, _command: str) -> int:
        return COMMAND_BYTES


class _NoHooks:
    """aiosmtpd's handler, of which we use nothing."""

    def __dir__(self) -> Iterable[str]:
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What all sessions of one listener share."""

    reception: Reception
    config: BridgeConfig
    tls: ssl.SSLContext | None
    random_bytes: Callable[[int], bytes]
    connections: Connections
    commits: set[asyncio.Task[Reply]] = field(default_factory=set)
    sessions: set["Connection"] = field(default_factory=set)

    def failed(self, error: BaseException) -> Reply:
        """(5) The answer to something unexpected, and its line in the log."""
        incident = self.random_bytes(4).hex()
        event_log()("smtp.failed", code=incident, error=type(error).__name__, where=place_of(error))
        return say.failed(incident)

    def refused_write(self, error: Exception) -> Reply:
        """The answer to a letter that could not be put down."""
        if isinstance(error, Fault) and error.code == "storage_full":
            return say.NO_ROOM
        return self.failed(error)


class Connection(SMTP):
    """One peer's conversation. `address` is the peer's."""

    transport: asyncio.Transport | None
    # What the stream holds before it stops the peer is twice this; a command is cut off at COMMAND_BYTES all the same.
    line_length_limit = READ_BYTES // 2
    command_size_limit = COMMAND_BYTES
    command_size_limits = _OneLimit()

    def __init__(self, desk: Desk, address: str, loop: asyncio.AbstractEventLoop) -> None:
        config = desk.config
        super().__init__(
            _NoHooks(),
            hostname=config.hostname,
            ident="ESMTP",  # (14)
            enable_SMTPUTF8=True,
            timeout=config.limits.idle_seconds,
            loop=loop,
        )
        self._desk, self._address = desk, address
        self._allowance = Allowance(config.limits)
        self._encrypted = self._shaking_hands = self._gone = self._taking = self._committing = False
        self._last_words: Reply | None = None
        self._ends: list[asyncio.TimerHandle] = []

    def __dir__(self) -> Iterable[str]:
        # aiosmtpd finds its commands by asking every session for all its names, which is most of what one costs.
        return COMMANDS

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The session begins, and with it the time that it may last (15)."""
        super().connection_made(transport)
        self._desk.sessions.add(self)
        self._ends.append(self.loop.call_later(self._desk.config.limits.session_seconds, self.leave, say.LASTED))

    def conversation(self) -> asyncio.Task[None]:
        """What runs as long as this session has something to say."""
        assert self._handler_coroutine is not None
        return self._handler_coroutine

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone; what is being committed is not (4)."""
        if self._gone:
            return
        self._gone = True
        for end in self._ends:
            end.cancel()
        self._desk.sessions.discard(self)
        self._desk.connections.leave(self._address)
        super().connection_lost(error)

    def eof_received(self) -> bool | None:
        """The peer says no more. While a letter is being taken, the rest of it may be here already, so it is read (4)."""
        if self._taking:
            return asyncio.StreamReaderProtocol.eof_received(self)
        return super().eof_received()

    def leave(self, reply: Reply) -> None:
        """Ends the session with these words: now, or when the commit that runs has been answered (3)."""
        if self._committing:
            self._last_words = reply
        elif self._shaking_hands:
            self.abort()
        elif self.transport is not None and not self.transport.is_closing():
            self._writer.write(f"{reply}\r\n".encode())
            self._hang_up()

    def abort(self) -> None:
        """Ends the session without a word."""
        if self.transport is not None:
            self.transport.abort()

    def _hang_up(self) -> None:
        if self.transport is not None:
            self.transport.close()
            # A peer that reads nothing does not keep its connection by that.
            self._ends.append(self.loop.call_later(LINGER_SECONDS, self.abort))

    def _timeout_cb(self) -> None:
        self.leave(say.SILENT)

    async def _handle_client(self) -> None:
        # However a conversation ends, there is nobody left to be told.
        with suppress(OSError, asyncio.CancelledError):
            await super()._handle_client()

    async def handle_exception(self, error: Exception) -> str:
        """The reply to whatever a command raised (5)."""
        return str(self._desk.failed(error))

    async def push(self, status: str | bytes) -> None:
        """Sends one reply, in our words if it is aiosmtpd's. A 421 is always the last."""
        text = say.in_our_words(status if isinstance(status, str) else status.decode("ascii", "replace"))
        await super().push(text)
        if text.startswith("421"):
            self._end()

    async def answer(self, reply: Reply) -> None:
        """Sends one reply, and ends the session if it says so."""
        await self.push(str(reply))
        if reply.close:
            self._end()

    def _end(self) -> None:
        self._hang_up()
        raise Over

    def _has_more(self) -> bool:
        # The stream has no public way to ask; aiosmtpd clears the same field. (8)
        return bool(self._reader._buffer)  # type: ignore[attr-defined]  # noqa: SLF001  # see above

    def _peer(self) -> Peer:
        assert self.session is not None
        return Peer(address=self._address, helo=self.session.host_name or "", tls=self._encrypted)

    @contextmanager
    def _unhurried(self) -> Iterator[None]:
        """The clock of silence stands still while it is we who are awaited, and starts anew after (3)."""
        assert self._timeout_handle is not None
        self._timeout_handle.cancel()
        try:
            yield
        finally:
            if not self._gone:
                self._reset_timeout()

    def forget_letter(self) -> None:
        """No sender and no recipients, as after RSET."""
        self._sender: str | None = None
        self._recipients: dict[str, None] = {}

    _set_rset_state = _set_post_data_state = forget_letter

    # --- greeting and leaving --------------------------------------------------------------------------------------------

    async def smtp_HELO(self, hostname: str | None) -> None:  # noqa: N802  # the name aiosmtpd calls
        """RFC 5321 section 4.1.1.1."""
        await self._greet(hostname, extended=False)

    async def smtp_EHLO(self, hostname: str | None) -> None:  # noqa: N802  # the name aiosmtpd calls
        """RFC 5321 section 4.1.1.1: offers what we keep to, and nothing else (8) (12)."""
        await self._greet(hostname, extended=True)

    async def _greet(self, untrusted_hostname: str | None, *, extended: bool) -> None:
        assert self.session is not None
        if not untrusted_hostname:
            await self.answer(say.BAD_SYNTAX)
            return
        self.forget_letter()
        self.session.extended_smtp, self.session.host_name = extended, untrusted_hostname[:HELO_LETTERS]
        config = self._desk.config
        lines = [config.hostname]
        if extended:
            lines += [f"SIZE {config.limits.letter_bytes}", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"]
            lines += ["STARTTLS"] if self._desk.tls is not None and not self._encrypted else []
        await super().push("\r\n".join([*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}"]))

    async def smtp_STARTTLS(self, arg: str | None) -> None:  # noqa: N802  # the name aiosmtpd calls
        """RFC 3207: once, and what was said before it is forgotten (11)."""
        assert self.session is not None
        if self._encrypted or self._desk.tls is None or arg:
            wrong = say.TLS_ALREADY if self._encrypted else say.BAD_SYNTAX if arg else say.NO_TLS
            return await self.answer(wrong)
        if not self._has_more():
            await self.push(str(say.READY_FOR_TLS))
        if self._has_more():
            return await self.answer(say.TOO_EARLY)
        with self._unhurried():
            await self._encrypt(self._desk.tls)
        self.forget_letter()
        self.session.host_name, self.session.extended_smtp = None, False
        return None

    async def _encrypt(self, tls: ssl.SSLContext) -> None:
        """The stream goes on over TLS; Python 3.11 has no public way for a stream to change its transport."""
        assert self.session is not None
        assert self.transport is not None
        plain, self._shaking_hands = self.transport, True
        try:
            transport = await self.loop.start_tls(
                plain, self, tls, server_side=True, ssl_handshake_timeout=self._desk.config.limits.idle_seconds
            )
        except BaseException as error:
            # While the handshake runs, asyncio tells nobody but us that the connection is lost.
            plain.abort()
            self.connection_lost(error if isinstance(error, Exception) else None)
            raise Over from error
        assert transport is not None
        self._shaking_hands = False
        self.transport = self._transport = transport
        self._reader._transport = self._writer._transport = transport  # type: ignore[attr-defined]  # noqa: SLF001  # see above
        self._over_ssl = self._encrypted = True
        self.session.ssl = {"sslcontext": tls}

    async def smtp_RSET(self, arg: str | None) -> None:  # noqa: N802  # the name aiosmtpd calls
        """RFC 5321 section 4.1.1.5."""
        self.forget_letter()
        await self.answer(say.BAD_SYNTAX if arg else say.OK)

    async def smtp_NOOP(self, _arg: str | None) -> None:  # noqa: N802  # the name aiosmtpd calls
        """RFC 5321 section 4.1.1.9."""
        await self.answer(say.OK)

    async def smtp_QUIT(self, _arg: str | None) -> None:  # noqa: N802  # the name aiosmtpd calls
        """RFC 5321 section 4.1.1.10."""
        await self.answer(say.BYE)

    async def _not_here(self, arg: str | None) -> None:  # noqa: ARG002  # aiosmtpd passes one
        """Tells nothing of who is here, and takes no passwords (12) (14)."""
        await self.answer(say.NOT_HERE)

    smtp_VRFY = smtp_EXPN = smtp_HELP = smtp_AUTH = _not_here  # noqa: N815  # the names aiosmtpd calls
