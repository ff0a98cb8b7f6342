"""Statements of parties and cases that a relay does not append, brought over HTTP."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest_asyncio
from nacl.bindings import crypto_core_ed25519_add

from tests.chains import FAR_MS, device_named, nonce, seed
from tests.ends import End, Reply, to_json
from tests.standing_case import StandingCase, standing_case
from vetrelay.protocol.case import Close, InviteClose
from vetrelay.protocol.derive import derive
from vetrelay.protocol.identity import invitation_signer, sign_key_of
from vetrelay.protocol.ids import SignKey, b64, unb64
from vetrelay.protocol.party import parse_statement
from vetrelay.protocol.signature import Signed

replace = msgspec.structs.replace


@pytest_asyncio.fixture
async def standing(tmp_path: Path) -> AsyncIterator[StandingCase]:
    """A case that has just begun; its clinic has a desk and a tablet besides, neither of them admin."""
    async with standing_case(tmp_path) as made:
        for name in ("desk", "tablet"):
            assert (await made.clinic.extend(made.clinic.device_added(name))).status == 201
            assert (await made.clinic.sign_in(name)).status == 200
        yield made


def answered(reply: Reply) -> tuple[int, str]:
    """Status and code."""
    return reply.status, reply.code


async def extended_by(end: End, signed: Signed, device: str = "first") -> tuple[int, str]:
    """What a statement for the own chain is answered; it is not taken on."""
    return answered(await end.extend(signed, device=device, take=False))


def body_of(signed: Signed) -> Any:
    """Whichever party statement it is."""
    return parse_statement(signed.content())


def mixed_order(key: SignKey) -> SignKey:
    """A key's sum with a point of order 8: on the curve, canonical, and not in the main subgroup."""
    of_order_8 = unb64("JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_AU", 32)
    return b64(crypto_core_ed25519_add(unb64(key, 32), of_order_8))


async def test_only_an_admin_writes_the_partys_chain(standing: StandingCase) -> None:
    """(N21, N45) A desk adds nobody, revokes nobody, gives no roles, opens no doors, designates nothing."""
    clinic = standing.clinic
    before = (await clinic.call("GET", f"/v1/parties/{clinic.id}/chain")).raw
    for signed in (
        clinic.device_added("phone", by="desk"),
        clinic.rotate("first", by="desk"),
        clinic.rotate(by="desk"),
        clinic.device_role("desk", role="desk", admin=True, by="desk"),
        clinic.door(seed("door", 16), by="desk"),
        clinic.machines(by="desk"),
    ):
        assert (403, "not_admin") == await extended_by(clinic, signed, "desk")
        assert (403, "not_admin") == await extended_by(clinic, signed)
    assert before == (await clinic.call("GET", f"/v1/parties/{clinic.id}/chain")).raw


async def test_an_offer_is_signed_by_the_device_and_by_the_secret(standing: StandingCase) -> None:
    """(N21, N30) Without its signatures, or made for another party, it adds no device."""
    clinic = standing.clinic
    honest = body_of(clinic.device_added("phone"))
    tablet = body_of(clinic.device_added("second phone"))
    for offer, code in (
        (replace(honest.offer, sigs=()), "bad_offer"),
        (replace(honest.offer, sigs=honest.offer.sigs[:1]), "bad_offer"),
        (replace(honest.offer, sigs=honest.offer.sigs[::-1]), "bad_offer"),
        (replace(honest.offer, body=tablet.offer.body), "bad_signature"),
        (clinic.offer("phone", party=standing.owner.id), "bad_offer"),
    ):
        assert (422, code) == await extended_by(clinic, clinic.sign(replace(honest, offer=offer)))
    assert (201, "success") == await extended_by(clinic, clinic.sign(honest))


async def test_a_revoked_device_and_a_machine_add_nobody(standing: StandingCase) -> None:
    """(N21) The one is no device any more, the other stays one device."""
    clinic, intake = standing.clinic, standing.intake
    assert (await clinic.extend(clinic.device_added("second admin", admin=True))).status == 201
    assert (await standing.rotate(clinic, "second admin")).status == 201
    by_revoked = await extended_by(clinic, clinic.device_added("phone", by="second admin"))
    by_machine = await extended_by(intake, intake.device_added("phone"))
    assert [(403, "not_a_device"), (403, "not_admin")] == [by_revoked, by_machine]


async def test_a_device_is_added_once_anywhere(standing: StandingCase) -> None:
    """(N22) Not again while active, not after it was revoked, not in another party's chain, however that one comes."""
    s = standing
    assert (await s.rotate(s.clinic, "tablet")).status == 201
    for name in ("desk", "tablet"):
        assert (409, "device_added_twice") == await extended_by(s.clinic, s.clinic.device_added(name))
    s.owner.devices["clinic's desk"] = s.clinic.devices["desk"]
    assert (409, "device_added_twice") == await extended_by(s.owner, s.owner.device_added("clinic's desk"))
    same_device = End(s.world, "clinic", "machine")
    assert (409, "device_added_twice") == answered(await same_device.enrol())
    household = End(s.world, "clinic", "household")
    secret = await s.owner.invite(s.case, "provider", label="thief")
    assert (409, "device_added_twice") == answered(await household.join(s.case, secret, "provider"))


async def test_an_invitation_opens_nothing_to_who_guesses(standing: StandingCase) -> None:
    """(N28) A secret that nobody opened is unknown, whether one looks or joins."""
    s = standing
    newcomer, guessed = End(s.world, "newcomer"), seed("guessed", 16)
    assert (404, "invitation_unknown") == answered(await newcomer.join(s.case, guessed, "provider"))
    assert (404, "invitation_unknown") == answered(await look(s, guessed))


async def look(s: StandingCase, secret: bytes) -> Reply:
    """What the holder of a link is shown."""
    return await s.world.call("GET", f"/v1/cases/{s.case}/invitations/{sign_key_of(derive(secret, 'invite/sign'))}")


async def test_an_invitation_is_used_once(standing: StandingCase) -> None:
    """(N28) The second to come is told so; the first gets the stored receipt again."""
    s = standing
    secret = await s.owner.invite(s.case, "provider", label="twice")
    first, second = End(s.world, "first to come"), End(s.world, "second to come")
    assert 200 == (await look(s, secret)).status
    came = await first.join(s.case, secret, "provider")
    assert (410, "invitation_used") == answered(await second.join(s.case, secret, "provider"))
    assert (410, "invitation_used") == answered(await look(s, secret))
    again = await first.join(s.case, secret, "provider")
    assert (201, 200, came.raw) == (came.status, again.status, again.raw)
    assert 401 == (await second.sign_in()).status, "who was refused is not enrolled either"


async def test_an_invitation_ends_with_its_last_millisecond(standing: StandingCase) -> None:
    """(N28) By log time, which the relay's clock makes."""
    s = standing
    secret = await s.owner.invite(s.case, "provider", label="late")
    s.world.clock.now_ms = FAR_MS + 1
    newcomer = End(s.world, "newcomer")
    assert (410, "invitation_expired") == answered(await newcomer.join(s.case, secret, "provider"))
    assert (410, "invitation_expired") == answered(await look(s, secret))


async def test_a_closed_invitation_is_closed(standing: StandingCase) -> None:
    """(N28) From the statement on."""
    s = standing
    secret = await s.owner.invite(s.case, "provider", label="closed")
    key = sign_key_of(derive(secret, "invite/sign"))
    assert (await s.owner.say(s.case, InviteClose(v=1, case=s.case, nonce=nonce("close"), key=key))).status == 201
    newcomer = End(s.world, "newcomer")
    assert (404, "invitation_unknown") == answered(await newcomer.join(s.case, secret, "provider"))
    assert (404, "invitation_unknown") == answered(await look(s, secret))


async def test_an_invitation_ends_with_its_opener(standing: StandingCase) -> None:
    """(N28, N43) A device that was revoked has let nobody in."""
    s = standing
    secret, body = s.clinic.invitation(s.case, "provider", label="by the desk")
    assert (await s.clinic.declare(s.case, s.clinic.sign(body, "desk", kind="case"), device="desk")).status == 201
    assert 200 == (await look(s, secret)).status
    assert (await s.rotate(s.clinic, "desk")).status == 201
    newcomer = End(s.world, "newcomer")
    assert (404, "invitation_unknown") == answered(await newcomer.join(s.case, secret, "provider"))


async def test_an_owner_brings_no_clinic_of_its_own(standing: StandingCase) -> None:
    """(N44) It invites nobody as care, and its own "clinic" gets no place here without a code."""
    s = standing
    _, body = s.owner.invitation(s.case, "care", label="own clinic")
    assert (403, "may_not") == answered(await s.owner.say(s.case, body))
    own_clinic = End(s.world, "own clinic", "clinic")
    assert (403, "code_unknown") == answered(await own_clinic.enrol("AAAA-AAAA-AAAA-AAAA"))
    secret = await s.clinic.invite(s.case, "consultant", label="stolen")
    assert (403, "needs_code") == answered(await own_clinic.join(s.case, secret, "consultant"))
    household = End(s.world, "household")
    code = {"chain": to_json(household.chain), "boxes": household.boxes(*household.chain), "code": None}
    assert (403, "needs_invitation") == answered(await s.world.call("POST", "/v1/parties", code))


async def test_nobody_is_added_without_wanting_to(standing: StandingCase) -> None:
    """(N46) Both signatures, in their order, by the invitation's key and by a device of the newcomer."""
    s = standing
    newcomer = End(s.world, "newcomer")
    secret = await s.owner.invite(s.case, "provider", label="consent")
    honest = newcomer.joining(s.case, secret, "provider")
    for signed in (
        replace(honest, sigs=honest.sigs[:1]),
        replace(honest, sigs=honest.sigs[1:]),
        replace(honest, sigs=honest.sigs[::-1]),
        newcomer.joining(s.case, secret, "provider", second=s.owner.device().signer),
        newcomer.joining(s.case, secret, "provider", second=invitation_signer(secret)),
        newcomer.joining(s.case, secret, "provider", second=device_named("stranger").signer),
    ):
        reply = await newcomer.join(s.case, secret, "provider", signed=signed)
        assert (422, "bad_signature") == answered(reply)
    assert (201, "success") == answered(await newcomer.join(s.case, secret, "provider", signed=honest))


async def test_a_newcomers_statement_names_where_its_chain_ends(standing: StandingCase) -> None:
    """(N46) With a stale head or another place it is refused; nothing of the chain stays behind."""
    s = standing
    newcomer = End(s.world, "newcomer")
    secret = await s.owner.invite(s.case, "provider", label="stale")
    before = await s.n()
    for changes in ({"party_seq": 7}, {"party_head": s.owner.id}):
        signed = newcomer.joining(s.case, secret, "provider", **changes)
        reply = await newcomer.join(s.case, secret, "provider", signed=signed)
        assert (409, "chain_moved") == answered(reply)
    assert before == await s.n()
    assert 401 == (await newcomer.sign_in()).status


async def test_what_the_relay_cannot_judge_it_does_not_append(standing: StandingCase) -> None:
    """(N50) A statement of version 2 is newer, not forged, in a case as in a party's chain."""
    s = standing
    rotation = s.clinic.sign(replace(body_of(s.clinic.rotate()), v=2))
    assert (422, "newer_version") == await extended_by(s.clinic, rotation)
    assert (422, "newer_version") == answered(await s.clinic.say(s.case, Close(v=2, case=s.case, nonce=nonce("2"))))
    opening = s.clinic.sign(replace(s.clinic.opening(label="second"), v=2), kind="case")
    reply = await s.clinic.call("POST", "/v1/cases", {"entry": to_json(opening)})
    assert (422, "newer_version") == answered(reply)


async def test_a_chain_that_holds_something_newer_does_not_come_in(standing: StandingCase) -> None:
    """(N50) Neither with a code nor with an invitation: it would stop everybody in the case from sending."""
    s = standing
    clinic, household = End(s.world, "newer clinic", "clinic"), End(s.world, "newer household")
    for end in (clinic, household):
        end.take(end.sign(replace(body_of(end.rotate()), v=2)))
    assert (422, "newer_version") == answered(await clinic.enrol())
    secret = await s.owner.invite(s.case, "provider", label="newer")
    assert (422, "newer_version") == answered(await household.join(s.case, secret, "provider"))
    assert 201 == (await s.owner.submit(await s.owner.draft(s.case))).status


async def test_a_key_of_mixed_order_is_no_key(standing: StandingCase) -> None:
    """(N54) Neither a device's nor an invitation's: libraries would differ on its signatures."""
    s = standing
    honest = body_of(s.clinic.device_added("phone"))
    device = s.clinic.devices["phone"]
    bad = mixed_order(device.sign)
    offer = msgspec.json.decode(honest.offer.content())
    raw = msgspec.json.encode({**offer, "sign": bad}, order="sorted")
    sigs = (replace(honest.offer.sigs[0], key=bad), honest.offer.sigs[1])
    tampered = s.clinic.sign(replace(honest, offer=replace(honest.offer, body=b64(raw), sigs=sigs)))
    assert (422, "bad_key") == await extended_by(s.clinic, tampered)
    _, body = s.clinic.invitation(s.case, "provider", label="mixed")
    assert (422, "bad_key") == answered(await s.clinic.say(s.case, replace(body, key=mixed_order(body.key))))
