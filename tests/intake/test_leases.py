"""Leases as an intake keeps them: against a real relay, whose clock the test moves."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.client.town import Town, town_at
from vetrelay.client.end import End
from vetrelay.client.follow import follow
from vetrelay.client.parties import adopt, machine_offer
from vetrelay.client.say import say
from vetrelay.errors import Fault
from vetrelay.intake.collect import collect
from vetrelay.intake.intake import Intake
from vetrelay.intake.jobs import Job, JobTable
from vetrelay.intake.leases import LOOK_AGAIN_SECONDS, Leases, TakenElsewhere

SECONDS = 60


@dataclass(kw_only=True)
class Pair:
    """Two intakes of one case, each with its leases, and the jobs that both have."""

    town: Town
    ends: tuple[End, End]
    jobs: tuple[Job, ...]
    leases: tuple[Leases, Leases]

    async def take(self, number: int, job: Job) -> float | None:
        """Takes a job for one of them: 0 where it has it, else after how many seconds to look again; None: answered."""
        try:
            await self.leases[number].take(self.ends[number], job)
        except TakenElsewhere as taken:
            return taken.again_seconds
        return 0


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    """A case with two photos in it, that nobody has looked at."""
    async with town_at(tmp_path) as town:
        ends = (await town.party("first", "machine"), await town.party("second", "machine"))
        clinic = await town.clinic(intake=ends[0])
        await adopt(clinic, machine_offer(ends[1].keyring, "intake"), beside=True)
        case = await town.case(clinic)
        owner = await town.newcomer(clinic, case)
        for name in ("one", "two"):
            (tmp_path / f"{name}.jpg").write_bytes(name.encode())
            await say(owner, case, text=name, files=[tmp_path / f"{name}.jpg"])
        found = [await jobs_of(end, case) for end in ends]
        assert found[0] == found[1]
        yield Pair(town=town, ends=ends, jobs=found[0], leases=(Leases(SECONDS), Leases(SECONDS)))


async def jobs_of(end: End, case: str) -> tuple[Job, ...]:
    """The jobs that an intake finds in a case."""
    table = JobTable(end.home)
    try:
        return collect(end, table, await follow(end, case))
    finally:
        table.close()


async def test_both_find_the_same_jobs_and_one_has_each(pair: Pair) -> None:
    """Whoever asks first; asking again costs nothing, and what the other has stays with it."""
    one, two = pair.jobs
    assert (0, 0) == (await pair.take(0, one), await pair.take(0, one))
    assert (LOOK_AGAIN_SECONDS, 0) == (await pair.take(1, one), await pair.take(1, two))
    assert LOOK_AGAIN_SECONDS == await pair.take(0, two)


async def test_once_refused_it_stays_so_for_this_attempt(pair: Pair) -> None:
    """The other files of the envelope need not ask; the next attempt does."""
    one = pair.jobs[0]
    await pair.take(0, one)
    await pair.take(1, one)
    await pair.leases[0].give_back(pair.ends[0], one)
    assert LOOK_AGAIN_SECONDS == await pair.take(1, one)
    pair.leases[1].begin(one)
    assert 0 == await pair.take(1, one)


async def test_it_is_looked_at_again_when_the_lease_ends_or_sooner(pair: Pair) -> None:
    """Soon, where little is left; then it is free."""
    one = pair.jobs[0]
    await pair.take(0, one)
    pair.town.clock.now_ms += (SECONDS - 2) * 1000
    assert 1.9 < (await pair.take(1, one) or 0) <= 2  # the town's clock ticks each time it is asked
    pair.town.clock.now_ms += 2000
    pair.leases[1].begin(one)
    assert 0 == await pair.take(1, one)


async def test_a_job_whose_lease_was_lost_is_asked_for_again(pair: Pair) -> None:
    """Renewing shows that another has it now."""
    one, two = pair.jobs
    leases = Leases(3)  # renewed each second
    await leases.take(pair.ends[0], one)
    await leases.take(pair.ends[0], two)
    pair.town.clock.now_ms += 3000
    assert 0 == await pair.take(1, one)
    keeping = asyncio.create_task(leases.keep(lambda: pair.ends[0]))
    try:
        while one.entry in leases._held:  # noqa: ASYNC110  # a lost lease is told to nobody
            await asyncio.sleep(0.05)
        assert {two.entry} == leases._held.keys()
        with pytest.raises(TakenElsewhere):
            await leases.take(pair.ends[0], one)
    finally:
        keeping.cancel()
    assert LOOK_AGAIN_SECONDS > (await pair.take(1, two) or 0) > 0


async def test_saying_goodbye_gives_everything_back(pair: Pair) -> None:
    """Others may begin at once."""
    one, two = pair.jobs
    await pair.take(0, one)
    await pair.take(0, two)
    await pair.leases[0].give_all_back(pair.ends[0])
    assert (0, 0) == (await pair.take(1, one), await pair.take(1, two))


async def test_a_relay_that_is_away_is_a_fault_of_the_attempt(pair: Pair) -> None:
    """And keeps nobody from ending: what cannot be given back ends by itself."""
    one, two = pair.jobs
    await pair.take(0, one)
    away = await pair.town.again(pair.ends[0], url="http://127.0.0.1:9")
    with pytest.raises(Fault) as fault:
        await pair.leases[0].take(away, two)
    assert "unreachable" == fault.value.code
    await pair.leases[0].give_all_back(away)
    assert set() == pair.leases[0]._held.keys()


def intake_of(end: End, leases: Leases) -> Intake:
    """An intake as far as its claims go."""
    nothing: Any = None
    return Intake(
        end=end,
        inspector=nothing,
        jobs=nothing,
        hands=nothing,
        leases=leases,
        scanner=None,
        checkpoint=nothing,
        wait_seconds=0,
        rotate_ms=0,
        clinic_patience=1,
    )


async def test_an_intake_that_is_alone_asks_nobody(pair: Pair) -> None:
    """It works as fast as if there were no leases: here the relay is away, and it claims its jobs all the same."""
    clinic = await pair.town.kept("clinic")
    away = await pair.town.again(pair.ends[0], url="http://127.0.0.1:9")
    job = pair.jobs[0]
    with pytest.raises(Fault):
        await intake_of(away, pair.leases[0]).claim(job)
    await adopt(clinic, machine_offer(pair.ends[0].keyring, "intake"))
    await follow(pair.ends[0], job.case)
    await intake_of(away, pair.leases[0]).claim(job)
