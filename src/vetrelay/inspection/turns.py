"""Turns at the cores: which file is looked at next.

Each slot is one core's worth of work. One slot takes the file that has waited longest, so that a large one is never
put off for ever; every other slot takes the smallest one that waits. So a small photo never waits behind more than the
one file that each core has in hand.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

_OLDEST_FIRST_SLOT = 0


@dataclass(eq=False, slots=True, kw_only=True)
class _Waiting:
    size_bytes: int
    order: int
    slot: asyncio.Future[int]


class Turns:
    """A number of slots, and those who wait for one."""

    def __init__(self, slots: int) -> None:
        self._free = list(range(slots))
        self._slots = slots
        self._waiting: list[_Waiting] = []
        self._order = 0

    @asynccontextmanager
    async def turn(self, size_bytes: int) -> AsyncIterator[None]:
        """A slot for one file of this size, as soon as it is its turn."""
        slot = self._free.pop() if self._free else await self._wait(size_bytes)
        try:
            yield
        finally:
            self._pass_on(slot)

    async def _wait(self, size_bytes: int) -> int:
        waiting = _Waiting(size_bytes=size_bytes, order=self._order, slot=asyncio.get_running_loop().create_future())
        self._order += 1
        self._waiting.append(waiting)
        try:
            return await waiting.slot
        except asyncio.CancelledError:
            if waiting.slot.done() and not waiting.slot.cancelled():
                self._pass_on(waiting.slot.result())
            else:
                self._waiting.remove(waiting)
            raise

    def _pass_on(self, slot: int) -> None:
        waiting = [one for one in self._waiting if not one.slot.done()]  # done here is cancelled
        if not waiting:
            self._free.append(slot)
            return
        # With one slot alone, a small photo comes first: nothing else would keep the promise above.
        oldest_first = slot == _OLDEST_FIRST_SLOT and self._slots > 1
        chosen = min(waiting, key=lambda one: (0 if oldest_first else one.size_bytes, one.order))
        self._waiting.remove(chosen)
        chosen.slot.set_result(slot)
