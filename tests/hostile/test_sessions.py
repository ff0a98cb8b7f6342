"""Sessions that a relay does not open, and bearers that it does not take, over HTTP."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from tests.chains import device_named, named_hash
from tests.ends import End, Reply, World, to_json, world_at
from vetrelay.protocol.session import BEARER_LIFE_MS, NONCE_LIFE_MS
from vetrelay.protocol.signature import Signed, SignedType, sign

replace = msgspec.structs.replace
DAY_MS = 24 * 60 * 60 * 1000


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A relay with nobody in it."""
    async with world_at(tmp_path) as made:
        yield made


async def challenge(world: World) -> str:
    """A fresh nonce."""
    return str((await world.call("POST", "/v1/session", {})).body["nonce"])


async def present(world: World, signed: Signed) -> Reply:
    """Ask for a bearer."""
    return await world.call("POST", "/v1/session", {"session": to_json(signed)})


async def asked(end: End, *, kind: SignedType = "session", nonce: str | None = None, **changes: Any) -> Reply:
    """Sign a challenge, with these fields changed, and ask for a bearer."""
    body = replace(end.session_request(nonce or await challenge(end.world)), **changes)
    return await present(end.world, end.sign(body, kind=kind))


async def clinic_of(world: World) -> End:
    """A clinic that is enrolled and has no session yet."""
    clinic = End(world, "clinic", "clinic")
    assert (await clinic.enrol()).status == 201
    return clinic


async def use(end: End, bearer: str) -> Reply:
    """Ask for something that needs a bearer."""
    return await end.world.call("GET", "/v1/inbox", bearer=bearer)


async def test_no_session_is_opened_for_what_does_not_fit(world: World) -> None:
    """(N18, N37) One answer for all of them: who guesses learns nothing from it."""
    clinic = await clinic_of(world)
    now_ms, stranger = world.clock.now_ms, device_named("stranger")
    honest = clinic.session_request(await challenge(world))
    signed = clinic.sign(honest, kind="session")
    attempts = {
        "another origin": await asked(clinic, origin="https://relay.test"),
        "the origin with a slash": await asked(clinic, origin="http://relay.test/"),
        "another relay": await asked(clinic, relay=named_hash("another relay")),
        "a nonce of another relay": await asked(clinic, nonce=named_hash("nonce")),
        "until now": await asked(clinic, until=now_ms),
        "until too far": await asked(clinic, until=now_ms + 2 * BEARER_LIFE_MS + 1),
        "version 2": await asked(clinic, v=2),
        "a device that is in no chain": await asked(clinic, device=stranger.id),
        "signed as something else": await asked(clinic, kind="case"),
        "relabelled": await present(world, replace(clinic.sign(honest, kind="case"), type="session")),
        "no signature": await present(world, replace(signed, sigs=())),
        "another's signature": await present(world, sign("session", honest, [stranger.signer])),
        "another's signature under its own key": await present(
            world, replace(signed, sigs=(replace(signed.sigs[0], key=stranger.sign),))
        ),
    }
    for name, reply in attempts.items():
        assert (401, "session_refused") == (reply.status, reply.code), name
    assert 1 == len({reply.raw for reply in attempts.values()})


async def test_no_refusal_uses_a_nonce_up(world: World) -> None:
    """(N37) Who cannot sign cannot spoil the challenge of who can."""
    clinic = await clinic_of(world)
    nonce = await challenge(world)
    body = clinic.session_request(nonce)
    assert 401 == (await present(world, sign("session", body, [device_named("stranger").signer]))).status
    assert 200 == (await asked(clinic, nonce=nonce)).status


async def test_a_nonce_is_good_once(world: World) -> None:
    """(N37) The same request again, and another one with its nonce, are refused."""
    clinic = await clinic_of(world)
    nonce = await challenge(world)
    signed = clinic.sign(clinic.session_request(nonce), kind="session")
    replies = [await present(world, signed), await present(world, signed)]
    replies.append(await asked(clinic, nonce=nonce, until=world.clock.now_ms + 1_000))
    assert [200, 401, 401] == [reply.status for reply in replies]


async def test_two_challenges_differ(world: World) -> None:
    """(N37) At the same instant too."""
    assert 20 == len({await challenge(world) for _ in range(20)})


@pytest.mark.parametrize(("passed_ms", "status"), [(0, 200), (NONCE_LIFE_MS, 200), (NONCE_LIFE_MS + 1, 401), (-1, 401)])
async def test_a_nonce_is_good_for_a_minute(world: World, passed_ms: int, status: int) -> None:
    """(N37) By the relay's clock, which goes forward: one from the future was not made by it."""
    clinic = await clinic_of(world)
    nonce = await challenge(world)
    world.clock.now_ms += passed_ms
    assert status == (await asked(clinic, nonce=nonce)).status


async def test_a_nonce_of_one_relay_is_none_of_another(world: World, tmp_path: Path) -> None:
    """(N37) A nonce carries the proof of the process that made it."""
    clinic = await clinic_of(world)
    async with world_at(tmp_path / "other") as other:
        nonce = await challenge(other)
    assert 401 == (await asked(clinic, nonce=nonce)).status


async def test_a_bearer_ends_when_it_was_said(world: World) -> None:
    """It is good until its time and not after; who asks for longer than a quarter of an hour gets that."""
    clinic = await clinic_of(world)
    start_ms = world.clock.now_ms
    for asked_ms, given_ms in ((60_000, 60_000), (2 * BEARER_LIFE_MS, BEARER_LIFE_MS)):
        world.clock.now_ms = start_ms
        reply = await asked(clinic, until=start_ms + asked_ms)
        assert start_ms + given_ms == reply.body["until"]
        answers = []
        for now_ms in (start_ms, start_ms + given_ms - 1, start_ms + given_ms):
            world.clock.now_ms = now_ms
            answers.append((await use(clinic, reply.body["bearer"])).status)
        assert [200, 200, 401] == answers


@pytest.mark.parametrize("days", [-2, 2])
async def test_a_device_whose_clock_is_days_off_is_told_the_relays(world: World, days: int) -> None:
    """(N38) By its own clock it is refused; with the time that stands in the challenge it gets in."""
    clinic = await clinic_of(world)
    own_ms = world.clock.now_ms + days * DAY_MS
    assert 401 == (await asked(clinic, until=own_ms + BEARER_LIFE_MS)).status
    answer = await world.call("POST", "/v1/session", {})
    reply = await asked(clinic, nonce=answer.body["nonce"], until=answer.body["time"] + BEARER_LIFE_MS)
    assert 200 == reply.status


async def test_garbage_is_no_bearer(world: World) -> None:
    """Whatever stands in the header, the answer is the same 401."""
    clinic = await clinic_of(world)
    bearer = (await asked(clinic)).body["bearer"]
    good = await use(clinic, bearer)
    headers = [
        "Bearer",
        "Bearer ",
        f"Basic {bearer}",
        f"Bearer {bearer}x",
        f"Bearer {bearer[:-1]}",
        f"Bearer {bearer.swapcase()}",
        f"Bearer {'A' * 43}",
        f"Bearer {'=' * 43}",
        f"Bearer {'é' * 43}",
        "x" * 4_000,
    ]
    answers = []
    for header in headers:
        async with world.client.get("/v1/inbox", headers={"Authorization": header}) as response:
            answers.append((response.status, (await response.json(content_type=None))["code"]))
    assert 200 == good.status
    assert [(401, "no_session")] * len(headers) == answers


async def test_every_door_asks_for_a_bearer(world: World) -> None:
    """(N35) What is not open by its nature answers 401 to who shows nothing."""
    some = named_hash("something")
    for method, path in (
        ("GET", "/v1/inbox"),
        ("POST", "/v1/inbox/ack"),
        ("GET", f"/v1/cases/{some}/inbox"),
        ("GET", f"/v1/cases/{some}/log"),
        ("GET", f"/v1/objects/{some}"),
        ("GET", f"/v1/parties/{some}/chain"),
        ("GET", f"/v1/parties/{some}/boxes/{some}"),
        ("POST", f"/v1/parties/{some}/chain"),
        ("POST", "/v1/cases"),
        ("PUT", f"/v1/cases/{some}/envelopes/AAAAAAAAAAAAAAAAAAAAAA"),
    ):
        reply = await world.call(method, path, {} if method != "GET" else None)
        assert (401, "no_session") == (reply.status, reply.code), path


async def test_a_revoked_devices_bearer_ends_with_the_revocation(world: World) -> None:
    """(N10) At once; its party's other bearers stay, and the revoked device gets no new one."""
    clinic = await clinic_of(world)
    assert 200 == (await clinic.sign_in()).status
    assert 201 == (await clinic.extend(clinic.device_added("tablet"))).status
    assert 200 == (await clinic.sign_in("tablet")).status
    before = await clinic.call("GET", "/v1/inbox", device="tablet")
    assert 201 == (await clinic.extend(clinic.rotate("tablet"))).status
    after = await clinic.call("GET", "/v1/inbox", device="tablet")
    other = await clinic.call("GET", "/v1/inbox")
    again = await clinic.sign_in("tablet")
    assert [200, 401, 200, 401] == [reply.status for reply in (before, after, other, again)]


async def test_a_bearer_outlives_a_restart(tmp_path: Path) -> None:
    """Its hash is stored: a relay that comes back asks nobody to sign again."""
    async with world_at(tmp_path) as world:
        clinic = await clinic_of(world)
        assert 200 == (await clinic.sign_in()).status
    async with world_at(tmp_path) as world:
        assert 200 == (await world.call("GET", "/v1/inbox", bearer=clinic.bearers["first"])).status
