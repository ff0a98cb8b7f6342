"""The intake's job table: one row per envelope whose files wait for a verdict, in a SQLite file of its own.

A job is committed here before its delivery is acknowledged; from then on the relay need not remember it for us.
The table holds ids, positions and counts: no key, no name, no content.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from vetrelay.errors import Fault
from vetrelay.protocol.ids import CaseId, EntryId, Hash

FILE_NAME: Final = "jobs.sqlite3"
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS jobs (
  entry TEXT PRIMARY KEY, case_id TEXT NOT NULL, n INTEGER NOT NULL, accepted_ms INTEGER NOT NULL,
  state TEXT NOT NULL, reason TEXT, ended_ms INTEGER) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state, accepted_ms);
CREATE TABLE IF NOT EXISTS tries (
  entry TEXT NOT NULL, p TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (entry, p)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS looked_through (case_id TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;
"""


class State(StrEnum):
    """Where a job stands. `ended` is a job that can have no verdict any more; its reason says why."""

    QUEUED = "queued"
    WORKING = "working"
    PUBLISHED = "published"
    ENDED = "ended"


class Event(StrEnum):
    """What happens to a job."""

    STARTED = "started"
    INTERRUPTED = "interrupted"
    PUBLISHED = "published"
    ENDED = "ended"


TRANSITIONS: Final[Mapping[tuple[State, Event], State]] = {
    (State.QUEUED, Event.STARTED): State.WORKING,
    (State.WORKING, Event.STARTED): State.WORKING,  # the next file of the same envelope
    (State.WORKING, Event.INTERRUPTED): State.QUEUED,
    (State.QUEUED, Event.PUBLISHED): State.PUBLISHED,  # promised before a kill, or found answered in the log
    (State.WORKING, Event.PUBLISHED): State.PUBLISHED,
    (State.PUBLISHED, Event.PUBLISHED): State.PUBLISHED,  # told by the receipt and, before or after it, by the log
    (State.QUEUED, Event.ENDED): State.ENDED,
    (State.WORKING, Event.ENDED): State.ENDED,
    (State.PUBLISHED, Event.ENDED): State.PUBLISHED,  # a verdict that stands is not undone
}


def advance(state: State, event: Event) -> State:
    """The state after an event. Raises Fault `jobs_damaged` for what is not in the table."""
    try:
        return TRANSITIONS[state, event]
    except KeyError as wrong:
        raise Fault("jobs_damaged") from wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """An envelope with files to check: its entry id, where it stands in its case's log, and when that was."""

    entry: EntryId
    case: CaseId
    n: int
    accepted_ms: int


class JobTable:
    """The table. Every method that changes something has committed durably when it returns."""

    def __init__(self, home: Path) -> None:
        self._db = sqlite3.connect(home / FILE_NAME, timeout=30, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)
        (home / FILE_NAME).chmod(0o600)

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def looked_through_n(self, case: CaseId) -> int:
        """The position of a case's log up to which jobs have been taken from it."""
        row = self._db.execute("SELECT n FROM looked_through WHERE case_id=?", (case,)).fetchone()
        return int(row[0]) if row else 0

    def take(
        self, case: CaseId, n: int, *, jobs: Iterable[Job], answered: Iterable[EntryId], now_ms: int
    ) -> tuple[Job, ...]:
        """Takes the jobs of a case's log up to position `n`, without those that have a verdict already.

        Returns the jobs that were not in the table before and are open.
        """
        with self._transaction():
            new = tuple(job for job in jobs if self._insert(job))
            for entry in answered:
                if self.state(entry) not in {None, State.ENDED}:
                    self._advance(entry, Event.PUBLISHED, ended_ms=now_ms)
            self._db.execute("INSERT OR REPLACE INTO looked_through VALUES (?,?)", (case, n))
        return tuple(job for job in new if self.state(job.entry) is State.QUEUED)

    def _insert(self, job: Job) -> bool:
        inserted = self._db.execute(
            "INSERT OR IGNORE INTO jobs (entry, case_id, n, accepted_ms, state) VALUES (?,?,?,?,?)",
            (job.entry, job.case, job.n, job.accepted_ms, State.QUEUED),
        )
        return inserted.rowcount == 1

    def open_jobs(self) -> tuple[Job, ...]:
        """The jobs that are not done, in the order their envelopes were accepted."""
        rows = self._db.execute(
            "SELECT entry, case_id, n, accepted_ms FROM jobs WHERE state IN (?,?) ORDER BY accepted_ms, entry",
            (State.QUEUED, State.WORKING),
        )
        return tuple(Job(entry=entry, case=case, n=n, accepted_ms=at_ms) for entry, case, n, at_ms in rows)

    def is_idle(self) -> bool:
        """Whether no job is open."""
        return not self.open_jobs()

    def state(self, entry: EntryId) -> State | None:
        """Where a job stands."""
        row = self._db.execute("SELECT state FROM jobs WHERE entry=?", (entry,)).fetchone()
        return State(row[0]) if row else None

    def reason(self, entry: EntryId) -> str | None:
        """Why a job ended without a verdict."""
        row = self._db.execute("SELECT reason FROM jobs WHERE entry=?", (entry,)).fetchone()
        return row[0] if row else None

    def recover(self) -> None:
        """Puts the jobs that a kill interrupted back into the queue."""
        with self._transaction():
            for (entry,) in self._db.execute("SELECT entry FROM jobs WHERE state=?", (State.WORKING,)).fetchall():
                self._advance(entry, Event.INTERRUPTED)

    def begin_try(self, entry: EntryId, p: Hash) -> int:
        """Counts one more try of a file, durably before it begins; how many have not ended well by now, this included."""
        with self._transaction():
            self._advance(entry, Event.STARTED)
            row = self._db.execute(
                "INSERT INTO tries VALUES (?,?,1) ON CONFLICT (entry, p) DO UPDATE SET count=count+1 RETURNING count",
                (entry, p),
            ).fetchone()
        return int(row[0])

    def end_try(self, entry: EntryId, p: Hash) -> None:
        """Takes a try back: it ended well, or it was not the file that ended it."""
        self._db.execute("UPDATE tries SET count=count-1 WHERE entry=? AND p=?", (entry, p))

    def publish(self, entry: EntryId, *, now_ms: int) -> None:
        """The verdict is at the relay: the job is done."""
        with self._transaction():
            self._advance(entry, Event.PUBLISHED, ended_ms=now_ms)

    def end(self, entry: EntryId, reason: str, *, now_ms: int) -> None:
        """There can be no verdict any more, for this reason."""
        with self._transaction():
            self._advance(entry, Event.ENDED, reason=reason, ended_ms=now_ms)

    def sweep(self, *, before_ms: int) -> None:
        """Forgets the jobs that were done before this time."""
        with self._transaction():
            self._db.execute("DELETE FROM jobs WHERE ended_ms < ?", (before_ms,))
            self._db.execute("DELETE FROM tries WHERE entry NOT IN (SELECT entry FROM jobs)")

    def _advance(self, entry: EntryId, event: Event, *, reason: str | None = None, ended_ms: int | None = None) -> None:
        state = self.state(entry)
        if state is None:
            raise Fault("jobs_damaged")
        after = advance(state, event)
        if after is not state:
            self._db.execute(
                "UPDATE jobs SET state=?, reason=?, ended_ms=? WHERE entry=?", (after, reason, ended_ms, entry)
            )
