"""Inboxes over HTTP: a device's merged one and a case's, waiting and acknowledging (relay/inbox.py)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio

from tests.ends import End, upload
from tests.standing_case import StandingCase, standing_case


@pytest_asyncio.fixture
async def standing(tmp_path: Path) -> AsyncIterator[StandingCase]:
    """A case that has just begun."""
    async with standing_case(tmp_path) as made:
        yield made


async def inbox(end: End, query: str = "", *, device: str = "first") -> Any:
    """What a device's inbox says."""
    reply = await end.call("GET", f"/v1/inbox?{query}", device=device)
    assert reply.status == 200, reply.body
    return reply.body


async def everything(end: End, *, limit: int = 200, device: str = "first") -> list[Any]:
    """A device's whole inbox, page by page, until it says that it has caught up."""
    items, after = list[Any](), 0
    while True:
        page = await inbox(end, f"after={after}&limit={limit}", device=device)
        assert len(page["items"]) <= limit
        items += page["items"]
        if page["caught_up"]:
            return items
        after = items[-1]["seq"]


async def test_a_devices_inbox_has_no_gap(standing: StandingCase) -> None:
    """Places count from one, whichever case they point into; pages of any size add up to the same."""
    s = standing
    other = await s.clinic.open_case(label="other")
    for i in range(3):
        await s.clinic.send(s.case, "reply", label=f"one {i}")
        await s.clinic.send(other, "reply", label=f"other {i}")
    whole = await everything(s.clinic)
    assert list(range(1, len(whole) + 1)) == [item["seq"] for item in whole]
    assert {s.case, other} == {item["case"] for item in whole}
    for limit in (1, 4):
        assert whole == await everything(s.clinic, limit=limit)


async def test_a_page_says_whether_it_was_the_last(standing: StandingCase) -> None:
    """And ends in a signed head of each case it points into; reading acknowledges nothing."""
    s = standing
    last = len(await everything(s.clinic))
    table = {f"after=0&limit={last - 1}": False, f"after=0&limit={last}": True, f"after={last}": True}
    assert table == {query: (await inbox(s.clinic, query))["caught_up"] for query in table}
    page = await inbox(s.clinic, f"limit={last}")
    assert {s.case} == page["heads"].keys()
    assert page == await inbox(s.clinic, f"limit={last}")


async def test_an_envelope_is_delivered_to_those_it_is_for(standing: StandingCase) -> None:
    """An internal note reaches the clinic's inbox and not the owner's; both see that the log has grown."""
    s = standing
    before = {end: len(await everything(end)) for end in (s.clinic, s.owner)}
    await s.clinic.send(s.case, "internal", audience="own", label="note")
    n = await s.n()
    assert [1, 0] == [len(await everything(end)) - before[end] for end in (s.clinic, s.owner)]
    shown = {}
    for end in (s.clinic, s.owner):
        page = (await end.call("GET", f"/v1/cases/{s.case}/inbox?after={n - 1}")).body
        [item] = page["items"]
        shown[end] = (item["n"], item["signed"] is None, len(item["objects"]))
    assert [(n, False, 1), (n, True, 0)] == list(shown.values())


async def test_the_slip_is_for_the_intake_and_the_manifest_is_not(standing: StandingCase) -> None:
    """Each reader's page carries what is sealed to them."""
    s = standing
    await s.with_photo()
    n = await s.n()
    roles = {}
    for name, end in (("intake", s.intake), ("owner", s.owner), ("clinic", s.clinic)):
        [item] = (await end.call("GET", f"/v1/cases/{s.case}/inbox?after={n - 1}")).body["items"]
        roles[name] = sorted(one["role"] for one in item["objects"])
    readers = ["attachment", "manifest"]
    assert {"intake": ["attachment", "slip"], "owner": readers, "clinic": readers} == roles


async def test_acknowledging_never_goes_back(standing: StandingCase) -> None:
    """It is monotone and idempotent, each device's own, and takes nothing out of the inbox."""
    s = standing
    whole = await everything(s.clinic)
    acked = [
        (await s.clinic.call("POST", "/v1/inbox/ack", {"upto": upto})).body["acked"] for upto in (2, 2, 1, 3, 0, 3)
    ]
    assert [2, 2, 2, 3, 3, 3] == acked
    assert 0 == (await s.owner.call("POST", "/v1/inbox/ack", {"upto": 0})).body["acked"]
    assert whole == await everything(s.clinic)


async def test_nobody_acknowledges_what_is_not_there(standing: StandingCase) -> None:
    """A device that says it has more than there is has what there is."""
    s = standing
    last = len(await everything(s.owner))
    assert last == (await s.owner.call("POST", "/v1/inbox/ack", {"upto": 2**50})).body["acked"]
    await s.clinic.send(s.case, "reply", label="after that")
    assert last == (await s.owner.call("POST", "/v1/inbox/ack", {"upto": 0})).body["acked"]


async def test_who_waits_is_woken(standing: StandingCase) -> None:
    """At a device's inbox and at a case's, whether it waits before or after the news; nothing slips between."""
    s = standing
    last, n = len(await everything(s.owner)), await s.n()
    waiting = asyncio.gather(
        inbox(s.owner, f"after={last}&wait=25"),
        s.owner.call("GET", f"/v1/cases/{s.case}/inbox?after={n}&wait=25"),
    )
    await s.clinic.send(s.case, "reply", label="news")
    merged, case_page = await waiting
    assert [(last + 1, s.case, n + 1)] == [(one["seq"], one["case"], one["n"]) for one in merged["items"]]
    assert [n + 1] == [one["n"] for one in case_page.body["items"]]


async def test_a_new_device_has_an_inbox_of_its_own(standing: StandingCase) -> None:
    """From its first place on; a revoked one gets nothing more."""
    s = standing
    assert (await s.clinic.extend(s.clinic.device_added("tablet"))).status == 201
    assert (await s.clinic.sign_in("tablet")).status == 200
    await s.owner.send(s.case, label="hello")
    items = await everything(s.clinic, device="tablet")
    assert list(range(1, len(items) + 1)) == [item["seq"] for item in items]
    assert await s.n() == items[-1]["n"]


async def test_a_file_waits_in_the_intakes_inbox(standing: StandingCase) -> None:
    """A message without files does not go there."""
    s = standing
    before = len(await everything(s.intake))
    await s.owner.send(s.case, label="words")
    between = len(await everything(s.intake))
    ref = await upload(s.world, s.case, "photo")
    await s.owner.send(s.case, label="photo", files=[ref])
    assert [before, before + 1] == [between, len(await everything(s.intake))]
