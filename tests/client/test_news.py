"""Receiving: what is acknowledged is safely here, and one case's trouble keeps nobody from the others."""

import asyncio

import pytest

from tests.client.conftest import Room
from vetrelay.client.end import End
from vetrelay.client.followed import Followed
from vetrelay.client.news import receive, take_news
from vetrelay.client.say import say
from vetrelay.client.thread import read_thread
from vetrelay.errors import Fault, Refusal


async def test_news_are_told_once(room: Room) -> None:
    """The second time there is nothing."""
    await say(room.owner, room.case, text="one")
    assert {room.case} == set(await receive(room.clinic, wait_seconds=0))
    await receive(room.clinic, wait_seconds=0)  # its own names, told to the owner
    assert {} == await receive(room.clinic, wait_seconds=0)


async def test_whoever_waits_is_woken(room: Room) -> None:
    """A long wait ends with the first delivery."""
    for end in (room.clinic, room.owner, room.clinic):
        await receive(end, wait_seconds=0)
    waiting = asyncio.create_task(receive(room.clinic, wait_seconds=20))
    await asyncio.sleep(0.2)
    await say(room.owner, room.case, text="one")
    touched = await asyncio.wait_for(waiting, 10)
    assert {room.case} == set(touched)
    assert ["one"] == [entry.text for entry in read_thread(room.clinic, room.case, touched[room.case]).entries]


async def test_nothing_is_acknowledged_that_could_not_be_kept(room: Room) -> None:
    """A kill, or an error, before `keep` returns: the relay delivers it again."""
    await say(room.owner, room.case, text="one")

    def fail(_followed: Followed) -> None:
        raise Fault("home_failed")

    before = room.clinic.journal.cursor()
    with pytest.raises(Fault):
        await take_news(room.clinic, wait_seconds=0, known={}, keep=fail)
    assert before == room.clinic.journal.cursor()
    kept: list[Followed] = []
    await take_news(room.clinic, wait_seconds=0, known={}, keep=kept.append)
    assert [room.case] == [followed.case for followed in kept]


async def test_a_blocked_case_keeps_nobody_from_the_others(room: Room) -> None:
    """It is followed and told as blocked; the other case's news arrive."""
    other = await room.town.case(room.clinic, "Bella")
    await room.town.newcomer(room.clinic, other, "another owner")
    stranger = await room.town.kept("another owner")
    with room.clinic.journal.transaction():
        room.clinic.journal.block(room.case, "log_forked", b"{}", at_ms=1)
    await say(room.owner, room.case, text="one")
    await say(stranger, other, text="two")
    await receive(room.clinic, wait_seconds=0)
    assert ["two"] == [entry.text for entry in read_thread(room.clinic, other).entries]
    assert "log_forked" == room.clinic.journal.case(room.case).blocked


async def test_a_relay_that_wants_us_to_wait_loses_nothing(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal of the moment is no reason to acknowledge what was not fetched."""
    from vetrelay.client import news

    async def busy(_end: End, _case: str, *, known: Followed | None = None) -> Followed:
        raise Refusal("too_fast")

    await say(room.owner, room.case, text="one")
    before = room.clinic.journal.cursor()
    with monkeypatch.context() as patched:
        patched.setattr(news, "follow", busy)
        with pytest.raises(Refusal):
            await receive(room.clinic, wait_seconds=0)
    assert before == room.clinic.journal.cursor()
    assert {room.case} == set(await receive(room.clinic, wait_seconds=0))


async def test_two_processes_wait_at_one_inbox(room: Room) -> None:
    """Both see the news; the cursor never goes back."""
    other = await room.town.again(room.clinic)
    await say(room.owner, room.case, text="one")
    await asyncio.gather(*(receive(end, wait_seconds=0) for end in (room.clinic, other)))
    assert room.clinic.journal.cursor() == other.journal.cursor() > 0
