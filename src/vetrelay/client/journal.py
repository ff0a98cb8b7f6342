"""The journal: what an end has safely received and what it has promised to send, in one SQLite file.

Received things are kept as they came: signed and sealed. Outgoing requests are kept as the exact bytes that were first
tried, so that trying again after a kill can never say something else. Nothing in here is plaintext.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vetrelay.client.promises import Promises
from vetrelay.errors import Refusal
from vetrelay.protocol.ids import CaseId, EntryId, Hash
from vetrelay.protocol.log import Kind, Link, Tail, empty_log

FILE_NAME: Final = "journal.sqlite3"
SCHEMA_VERSION: Final = 1
MAX_EVIDENCE: Final = 20  # per case: a relay that contradicts itself at every call must not fill the disk
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS cases (
  id TEXT PRIMARY KEY, n INTEGER NOT NULL, head TEXT NOT NULL, time_ms INTEGER NOT NULL,
  newest_head BLOB, head_time_ms INTEGER NOT NULL, blocked TEXT,
  named_n INTEGER NOT NULL, title BLOB, newcomer_n INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS log (
  case_id TEXT NOT NULL, n INTEGER NOT NULL, time_ms INTEGER NOT NULL, kind INTEGER NOT NULL, entry TEXT NOT NULL,
  signed BLOB, fault TEXT, answers TEXT, PRIMARY KEY (case_id, n)) WITHOUT ROWID;
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
CREATE TABLE IF NOT EXISTS receipts (
  case_id TEXT NOT NULL, n INTEGER NOT NULL, head TEXT NOT NULL, PRIMARY KEY (case_id, n)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS party_keys (gen INTEGER PRIMARY KEY, seed BLOB NOT NULL);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRow:
    """A case as far as this end has followed it.

    `blocked` is the code that stopped sending; `named_n` whom this party's names were last told to, as a position;
    `newcomer_n` where the newest of the others came in; `title` a sealed note.
    """

    id: CaseId
    tail: Tail
    newest_head: bytes | None
    head_time_ms: int
    blocked: str | None
    named_n: int
    title: bytes | None
    newcomer_n: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """One position: its link, the statement if it is for us, and why it is not believed, if so.

    `answers` is the envelope that it is the verdict on, if it is one that is believed.
    """

    n: int
    link: Link
    signed: bytes | None
    fault: str | None
    answers: EntryId | None = None


_LOG_ROWS: Final = "SELECT n, time_ms, kind, entry, signed, fault, answers FROM log"


def _log_row(
    n: int, time_ms: int, kind: int, entry: str, signed: bytes | None, fault: str | None, answers: str | None
) -> LogRow:
    link = Link(time_ms=time_ms, kind=Kind(kind), entry=entry)
    return LogRow(n=n, link=link, signed=signed, fault=fault, answers=answers)


class Journal(Promises):
    """One end's journal. Every method that changes something has committed durably when it returns."""

    def __init__(self, home: Path) -> None:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.spool = home / "spool"
        self.spool.mkdir(mode=0o700, exist_ok=True)
        os.close(os.open(home / FILE_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self._db = sqlite3.connect(home / FILE_NAME, timeout=30, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("PRAGMA secure_delete=ON")  # a draft that is deleted takes its file keys with it
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise Refusal("newer_version")
        if version < SCHEMA_VERSION:
            self._db.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}PRAGMA user_version={SCHEMA_VERSION};COMMIT;")
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
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # a full disk ends it by itself
                self._db.execute("ROLLBACK")
            raise

    # -- cases and their logs

    def cases(self) -> tuple[CaseRow, ...]:
        """Every case this end follows, oldest first."""
        return self._cases("ORDER BY rowid")

    def _cases(self, condition: str, *values: object) -> tuple[CaseRow, ...]:
        rows = self._db.execute(
            "SELECT id, n, head, time_ms, newest_head, head_time_ms, blocked, named_n, title, newcomer_n"  # noqa: S608  # conditions are literals of this module
            f" FROM cases {condition}",
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
                newcomer_n=newcomer_n,
            )
            for identifier, n, head, time_ms, newest, head_time_ms, blocked, named_n, title, newcomer_n in rows
        )

    def case(self, case: CaseId) -> CaseRow:
        """A case's row; one that was never seen stands at its empty log."""
        found = self._cases("WHERE id=?", case)
        return next(iter(found), None) or CaseRow(
            id=case, tail=empty_log(case), newest_head=None, head_time_ms=0, blocked=None, named_n=0, title=None
        )

    def save_followed(self, row: CaseRow) -> None:
        """Keeps how far a case has been followed; inside the transaction that adds what was followed."""
        self._db.execute(
            "INSERT INTO cases VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO UPDATE SET n=excluded.n,"
            " head=excluded.head, time_ms=excluded.time_ms, newest_head=excluded.newest_head,"
            " head_time_ms=excluded.head_time_ms, newcomer_n=excluded.newcomer_n",
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
                row.newcomer_n,
            ),
        )

    def save_title(self, case: CaseId, title: bytes) -> None:
        """Keeps a case's title, a sealed note."""
        self._note(case, "title=?", title)

    def save_named(self, case: CaseId, n: int) -> None:
        """This party's names were told to everybody who took part at a position."""
        self._note(case, "named_n=max(named_n, ?)", n)

    def block(self, case: CaseId, code: str, kept: bytes, *, at_ms: int) -> None:
        """Stops all sending into a case and keeps what a dishonest relay said (N23, N24); inside a transaction."""
        self._note(case, "blocked=coalesce(blocked, ?)", code)
        (count,) = self._db.execute("SELECT count(*) FROM evidence WHERE case_id=?", (case,)).fetchone()
        if count < MAX_EVIDENCE:
            self._db.execute("INSERT INTO evidence VALUES (?,?,?,?)", (at_ms, case, code, kept))

    def _note(self, case: CaseId, change: str, value: object) -> None:
        """One column of a case alone: whoever follows it meanwhile must not be set back."""
        tail = empty_log(case)
        self._db.execute(
            "INSERT OR IGNORE INTO cases (id, n, head, time_ms, head_time_ms, named_n) VALUES (?,?,?,?,0,0)",
            (case, tail.n, tail.head, tail.time_ms),
        )
        self._db.execute(f"UPDATE cases SET {change} WHERE id=?", (value, case))  # noqa: S608  # changes are literals of this module

    def evidence(self, case: CaseId) -> tuple[tuple[str, bytes], ...]:
        """What was kept against the relay: the code, and what it said."""
        return tuple(self._db.execute("SELECT code, kept FROM evidence WHERE case_id=? ORDER BY rowid", (case,)))

    def log(self, case: CaseId, *, after: int = 0, limit: int = -1) -> tuple[LogRow, ...]:
        """The log as this end has it, in order; all the rest of it unless there is a `limit`."""
        rows = self._db.execute(f"{_LOG_ROWS} WHERE case_id=? AND n>? ORDER BY n LIMIT ?", (case, after, limit))
        return tuple(_log_row(*row) for row in rows)

    def rows(self, case: CaseId, *, upto: int, after: int = 0) -> Iterator[LogRow]:
        """The log up to a position, one row at a time: however long it is, it is never in memory as a whole."""
        for row in self._db.execute(f"{_LOG_ROWS} WHERE case_id=? AND n>? AND n<=? ORDER BY n", (case, after, upto)):
            yield _log_row(*row)

    def links(self, case: CaseId, *, after: int) -> Iterator[LogRow]:
        """The log from a position on without its envelopes' bodies: what a roster is computed from."""
        for row in self._db.execute(
            "SELECT n, time_ms, kind, entry, CASE WHEN kind IN (1, 2) THEN signed END, fault, answers FROM log"
            " WHERE case_id=? AND n>? ORDER BY n",
            (case, after),
        ):
            yield _log_row(*row)

    def append_log(self, case: CaseId, row: LogRow) -> None:
        """Adds one position."""
        self._db.execute(
            "INSERT INTO log VALUES (?,?,?,?,?,?,?,?)",
            (case, row.n, row.link.time_ms, row.link.kind, row.link.entry, row.signed, row.fault, row.answers),
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

    # -- the party's keys that came by boxes

    def party_keys(self) -> tuple[tuple[int, bytes], ...]:
        """Generations of the party's key with their seeds, each a sealed note."""
        return tuple(self._db.execute("SELECT gen, seed FROM party_keys ORDER BY gen"))

    def save_party_key(self, gen: int, seed: bytes) -> None:
        """Keeps a seed, a sealed note."""
        self._db.execute("INSERT OR REPLACE INTO party_keys VALUES (?,?)", (gen, seed))

    # -- the merged inbox

    def cursor(self) -> int:
        """The last delivery that is safely ours."""
        row = self._db.execute("SELECT seq FROM cursor WHERE name='inbox'").fetchone()
        return int(row[0]) if row else 0

    def save_cursor(self, seq: int) -> None:
        """Moves the cursor, never back."""
        self._db.execute(
            "INSERT INTO cursor VALUES ('inbox', ?) ON CONFLICT (name) DO UPDATE SET seq=max(seq, excluded.seq)", (seq,)
        )

    def told_n(self, case: CaseId) -> int:
        """Up to which position of a case the person has been told what is new."""
        row = self._db.execute("SELECT seq FROM cursor WHERE name=?", (f"told {case}",)).fetchone()
        return int(row[0]) if row else 0

    def save_told_n(self, case: CaseId, n: int) -> None:
        """The person has been told."""
        self._db.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?)", (f"told {case}", n))
