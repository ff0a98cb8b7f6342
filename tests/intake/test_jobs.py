"""The intake's job table."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from vetrelay.errors import Fault
from vetrelay.intake.jobs import TRANSITIONS, Event, Job, JobTable, State, advance

CASE, ENTRY, OTHER, P = "case", "entry", "other entry", "payload"
JOB = Job(entry=ENTRY, case=CASE, n=7, accepted_ms=1000)
LATER = Job(entry=OTHER, case=CASE, n=8, accepted_ms=2000)


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[JobTable]:
    """An empty table."""
    table = JobTable(tmp_path)
    yield table
    table.close()


def taken(jobs: JobTable, *wanted: Job, n: int = 8, answered: tuple[str, ...] = ()) -> tuple[Job, ...]:
    """Takes jobs of the one case."""
    return jobs.take(CASE, n, jobs=wanted, answered=answered, now_ms=3000)


def test_a_job_is_taken_once(jobs: JobTable) -> None:
    """A delivery that comes again finds its job in the table."""
    assert (JOB,) == taken(jobs, JOB)
    assert () == taken(jobs, JOB)
    assert (JOB,) == jobs.open_jobs()


def test_a_job_survives_its_process(tmp_path: Path) -> None:
    """What was taken is there for whoever opens the file next, with the place in the log up to which it was read."""
    first = JobTable(tmp_path)
    taken(first, JOB, LATER)
    first.close()
    second = JobTable(tmp_path)
    assert ((JOB, LATER), 8) == (second.open_jobs(), second.looked_through_n(CASE))
    second.close()


def test_an_envelope_that_is_answered_in_the_log_is_no_open_job(jobs: JobTable) -> None:
    """An end that reads its log anew does not answer twice."""
    assert (LATER,) == taken(jobs, JOB, LATER, answered=(ENTRY, "not ours"))
    assert ((LATER,), State.PUBLISHED) == (jobs.open_jobs(), jobs.state(ENTRY))


def test_what_a_kill_interrupted_is_queued_again_with_its_tries(jobs: JobTable) -> None:
    """The try that was under way counts: the next one is the second."""
    taken(jobs, JOB)
    assert 1 == jobs.begin_try(ENTRY, P)
    assert State.WORKING is jobs.state(ENTRY)
    jobs.recover()
    assert State.QUEUED is jobs.state(ENTRY)
    assert 2 == jobs.begin_try(ENTRY, P)


def test_a_try_that_ended_well_does_not_count(jobs: JobTable) -> None:
    """Only what broke, or never came to an end, is held against a file."""
    taken(jobs, JOB)
    jobs.begin_try(ENTRY, P)
    jobs.end_try(ENTRY, P)
    assert 1 == jobs.begin_try(ENTRY, P)


def test_the_receipt_and_the_log_may_both_say_that_a_verdict_is_there(jobs: JobTable) -> None:
    """In either order, the job is published."""
    taken(jobs, JOB)
    jobs.begin_try(ENTRY, P)
    taken(jobs, answered=(ENTRY,))
    jobs.publish(ENTRY, now_ms=4000)
    assert State.PUBLISHED is jobs.state(ENTRY)


def test_a_job_that_ends_says_why(jobs: JobTable) -> None:
    """The reason is the code of what was refused; the job is open no more."""
    taken(jobs, JOB)
    jobs.end(ENTRY, "not_a_member", now_ms=4000)
    assert ("not_a_member", ()) == (jobs.reason(ENTRY), jobs.open_jobs())


def test_what_is_long_done_is_forgotten(jobs: JobTable) -> None:
    """Only open jobs and recent ones stay."""
    taken(jobs, JOB, LATER)
    jobs.begin_try(ENTRY, P)
    jobs.publish(ENTRY, now_ms=4000)
    jobs.sweep(before_ms=5000)
    assert (None, State.QUEUED) == (jobs.state(ENTRY), jobs.state(OTHER))


@pytest.mark.parametrize(
    ("state", "event"), [(state, event) for state in State for event in Event if (state, event) not in TRANSITIONS]
)
def test_what_is_not_in_the_table_of_transitions_is_a_fault(state: State, event: Event) -> None:
    """A table that somebody else has written to is not worked on."""
    with pytest.raises(Fault, match="jobs_damaged"):
        advance(state, event)
