"""Group commit: one thread writes for everybody, and nobody pays for another's mistake (storage/writer.py)."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from threading import Event

import pytest
import pytest_asyncio

from tests.chains import named_hash
from vetrelay.config import RelayLimits
from vetrelay.errors import Fault, Refusal, VetRelayError
from vetrelay.relay.ports import RelayServices, Store
from vetrelay.relay.process import DATABASE, open_relay
from vetrelay.relay.storage.writer import MAX_BATCH_JOBS

Job = Callable[[Store], object]
QUEUED_JOBS = 8


@pytest_asyncio.fixture
async def relay(tmp_path: Path) -> AsyncIterator[RelayServices]:
    """A relay that lets few jobs wait."""
    limits = RelayLimits(min_free_bytes=0, queued_jobs=QUEUED_JOBS)
    async with open_relay(tmp_path, limits, origins=frozenset(), clock=lambda: 0) as services:
        yield services


def adding(name: str) -> Job:
    """A job that writes one row."""
    return lambda store: store.parties.add_code(named_hash(name), kind="clinic", time_ms=0)


def raising(error: Exception, *, first: Job = lambda _: None) -> Job:
    """A job that fails after it has done something."""

    def job(store: Store) -> None:
        first(store)
        raise error

    return job


def held(running: Event, go_on: Event) -> Job:
    """A job that says when it runs, and goes on when it may."""

    def job(_: Store) -> None:
        running.set()
        assert go_on.wait(30)

    return job


async def together(relay: RelayServices, jobs: Sequence[Job]) -> list[object]:
    """What becomes of jobs that the writer takes as one batch: they queue up while it is busy with another."""
    running, go_on = Event(), Event()
    before = asyncio.create_task(relay.writer.run(held(running, go_on)))
    assert await asyncio.to_thread(running.wait, 30)
    tasks = [asyncio.create_task(relay.writer.run(job)) for job in jobs]
    await asyncio.sleep(0)  # all of them have queued
    go_on.set()
    await before
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    return [one.code if isinstance(one, VetRelayError) else one for one in answers]


async def there(relay: RelayServices, *names: str) -> list[bool]:
    """Which rows a reader sees."""
    return await relay.reader.run(lambda store: [store.parties.code(named_hash(name)) is not None for name in names])


def on_disk(folder: Path, name: str) -> bool:
    """Whether another program, on a connection of its own, sees a row."""
    connection = sqlite3.connect(folder / DATABASE)
    try:
        found = connection.execute("SELECT count(*) FROM codes WHERE hash = ?", (named_hash(name),)).fetchone()
    finally:
        connection.close()
    return bool(found[0])


async def test_a_job_that_is_refused_fails_no_other(relay: RelayServices) -> None:
    """Before its first write it only does not take part."""
    answers = await together(relay, [adding("a"), raising(Refusal("may_not")), adding("b")])
    assert [None, "may_not", None] == answers
    assert [True, True] == await there(relay, "a", "b")


async def test_a_job_that_is_refused_after_a_write_leaves_nothing(relay: RelayServices) -> None:
    """What it wrote is rolled back; the others of its batch are run again, and stand."""
    half = raising(Refusal("may_not"), first=adding("half"))
    assert [None, "may_not", None] == await together(relay, [adding("a"), half, adding("b")])
    assert [True, False, True] == await there(relay, "a", "half", "b")


async def test_a_row_that_is_there_already_fails_only_its_job(relay: RelayServices) -> None:
    """The database refuses the whole batch; one by one, the others are taken."""
    answers = await together(relay, [adding("a"), adding("twice"), adding("twice"), adding("b")])
    assert [None, None, "storage_failed", None] == answers
    assert [True, True, True] == await there(relay, "a", "twice", "b")


async def test_a_bug_in_one_job_fails_no_other(relay: RelayServices) -> None:
    """Whoever brought it gets the error itself."""
    bug = ZeroDivisionError("a bug")
    for first in (adding("half"), lambda _: None):
        assert [bug] == await together(relay, [raising(bug, first=first)])
    assert [None, bug, None] == await together(relay, [adding("a"), raising(bug), adding("b")])
    assert [True, False, True] == await there(relay, "a", "half", "b")


async def test_nobody_is_answered_before_the_commit(relay: RelayServices, tmp_path: Path) -> None:
    """While its batch is open, a job that has run has no answer, and nobody sees what it wrote; then both at once."""
    running, go_on, running_too, go_on_too = Event(), Event(), Event(), Event()
    before = asyncio.create_task(relay.writer.run(held(running, go_on)))
    assert await asyncio.to_thread(running.wait, 30)
    written = asyncio.create_task(relay.writer.run(adding("a")))
    beside = asyncio.create_task(relay.writer.run(held(running_too, go_on_too)))
    await asyncio.sleep(0)  # both have queued: one batch
    go_on.set()
    await before
    assert await asyncio.to_thread(running_too.wait, 30)
    assert [False, False] == [written.done(), on_disk(tmp_path, "a")]
    go_on_too.set()
    await asyncio.gather(written, beside)
    assert on_disk(tmp_path, "a")


async def test_who_comes_when_too_many_wait_is_told_at_once(relay: RelayServices) -> None:
    """`busy`, and nothing of theirs is done; when the queue is shorter again they are taken."""
    running, go_on = Event(), Event()
    before = asyncio.create_task(relay.writer.run(held(running, go_on)))
    assert await asyncio.to_thread(running.wait, 30)
    waiting = [asyncio.create_task(relay.writer.run(adding(f"{i}"))) for i in range(QUEUED_JOBS - 1)]
    await asyncio.sleep(0)
    with pytest.raises(Fault) as refused:
        await relay.writer.run(adding("late"))
    go_on.set()
    await asyncio.gather(before, *waiting)
    assert "busy" == refused.value.code
    assert [True, False] == await there(relay, "0", "late")
    await relay.writer.run(adding("late"))
    assert [True] == await there(relay, "late")


async def test_more_jobs_than_a_batch_holds_are_all_done(tmp_path: Path) -> None:
    """In the order in which they came."""
    order = list[int]()
    async with open_relay(tmp_path, RelayLimits(min_free_bytes=0), origins=frozenset(), clock=lambda: 0) as relay:
        await together(relay, [lambda _, i=i: order.append(i) for i in range(MAX_BATCH_JOBS + 10)])  # type: ignore[misc]  # a default that binds the loop's value
    assert list(range(MAX_BATCH_JOBS + 10)) == order


async def test_who_goes_away_takes_nobody_along(relay: RelayServices) -> None:
    """A job whose asker is gone is done all the same; the others of its batch are answered."""
    running, go_on = Event(), Event()
    before = asyncio.create_task(relay.writer.run(held(running, go_on)))
    assert await asyncio.to_thread(running.wait, 30)
    gone = asyncio.create_task(relay.writer.run(adding("gone")))
    stays = asyncio.create_task(relay.writer.run(adding("stays")))
    await asyncio.sleep(0)
    gone.cancel()
    go_on.set()
    await asyncio.gather(before, stays)
    assert [True, True] == await there(relay, "gone", "stays")


async def test_nothing_is_written_when_the_disk_is_nearly_full(tmp_path: Path) -> None:
    """`storage_full`, before the transaction begins."""
    limits = RelayLimits(min_free_bytes=2**62)
    async with open_relay(tmp_path, limits, origins=frozenset(), clock=lambda: 0) as relay:
        assert ["storage_full"] == [
            one.code if isinstance(one, VetRelayError) else one
            for one in await asyncio.gather(relay.writer.run(adding("a")), return_exceptions=True)
        ]
        assert [False] == await there(relay, "a")
