"""Submit: what is decided inside the transaction, whatever was seen before it. What is refused: tests/hostile."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest_asyncio
from msgspec import convert

from tests.chains import nonce
from tests.ends import End, world_at
from tests.standing_case import StandingCase, standing_case
from vetrelay.config import RelayLimits
from vetrelay.protocol.case import Close
from vetrelay.protocol.log import check_head
from vetrelay.protocol.signature import Signed
from vetrelay.relay.ports import Store


@pytest_asyncio.fixture
async def standing(tmp_path: Path) -> AsyncIterator[StandingCase]:
    """A case that has just begun."""
    async with standing_case(tmp_path) as made:
        yield made


@asynccontextmanager
async def writer_held(standing: StandingCase) -> AsyncIterator[None]:
    """While the block runs, the writer is busy: whatever is asked of it waits in line."""
    begun, go_on = threading.Event(), threading.Event()

    def hold(_store: Store) -> None:
        begun.set()
        go_on.wait(30)

    holding = asyncio.create_task(standing.world.relay.writer.run(hold))
    await asyncio.to_thread(begun.wait, 30)
    try:
        yield
    finally:
        go_on.set()
        await holding


async def test_a_rotation_that_is_committed_first_wins(standing: StandingCase) -> None:
    """(N09) The envelope was fine when it came: where it would stand, it is not."""
    draft = await standing.owner.draft(standing.case)
    async with writer_held(standing):
        rotated = asyncio.create_task(standing.rotate(standing.clinic))
        await asyncio.sleep(0.2)
        sent = asyncio.create_task(standing.owner.submit(draft))
        await asyncio.sleep(0.2)
    assert 201 == (await rotated).status
    reply = await sent
    assert (409, "roster_moved") == (reply.status, reply.code)
    assert await standing.n() == reply.body["after"]


async def test_a_removal_that_is_committed_first_wins(standing: StandingCase) -> None:
    """(N35) And the envelope of the removed party is not in the log."""
    second = End(standing.world, "second")
    secret = await standing.clinic.invite(standing.case, "owner", label="second")
    assert 201 == (await second.join(standing.case, secret, "owner")).status
    assert 201 == (await standing.clinic.approve(standing.case, second, "owner")).status
    await second.sign_in()
    draft = await second.draft(standing.case)
    async with writer_held(standing):
        removed = asyncio.create_task(standing.clinic.remove(standing.case, second, "owner"))
        await asyncio.sleep(0.3)
        sent = asyncio.create_task(second.submit(draft))
        await asyncio.sleep(0.2)
    assert 201 == (await removed).status
    assert (403, "not_a_member") == ((await sent).status, (await sent).code)


async def test_many_at_once_stand_one_after_the_other(standing: StandingCase) -> None:
    """One commit for all, and a receipt for each: positions without a gap, each head the one before it and one more."""
    known = await standing.owner.know(standing.case)
    drafts = [await standing.owner.draft(standing.case, label=f"{number}", known=known) for number in range(20)]
    async with writer_held(standing):
        sent = [asyncio.create_task(standing.owner.submit(draft)) for draft in drafts]
        await asyncio.sleep(0.5)
    replies = [await one for one in sent]
    assert {201} == {reply.status for reply in replies}
    relay = standing.world.relay.relay
    heads = [check_head(convert(r.body["receipt"], Signed), relay=relay, case=standing.case) for r in replies]
    after = await standing.owner.know(standing.case)
    assert set(range(known.tail.n + 1, after.tail.n + 1)) == {head.n for head in heads}
    assert all(after.tails[head.n].head == head.head for head in heads)


async def test_a_device_that_was_added_while_the_case_was_closed_may_still_speak(standing: StandingCase) -> None:
    """A closed case's log has not heard of it: what was missed is brought first."""
    clinic, case = standing.clinic, standing.case
    assert 201 == (await clinic.say(case, Close(v=1, case=case, nonce=nonce("close")))).status
    assert 201 == (await clinic.extend(clinic.device_added("second"))).status
    assert 200 == (await clinic.sign_in("second")).status
    before = await standing.n()
    draft = await clinic.draft(case, "control", device="second")
    assert 201 == (await clinic.submit(draft, device="second")).status
    assert before + 2 == await standing.n()


async def test_a_device_that_was_revoked_while_the_case_was_closed_says_nothing(standing: StandingCase) -> None:
    """Its bearer is refused at once; and what was sealed before is stale for everybody else too."""
    clinic, case = standing.clinic, standing.case
    assert 201 == (await clinic.extend(clinic.device_added("second"))).status
    draft = await clinic.draft(case, "control")
    assert 201 == (await clinic.say(case, Close(v=1, case=case, nonce=nonce("close")))).status
    fresh = await clinic.draft(case, "control", label="fresh")
    assert 201 == (await clinic.extend(clinic.rotate("second"))).status
    for one in (draft, fresh):
        assert "roster_moved" == (await clinic.submit(one)).code
    assert 201 == (await clinic.submit(await clinic.draft(case, "control", label="again"))).status


async def test_a_case_has_only_so_much_room(tmp_path: Path) -> None:
    """What is kept of envelopes counts; the refusal leaves the case as it was."""
    limits = RelayLimits(min_free_bytes=0, case_bytes=9_000)
    async with standing_case(tmp_path, limits=limits) as standing:
        await standing.owner.send(standing.case, label="one")
        before = await standing.n()
        reply = await standing.owner.submit(await standing.owner.draft(standing.case, label="two", text=b"x" * 9_000))
        assert (413, "case_full") == (reply.status, reply.code)
        assert before == await standing.n()


async def test_a_relay_that_forgot_everything_goes_on_where_it_was(tmp_path: Path) -> None:
    """After a restart nothing is at hand: rosters, heads and inboxes are what the tables say."""
    async with standing_case(tmp_path) as standing:
        await standing.owner.send(standing.case, label="one")
        clock, ends = standing.world.clock, (standing.owner, standing.clinic)
        case, n = standing.case, await standing.n()
    async with world_at(tmp_path, clock=clock) as world:
        for end in ends:
            end.world = world
        owner, clinic = ends
        known = await owner.know(case)
        assert n == known.tail.n
        assert 201 == (await owner.submit(await owner.draft(case, label="two", known=known))).status
        page = (await clinic.call("GET", "/v1/inbox")).body["items"]
        assert list(range(1, len(page) + 1)) == [item["seq"] for item in page]
        assert n + 1 == page[-1]["n"]
