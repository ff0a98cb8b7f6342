"""The party's keys: another device's change arrives as a box, older ones by the way back, and a lie is a visible fault."""

import os

import pytest

from tests.client.conftest import Room
from tests.client.devices import add_device, rotate
from vetrelay.client.end import End
from vetrelay.client.follow import follow
from vetrelay.client.news import receive
from vetrelay.client.partykeys import party_keys
from vetrelay.client.say import say
from vetrelay.client.thread import read_thread
from vetrelay.errors import Fault, Refusal
from vetrelay.protocol.ids import CaseId


async def read_by(end: End, case: CaseId) -> list[tuple[str | None, str | None]]:
    """The words in the case, with what keeps them from being read."""
    await follow(end, case)
    return [(entry.text, entry.problem) for entry in read_thread(end, case).entries]


async def test_a_new_device_reads_its_partys_history(room: Room) -> None:
    """It is added with one box, and opens what was said before it was there."""
    await say(room.clinic, room.case, text="before")
    phone = await add_device(room.town, room.owner, "phone")
    assert () == party_keys(phone)
    assert [("before", None)] == await read_by(phone, room.case)
    await say(phone, room.case, text="after")
    assert [("before", None), ("after", None)] == await read_by(room.owner, room.case)


async def test_after_a_change_of_keys_every_device_reads_on(room: Room) -> None:
    """The others fetch their box when they next follow a case; what is new is sealed to the new key."""
    phone = await add_device(room.town, room.owner, "phone")
    await follow(room.owner, room.case)
    await rotate(phone_with_key(phone, room))
    await say(room.clinic, room.case, text="after")
    assert [("after", None)] == await read_by(room.owner, room.case)
    assert [1, 0] == [key.gen for key in party_keys(room.owner)]
    again = await room.town.again(room.owner, url="http://127.0.0.1:1")
    assert [1, 0] == [key.gen for key in party_keys(again)]


def phone_with_key(phone: End, room: Room) -> End:
    """A device that has its key already."""
    from vetrelay.client.notes import seal_note

    phone.journal.save_party_key(0, seal_note(phone, party_keys(room.owner)[-1].seed))
    return phone


async def test_a_device_that_comes_after_two_changes_goes_all_the_way_back(room: Room) -> None:
    """One box and two ways back open three generations."""
    await say(room.clinic, room.case, text="first")
    for text in ("second", "third"):
        await rotate(room.owner)
        await follow(room.owner, room.case)
        await say(room.clinic, room.case, text=text)
    phone = await add_device(room.town, room.owner, "phone")
    assert [("first", None), ("second", None), ("third", None)] == await read_by(phone, room.case)
    assert [2, 1, 0] == [key.gen for key in party_keys(phone)]


async def test_a_revoked_device_reads_nothing_new(room: Room) -> None:
    """Revocation is rotation: it gets no box, and the relay no longer knows it."""
    phone = await add_device(room.town, room.owner, "phone")
    assert [] == await read_by(phone, room.case)
    await rotate(room.owner, revoke=(phone.device.id,))
    await say(room.clinic, room.case, text="not for the lost phone")
    with pytest.raises(Refusal) as refused:
        await follow(phone, room.case)
    assert refused.value.code in {"session_refused", "not_a_member", "no_session"}
    assert [0] == [key.gen for key in party_keys(phone)]


@pytest.mark.parametrize("content", [bytes(range(32)), b"short"], ids=["another seed", "no seed"])
async def test_a_box_with_another_seed_is_a_visible_fault(room: Room, content: bytes) -> None:
    """(N27, N47) The recipient of the seed is not `seal` in the chain: nothing is kept, and it is told, by `receive` too."""
    phone = await add_device(room.town, room.owner, "phone")
    await read_by(phone, room.case)
    await rotate(room.owner, boxed={phone.device.id: content})
    for attempt in (follow(phone, room.case), receive(phone, wait_seconds=0)):
        with pytest.raises(Fault) as fault:
            await attempt
        assert "party_key_differs" == fault.value.code
    assert [0] == [key.gen for key in party_keys(phone)]
    await receive(room.owner, wait_seconds=0)


async def test_a_way_back_with_another_seed_is_a_visible_fault_where_it_is_needed(room: Room) -> None:
    """Whoever has the older key does not ask for it; a newcomer is told that the history cannot be had."""
    key = await rotate(room.owner, back=os.urandom(32))
    await follow(room.owner, room.case)
    assert [key.gen, 0] == [one.gen for one in party_keys(room.owner)]
    phone = await add_device(room.town, room.owner, "phone")
    with pytest.raises(Fault) as fault:
        await follow(phone, room.case)
    assert "party_key_differs" == fault.value.code
    assert [key.gen] == [one.gen for one in party_keys(phone)]


async def test_no_seed_stands_in_the_journal(room: Room) -> None:
    """It is sealed under a key of the device, as everything there."""
    key = await rotate(room.owner)
    await follow(room.owner, room.case)
    await room.town.stack.aclose()
    raw = b"".join(path.read_bytes() for path in room.owner.home.glob("journal*"))
    assert key.seed not in raw
