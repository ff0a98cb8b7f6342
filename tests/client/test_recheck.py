"""Verifying: everything again from the relay, against everything that was kept."""

from pathlib import Path

import pytest

from tests.client.conftest import Room
from tests.client.test_fetch import checked, sent
from vetrelay.client.follow import follow
from vetrelay.client.recheck import verify_case
from vetrelay.client.say import say
from vetrelay.errors import Refusal


async def test_an_honest_case_holds(room: Room, tmp_path: Path) -> None:
    """Every statement, every message, every seal; what is for others is counted as such."""
    entry = await sent(room, tmp_path, "a.jpg")
    await checked(room, entry)
    await say(room.clinic, room.case, text="seen")
    for end in (room.owner, room.clinic):
        result = await verify_case(end, room.case)
        assert () == result.problems
        assert result.positions == end.journal.case(room.case).tail.n
        assert result.positions == result.statements + result.envelopes + result.not_for_us
        assert result.opened == result.envelopes
    assert 0 == (await verify_case(room.clinic, room.case)).not_for_us


async def test_what_cannot_be_opened_is_told_with_its_position(room: Room) -> None:
    """A header that was lost from the journal."""
    _, receipt = await say(room.owner, room.case, text="one")
    await follow(room.clinic, room.case)
    room.clinic.journal._db.execute("DELETE FROM objects")
    result = await verify_case(room.clinic, room.case)
    assert (receipt.n, "cannot_open") in result.problems


async def test_a_journal_that_was_changed_is_found_out(room: Room) -> None:
    """Somebody wrote other bytes over what was kept."""
    _, receipt = await say(room.owner, room.case, text="one")
    await say(room.owner, room.case, text="two")
    await follow(room.clinic, room.case)
    database = room.clinic.journal._db
    (other,) = database.execute("SELECT signed FROM log WHERE n=?", (receipt.n + 1,)).fetchone()
    database.execute("UPDATE log SET signed=? WHERE n=?", (other, receipt.n))
    with pytest.raises(Refusal) as refused:
        await verify_case(room.clinic, room.case)
    assert "entry_differs" == refused.value.code
