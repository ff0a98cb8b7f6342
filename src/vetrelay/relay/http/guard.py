"""Connections, guarded: how many there may be, and how long one may stall while it is being answered.

aiohttp bounds neither (a connection that never asks, or asks too slowly, is closed by its keep-alive clock). One beyond
a bound is closed without a word: a stranger is owed none, and a client comes again.
"""

import asyncio
from collections import Counter
from typing import Any, cast

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from vetrelay.relay.policy import Limits


class Gate:
    """Makes the protocol of each new connection. Pass it to `create_server` and `create_unix_server`."""

    def __init__(self, server: web.Server, limits: Limits, **handler_options: Any) -> None:
        self.limits = limits
        self.count = 0
        self.by_address: Counter[str] = Counter()
        self._server = server
        self._handler_options = handler_options

    def __call__(self) -> "GuardedHandler":
        """The protocol of one connection."""
        return GuardedHandler(self, self._server, loop=asyncio.get_running_loop(), **self._handler_options)

    def enter(self, address: str) -> bool:
        """Count a connection in; whether it may stay."""
        self.count += 1
        self.by_address[address] += 1
        # Behind a unix socket stands one proxy or one intake for everybody: only the total bounds it.
        by_address = self.by_address[address] if address else 0
        return self.count <= self.limits.connections and by_address <= self.limits.connections_per_address

    def leave(self, address: str) -> None:
        """Count a connection out."""
        self.count -= 1
        self.by_address[address] -= 1
        if not self.by_address[address]:
            del self.by_address[address]


class GuardedHandler(RequestHandler):
    """aiohttp's own protocol, counted, and with a clock on every stall."""

    __slots__ = ("_address", "_clock", "_gate")

    def __init__(self, gate: Gate, server: web.Server, **options: Any) -> None:
        super().__init__(server, **options)
        self._gate = gate
        self._address = ""
        self._clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection, or close it where there are too many."""
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self._address = str(peer[0]) if isinstance(peer, tuple) else ""
        if not self._gate.enter(self._address):
            cast(asyncio.Transport, transport).abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the connection."""
        self._gate.leave(self._address)
        self._stop_clock()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The peer does not read: it is given so long until it does, or its connection is cut."""
        super().pause_writing()
        self._clock = self._loop.call_later(self._gate.limits.body_seconds, self._cut)

    def resume_writing(self) -> None:
        """The peer reads again."""
        self._stop_clock()
        super().resume_writing()

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _cut(self) -> None:
        self._clock = None
        if self.transport is not None:
            self.transport.abort()
