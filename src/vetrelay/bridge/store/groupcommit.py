"""Group commit: one thread makes durable what everybody brings, and answers only then.

It takes whatever is queued: syncs all their spool files at once, runs all their rows in one transaction, commits once.
The next batch forms while the disk works, so there is no timer and nothing to tune.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DatabaseError

from vetrelay.bridge.store.spool import Spool, no_checkpoint
from vetrelay.bridge.store.spoolfile import SpoolFile
from vetrelay.errors import Fault, VetRelayError

MAX_BATCH_JOBS: Final = 256
T = TypeVar("T")
Job = Callable[[Connection], T]


class NotTogether(Exception):  # it never leaves a group commit: it says how to go on
    """Jobs of a kind cannot be done at once after all: the transaction is rolled back, and each runs alone."""


@dataclass(slots=True, kw_only=True)
class _Waiting:
    """A job, how it is done with its like, the files that go before its rows, who waits, and what became of it."""

    job: Job[Any]
    together: Callable[[Connection, Sequence[Any]], Sequence[Any]] | None
    files: Sequence[SpoolFile]
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


class GroupCommit:
    """The thread that writes. Made on the loop whose coroutines call `run`."""

    def __init__(self, engine: Engine, spool: Spool, *, checkpoint: Callable[[str], None] = no_checkpoint) -> None:
        self._engine = engine
        self._spool = spool
        self._checkpoint = checkpoint
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = Thread(target=self._work, name="group-commit", daemon=True)
        self._thread.start()

    async def run(
        self,
        job: Job[T],
        *,
        files: Sequence[SpoolFile] = (),
        together: Callable[[Connection, Sequence[Any]], Sequence[T]] | None = None,
    ) -> T:
        """Makes the files durable, runs `job(connection)` in a transaction, and returns after its COMMIT.

        Once queued it cannot be called back. `job` may be run more than once, each time in a transaction that counts or
        is rolled back. `together` does several jobs that name it at once, for less; it may raise NotTogether.
        Raises what the job raised, or Fault `storage_full`, `storage_failed`; the files are then still the caller's to
        abort.
        """
        waiting = _Waiting(job=job, together=together, files=files, future=self._loop.create_future())
        self._queue.put(waiting)
        result: T = await waiting.future
        return result

    async def close(self) -> None:
        """Finishes what is queued, then ends the thread."""
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        is_last = False
        while not is_last:
            batch = self._gather()
            is_last = batch[-1] is None
            jobs = [waiting for waiting in batch if waiting is not None]
            if jobs:
                self._commit(jobs)
                self._loop.call_soon_threadsafe(_answer, jobs)

    def _gather(self) -> list[_Waiting | None]:
        """Waits for one job, then takes what else is there already. None, at the end, means that none follow."""
        batch = [self._queue.get()]
        with suppress(Empty):
            while len(batch) < MAX_BATCH_JOBS and batch[-1] is not None:
                batch.append(self._queue.get_nowait())
        return batch

    def _commit(self, waiting: list[_Waiting]) -> None:
        """Files first, then rows: one transaction for all, or where that cannot be, one for each."""
        failed = self._spool.finish_all([file for one in waiting for file in one.files])
        for one in waiting:
            one.error = next((failed[file.id] for file in one.files if file.id in failed), None)
        waiting = [one for one in waiting if one.error is None]
        try:
            self._attempt(waiting)
        except Exception:  # noqa: BLE001  # whoever brought it: each is told of its own below
            for one in waiting:
                try:
                    self._attempt([one])
                except Exception as broken:  # noqa: BLE001  # those who wait must hear of it, whatever it was
                    one.error = _fault(broken)

    def _attempt(self, waiting: list[_Waiting]) -> None:
        if not waiting:
            return
        with self._engine.begin() as connection:
            for one, result in zip(waiting, _results(connection, waiting), strict=True):
                one.result = result
                self._checkpoint("row.open")
        # COMMIT has returned, and what it says is on the disk: what this batch accepted is accepted at this instant.
        for _ in waiting:
            self._checkpoint("row.committed")


def _results(connection: Connection, waiting: Sequence[_Waiting]) -> Sequence[Any]:
    """What the jobs return, in order. Raises what they raise."""
    together = waiting[0].together
    if together is not None and len(waiting) > 1 and all(one.together == together for one in waiting):
        return together(connection, [one.job for one in waiting])
    return [one.job(connection) for one in waiting]


def _answer(waiting: Sequence[_Waiting]) -> None:
    for one in waiting:
        one.answer()


def _fault(error: Exception) -> Exception:
    """What the database's error means to whoever waits."""
    if isinstance(error, VetRelayError) or not isinstance(error, DatabaseError):
        return error
    full = getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL or (
        getattr(error.orig, "sqlstate", None) == "53100"  # PostgreSQL: disk_full
    )
    fault = Fault("storage_full" if full else "storage_failed")
    fault.__cause__ = error
    return fault
