"""The journal: what an end has safely received and what it has promised to send, in one SQLite file.

Received things are kept as they came: signed and sealed. Outgoing requests are kept as the exact bytes that were first
tried, so that trying again after a kill can never say something else. Nothing in here is plaintext.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vetrelay.client.promises import Promises
from vetrelay.protocol.ids import CaseId, EntryId, Hash
from vetrelay.protocol.log import Kind, Link, Tail, empty_log

FILE_NAME: Final = "journal.sqlite3"
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS cases (
  id TEXT PRIMARY KEY, n INTEGER NOT NULL, head TEXT NOT NULL, time_ms INTEGER NOT NULL,
  newest_head BLOB, head_time_ms INTEGER NOT NULL, blocked TEXT,
  named_n INTEGER NOT NULL, title BLOB);
CREATE TABLE IF NOT EXISTS log (
  case_id TEXT NOT NULL, n INTEGER NOT NULL, time_ms INTEGER NOT NULL, kind INTEGER NOT NULL, entry TEXT NOT NULL,
  signed BLOB, fault TEXT, PRIMARY KEY (case_id, n)) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS log_by_entry ON log (case_id, entry);
CREATE TABLE IF NOT EXISTS objects (
  h0 TEXT PRIMARY KEY, case_id TEXT NOT NULL, header BLOB NOT NULL, payload BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cursor (name TEXT PRIMARY KEY, seq INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT, intent TEXT NOT NULL, case_id TEXT, method TEXT NOT NULL, path TEXT NOT NULL,
  body BLOB NOT NULL, draft BLOB,
  receipt BLOB, refused TEXT, reported INTEGER NOT NULL DEFAULT 0, created_ms INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS outbox_by_intent ON outbox (intent);
CREATE TABLE IF NOT EXISTS payloads (
  p TEXT PRIMARY KEY, outbox_id INTEGER NOT NULL, case_id TEXT NOT NULL, size_bytes INTEGER NOT NULL, spool TEXT NOT NULL, url TEXT,
  done INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS evidence (at_ms INTEGER NOT NULL, case_id TEXT NOT NULL, code TEXT NOT NULL, kept BLOB NOT NULL);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRow:
    """A case as far as this end has followed it.

    `blocked` is the code that stopped sending; `named_n` where this party last told its names; `title` a sealed note.
    """

    id: CaseId
    tail: Tail
    newest_head: bytes | None
    head_time_ms: int
    blocked: str | None
    named_n: int
    title: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """One position: its link, the statement if it is for us, and why it is not believed, if so."""

    n: int
    link: Link
    signed: bytes | None
    fault: str | None


class Journal(Promises):
    """One end's journal. Every method that changes something has committed durably when it returns."""

    def __init__(self, home: Path) -> None:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.spool = home / "spool"
        self.spool.mkdir(mode=0o700, exist_ok=True)
        self._db = sqlite3.connect(home / FILE_NAME, timeout=30, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("PRAGMA secure_delete=ON")  # a draft that is deleted takes its file keys with it
        self._db.executescript(_SCHEMA)
        (home / FILE_NAME).chmod(0o600)

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing of what is written inside."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # -- cases and their logs

    def cases(self) -> tuple[CaseRow, ...]:
        """Every case this end follows, oldest first."""
        return self._cases("ORDER BY rowid")

    def _cases(self, condition: str, *values: object) -> tuple[CaseRow, ...]:
        rows = self._db.execute(
            f"SELECT id, n, head, time_ms, newest_head, head_time_ms, blocked, named_n, title FROM cases {condition}",  # noqa: S608  # conditions are literals of this module
            values,
        )
        return tuple(
            CaseRow(
                id=identifier,
                tail=Tail(n=n, head=head, time_ms=time_ms),
                newest_head=newest,
                head_time_ms=head_time_ms,
                blocked=blocked,
                named_n=named_n,
                title=title,
            )
            for identifier, n, head, time_ms, newest, head_time_ms, blocked, named_n, title in rows
        )

    def case(self, case: CaseId) -> CaseRow:
        """A case's row; one that was never seen stands at its empty log."""
        found = self._cases("WHERE id=?", case)
        return next(iter(found), None) or CaseRow(
            id=case, tail=empty_log(case), newest_head=None, head_time_ms=0, blocked=None, named_n=0, title=None
        )

    def save_case(self, row: CaseRow) -> None:
        """Keeps how far a case has been followed."""
        self._db.execute(
            "INSERT INTO cases VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO UPDATE SET n=excluded.n, head=excluded.head,"
            " time_ms=excluded.time_ms, newest_head=excluded.newest_head, head_time_ms=excluded.head_time_ms,"
            " blocked=excluded.blocked, named_n=excluded.named_n, title=excluded.title",
            (
                row.id,
                row.tail.n,
                row.tail.head,
                row.tail.time_ms,
                row.newest_head,
                row.head_time_ms,
                row.blocked,
                row.named_n,
                row.title,
            ),
        )

    def log(self, case: CaseId, *, after: int = 0, limit: int = -1) -> tuple[LogRow, ...]:
        """The log as this end has it, in order; all the rest of it unless there is a `limit`."""
        rows = self._db.execute(
            "SELECT n, time_ms, kind, entry, signed, fault FROM log WHERE case_id=? AND n>? ORDER BY n LIMIT ?",
            (case, after, limit),
        )
        return tuple(
            LogRow(n=n, link=Link(time_ms=time_ms, kind=Kind(kind), entry=entry), signed=signed, fault=fault)
            for n, time_ms, kind, entry, signed, fault in rows
        )

    def append_log(self, case: CaseId, row: LogRow) -> None:
        """Adds one position."""
        self._db.execute(
            "INSERT INTO log VALUES (?,?,?,?,?,?,?)",
            (case, row.n, row.link.time_ms, row.link.kind, row.link.entry, row.signed, row.fault),
        )

    def position_of(self, case: CaseId, entry: EntryId) -> LogRow | None:
        """Where an entry stands."""
        found = self._db.execute("SELECT n FROM log WHERE case_id=? AND entry=?", (case, entry)).fetchone()
        return self.log(case, after=found[0] - 1, limit=1)[0] if found else None

    def save_object(self, case: CaseId, h0: Hash, header: bytes, payload: bytes | None) -> None:
        """Keeps an object's header, and its payload when it is small enough to have come along."""
        self._db.execute("INSERT OR IGNORE INTO objects VALUES (?,?,?,?)", (h0, case, header, payload))

    def object_of(self, h0: Hash) -> tuple[bytes, bytes | None] | None:
        """An object's header and, if it came along, its payload."""
        row: tuple[bytes, bytes | None] | None = self._db.execute(
            "SELECT header, payload FROM objects WHERE h0=?", (h0,)
        ).fetchone()
        return row

    def keep_evidence(self, case: CaseId, code: str, kept: bytes, *, at_ms: int) -> None:
        """Keeps what a dishonest relay signed (N23, N24)."""
        self._db.execute("INSERT INTO evidence VALUES (?,?,?,?)", (at_ms, case, code, kept))

    # -- the merged inbox

    def cursor(self) -> int:
        """The last delivery that is safely ours."""
        row = self._db.execute("SELECT seq FROM cursor WHERE name='inbox'").fetchone()
        return int(row[0]) if row else 0

    def save_cursor(self, seq: int) -> None:
        """Moves the cursor."""
        self._db.execute("INSERT OR REPLACE INTO cursor VALUES ('inbox', ?)", (seq,))

    def told_n(self, case: CaseId) -> int:
        """Up to which position of a case the person has been told what is new."""
        row = self._db.execute("SELECT seq FROM cursor WHERE name=?", (f"told {case}",)).fetchone()
        return int(row[0]) if row else 0

    def save_told_n(self, case: CaseId, n: int) -> None:
        """The person has been told."""
        self._db.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?)", (f"told {case}", n))
