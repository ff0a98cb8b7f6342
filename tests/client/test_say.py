"""Saying something: one wish is one message, however often it is asked for."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.client.conftest import Room
from vetrelay.client.follow import envelope_of, follow
from vetrelay.client.news import receive
from vetrelay.client.opening import slip_of
from vetrelay.client.say import say
from vetrelay.client.thread import read_thread
from vetrelay.errors import Refusal
from vetrelay.protocol.finding import Patient
from vetrelay.protocol.manifest import Hints


async def texts(room: Room) -> list[str | None]:
    """What the clinic reads in the case."""
    await receive(room.clinic, wait_seconds=0)
    return [entry.text for entry in read_thread(room.clinic, room.case).entries]


async def test_text_goes_both_ways(room: Room) -> None:
    """The owner's message and the clinic's reply are read by both, in order, under their own names."""
    promised, _ = await say(room.owner, room.case, text="She limps.")
    room.owner.journal.report(promised.id)
    await receive(room.clinic, wait_seconds=0)
    await say(room.clinic, room.case, text="Since when?")
    for end in (room.owner, room.clinic):
        await follow(end, room.case)
        said = [(entry.text, entry.author.name, entry.author.role) for entry in read_thread(end, room.case).entries]
        assert [("She limps.", "owner person", "owner"), ("Since when?", "clinic person", "care")] == said


async def test_the_same_words_before_they_were_told_are_one_message(room: Room) -> None:
    """(S4) A command that was killed before it told its receipt is repeated, and tells it."""
    _, first = await say(room.owner, room.case, text="She limps.")
    _, second = await say(room.owner, room.case, text="She limps.")
    assert first == second
    assert ["She limps."] == await texts(room)


async def test_the_same_words_after_they_were_told_are_a_second_message(room: Room) -> None:
    """Whoever says it again means it."""
    for _ in range(2):
        promised, _ = await say(room.owner, room.case, text="Any news?")
        room.owner.journal.report(promised.id)
    assert ["Any news?", "Any news?"] == await texts(room)


async def test_words_that_went_out_by_themselves_long_ago_are_said_anew(room: Room) -> None:
    """A message that a later command delivered must not swallow the same words of another day."""
    await say(room.owner, room.case, text="ok")
    room.town.clock.now_ms += 13 * 60 * 60 * 1000
    await say(room.owner, room.case, text="ok")
    assert ["ok", "ok"] == await texts(room)


async def test_the_same_words_with_another_file_are_another_message(room: Room, tmp_path: Path) -> None:
    """What was asked for is words and files and how they are to be kept."""
    file = tmp_path / "a.txt"
    file.write_text("one")
    await say(room.owner, room.case, text="look", files=[file])
    await say(room.owner, room.case, text="look", files=[file], keep_original=True)
    file.write_text("another")
    await say(room.owner, room.case, text="look", files=[file])
    await say(room.owner, room.case, text="look")
    assert ["look"] * 4 == await texts(room)


@pytest.mark.parametrize(
    ("text", "code"),
    [("", "nothing_to_send"), ("x" * 200_001, "too_large"), ("\udcff", "text_unreadable")],
)
async def test_what_no_reader_would_take_is_refused_before_it_is_promised(room: Room, text: str, code: str) -> None:
    """Nothing stands in the outbox afterwards."""
    with pytest.raises(Refusal) as refused:
        await say(room.owner, room.case, text=text)
    assert code == refused.value.code
    assert () == room.owner.journal.outgoing()


async def test_a_file_that_is_not_there_is_refused(room: Room, tmp_path: Path) -> None:
    """Nothing is sent without it."""
    with pytest.raises(Refusal) as refused:
        await say(room.owner, room.case, text="look", files=[tmp_path / "absent"])
    assert "file_unreadable" == refused.value.code


async def test_a_file_name_of_bytes_that_are_no_characters_is_sent_with_question_marks(
    room: Room, tmp_path: Path
) -> None:
    """A phone's odd file name keeps nobody from sending the photo."""
    file = tmp_path / "paw\udcff.txt"
    file.write_text("one")
    await say(room.owner, room.case, text="", files=[file])
    await follow(room.clinic, room.case)
    (entry,) = read_thread(room.clinic, room.case).entries
    assert ["paw_.txt"] == [view.name for view in entry.attachments]


async def test_files_need_a_file_check(room_without_intake: Room, tmp_path: Path) -> None:
    """Where nobody checks files, none is sealed."""
    file = tmp_path / "a.txt"
    file.write_text("one")
    with pytest.raises(Refusal) as refused:
        await say(room_without_intake.owner, room_without_intake.case, text="look", files=[file])
    assert "no_intake" == refused.value.code
    assert [] == list(room_without_intake.owner.journal.spool.iterdir())


async def test_who_waits_at_the_door_is_told_so(room: Room) -> None:
    """A second owner has joined and is not approved yet."""
    second = await room.town.newcomer(room.clinic, room.case, "second")
    with pytest.raises(Refusal) as refused:
        await say(second, room.case, text="hello")
    assert "not_confirmed" == refused.value.code


async def test_wishes_for_files_reach_the_file_check(room: Room, tmp_path: Path) -> None:
    """In the slip, for it alone; another wish for the same files is another message."""
    path = tmp_path / "wound.jpg"
    path.write_bytes(b"a photo")
    luna = Patient(name="Luna", owner="Meier", species="dog", id="")
    wishes = Hints(purpose="wound", full_size=True, keep_motion=True, patient=luna)
    sent = [
        (await say(room.owner, room.case, text="look", files=[path], hints=hints))[1].entry
        for hints in (wishes, replace(wishes, patient=None), replace(wishes, full_size=False))
    ]
    assert sent[0] == sent[1] != sent[2]
    await follow(room.intake, room.case)
    found = envelope_of(room.intake, room.case, sent[0] or "")
    assert found is not None
    assert wishes == slip_of(room.intake, found[2]).hints
