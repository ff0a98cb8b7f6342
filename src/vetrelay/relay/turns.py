"""Turns at an upload: one request at a time, and the newest wins (relay.md, tus: what unmodified clients demand)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from vetrelay.errors import Refusal
from vetrelay.protocol.ids import Hash

TURN_SECONDS: Final = 15.0  # whoever is stopped only has to write down what it has


@dataclass(slots=True)
class _Queue:
    """Those who ask for one upload; `newest` is the number of the last of them."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    newest: int = 0
    askers: int = 0
    receiving: asyncio.Timeout | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One request's turn at an upload."""

    queue: _Queue
    number: int

    @property
    def overtaken(self) -> bool:
        """Whether a newer request waits."""
        return self.queue.newest != self.number


class Turns:
    """Who is at which upload: one request at a time, and a newer one stops an older one that still receives.

    A client that lost its connection comes back before the relay knows that the old one is dead.
    """

    def __init__(self) -> None:
        self._queues: dict[Hash, _Queue] = {}
        self.writing = 0

    @asynccontextmanager
    async def take(self, url_hash: Hash) -> AsyncIterator[Turn]:
        """Have this upload to oneself. Raises Refusal `upload_locked` when whoever has it does not come to an end."""
        queue = self._queues.setdefault(url_hash, _Queue())
        queue.newest += 1
        queue.askers += 1
        turn = Turn(queue, queue.newest)
        try:
            if queue.receiving is not None and not queue.receiving.expired():
                queue.receiving.reschedule(0)
            try:
                async with asyncio.timeout(TURN_SECONDS):
                    await queue.lock.acquire()
            except TimeoutError as busy:
                raise Refusal("upload_locked") from busy
            try:
                yield turn
            finally:
                queue.lock.release()
        finally:
            queue.askers -= 1
            if not queue.askers:
                del self._queues[url_hash]
