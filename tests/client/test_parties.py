"""Parties: enrolled once by a code, machines adopted by their own word."""

import os
from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from tests.client.conftest import Room
from tests.client.town import Town
from vetrelay.client.parties import MachineOffer, adopt, enrol, machine_offer, new_party, own_party, read_offer
from vetrelay.errors import Refusal
from vetrelay.protocol.ids import b64
from vetrelay.relay.enrol import issue_code


async def test_enrolling_again_is_safe(town: Town) -> None:
    """The same party with its used code; another one does not get in by it."""
    clinic = await town.clinic()
    code = await issue_code(town.relay, "clinic")
    made = [
        new_party(
            "clinic",
            party_name=name,
            person_name=name,
            relay=town.relay.relay,
            relay_url=town.url,
            random_bytes=os.urandom,
        )
        for name in ("first", "second")
    ]
    await enrol(clinic.api, made[0], code=f"  {code.lower()}\n")
    await enrol(clinic.api, made[0], code=code)
    with pytest.raises(Refusal) as refused:
        await enrol(clinic.api, made[1], code=code)
    assert "code_used" == refused.value.code


async def test_adopting_again_changes_nothing(room: Room) -> None:
    """The chain does not grow."""
    before = await own_party(room.clinic)
    await adopt(room.clinic, machine_offer(room.intake.keyring, "intake"))
    assert before == await own_party(room.clinic)
    assert (room.intake.keyring.party,) == before.intakes


async def test_file_checks_stand_beside_one_another_or_take_each_others_place(room: Room) -> None:
    """By party id; adopted without the others, one is alone again. Eight are the most."""
    first = room.intake.keyring.party
    others = [await room.town.party(f"another {number}", "machine") for number in range(8)]
    for other in others[:7]:
        await adopt(room.clinic, machine_offer(other.keyring, "intake"), beside=True)
    known = await own_party(room.clinic)
    assert tuple(sorted((first, *(other.keyring.party for other in others[:7])))) == known.intakes
    with pytest.raises(Refusal) as refused:
        await adopt(room.clinic, machine_offer(others[7].keyring, "intake"), beside=True)
    assert "too_many_intakes" == refused.value.code
    await adopt(room.clinic, machine_offer(others[7].keyring, "intake"))
    assert (others[7].keyring.party,) == (await own_party(room.clinic)).intakes


@pytest.mark.parametrize("field", ["party", "relay", "fingerprint"])
async def test_an_offer_that_does_not_agree_with_its_machine_is_refused(room: Room, field: str) -> None:
    """Whoever changed the file, or serves another machine in its place."""
    other = await room.town.party("other", "machine")
    offer = machine_offer(other.keyring, "intake")
    value = room.clinic.keyring.party if field == "party" else b64(bytes(32))
    with pytest.raises(Refusal) as refused:
        await adopt(room.clinic, structs.replace(offer, **{field: value}))
    assert refused.value.code in {"offer_unreadable", "wrong_relay"}
    assert (room.intake.keyring.party,) == (await own_party(room.clinic)).intakes


@pytest.mark.parametrize("raw", [None, b"", b"{}", b"\xff", b'{"v":1,"offer":"vetrelay-machine"}'])
def test_an_offer_that_cannot_be_read_is_told(tmp_path: Path, raw: bytes | None) -> None:
    """Missing, empty, cut."""
    path = tmp_path / "offer.json"
    if raw is not None:
        path.write_bytes(raw)
    with pytest.raises(Refusal) as refused:
        read_offer(path)
    assert "offer_unreadable" == refused.value.code


def test_an_offer_is_read_as_it_was_written(tmp_path: Path) -> None:
    """A machine writes it to its own disk."""
    made = new_party(
        "machine",
        party_name="intake",
        person_name="intake",
        relay=b64(bytes(32)),
        relay_url="http://127.0.0.1:1",
        random_bytes=os.urandom,
    )
    offer = machine_offer(made.keyring, "intake")
    (tmp_path / "offer.json").write_bytes(msgspec.json.encode(offer))
    read = read_offer(tmp_path / "offer.json")
    assert offer == read
    assert isinstance(read, MachineOffer)
