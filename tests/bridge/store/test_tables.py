"""The tables, in SQLite and in PostgreSQL: made once, durable, locked as they should be, and without a word in clear."""

import asyncio
import os
import sqlite3
import stat
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, func, insert, select, text

from vetrelay.bridge.store.events import KEPT_MS, Event, Events
from vetrelay.bridge.store.groupcommit import GroupCommit
from vetrelay.bridge.store.notes import Notes
from vetrelay.bridge.store.sealing import Seals
from vetrelay.bridge.store.spool import Spool
from vetrelay.bridge.store.tables import metadata, notes, open_database, reading
from vetrelay.errors import Fault, Refusal

SEALS = Seals(bytes(range(32)), os.urandom)


def test_a_database_is_opened_as_often_as_one_likes(database: str) -> None:
    """The second time it is the same: tables stand, and what was written is there."""
    for count in range(3):
        engine = open_database(database)
        notes_ = Notes(engine, SEALS)
        assert (None if count == 0 else b"%d" % (count - 1)) == notes_.get("cursor")
        notes_.put("cursor", b"%d" % count)
        engine.dispose()


def test_several_may_open_a_new_database_at_the_same_time(database: str) -> None:
    """Two bridges on one machine start together: one makes the tables, the other finds them."""
    with ThreadPoolExecutor(4) as pool:
        engines = list(pool.map(open_database, [database] * 4))
    with reading(engines[3]) as connection:
        for table in metadata.tables.values():
            assert 0 == connection.execute(select(func.count()).select_from(table)).scalar_one()
    for engine in engines:
        engine.dispose()


def test_sqlite_keeps_what_it_committed_over_a_power_cut(tmp_path: Path) -> None:
    """Write-ahead log, synchronous=FULL on every connection, and a file for its owner alone."""
    engine = open_database(tmp_path / "bridge.sqlite3")
    for _ in range(3):
        with engine.begin() as connection:
            assert "wal" == connection.execute(text("PRAGMA journal_mode")).scalar_one()
            assert 2 == connection.execute(text("PRAGMA synchronous")).scalar_one()
    assert 0o600 == stat.S_IMODE((tmp_path / "bridge.sqlite3").stat().st_mode)
    engine.dispose()


def test_sqlite_takes_the_lock_for_writing_at_once_and_reading_never_waits_for_it(tmp_path: Path) -> None:
    """A write transaction cannot fail half-way because another was quicker, and look-ups go on while one writes."""
    engine = open_database(tmp_path / "bridge.sqlite3")
    Notes(engine, SEALS).put("key", b"old")
    with engine.begin() as connection:
        connection.execute(insert(notes), {"key": "other", "sealed": b"x"})
        assert b"old" == Notes(engine, SEALS).get("key")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            sqlite3.connect(tmp_path / "bridge.sqlite3", timeout=0, isolation_level=None).execute("BEGIN IMMEDIATE")
    engine.dispose()


@given(content=st.binary(max_size=300), parts=st.lists(st.binary(max_size=20), max_size=4))
def test_seals_open_what_they_sealed_and_macs_tell_lists_apart(content: bytes, parts: list[bytes]) -> None:
    """And nothing of the content stands in what is sealed, nor do two lists of parts share a hash by their joins."""
    sealed = SEALS.seal(content)
    assert content == SEALS.open(sealed)
    assert sealed != SEALS.seal(content)
    assert SEALS.mac("p", *parts) == SEALS.mac("p", *parts)
    assert SEALS.mac("p", *parts) != SEALS.mac("q", *parts)
    assert SEALS.mac("p", *parts) != SEALS.mac("p", *parts, b"")
    if len(parts) > 1 and parts[0]:
        assert SEALS.mac("p", *parts) != SEALS.mac("p", parts[0][:-1], parts[0][-1:] + parts[1], *parts[2:])


def test_a_seal_that_was_changed_does_not_open() -> None:
    """Any bit, or another key: Fault `spool_damaged`."""
    sealed = SEALS.seal(b"a name")
    for wrong in (sealed[:-1], b"", *(bytes([*sealed[:at], sealed[at] ^ 1, *sealed[at + 1 :]]) for at in (0, 25, -2))):
        with pytest.raises(Fault, match="spool_damaged"):
            SEALS.open(wrong)
    with pytest.raises(Fault, match="spool_damaged"):
        Seals(bytes(32), os.urandom).open(sealed)


def test_notes_are_set_replaced_and_forgotten(engine: Engine) -> None:
    """A small table of hidden keys and values."""
    table = Notes(engine, SEALS)
    assert None is table.get("openpgp key")
    table.put("openpgp key", b"one")
    table.put("openpgp key", b"two")
    table.put("another", b"")
    assert (b"two", b"") == (table.get("openpgp key"), table.get("another"))
    table.delete("openpgp key")
    table.delete("openpgp key")
    assert None is table.get("openpgp key")
    with reading(engine) as connection:
        assert "another" not in str(connection.execute(select(notes)).all())


def test_an_event_is_told_once_for_its_key(engine: Engine) -> None:
    """Added once, pending until done, and not added anew for 30 days."""
    now = iter(range(1000, 2000))
    table = Events(engine, SEALS, lambda: next(now))
    assert table.add("case", "refused", "clinic.example", once_key="a")
    assert not table.add("case", "refused", "clinic.example", once_key="a")
    assert table.add(None, "refused", "other.example", once_key="b")
    first, second = table.pending()
    assert Event(id=first.id, case="case", what="refused", domain="clinic.example", at_ms=1000) == first
    assert (None, "other.example") == (second.case, second.domain)
    table.done(first.id)
    assert (second,) == table.pending()
    assert not table.add("case", "refused", "clinic.example", once_key="a")
    with reading(engine) as connection:
        assert "clinic.example" not in str(connection.execute(text("SELECT * FROM events")).all())
    Events(engine, SEALS, lambda: 1001 + KEPT_MS).sweep()
    assert table.add("case", "refused", "clinic.example", once_key="a")
    assert 2 == len(table.pending())


@pytest.fixture
async def commits(engine: Engine, tmp_path: Path) -> AsyncIterator[GroupCommit]:
    """A group commit on that database."""
    writing = GroupCommit(engine, Spool(tmp_path / "spool", bytes(32), os.urandom))
    yield writing
    await writing.close()


class Adding:
    """A job that adds a row and returns its key; counts its runs."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.runs = 0

    def __call__(self, connection: Connection) -> str:
        self.runs += 1
        connection.execute(insert(notes), {"key": self.key, "sealed": b"x"})
        return self.key


def keys(engine: Engine) -> list[str]:
    """The keys in the table."""
    with reading(engine) as connection:
        return sorted(connection.execute(select(notes.c.key)).scalars())


async def test_jobs_that_wait_together_are_committed_together(engine: Engine, commits: GroupCommit) -> None:
    """Every job gets its own result, after its rows can be read by others."""
    jobs = [Adding(f"{number:03}") for number in range(100)]
    assert [job.key for job in jobs] == await asyncio.gather(*(commits.run(job) for job in jobs))
    assert [job.key for job in jobs] == keys(engine)


async def test_a_job_that_fails_takes_no_other_with_it_and_leaves_nothing(engine: Engine, commits: GroupCommit) -> None:
    """Its transaction is rolled back, the others' stand, and each hears of its own."""

    def refusing(connection: Connection) -> None:
        connection.execute(insert(notes), {"key": "half", "sealed": b"x"})
        raise Refusal("case_closed")

    outcomes = await asyncio.gather(
        commits.run(Adding("a")),
        commits.run(refusing),
        commits.run(Adding("b")),
        commits.run(Adding("a")),
        commits.run(Adding("c")),
        return_exceptions=True,
    )
    assert ["a", "b", "c"] == keys(engine) == [outcomes[0], outcomes[2], outcomes[4]]
    assert isinstance(outcomes[1], Refusal)
    assert isinstance(outcomes[3], Fault)
    assert "storage_failed" == outcomes[3].code


async def test_a_file_that_cannot_be_made_durable_has_no_row(
    engine: Engine, commits: GroupCommit, tmp_path: Path
) -> None:
    """Bytes before rows: where the bytes fail, the job is not even run; where the row fails, the file is the caller's."""
    spool = Spool(tmp_path / "spool", bytes(32), os.urandom)
    lost, good, rowless = spool.begin(), spool.begin(), spool.begin()
    (tmp_path / "spool" / "tmp" / lost.id).unlink()
    jobs = [Adding("lost"), Adding("good"), Adding("good")]
    outcomes = await asyncio.gather(
        *(commits.run(job, files=[file]) for job, file in zip(jobs, (lost, good, rowless), strict=True)),
        return_exceptions=True,
    )
    assert ["storage_failed", "good", "storage_failed"] == [
        outcome.code if isinstance(outcome, Fault) else outcome for outcome in outcomes
    ]
    assert ["good"] == keys(engine)
    assert 0 == jobs[0].runs
    rowless.abort()
    lost.abort()
    assert [good.id] == [path.name for path in (tmp_path / "spool" / "new").iterdir()]


async def test_whoever_gives_up_waiting_does_not_stop_the_commit(engine: Engine, commits: GroupCommit) -> None:
    """A cancelled task's job is done all the same, and the thread goes on."""
    waiting = asyncio.create_task(commits.run(Adding("cancelled")))
    await asyncio.sleep(0)
    waiting.cancel()
    assert "next" == await commits.run(Adding("next"))
    assert ["cancelled", "next"] == keys(engine)
