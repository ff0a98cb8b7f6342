"""An invitation as its holder sees it before joining."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.chains import FAR_MS, nonce
from tests.ends import End, Reply
from tests.standing_case import StandingCase, standing_case
from vetrelay.protocol.case import InviteClose
from vetrelay.protocol.derive import derive
from vetrelay.protocol.identity import sign_key_of
from vetrelay.protocol.ids import unb64


@pytest_asyncio.fixture
async def standing(tmp_path: Path) -> AsyncIterator[StandingCase]:
    """A case that has just begun."""
    async with standing_case(tmp_path) as made:
        yield made


async def look(standing: StandingCase, secret: bytes) -> Reply:
    """What the holder of a secret is shown, without any bearer."""
    key = sign_key_of(derive(secret, "invite/sign"))
    return await standing.world.call("GET", f"/v1/cases/{standing.case}/invitations/{key}")


async def test_whoever_has_the_key_sees_who_asks(standing: StandingCase) -> None:
    """The signed statement and the sealed card, and at which relay this is."""
    secret = await standing.clinic.invite(standing.case, "owner", label="x", card=b"a sealed card")
    reply = await look(standing, secret)
    assert b"a sealed card" == unb64(reply.body["card"])
    assert standing.clinic.device().sign == reply.body["entry"]["sigs"][0]["key"]
    assert standing.world.relay.relay == reply.body["relay"]


async def test_an_invitation_without_a_card_has_none(standing: StandingCase) -> None:
    """Null, not empty bytes."""
    assert (await look(standing, await standing.clinic.invite(standing.case, "owner", label="x"))).body["card"] is None


async def test_a_used_a_closed_and_an_expired_one_say_so(standing: StandingCase) -> None:
    """Each with what to do next; one that never was is not there."""
    clinic, case = standing.clinic, standing.case
    used = await clinic.invite(case, "owner", label="used")
    assert 201 == (await End(standing.world, "another").join(case, used, "owner")).status
    closed = await clinic.invite(case, "owner", label="closed")
    key = sign_key_of(derive(closed, "invite/sign"))
    assert 201 == (await clinic.say(case, InviteClose(v=1, case=case, nonce=nonce("close it"), key=key))).status
    expired = await clinic.invite(case, "owner", label="expired")
    standing.world.clock.now_ms = FAR_MS + 1
    replies = [await look(standing, secret) for secret in (used, closed, expired, b"never" * 4)]
    expected = [
        (410, "invitation_used"),
        (404, "invitation_unknown"),
        (410, "invitation_expired"),
        (404, "invitation_unknown"),
    ]
    assert expected == [(reply.status, reply.code) for reply in replies]


async def test_an_invitation_goes_with_the_device_that_opened_it(standing: StandingCase) -> None:
    """(N28) Revoked is revoked: what it has opened opens nothing any more."""
    clinic = standing.clinic
    await clinic.extend(clinic.device_added("second"))
    await clinic.sign_in("second")
    secret, body = clinic.invitation(standing.case, "owner", label="x")
    assert 201 == (await clinic.say(standing.case, body, "second")).status
    assert 200 == (await look(standing, secret)).status
    assert 201 == (await standing.rotate(clinic, "second")).status
    assert 404 == (await look(standing, secret)).status
