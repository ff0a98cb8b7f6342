"""The intake's work: read the inbox into the job table, answer every job, rotate the key. Several cases at once."""

import asyncio
from functools import partial
from typing import Final

from vetrelay.client.end import End
from vetrelay.client.follow import Followed
from vetrelay.client.news import take_news
from vetrelay.client.outbox import forget
from vetrelay.client.persist import FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, may_pass, persist
from vetrelay.client.rotate import DAY_MS, begin_rotation, complete_rotation, drop_old_keys, may_drop
from vetrelay.errors import Refusal, VetRelayError
from vetrelay.intake.answer import answer, drop_promise
from vetrelay.intake.collect import collect
from vetrelay.intake.intake import Intake
from vetrelay.intake.jobs import Job, JobTable, State
from vetrelay.intake.leases import TakenElsewhere
from vetrelay.intake.publish import entry_of
from vetrelay.telemetry import event_log, place_of

ROTATION_CHECK_SECONDS: Final = 15 * 60
REMEMBER_JOBS_MS: Final = 90 * DAY_MS
ANSWERED: Final = "verdict_stands"
BEGIN_ANEW: Final = frozenset({"case_full", "spool_lost"})
"""What ends a promise, but not the job: there may be room later, and the files are still at the relay."""


def tidy(end: End, jobs: JobTable) -> None:
    """Mends what a kill left: interrupted jobs go back into the queue, drafts of published verdicts go."""
    jobs.recover()
    jobs.sweep(before_ms=end.now_ms() - REMEMBER_JOBS_MS)
    for promised in end.journal.receipted():
        if jobs.state(entry_of(promised.intent)) is State.PUBLISHED:
            forget(end, promised)


async def work(intake: Intake) -> None:
    """Works until it is cancelled; jobs under way are left to the job table.

    Raises the Refusal that says that this device may not read its inbox any more.
    """
    arrived: asyncio.Queue[Job] = asyncio.Queue()
    for job in intake.jobs.open_jobs():
        arrived.put_nowait(job)
    event_log()("intake.works", jobs=arrived.qsize())
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_read_inbox(intake, arrived))
            group.create_task(_keep_rotating(intake))
            group.create_task(intake.leases.keep(lambda: intake.end))
            while True:
                job = await arrived.get()
                group.create_task(_carry_out(intake, job))
    except ExceptionGroup as ended:
        raise ended.exceptions[0] from None  # what ended one task has ended them all
    finally:
        await intake.leases.give_all_back(intake.end)


async def _read_inbox(intake: Intake, arrived: asyncio.Queue[Job]) -> None:
    while True:
        await persist(partial(_read_once, intake, arrived))


async def _read_once(intake: Intake, arrived: asyncio.Queue[Job]) -> None:
    taken = 0

    def keep(followed: Followed) -> None:
        nonlocal taken
        new = collect(intake.end, intake.jobs, followed)
        for job in new:
            arrived.put_nowait(job)
        taken += len(new)
        if new:
            intake.checkpoint("stored")

    # Durable before acknowledged: `keep` has committed the jobs when `take_news` acknowledges.
    await take_news(intake.end, wait_seconds=intake.wait_seconds, known=intake.known, keep=keep)
    intake.read_to_the_end_ms = intake.end.now_ms()
    if taken:
        event_log()("intake.jobs_stored", jobs=taken)
        intake.checkpoint("acknowledged")


async def _carry_out(intake: Intake, job: Job) -> None:
    """Answers a job; whatever goes wrong concerns this job alone, and is tried again unless the relay said no for good."""
    wait_seconds = FIRST_WAIT_SECONDS
    while True:
        intake.leases.begin(job)
        try:
            await answer(intake, job)
        except TakenElsewhere as taken:
            if taken.again_seconds is None:
                return await _end(intake, job, ANSWERED)
            await asyncio.sleep(taken.again_seconds)
            continue
        except VetRelayError as stopped:
            if not may_pass(stopped):
                drop_promise(intake, job)
                if stopped.code not in BEGIN_ANEW:
                    return await _end(intake, job, stopped.code)
            event_log()("intake.job_waits", code=stopped.code)
        except Exception as error:  # noqa: BLE001 - a fault of ours in one job must not stop the others
            event_log()("intake.job_failed", error=type(error).__name__, where=place_of(error))
        else:
            intake.leases.drop(job)
            event_log()("intake.published", milliseconds=intake.end.now_ms() - job.accepted_ms)
            return None
        await intake.leases.give_back(intake.end, job)  # another intake may have more luck meanwhile
        await asyncio.sleep(wait_seconds)
        wait_seconds = min(2 * wait_seconds, LONGEST_WAIT_SECONDS)


async def _end(intake: Intake, job: Job, code: str) -> None:
    intake.jobs.end(job.entry, code, now_ms=intake.end.now_ms())
    event_log()("intake.job_ended", code=code)
    await intake.leases.give_back(intake.end, job)
    intake.leases.drop(job)


async def _keep_rotating(intake: Intake) -> None:
    while True:
        intake.end = begin_rotation(intake.end, every_ms=intake.rotate_ms)
        try:
            intake.end = await persist(lambda: complete_rotation(intake.end))
        except Refusal as refused:
            event_log()("intake.rotation_refused", code=refused.code)
        idle = intake.jobs.is_idle()
        if may_drop(intake.end, idle=idle, read_to_the_end_ms=intake.read_to_the_end_ms):
            intake.end = drop_old_keys(intake.end)
        await asyncio.sleep(ROTATION_CHECK_SECONDS)
