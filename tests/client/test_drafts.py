"""Drafts: sealed again for other readers without moving a file again, and what they say reads back."""

from pathlib import Path

import msgspec
import pytest

from tests.client.conftest import Room
from tests.hostile.dishonest import liar_before
from vetrelay.client.cases import approve, remove
from vetrelay.client.drafts import Draft, as_object
from vetrelay.client.end import End
from vetrelay.client.fetch import save_attachments
from vetrelay.client.follow import follow
from vetrelay.client.notes import open_note
from vetrelay.client.outbox import deliver, deliver_all, promise_envelope, upload_payloads
from vetrelay.client.promises import Outgoing
from vetrelay.client.say import draft_of, say
from vetrelay.client.thread import read_thread
from vetrelay.client.transfer import seal_content
from vetrelay.errors import Refusal
from vetrelay.protocol.manifest import Text


async def with_file(end: End, case: str, content: bytes, text: str = "look") -> Outgoing:
    """A message with a file that is promised and not delivered yet."""
    sealed = seal_content(end, content)
    attached = as_object(sealed, media="text/plain", name="a.txt", keep_original=True)
    draft = draft_of(end, case, class_="message", audience="case", content=Text(text=text), objects=(attached,))
    return await promise_envelope(end, f"send:{text}", draft, (sealed,))


async def test_sealing_again_moves_no_file_again(room: Room, tmp_path: Path) -> None:
    """After a removal the headers are new and the payload is the one that is there; it opens for who is left."""
    second = await room.town.newcomer(room.clinic, room.case, "second")
    await approve(room.clinic, room.case, second.keyring.party)
    async with liar_before(room.town.url, room.town.folder / "relay", now_ms=room.town.clock) as witness:
        owner = await room.town.again(room.owner, url=witness.url)
        waiting = await with_file(owner, room.case, b"a file" * 1000)
        await upload_payloads(owner, waiting)
        await remove(room.clinic, room.case, second.keyring.party)
        await deliver(owner, waiting)
    assert 1 == sum(line == "POST /v1/uploads" for line in witness.asked)
    assert 2 == sum(line.startswith("PUT ") for line in witness.asked)
    await follow(room.owner, room.case)
    (entry,) = read_thread(room.owner, room.case).entries
    saved, _ = await save_attachments(room.owner, entry, tmp_path, original=True)
    assert [b"a file" * 1000] == [one.path.read_bytes() for one in saved]


async def test_a_file_that_the_relay_has_swept_is_brought_again(room: Room) -> None:
    """The journal believes it is there; the relay says that it is missing."""
    waiting = await with_file(room.owner, room.case, b"a file")
    (row,) = room.owner.journal.payloads(waiting.id)
    room.owner.journal.save_upload(row.p, url=None, done=True)
    await deliver(room.owner, waiting)
    await follow(room.clinic, room.case)
    assert ["look"] == [entry.text for entry in read_thread(room.clinic, room.case).entries]


async def test_a_large_file_on_its_way_holds_no_words_up(room: Room) -> None:
    """What was promised before with files waits for the next command; what is only words goes first, in its order."""
    await with_file(room.owner, room.case, b"a large file" * 100_000, text="a film")
    await say(room.owner, room.case, text="urgent")
    await follow(room.clinic, room.case)
    assert ["urgent"] == [entry.text for entry in read_thread(room.clinic, room.case).entries]
    await deliver_all(room.owner)
    await follow(room.clinic, room.case)
    assert ["urgent", "a film"] == [entry.text for entry in read_thread(room.clinic, room.case).entries]


async def test_a_draft_survives_as_a_sealed_note(room: Room) -> None:
    """What will be said, with its file keys, is in the journal for this device alone."""
    waiting = await with_file(room.owner, room.case, b"a file", text="a secret")
    assert waiting.draft is not None
    draft = msgspec.json.decode(open_note(room.owner, waiting.draft), type=Draft)
    assert Text(text="a secret") == draft.content
    assert b"a secret" not in waiting.draft
    assert draft.objects[0].key.encode() not in waiting.draft + waiting.body


async def test_statements_wait_for_a_fresh_word_too(room: Room) -> None:
    """(N26) Nobody is let in or sent away on a log of the day before yesterday."""
    second = await room.town.newcomer(room.clinic, room.case, "second")
    await follow(room.clinic, room.case)
    late = await room.town.again(room.clinic, clock=lambda: room.town.clock() + 2 * 24 * 60 * 60 * 1000)
    with pytest.raises(Refusal) as refused:
        await approve(late, room.case, second.keyring.party)
    assert "head_stale" == refused.value.code
