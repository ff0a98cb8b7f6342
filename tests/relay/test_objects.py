"""Who is given which object, and when: the withholding table, row by row (protocol.md section 6)."""

from collections.abc import AsyncIterator
from itertools import product
from pathlib import Path

import pytest

from tests.housed_relay import HousedRelay, header_of, housed_relay
from vetrelay.errors import Fault, Refusal
from vetrelay.protocol.case import Policy
from vetrelay.protocol.ids import Hash, b64, sha256
from vetrelay.relay.objects import PATIENCE_MS, Part, check_withholding, give
from vetrelay.relay.payloads import Ruled
from vetrelay.relay.turns import Turns
from vetrelay.relay.upload import Incoming, create, write

PHOTO = b"a sealed photo" * 1_000
ROLES = ("owner", "care", "consultant", "provider", "bridge", "intake")
STATES = ("pending", "held", "clean", "converted", "kept-sealed", "refused")


def outcome(state: str, *, role: str, keep: bool, waited_ms: int, wish: bool) -> str:
    """What the table says for a recipient who is neither sender nor intake."""
    ruled = None if state == "pending" else Ruled(code=state, keep=keep, time_ms=0)
    try:
        check_withholding(ruled, role=role, waited_ms=waited_ms, unsafe_original=wish)
    except Refusal as refusal:
        return f"{refusal.code} {refusal.facts}"
    return "given"


def test_whoever_is_refused_learns_the_state() -> None:
    """A client can say what is being waited for, or why it is not given."""
    for state in STATES:
        answer = outcome(state, role="owner", keep=False, waited_ms=0, wish=True)
        assert f"withheld { ({'state': state}) }" == answer


def test_the_whole_table_of_withholding() -> None:
    """For every role, state, wish, keep and wait: given exactly in the rows that the protocol names."""
    given = {
        (role, state, keep, waited_ms, wish)
        for role, state, keep, waited_ms, wish in product(
            ROLES, STATES, (False, True), (0, PATIENCE_MS, PATIENCE_MS + 1), (False, True)
        )
        if outcome(state, role=role, keep=keep, waited_ms=waited_ms, wish=wish) == "given"
    }
    staff_may_wait_no_longer = {
        ("care", "pending", keep, PATIENCE_MS + 1, True) for keep in (False, True)
    }  # there is no ruling to keep anything yet
    staff_may_look_at_what_is_held = {
        ("care", "held", keep, waited_ms, True)
        for keep, waited_ms in product((False, True), (0, PATIENCE_MS, PATIENCE_MS + 1))
    }
    originals_that_are_kept = {
        (role, state, True, waited_ms, True)
        for role, state, waited_ms in product(
            ROLES, ("clean", "converted", "kept-sealed"), (0, PATIENCE_MS, PATIENCE_MS + 1)
        )
    }
    assert staff_may_wait_no_longer | staff_may_look_at_what_is_held | originals_that_are_kept == given


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[HousedRelay]:
    """A relay with a case in it."""
    async with housed_relay(tmp_path) as house:
        yield house


async def upload(house: HousedRelay, payload: bytes, role: str = "owner") -> Hash:
    """A payload brought in; its hash."""
    turns, left = Turns(), [payload]
    made = await create(
        house.relay, turns, house.asker(role), case=house.case, size_bytes=len(payload), declared_p=None
    )

    async def receive() -> bytes:
        return left.pop() if left else b""

    incoming = Incoming(offset_bytes=0, announced_bytes=None, checksum=None, receive=receive)
    await write(house.relay, turns, made.upload.url_hash, incoming)
    return b64(sha256(payload))


async def photo_sent(house: HousedRelay) -> tuple[str, dict[str, Hash]]:
    """The owner has sent a photo: the envelope's entry id, and its objects' names by label."""
    await upload(house, PHOTO)
    entry, refs = await house.say(
        "owner",
        {"words": ("manifest", b"sealed words"), "note": ("slip", b"sealed slip"), "photo": ("attachment", PHOTO)},
    )
    return entry, {label: ref.h0 for label, ref in refs.items()}


async def asked(house: HousedRelay, role: str, h0: Hash, part: Part = "payload", *, wish: bool = False) -> str:
    """What somebody is answered: "given", or the code."""
    try:
        given = await give(house.relay, house.asker(role), h0, part=part, unsafe_original=wish)
    except Refusal as refusal:
        return refusal.code
    assert h0 == given.h0
    return "given"


async def test_a_pending_photo_is_for_its_sender_and_the_intake(house: HousedRelay) -> None:
    """Others who take part are told to wait; whoever does not take part is told that there is nothing."""
    _, names = await photo_sent(house)
    answers = {role: await asked(house, role, names["photo"]) for role in house.parties}
    assert {
        "owner": "given",
        "intake": "given",
        "care": "withheld",
        "consultant": "withheld",
        "provider": "not_found",
        "stranger": "not_found",
    } == answers


async def test_where_the_ends_inspect_nothing_is_withheld(tmp_path: Path) -> None:
    """No slip, no verdict to wait for: whoever receives a file checks it."""
    policy = Policy(inspection="ends", urgency=False, retention=90)
    async with housed_relay(tmp_path, policy=policy) as house:
        await upload(house, PHOTO)
        _, refs = await house.say("owner", {"words": ("manifest", b"words"), "photo": ("attachment", PHOTO)})
        for role, answer in (("care", "given"), ("owner", "given"), ("intake", "not_found")):
            assert answer == await asked(house, role, refs["photo"].h0)


async def test_headers_and_manifests_are_never_withheld(house: HousedRelay) -> None:
    """Withholding concerns the payloads of attachments."""
    _, names = await photo_sent(house)
    assert "given" == await asked(house, "care", names["photo"], "header")
    assert "given" == await asked(house, "care", names["words"], "whole")
    given = await give(house.relay, house.asker("care"), names["words"], part="whole", unsafe_original=False)
    assert (header_of("words"), b"sealed words") == (given.header, given.payload)


async def test_a_slip_is_for_the_intake_alone_until_it_is_answered(house: HousedRelay) -> None:
    """It carries the files' keys: not even its sender gets it back, and its verdict ends it."""
    entry, names = await photo_sent(house)
    answers = {role: await asked(house, role, names["note"]) for role in ("owner", "care", "intake", "stranger")}
    assert {"owner": "not_found", "care": "not_found", "intake": "given", "stranger": "not_found"} == answers
    assert "not_found" == await asked(house, "intake", names["words"])
    await house.rule(entry, {b64(sha256(PHOTO)): ("clean", False)})
    assert "object_gone" == await asked(house, "intake", names["note"])


async def test_staff_may_open_an_original_that_waited_too_long(house: HousedRelay) -> None:
    """After 15 minutes without a verdict, explicitly, and only care."""
    _, names = await photo_sent(house)
    house.clock.now_ms += PATIENCE_MS
    assert "withheld" == await asked(house, "care", names["photo"], wish=True)
    house.clock.now_ms += 1
    assert "given" == await asked(house, "care", names["photo"], wish=True)
    assert "withheld" == await asked(house, "care", names["photo"])
    assert "withheld" == await asked(house, "consultant", names["photo"], wish=True)


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("code", ["clean", "converted", "kept-sealed", "held", "refused"])
async def test_a_verdict_decides_who_gets_the_original(house: HousedRelay, code: str, *, keep: bool) -> None:
    """On explicit request where it is kept; held ones for staff; refused ones for nobody; always for the sender."""
    entry, names = await photo_sent(house)
    await house.rule(entry, {b64(sha256(PHOTO)): (code, keep)})
    kept = keep and code in {"clean", "converted", "kept-sealed"}
    expected = {
        "owner": "given",
        "intake": "given",
        "care": "given" if kept or code == "held" else "withheld",
        "consultant": "given" if kept else "withheld",
    }
    assert expected == {role: await asked(house, role, names["photo"], wish=True) for role in expected}
    assert "withheld" == await asked(house, "care", names["photo"])


async def test_whoever_was_removed_is_refused(house: HousedRelay) -> None:
    """(N35) The party was a recipient and is no member any more: it is told so, whatever it asks for."""
    _, names = await photo_sent(house)
    assert "given" == await asked(house, "consultant", names["words"])
    house.running.remove(house.parties["consultant"], "consultant", by=house.parties["care"])
    await house.catch_up()
    assert "not_a_member" == await asked(house, "consultant", names["words"])
    assert "not_a_member" == await asked(house, "consultant", names["photo"], "header")


async def test_an_unknown_object_is_not_there(house: HousedRelay) -> None:
    """The same answer as for what belongs to others."""
    assert "not_found" == await asked(house, "owner", b64(sha256(b"nothing")))


async def test_bytes_that_should_be_there_and_are_not_are_our_fault(house: HousedRelay) -> None:
    """A row lost without a verdict is never explained away as swept."""
    _, refs = await house.say(
        "owner", {"w2": ("manifest", b"w2"), "s2": ("slip", b"s2"), "x": ("attachment", b"never came")}
    )
    with pytest.raises(Fault, match="blob_missing"):
        await asked(house, "owner", refs["x"].h0)
