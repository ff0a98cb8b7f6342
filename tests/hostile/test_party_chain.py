"""N21, N22, N27, N30, N31, N45, N47, N50: what nobody can write into a party's chain. One row per attempt."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from tests.chains import START_MS, ActingParty, device_named, named_hash, refusal_of, seed
from vetrelay.protocol.derive import derive
from vetrelay.protocol.identity import signer_from
from vetrelay.protocol.ids import b64
from vetrelay.protocol.party import Box, Genesis, Offer, parse_statement
from vetrelay.protocol.partystate import extend_party, read_chain
from vetrelay.protocol.signature import Signed, Signer, sign
from vetrelay.protocol.statement import convert, parse_signed

Attempt = Callable[[ActingParty], Signed]


def clinic() -> ActingParty:
    """A clinic with an admin ("first"), a desk, a phone that was revoked, and a recovery kit."""
    made = ActingParty("clinic", "clinic")
    made.take(made.device_add("desk", role="desk"))
    made.take(made.device_add("lost phone", admin=True))
    made.take(made.device_add("kit", role="recovery"))
    made.take(made.rotate("lost phone"))
    return made


def _body(signed: Signed) -> Any:  # whichever statement it is
    return parse_statement(signed.content())


def offer_of(party: ActingParty, name: str, **change: Any) -> Offer:  # any field of an offer
    """The body of a device's offer."""
    return replace(convert(parse_signed(party.offer(name).content()), Offer), **change)


def secret_signer(name: str) -> Signer:
    """The secret's key that a device's offer is signed with besides."""
    return signer_from(derive(seed(f"offer secret clinic {name}", 16), "offer/sign"))


def added_again(party: ActingParty, name: str) -> Signed:
    """A device.add for a device that the chain named before."""
    return party.device_add(name, offer=party.offer(name))


def with_step(party: ActingParty, **change: Any) -> Signed:  # any field of a key step
    """A rotate whose key step was tampered with."""
    return party.rotate(step=replace(party.next_step(), **change))


def without_box(party: ActingParty, name: str) -> Signed:
    """A rotate that boxes the new seed for everybody but one device."""
    step = party.next_step()
    return with_step(party, boxes=tuple(box for box in step.boxes if box.device != party.device(name).id))


def with_boxes(party: ActingParty, *more: str) -> Signed:
    """A rotate with boxes for devices besides the active ones."""
    boxes = tuple(Box(device=party.device(name).id, sha256=named_hash(name)) for name in more)
    return with_step(party, boxes=(*party.next_step().boxes, *boxes))


def with_add(chain: ActingParty, /, **change: Any) -> Signed:  # any field of device.add
    """A device.add that was tampered with before it was signed."""
    return chain.sign(replace(_body(chain.device_add("phone")), **change))


def with_intakes(party: ActingParty, *intakes: str) -> Signed:
    """A machines statement that names these as they stand."""
    return party.sign(replace(_body(party.machines()), intakes=tuple(intakes)))


def double_signed(party: ActingParty, name: str) -> Signed:
    """An offer that its device signed twice, and no secret's holder."""
    device = party.devices.setdefault(name, device_named(f"clinic {name}"))
    return sign("offer", offer_of(party, name), [device.signer, device.signer])


ATTEMPTS: dict[str, tuple[str, Attempt]] = {
    # N21, N45: who may
    "N21 device.add by a desk": ("not_admin", lambda c: c.device_add("phone", by="desk")),
    "N45 rotate by a desk": ("not_admin", lambda c: c.rotate(by="desk")),
    "N45 revoking the admin by a desk": ("not_admin", lambda c: c.rotate("first", by="desk")),
    "N45 device.role by a desk": ("not_admin", lambda c: c.device_role("desk", role="desk", admin=True, by="desk")),
    "N45 door by a desk": ("not_admin", lambda c: c.door(seed("door", 16), by="desk")),
    "N45 machines by a desk": ("not_admin", lambda c: c.machines(by="desk")),
    "N21 device.add by a revoked admin": ("not_a_device", lambda c: c.device_add("phone", by="lost phone")),
    "rotate by a revoked admin": ("not_a_device", lambda c: c.rotate(by="lost phone")),
    "N31 rotate by the kit": ("not_admin", lambda c: c.rotate(by="kit")),
    "N31 device.role by the kit": ("not_admin", lambda c: c.device_role("desk", role="desk", admin=True, by="kit")),
    "N31 door by the kit": ("not_admin", lambda c: c.door(seed("door", 16), by="kit")),
    "N31 machines by the kit": ("not_admin", lambda c: c.machines(by="kit")),
    "N31 a kit that is admin": ("not_admin", lambda c: c.device_add("kit 2", role="recovery", admin=True)),
    "the kit gets a role": ("not_a_device", lambda c: c.device_role("kit", role="desk", admin=True)),
    "a desk becomes a kit": ("not_a_device", lambda c: c.device_role("desk", role="recovery", admin=False)),
    "a stranger signs": ("not_a_device", lambda c: sign("party", _body(c.rotate()), [device_named("stranger").signer])),
    # N21, N30: offers
    "N21 unsigned offer": ("bad_offer", lambda c: c.device_add("phone", offer=replace(c.offer("phone"), sigs=()))),
    "N21 offer without the secret": (
        "bad_offer",
        lambda c: c.device_add("phone", offer=sign("offer", offer_of(c, "phone"), [c.device("phone").signer])),
    ),
    "N21 offer without the device": (
        "bad_offer",
        lambda c: c.device_add("phone", offer=sign("offer", offer_of(c, "phone"), [secret_signer("phone")])),
    ),
    "N21 offer in the wrong order": (
        "bad_offer",
        lambda c: c.device_add(
            "phone", offer=sign("offer", offer_of(c, "phone"), [secret_signer("phone"), c.device("phone").signer])
        ),
    ),
    "N21 offer signed twice by the device": (
        "bad_offer",
        lambda c: c.device_add("phone", offer=double_signed(c, "phone")),
    ),
    "N30 offer made for another party": (
        "bad_offer",
        lambda c: c.device_add("phone", offer=c.offer("phone", party=named_hash("elsewhere"))),
    ),
    "N30 offer changed after signing": (
        "bad_signature",
        lambda c: c.device_add("phone", offer=replace(c.offer("phone"), body=c.offer("tablet").body)),
    ),
    "N18 an offer that is a session": (
        "wrong_type",
        lambda c: c.device_add("phone", offer=replace(c.offer("phone"), type="session")),
    ),
    "N50 an offer of version 2": (
        "newer_version",
        lambda c: c.device_add(
            "phone",
            offer=sign("offer", offer_of(c, "phone", v=2), [c.device("phone").signer, secret_signer("phone")]),
        ),
    ),
    # N22: once, ever
    "N22 a device that is active": ("device_added_twice", lambda c: added_again(c, "desk")),
    "N22 a device that was revoked": ("device_added_twice", lambda c: added_again(c, "lost phone")),
    "N22 the first device": ("device_added_twice", lambda c: added_again(c, "first")),
    "N22 a known signing key with another sealing key": (
        "device_added_twice",
        lambda c: c.device_add(
            "desk",
            offer=sign(
                "offer",
                offer_of(c, "desk", seal=device_named("fresh").seal),
                [c.device("desk").signer, secret_signer("desk")],
            ),
        ),
    ),
    # N27, N47: boxes
    "N27 a device left out": ("bad_boxes", lambda c: without_box(c, "desk")),
    "N47 the kit left out": ("bad_boxes", lambda c: without_box(c, "kit")),
    "N27 nobody boxed": ("bad_boxes", lambda c: with_step(c, boxes=())),
    "N27 a revoked device boxed": ("bad_boxes", lambda c: with_boxes(c, "lost phone")),
    "N27 a device boxed twice": ("bad_boxes", lambda c: with_boxes(c, "desk")),
    "N27 a box for a device being revoked": ("bad_boxes", lambda c: c.rotate("desk", step=c.next_step())),
    "N27 a generation skipped": ("bad_boxes", lambda c: with_step(c, gen=c.state.generation.gen + 2)),
    "N27 a generation repeated": ("bad_boxes", lambda c: with_step(c, gen=c.state.generation.gen)),
    "N27 a sealing key that is none": ("bad_key", lambda c: with_step(c, seal=b64(b"\xff" * 1216))),
    "device.add with an old generation's box": (
        "bad_boxes",
        lambda c: with_add(c, boxes=(replace(_body(c.device_add("phone")).boxes[0], gen=0),)),
    ),
    # the last admin
    "the last admin revokes itself": ("last_admin", lambda c: c.rotate("first")),
    "the last admin steps down": ("last_admin", lambda c: c.device_role("first", role="desk", admin=False)),
    # devices that are not there
    "revoking a revoked device": ("not_a_device", lambda c: c.rotate("lost phone")),
    "revoking a device twice": ("not_a_device", lambda c: c.rotate("desk", "desk")),
    "a role for a revoked device": ("not_a_device", lambda c: c.device_role("lost phone", role="desk", admin=True)),
    # machines
    "an intake named twice": ("bad_body", lambda c: with_intakes(c, *[named_hash("intake")] * 2)),
    "intakes out of order": (
        "bad_body",
        lambda c: with_intakes(c, *sorted((named_hash("one"), named_hash("two")), reverse=True)),
    ),
    "nine intakes": ("bad_body", lambda c: with_intakes(c, *sorted(named_hash(f"intake {i}") for i in range(9)))),
    # place and form
    "another party": ("chain_moved", lambda c: with_add(c, party=named_hash("elsewhere"))),
    "no party": ("chain_moved", lambda c: with_add(c, party=None)),
    "a gap": ("chain_moved", lambda c: with_add(c, seq=c.state.seq + 2)),
    "the same place again": ("chain_moved", lambda c: with_add(c, seq=c.state.seq)),
    "a stale prev": ("chain_moved", lambda c: with_add(c, prev=c.chain[-2].entry_id())),
    "a second genesis": ("chain_moved", lambda c: c.chain[0]),
    "the last statement again": ("chain_moved", lambda c: c.chain[-1]),
    "N18 signed as a case statement": ("wrong_type", lambda c: c.sign(_body(c.rotate()), kind="case")),
    "N18 relabelled": ("bad_signature", lambda c: replace(c.sign(_body(c.rotate()), kind="case"), type="party")),
    "N03 no signature": ("bad_signature", lambda c: replace(c.rotate(), sigs=())),
    "two signatures": ("bad_signature", lambda c: sign("party", _body(c.rotate()), [c.device().signer] * 2)),
    "signature of another body": ("bad_signature", lambda c: replace(c.rotate(), sigs=c.machines().sigs)),
}


@pytest.mark.parametrize(("code", "attempt"), ATTEMPTS.values(), ids=ATTEMPTS.keys())
def test_the_chain_refuses(code: str, attempt: Attempt) -> None:
    """With this code, and nothing has changed."""
    party = clinic()
    before = party.state
    assert code == refusal_of(party.take, attempt(party))
    assert before == party.state


def test_the_same_chain_takes_what_is_right() -> None:
    """The table above is not simply a wall."""
    party = clinic()
    party.take(party.device_add("phone"))
    party.take(party.device_add("tablet", by="kit", admin=True))
    party.take(party.rotate("desk"))
    assert 4 == len(party.state.active)


@pytest.mark.parametrize("statement", ["device_add", "door", "machines"])
def test_a_machine_stays_one_device_and_designates_nobody(statement: str) -> None:
    """(N21) Whoever takes over the end that parses hostile files cannot settle in."""
    machine = ActingParty("intake", "machine")
    attempts: dict[str, tuple[str, Callable[[], Signed]]] = {
        "device_add": ("not_admin", lambda: machine.device_add("second")),
        "door": ("not_a_clinic", lambda: machine.door(seed("door", 16))),
        "machines": ("not_a_clinic", lambda: machine.machines(intake=machine)),
    }
    code, attempt = attempts[statement]
    assert code == refusal_of(machine.take, attempt())


def test_a_machine_keeps_no_way_back() -> None:
    """A `back` would hand everything that came before to whoever takes the machine over."""
    machine = ActingParty("intake", "machine")
    step = replace(machine.next_step(), back=named_hash("back"))
    assert "bad_boxes" == refusal_of(machine.take, machine.rotate(step=step))


def test_a_household_has_no_door_and_no_machines() -> None:
    """(N44) It cannot make itself a clinic."""
    owner = ActingParty("owner")
    assert "not_a_clinic" == refusal_of(owner.take, owner.door(seed("door", 16)))
    assert "not_a_clinic" == refusal_of(owner.take, owner.machines(intake=ActingParty("intake", "machine")))


def genesis_with(**change: Any) -> Signed:  # any field of genesis
    """A genesis that was tampered with before it was signed."""
    party = ActingParty("clinic", "clinic")
    body = _body(party.chain[0])
    assert isinstance(body, Genesis)
    return party.sign(replace(body, **change))


GENESIS = ActingParty("clinic", "clinic")
STEP = GENESIS.state.generation
BEGINNINGS: dict[str, tuple[str, Callable[[], Signed]]] = {
    "a party named": ("chain_moved", lambda: genesis_with(party=named_hash("party"))),
    "a place named": ("chain_moved", lambda: genesis_with(seq=1)),
    "a predecessor named": ("chain_moved", lambda: genesis_with(prev=named_hash("prev"))),
    "not an admin": ("last_admin", lambda: genesis_with(device=replace(GENESIS.genesis_entry, admin=False))),
    "a recovery kit": ("last_admin", lambda: genesis_with(device=replace(GENESIS.genesis_entry, role="recovery"))),
    "signed by another": ("chain_moved", lambda: sign("party", _body(GENESIS.chain[0]), [signer_from(bytes(32))])),
    "no box": ("bad_boxes", lambda: genesis_with(keys=(replace(STEP, boxes=()),))),
    "a way back": ("bad_boxes", lambda: genesis_with(keys=(replace(STEP, back=named_hash("back")),))),
    "another generation": ("bad_boxes", lambda: genesis_with(keys=(replace(STEP, gen=1),))),
    "a sealing key that is none": ("bad_key", lambda: genesis_with(keys=(replace(STEP, seal=b64(bytes(1216))),))),
    "two key steps": ("bad_body", lambda: genesis_with(keys=(STEP, STEP))),
    "a device's sealing key that is none": (
        "bad_key",
        lambda: genesis_with(device=replace(GENESIS.genesis_entry, seal=b64(b"\xff" * 1216))),
    ),
    "another statement first": ("chain_moved", GENESIS.rotate),
    "N50 a first statement of version 2": ("newer_version", lambda: genesis_with(v=2)),
}


@pytest.mark.parametrize(("code", "attempt"), BEGINNINGS.values(), ids=BEGINNINGS.keys())
def test_a_chain_does_not_begin_with(code: str, attempt: Callable[[], Signed]) -> None:
    """Genesis is signed by the admin device it names, with one box for it."""
    assert code == refusal_of(extend_party, None, attempt(), time_ms=START_MS)


def test_an_empty_chain_is_no_party() -> None:
    """There is nobody before genesis."""
    assert "chain_moved" == refusal_of(read_chain, [], time_ms=START_MS)


def test_a_statement_of_version_2_is_newer_and_the_chain_goes_on() -> None:
    """(N50) Signed by a device and in its place: not forged, only not understood."""
    party = clinic()
    states = [party.state]
    for signed in (party.sign(replace(_body(party.rotate()), v=2), by="desk"), None):
        party.take(signed or party.rotate())
        states.append(party.state)
    assert [False, True, True] == [state.newer for state in states]
    assert [2, 2, 3] == [len(state.generations) for state in states]


@pytest.mark.parametrize("by", ["lost phone", "stranger"])
def test_not_everybody_can_make_a_chain_look_newer(by: str) -> None:
    """(N50) Only a device of the party can."""
    party = clinic()
    party.devices.setdefault("stranger", device_named("stranger"))
    assert "not_a_device" == refusal_of(party.take, party.sign(replace(_body(party.rotate()), v=2), by=by))
