"""Group commit: one thread writes for everybody (relay.md, Group commit).

It takes whatever is queued, up to 256 jobs, runs them inside one transaction and commits once; the next batch forms
while the disk syncs, so there is no timer and nothing to tune. A job is answered only after its COMMIT.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Final, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DatabaseError, IntegrityError

from vetrelay.errors import Fault, VetRelayError
from vetrelay.relay.ports import Store
from vetrelay.relay.storage.batch import Batch
from vetrelay.relay.storage.memory import Memory
from vetrelay.relay.storage.store import SqlStore
from vetrelay.relay.tables import Lookup

MAX_BATCH_JOBS: Final = 256
T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class _Waiting:
    """A job, who waits for it, and what became of it."""

    job: Callable[[Store], Any]
    lookup: Lookup | None
    future: "asyncio.Future[Any]"
    result: Any = None
    error: BaseException | None = None

    def answer(self) -> None:
        """Tell whoever still waits."""
        if self.future.cancelled():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class _OneByOne(Exception):  # it never leaves this module: it says how to go on
    """A job failed after its first write, or two cannot stand together: the batch is rolled back, its jobs run alone."""


class GroupWriter:
    """The one thread that writes. `check_disk` raises a Fault when there is no room for another batch."""

    def __init__(
        self,
        engine: Engine,
        memory: Memory,
        *,
        ring: Callable[[Sequence[str]], None],
        check_disk: Callable[[], None],
        max_queued_jobs: int,
    ) -> None:
        self._engine = engine
        self._memory = memory
        self._ring = ring
        self._check_disk = check_disk
        self._max_queued_jobs = max_queued_jobs
        self._queued_jobs = 0
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = Thread(target=self._work, name="writer", daemon=True)
        self._thread.start()

    async def run(self, job: Callable[[Store], T], *, lookup: Lookup | None = None) -> T:
        """Run `job(store)` inside a transaction; returns only after its COMMIT. Once queued, it cannot be called back.

        Raises what the job raised, Fault `busy` when too many wait, `storage_full`, `storage_failed`.
        """
        if self._queued_jobs >= self._max_queued_jobs:
            raise Fault("busy")
        waiting = _Waiting(job=job, lookup=lookup, future=self._loop.create_future())
        self._queued_jobs += 1
        self._queue.put(waiting)
        result: T = await waiting.future
        return result

    async def close(self) -> None:
        """Finish what is queued, then end the thread."""
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        last = False
        while not last:
            batch = self._gather()
            last = batch[-1] is None
            jobs = [waiting for waiting in batch if waiting is not None]
            if jobs:
                self._commit(jobs)

    def _gather(self) -> list[_Waiting | None]:
        """Wait for one job, then take what else is there already. None, at the end, means that none follow."""
        batch = [self._queue.get()]
        with suppress(Empty):
            while len(batch) < MAX_BATCH_JOBS and batch[-1] is not None:
                batch.append(self._queue.get_nowait())
        return batch

    def _commit(self, waiting: list[_Waiting]) -> None:
        """One transaction for all; where that cannot be, one for each."""
        try:
            done = self._together(waiting)
        except _OneByOne:
            done = [batch for one in waiting for batch in self._alone(one)]
        except Exception as broken:  # noqa: BLE001  # whatever it was, those who wait must hear of it
            self._memory.forget_cases()
            done = []
            for one in waiting:
                one.error = _fault(broken)
        self._loop.call_soon_threadsafe(self._answer, waiting, done)

    def _together(self, waiting: list[_Waiting]) -> list[Batch]:
        """First as if everything were new, as it nearly always is; then looking it up; then the jobs must run alone."""
        for is_looking_up in (False, True):
            try:
                return self._attempt(waiting, is_looking_up=is_looking_up)
            except IntegrityError:
                self._memory.forget_cases()  # it may be what misled the batch
        raise _OneByOne

    def _alone(self, one: _Waiting) -> list[Batch]:
        try:
            return self._attempt([one], is_looking_up=True)
        except _OneByOne:
            return []  # it has its error
        except Exception as broken:  # noqa: BLE001  # as above
            self._memory.forget_cases()
            one.error = _fault(broken)
            return []

    def _attempt(self, waiting: list[_Waiting], *, is_looking_up: bool) -> list[Batch]:
        self._check_disk()
        with self._engine.begin() as connection:
            batch = Batch(connection, self._memory)
            store = SqlStore(batch)
            lookups = [one.lookup for one in waiting if one.lookup is not None]
            if is_looking_up:
                store.envelopes.look_up(lookups)
            else:
                store.envelopes.take_for_new(lookups)
            for one in waiting:
                writes, one.result, one.error = batch.writes, None, None
                try:
                    one.result = one.job(store)
                except VetRelayError as no:
                    one.error = no
                except DatabaseError:
                    raise
                except Exception as broken:  # noqa: BLE001  # a fault of ours in one job must not fail the others
                    one.error = broken
                if one.error is not None and batch.writes != writes:
                    raise _OneByOne
            batch.flush()
        # COMMIT has returned with synchronous=FULL: what this batch accepted is accepted at this instant.
        batch.teach()
        return [batch]

    def _answer(self, waiting: list[_Waiting], done: list[Batch]) -> None:
        self._queued_jobs -= len(waiting)
        for batch in done:
            for action in batch.actions:
                action()
        for one in waiting:
            one.answer()
        for batch in done:
            if batch.topics:
                self._ring(list(batch.topics))


def _fault(error: BaseException) -> BaseException:
    """What the database's error means to whoever waits."""
    if not isinstance(error, DatabaseError):
        return error
    code = getattr(error.orig, "sqlite_errorcode", None)
    fault = Fault("storage_full" if code == sqlite3.SQLITE_FULL else "storage_failed")
    fault.__cause__ = error
    return fault
