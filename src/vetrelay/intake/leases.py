"""Leases: where a case has several intakes, each envelope is worked on by one of them at a time.

A lease is taken when a file comes into our hands, so that no intake sets work aside that another could do. It is
renewed while the work goes on; an intake that dies leaves it to the others when the lease ends. It only saves work:
that there is one verdict is the log's doing.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

from vetrelay.client.end import End
from vetrelay.errors import VetRelayError
from vetrelay.intake.jobs import Job
from vetrelay.protocol.ids import EntryId
from vetrelay.telemetry import event_log

LOOK_AGAIN_SECONDS: Final = 15.0
"""After so long it is asked again whether the other intake is done, or gone."""
SOON_SECONDS: Final = 0.1
RENEWALS: Final = 3  # in the life of a lease: one or two may get lost
AT_ONCE: Final = 100
GOODBYE_SECONDS: Final = 2.0


class TakenElsewhere(Exception):
    """Another intake works on the envelope, or has answered it: then `again_seconds` is None."""

    def __init__(self, again_seconds: float | None) -> None:
        super().__init__()
        self.again_seconds = again_seconds


class Leases:
    """The envelopes that this intake works on, as the relay knows them."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._held: dict[EntryId, Job] = {}
        self._refused: dict[EntryId, float | None] = {}
        self._asking = asyncio.Lock()

    async def take(self, end: End, job: Job) -> None:
        """Makes this intake the one that works on a job. Raises TakenElsewhere; what the relay refuses; Fault.

        Once refused it stays so until `begin`: the other files of the envelope need not ask.
        """
        async with self._asking:
            if job.entry in self._held:
                return
            if job.entry not in self._refused:
                answer = await end.api.lease([(job.case, job.entry)], seconds=self._seconds)
                (lease,) = answer.leases
                if lease.state == "granted":
                    self._held[job.entry] = job
                    return
                if lease.until is None:  # answered
                    self._refused[job.entry] = None
                else:
                    left_seconds = (lease.until - answer.time) / 1000
                    self._refused[job.entry] = min(max(left_seconds, SOON_SECONDS), LOOK_AGAIN_SECONDS)
            raise TakenElsewhere(self._refused[job.entry])

    def begin(self, job: Job) -> None:
        """A new attempt at a job: its lease may be asked for anew."""
        self._refused.pop(job.entry, None)

    async def give_back(self, end: End, *jobs: Job) -> None:
        """Leaves jobs to whoever comes first; what the relay does not hear ends by itself."""
        held = [job for job in jobs if self._held.pop(job.entry, None) is not None]
        with suppress(VetRelayError):
            for some in _chunks(held):
                await end.api.done((job.case, job.entry) for job in some)

    def drop(self, job: Job) -> None:
        """A job is done; its verdict has ended the lease."""
        self._held.pop(job.entry, None)
        self._refused.pop(job.entry, None)

    async def keep(self, end_of: Callable[[], End]) -> None:
        """Renews what is held, for ever. A lease that was lost meanwhile is asked for again with the next file."""
        while True:
            await asyncio.sleep(self._seconds / RENEWALS)
            with suppress(VetRelayError):  # asked again at the next turn; the jobs themselves say what is wrong
                for some in _chunks(list(self._held.values())):
                    await self._renew(end_of(), some)

    async def _renew(self, end: End, some: list[Job]) -> None:
        answer = await end.api.lease([(job.case, job.entry) for job in some], seconds=self._seconds)
        lost = [lease.entry for lease in answer.leases if lease.state != "granted"]
        for entry in lost:
            self._held.pop(entry, None)
        if lost:
            event_log()("intake.leases_lost", leases=len(lost))

    async def give_all_back(self, end: End) -> None:
        """Says goodbye: others may begin at once. Nobody waits long for that."""
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_SECONDS):
                await self.give_back(end, *self._held.values())


def _chunks(jobs: list[Job]) -> Iterator[list[Job]]:
    return (jobs[start : start + AT_ONCE] for start in range(0, len(jobs), AT_ONCE))
