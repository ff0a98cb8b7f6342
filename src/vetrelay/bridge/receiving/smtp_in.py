"""The SMTP session that takes letters in: aiosmtpd's command loop, with everything that meets a stranger's bytes our own.

What must hold here, with the number at the line that does it (findings in aiosmtpd 1.4.6, which is treated as frozen):

(1) What is held of a letter is bounded before anything is known of the peer: twice the limit, then 421 (data.py).
(2) A letter is streamed into `Incoming`, never kept.
(3) Silence ends a session, work does not: the clock starts anew with each chunk, and stands still during a commit.
(4) A commit runs to its end whatever becomes of the connection.
(5) An exception is a 451 with a number that the log knows; no text of it goes out.
(6) Lines up to 64 KiB are taken (data.py).
(7) Parameters that we do not know are read over.
(8) No PIPELINING and no CHUNKING; so bytes behind the dot or behind STARTTLS are a breach, thrown away, and the end.
(9) A bare line feed or carriage return in a letter refuses it, or is normalized (data.py).
(10) Connections are counted, all in all and per peer, before a session is made.
(11) STARTTLS once, and nothing said before it counts after it.
(12) No AUTH: this is where letters arrive, nobody submits here.
(13) aiosmtpd's own logger, which knows addresses, is silent.
(14) The null sender is "", VRFY, EXPN and HELP tell nothing, and the greeting names no product.
(15) Letters, recipients, wrong guesses and the time of a session are bounded.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from vetrelay.bridge.ports import Reception
from vetrelay.bridge.receiving import smtp_replies as say
from vetrelay.bridge.receiving.session_limits import Connections
from vetrelay.bridge.receiving.smtp_connection import Desk
from vetrelay.bridge.receiving.smtp_session import Session
from vetrelay.config import BridgeConfig
from vetrelay.errors import Fault

BACKLOG: Final = 1024
REPLIES_SECONDS: Final = 2.0
"""How long those who wait for the answer to a committed letter are given when the bridge stops."""


class _Door(asyncio.Protocol):
    """Who is let in; a session, which costs far more, is made only for them (10)."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # a TCP server's always is one
        """Counts the connection, and hands it to a session of its own or says 421."""
        peer = transport.get_extra_info("peername")
        address = str(peer[0]) if isinstance(peer, tuple) and peer else ""
        refused = self._desk.connections.enter(address)
        if refused is not None:
            transport.write(f"{refused}\r\n".encode())
            transport.close()
            return
        try:
            session = Session(self._desk, address, asyncio.get_running_loop())
        except BaseException:
            self._desk.connections.leave(address)
            raise
        transport.set_protocol(session)
        session.connection_made(transport)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """The open ears. `listens` names each place as HOST:PORT, with the port that it got."""

    servers: tuple[asyncio.Server, ...]
    listens: tuple[str, ...]
    desk: Desk

    async def close(self) -> None:
        """Takes no more letters; those that are being committed are, and are answered, before it returns."""
        for server in self.servers:
            server.close()
        sessions = tuple(self.desk.sessions)
        for session in sessions:
            session.leave(say.CLOSING)
        if self.desk.commits:
            await asyncio.wait(self.desk.commits)
        if sessions:
            await asyncio.wait([session.conversation() for session in sessions], timeout=REPLIES_SECONDS)
        for session in sessions:
            session.abort()
        for server in self.servers:
            await server.wait_closed()


async def listen(
    reception: Reception,
    *,
    config: BridgeConfig,
    tls: ssl.SSLContext | None,
    random_bytes: Callable[[int], bytes],
) -> Listening:
    """Takes letters at each place of `config.listen` (HOST:PORT) from here on. Raises Fault `bad_listen`."""
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # (13)
    desk = Desk(
        reception=reception, config=config, tls=tls, random_bytes=random_bytes, connections=Connections(config.limits)
    )
    loop = asyncio.get_running_loop()
    servers: list[asyncio.Server] = []
    try:
        for place in config.listen:
            host, _, port = place.rpartition(":")
            servers.append(
                await loop.create_server(
                    lambda: _Door(desk), host.strip("[]") or None, int(port), backlog=BACKLOG, reuse_address=True
                )
            )
    except (OSError, ValueError, OverflowError) as wrong:
        for server in servers:
            server.close()
        raise Fault("bad_listen", listen=place) from wrong
    names = tuple(_name_of(one.getsockname()) for server in servers for one in server.sockets)
    return Listening(servers=tuple(servers), listens=names, desk=desk)


def _name_of(address: tuple[str, int]) -> str:
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
