"""Who asks, and how often."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.chains import nonce
from tests.ends import World, world_at
from vetrelay.config import RelayLimits
from vetrelay.protocol.case import Hold


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A relay that takes little at once."""
    limits = RelayLimits(min_free_bytes=0, envelopes_per_minute=2, statements_per_minute=4)
    async with world_at(tmp_path, limits=limits) as made:
        yield made


async def test_a_device_sends_no_faster_than_it_may(world: World) -> None:
    """429 and when to come again; another device is not held up; after the wait it goes on."""
    clinic = await world.clinic()
    case = await clinic.open_case()
    known = await clinic.know(case)
    drafts = [await clinic.draft(case, "notice", label=f"{number}", known=known) for number in range(4)]
    assert [201, 201] == [(await clinic.submit(draft)).status for draft in drafts[:2]]
    refused = await clinic.submit(drafts[2])
    assert (429, "too_fast", "31") == (refused.status, refused.code, refused.headers["Retry-After"])
    world.clock.now_ms += 31_000
    assert 201 == (await clinic.submit(drafts[2])).status


async def test_statements_have_a_pace_of_their_own(world: World) -> None:
    """A case and three statements are four."""
    clinic = await world.clinic()
    case = await clinic.open_case()
    answers = [
        (await clinic.say(case, Hold(v=1, case=case, nonce=nonce(f"hold {number}"), on=True))).status
        for number in range(4)
    ]
    assert [201, 201, 201, 429] == answers
    assert 201 == (await clinic.submit(await clinic.draft(case, "notice"))).status


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic abc",
        "Bearer " + "A" * 42,
        "Bearer " + "A" * 43,
        "Bearer " + "A" * 44,
        "Bearer é",
    ],
)
async def test_what_is_no_bearer_is_answered_like_one_that_ended(world: World, header: str) -> None:
    """One answer: 401 and its code."""
    async with world.client.get("/v1/inbox", headers={"Authorization": header}) as response:
        answer = await response.json(content_type="application/problem+json")
    assert (401, "no_session") == (response.status, answer["code"])


async def test_the_scheme_may_be_written_as_people_write_it(world: World) -> None:
    """HTTP says that its case does not matter."""
    clinic = await world.clinic()
    async with world.client.get(
        "/v1/inbox", headers={"Authorization": f"bEARER {clinic.bearers['first']}"}
    ) as response:
        assert 200 == response.status
