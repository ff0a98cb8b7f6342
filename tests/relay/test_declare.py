"""What is appended, in which order, and what whoever repeats it gets (declare, open_case, extend_chain, enrol, chains)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest_asyncio

from tests.chains import nonce
from tests.ends import End, Known, to_json
from tests.standing_case import StandingCase, standing_case
from vetrelay.protocol.case import Close, Reopen
from vetrelay.protocol.ids import b64
from vetrelay.protocol.log import check_head
from vetrelay.protocol.signature import Signed
from vetrelay.relay.enrol import issue_code


@pytest_asyncio.fixture
async def standing(tmp_path: Path) -> AsyncIterator[StandingCase]:
    """A case that has just begun."""
    async with standing_case(tmp_path) as made:
        yield made


def entries_of(known: Known) -> list[str]:
    """The entry ids of a log, in order; of statements only."""
    return [msgspec.convert(one, Signed).entry_id() for one in known.entries if one is not None]


async def test_chains_stand_before_what_refers_to_them(standing: StandingCase) -> None:
    """The opener's and its machine's before `case.open`, the joiner's before its `party.add`."""
    s = standing
    entries = entries_of(await s.owner.know(s.case))
    opened, joined = entries.index(s.case), len(entries) - 1
    before = {signed.entry_id() for end in (s.clinic, s.intake) for signed in end.chain}
    assert before == set(entries[:opened])
    assert [signed.entry_id() for signed in s.owner.chain] == entries[joined - len(s.owner.chain) : joined]


async def test_a_machines_chain_stands_before_the_statement_that_designates_it(standing: StandingCase) -> None:
    """In every open case of the clinic, and once in each."""
    s = standing
    other = await s.clinic.open_case(label="other")
    second = await s.world.party("second intake", "machine")
    designating = s.clinic.machines(intake=second)
    assert (await s.clinic.extend(designating)).status == 201
    for case in (s.case, other):
        entries = entries_of(await s.clinic.know(case))
        assert [second.chain[0].entry_id(), designating.entry_id()] == entries[-2:]
        assert len(set(entries)) == len(entries)


async def test_no_clinic_designates_a_machine_that_never_enrolled(standing: StandingCase) -> None:
    """Nobody could seal a slip to it."""
    s = standing
    reply = await s.clinic.extend(s.clinic.machines(intake=End(s.world, "unseen", "machine")), take=False)
    assert (404, "party_unknown") == (reply.status, reply.code)


async def test_a_statement_of_a_party_stands_in_each_of_its_open_cases(standing: StandingCase) -> None:
    """A closed case stays as it was, and catches up before it is reopened."""
    s = standing
    closed = await s.clinic.open_case(label="closed")
    assert (await s.clinic.say(closed, Close(v=1, case=closed, nonce=nonce("close")))).status == 201
    before = (await s.clinic.know(closed)).tail
    rotation = s.clinic.rotate()
    assert (await s.clinic.extend(rotation)).status == 201
    assert rotation.entry_id() == entries_of(await s.owner.know(s.case))[-1]
    assert before == (await s.clinic.know(closed)).tail
    reopening = s.clinic.sign(Reopen(v=1, case=closed, nonce=nonce("reopen")), kind="case")
    assert (await s.clinic.declare(closed, reopening)).status == 201
    assert [rotation.entry_id(), reopening.entry_id()] == entries_of(await s.clinic.know(closed))[-2:]


async def test_a_receipt_is_the_signed_head_at_that_entry(standing: StandingCase) -> None:
    """It says where the log stood right after the entry, as whoever computes the log finds it."""
    s = standing
    signed = s.clinic.sign(Close(v=1, case=s.case, nonce=nonce("close")), kind="case")
    reply = await s.clinic.declare(s.case, signed)
    receipt = msgspec.convert(reply.body["receipt"], Signed)
    head = check_head(receipt, relay=s.world.relay.relay, case=s.case)
    tail = (await s.clinic.know(s.case)).tail
    assert (tail.n, tail.head, signed.entry_id()) == (head.n, head.head, head.entry)


async def test_a_repeated_statement_gets_the_same_receipt(standing: StandingCase) -> None:
    """Byte for byte, later and by whoever of the case brings it; the log has it once."""
    s = standing
    signed = s.clinic.sign(Close(v=1, case=s.case, nonce=nonce("close")), kind="case")
    first = await s.clinic.declare(s.case, signed)
    s.world.clock.now_ms += 60_000
    again = await s.owner.declare(s.case, signed)
    assert (201, 200, first.raw) == (first.status, again.status, again.raw)
    assert 1 == entries_of(await s.clinic.know(s.case)).count(signed.entry_id())


async def test_a_repeated_opening_gets_the_same_receipt(standing: StandingCase) -> None:
    """Whatever has been said in the case since."""
    s = standing
    wanted = {"entry": to_json(s.clinic.sign(s.clinic.opening(label="second"), kind="case"))}
    first = await s.clinic.call("POST", "/v1/cases", wanted)
    again = await s.clinic.call("POST", "/v1/cases", wanted)
    by_another = await s.owner.call("POST", "/v1/cases", wanted)
    assert (201, 200, first.raw) == (first.status, again.status, again.raw)
    assert (403, "not_a_device") == (by_another.status, by_another.code)


async def test_repeats_at_once_are_one_entry(standing: StandingCase) -> None:
    """Twenty times the same statement: one of them is new."""
    s = standing
    before = await s.n()
    signed = s.clinic.sign(Close(v=1, case=s.case, nonce=nonce("close")), kind="case")
    replies = await asyncio.gather(*(s.clinic.declare(s.case, signed) for _ in range(20)))
    assert [200] * 19 + [201] == sorted(reply.status for reply in replies)
    assert 1 == len({reply.raw for reply in replies})
    assert before + 1 == await s.n()


async def test_two_statements_for_one_place_in_a_chain_are_a_race_that_one_wins(standing: StandingCase) -> None:
    """The other is told that the chain has moved; a repeat of the winner is none."""
    s = standing
    rotation, addition = s.clinic.rotate(), s.clinic.device_added("tablet")
    first = await s.clinic.extend(rotation, take=False)
    late = await s.clinic.extend(addition, take=False)
    again = await s.clinic.extend(rotation, take=False)
    assert [201, 409, 200] == [first.status, late.status, again.status]
    assert ("chain_moved", first.raw) == (late.code, again.raw)


async def test_a_chain_is_extended_by_its_own_party_alone(standing: StandingCase) -> None:
    """Anybody else gets the answer of a chain that is not there."""
    s = standing
    signed = s.clinic.rotate()
    wanted = {"entry": to_json(signed), "boxes": s.clinic.boxes(signed)}
    reply = await s.owner.call("POST", f"/v1/parties/{s.clinic.id}/chain", wanted)
    assert (404, "not_found") == (reply.status, reply.code)


async def test_boxes_come_along_whole_and_alone(standing: StandingCase) -> None:
    """(N27, N47) One missing, one too many, one with other bytes: refused; then the device fetches its own."""
    s = standing
    signed = s.clinic.rotate()
    boxes = s.clinic.boxes(signed)
    name = min(boxes)
    rest = {one: content for one, content in boxes.items() if one != name}
    path = f"/v1/parties/{s.clinic.id}/chain"
    for wrong in (rest, {**rest, name: b64(b"other bytes")}, {**boxes, **s.owner.boxes(*s.owner.chain)}):
        reply = await s.clinic.call("POST", path, {"entry": to_json(signed), "boxes": wrong})
        assert (422, "bad_boxes") == (reply.status, reply.code)
    assert (await s.clinic.extend(signed)).status == 201
    fetched = await s.clinic.call("GET", f"/v1/parties/{s.clinic.id}/boxes/{name}")
    assert boxes[name] == b64(fetched.raw)


async def test_a_code_lets_one_party_in(standing: StandingCase) -> None:
    """The same party again gets the same answer; another does not get in with it, nor one of another kind."""
    s = standing
    code = await issue_code(s.world.relay, "clinic")
    first, other, machine = End(s.world, "a", "clinic"), End(s.world, "b", "clinic"), End(s.world, "c", "machine")
    attempts = [await end.enrol(code) for end in (machine, first, first, other)]
    assert [403, 201, 200, 403] == [reply.status for reply in attempts]
    assert ["code_unknown", "code_used"] == [attempts[0].code, attempts[3].code]
    assert attempts[1].raw == attempts[2].raw


async def test_a_sealed_card_comes_with_its_invitation(standing: StandingCase) -> None:
    """Its hash stands in the statement; without it, or with another, the invitation is not opened."""
    s = standing
    card = b"a sealed card"
    secret, body = s.clinic.invitation(s.case, "provider", label="card", card=card)
    signed = s.clinic.sign(body, kind="case")
    wrong = [await s.clinic.declare(s.case, signed), await s.clinic.declare(s.case, signed, card=b64(b"another"))]
    assert [(422, "wrong_card")] * 2 == [(reply.status, reply.code) for reply in wrong]
    assert (await s.clinic.declare(s.case, signed, card=b64(card))).status == 201
    shown = await s.world.call("GET", f"/v1/cases/{s.case}/invitations/{body.key}")
    assert b64(card) == shown.body["card"]
    assert signed == msgspec.convert(shown.body["entry"], Signed)
    assert 201 == (await End(s.world, "newcomer").join(s.case, secret, "provider")).status
