"""The zygotes of one inspector: lean ones for pictures and full ones for all, and a turn at a core for each job."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping, Sequence

from vetrelay.errors import Fault
from vetrelay.inspection import selftest
from vetrelay.inspection.frames import Request
from vetrelay.inspection.sandbox import Ending, Zygote, ZygoteLost
from vetrelay.inspection.turns import Turns

LOADS = ("pictures", "all")
"""What a zygote has loaded; a job in a lean one starts faster (docs/decisions/0010)."""
_ATTEMPTS = 2
_log = logging.getLogger(__name__)


class Pool:
    """As many jobs at once as there are cores, whichever zygotes serve them. Opened by `fill`, ended by `close`.

    It begins with one zygote of each load and grows when jobs wait for more: starting one takes seconds of a core.
    """

    def __init__(self, command: Sequence[str], *, parallel_jobs: int, loads: Sequence[str] = LOADS) -> None:
        self._command = command
        self._parallel_jobs = parallel_jobs
        self._turns = Turns(parallel_jobs)
        # First in, first out: while one zygote serves, the others have their next child ready.
        self._idle: Mapping[str, asyncio.Queue[Zygote]] = {load: asyncio.Queue() for load in loads}
        self._places = dict.fromkeys(loads, 1)
        self._growing: set[asyncio.Task[None]] = set()
        self._alive: set[Zygote] = set()
        self._ended = False

    async def fill(self) -> Zygote:
        """Starts the first zygote of each load and proves it; the last load's, which tells what is opened here.

        Raises Fault `no_sandbox`, `sandbox_failed`.
        """
        firsts = await asyncio.gather(*(self._started(load) for load in self._idle))
        for load, zygote in zip(self._idle, firsts, strict=True):
            await selftest.prove_samples(zygote)
            self._idle[load].put_nowait(zygote)
        return firsts[-1]

    async def run(self, load: str, request: Request, content_descriptor: int) -> Ending | None:
        """One job, tried again once where its zygote was lost; None where that happened twice."""
        for _ in range(_ATTEMPTS):
            async with self._slot(load) as zygote:
                try:
                    return await zygote.run(request, content_descriptor)
                except ZygoteLost:
                    _log.warning("inspection.zygote_lost")
        return None

    def turn(self, size_bytes: int) -> contextlib.AbstractAsyncContextManager[None]:
        """A core for one job on a file of this size, as soon as it is its turn: taken around `run`."""
        return self._turns.turn(size_bytes)

    @contextlib.asynccontextmanager
    async def _slot(self, load: str) -> AsyncIterator[Zygote]:
        """A living zygote for one job.

        A lost one is replaced when its place is next asked for: a failure to replace it meets whoever asks, and the
        place is kept for the next try.
        """
        self._grow(load)
        zygote = await self._idle[load].get()
        try:
            if self._ended:
                raise Fault("sandbox_failed")
            # One that died while it was idle is not the next file's fault, and must not cost it a try.
            if not zygote.is_alive():
                await zygote.close()
                self._alive.discard(zygote)
                zygote = await self._started(load)
            yield zygote
        finally:
            self._idle[load].put_nowait(zygote)

    def _grow(self, load: str) -> None:
        """Begins to start one more zygote where a job would wait for one and there are cores left."""
        if self._idle[load].empty() and self._places[load] < self._parallel_jobs:
            self._places[load] += 1
            growing = asyncio.create_task(self._grown(load))
            self._growing.add(growing)
            growing.add_done_callback(self._growing.discard)

    async def _grown(self, load: str) -> None:
        try:
            self._idle[load].put_nowait(await self._started(load))
        except Fault as failed:  # the job waits for the zygotes that there are; the next one tries again
            self._places[load] -= 1
            _log.warning("inspection.not_grown: %s", failed.code)

    async def _started(self, load: str) -> Zygote:
        zygote = await Zygote.start(self._command, load)
        self._alive.add(zygote)
        await selftest.prove_denials(zygote)
        return zygote

    async def close(self) -> None:
        """Ends every zygote."""
        self._ended = True
        for growing in tuple(self._growing):
            growing.cancel()
        await asyncio.gather(*self._growing, return_exceptions=True)
        for zygote in tuple(self._alive):
            await zygote.close()
