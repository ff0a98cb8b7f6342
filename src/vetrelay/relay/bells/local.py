"""Bells for one process: a future per waiting reader, found by topic."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class LocalListening:
    """One reader who listens. It costs next to nothing before it waits."""

    __slots__ = ("_rung",)

    def __init__(self) -> None:
        self._rung: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def ring(self) -> None:
        """Wake this reader; once is enough."""
        if not self._rung.done():
            self._rung.set_result(None)

    async def heard(self, wait_seconds: float) -> bool:
        """Wait until the bell rings, at most so long; whether it rang."""
        if wait_seconds > 0 and not self._rung.done():
            await asyncio.wait((self._rung,), timeout=wait_seconds)
        return self._rung.done()


class LocalBells:
    """Everybody who listens in this process. Used on the event loop only."""

    def __init__(self) -> None:
        self._listening: dict[str, set[LocalListening]] = {}

    @contextmanager
    def listen(self, topic: str) -> Iterator[LocalListening]:
        """Begin to listen for a topic."""
        one = LocalListening()
        self._listening.setdefault(topic, set()).add(one)
        try:
            yield one
        finally:
            others = self._listening[topic]
            others.discard(one)
            if not others:
                del self._listening[topic]

    def ring(self, topics: Iterable[str]) -> None:
        """Wake everybody who listens for one of these topics."""
        for topic in topics:
            for one in self._listening.get(topic, ()):
                one.ring()

    def close(self) -> None:
        """Wake everybody: the process ends."""
        self.ring(list(self._listening))
