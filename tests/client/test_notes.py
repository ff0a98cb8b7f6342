"""Notes to oneself: for this device alone, and wishes that nobody can guess the words from."""

import pytest

from tests.client.conftest import Room
from tests.client.devices import add_device
from vetrelay.client.notes import open_note, seal_note, wish
from vetrelay.errors import Fault


async def test_a_note_comes_back_to_its_device_only(room: Room) -> None:
    """Not to another device of the same party, and not when it was changed."""
    sealed = seal_note(room.owner, b"Luna")
    assert b"Luna" == open_note(room.owner, sealed)
    assert b"Luna" not in sealed
    assert sealed != seal_note(room.owner, b"Luna")
    phone = await add_device(room.town, room.owner, "phone")
    for end, note in ((phone, sealed), (room.owner, sealed[:-1]), (room.owner, b"")):
        with pytest.raises(Fault) as damaged:
            open_note(end, note)
        assert "keyring_damaged" == damaged.value.code


async def test_a_wish_is_the_same_for_the_same_words_of_the_same_device(room: Room) -> None:
    """Where one word ends and the next begins is part of it; another device's mark is another."""
    assert wish(room.owner, "a", "b") == wish(room.owner, "a", "b")
    marks = [
        wish(room.owner, "a", "b"),
        wish(room.owner, "ab"),
        wish(room.owner, "ab", ""),
        wish(room.clinic, "a", "b"),
    ]
    assert 4 == len(set(marks))
    assert wish(room.owner, "\udcff")
