"""The thread: what was said, what its files are, and what is not believed, each in its place."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import structs

from tests.client.conftest import Room
from tests.client.devices import add_device
from tests.client.test_fetch import checked, sent
from vetrelay.client.drafts import seal_draft
from vetrelay.client.end import End
from vetrelay.client.follow import envelope_of, follow
from vetrelay.client.opening import manifest_of
from vetrelay.client.say import draft_of, say
from vetrelay.client.thread import EntryView, find_entry, party_label, read_thread
from vetrelay.errors import Refusal
from vetrelay.protocol.envelope import parse_envelope
from vetrelay.protocol.ids import b64
from vetrelay.protocol.manifest import Text
from vetrelay.protocol.signature import parse_wire, sign
from vetrelay.protocol.statement import Body, render


class Drawing(Body, frozen=True, tag_field="kind", tag="drawing"):
    """Content of a kind that comes after this software."""

    lines: tuple[int, ...]


async def entries(end: End, case: str) -> tuple[EntryView, ...]:
    """What an end reads now."""
    await follow(end, case)
    return read_thread(end, case).entries


async def test_a_file_is_pending_until_the_file_check_has_its_say(room: Room, tmp_path: Path) -> None:
    """Then it has a copy, and the original stays marked unsafe."""
    entry = await sent(room, tmp_path, "../../etc/pass\u202ewd.jpg")
    (before,) = (await entries(room.clinic, room.case))[0].attachments
    assert ("pending", ["original"], [True]) == (
        before.verdict, [one.role for one in before.objects], [one.unsafe for one in before.objects],
    )  # fmt: skip
    await checked(room, entry, code="converted")
    (after,) = (await entries(room.clinic, room.case))[0].attachments
    assert ("converted", ["record", "original"]) == (after.verdict, [one.role for one in after.objects])
    assert {"passwd.jpg"} == {before.name, after.name}


async def test_a_second_verdict_without_supersedes_never_comes_so_far(room: Room, tmp_path: Path) -> None:
    """(N48) The relay refuses it; the first one stands."""
    entry = await sent(room, tmp_path, "a.jpg")
    await checked(room, entry)
    room.intake.journal._db.execute("DELETE FROM outbox")
    with pytest.raises(Refusal) as refused:
        await checked(room, entry, code="refused", copy=None)
    assert "verdict_stands" == refused.value.code
    assert "clean" == (await entries(room.clinic, room.case))[0].attachments[0].verdict


async def test_an_entry_is_found_by_envelope_entry_or_position(room: Room) -> None:
    """What a person copied from any list."""
    await say(room.owner, room.case, text="one")
    (entry,) = await entries(room.clinic, room.case)
    thread = read_thread(room.clinic, room.case)
    assert {entry} == {find_entry(thread, wanted) for wanted in (entry.envelope, entry.entry, str(entry.n))}
    with pytest.raises(Refusal) as refused:
        find_entry(thread, "0")
    assert "no_such_envelope" == refused.value.code


async def test_a_party_without_a_name_has_a_mark(room: Room) -> None:
    """The beginning of its fingerprint, never nothing."""
    assert "unknown" == party_label("")
    assert "party " == party_label(room.owner.keyring.party)[:6]


async def test_a_manifest_of_another_envelope_is_not_shown(room: Room) -> None:
    """(N14) Its parts are sealed well, and name another id or another device than the envelope that carries them."""
    phone = await add_device(room.town, room.owner, "phone")
    followed = await follow(phone, room.case)
    draft = draft_of(room.owner, room.case, class_="message", audience="case", content=Text(text="stolen"))
    for sender, changes in ((room.owner, {"id": b64(bytes(16))}), (phone, {"device": phone.device.id})):
        request = msgspec.json.decode(seal_draft(room.owner, draft, followed, {}).body)
        envelope = parse_envelope(parse_wire(msgspec.json.encode(request["envelope"])))
        changed = structs.replace(envelope, **changes)
        signed = sign("envelope", changed, [sender.device.signer])
        await sender.api.put_envelope(room.case, changed.id, render({**request, "envelope": signed}))
    assert [(None, "binding_differs")] * 2 == [
        (entry.text, entry.problem) for entry in await entries(room.clinic, room.case)
    ]


async def test_content_of_a_later_version_is_told_as_such(room: Room) -> None:
    """(N50) Not as an attack, and not as nothing."""
    followed = await follow(room.owner, room.case)
    drawing: Any = Drawing(lines=(1, 2))
    draft = draft_of(room.owner, room.case, class_="message", audience="case", content=drawing)
    await room.owner.api.put_envelope(room.case, draft.id, seal_draft(room.owner, draft, followed, {}).body)
    (entry,) = await entries(room.clinic, room.case)
    assert (None, "drawing", "newer_version") == (entry.text, entry.kind, entry.problem)


async def test_what_reads_back_is_what_was_drafted(room: Room, tmp_path: Path) -> None:
    """Every field of the manifest, for the sender and for the reader; the slip is for the intake alone."""
    entry = await sent(room, tmp_path, "a.jpg", "b.txt")
    for end in (room.owner, room.clinic):
        await follow(end, room.case)
        found = envelope_of(end, room.case, entry)
        assert found is not None
        manifest = manifest_of(end, found[2])
        assert [("a.jpg", "image/jpeg", 10), ("b.txt", "text/plain", 10)] == [
            (file.name, file.media, file.size) for file in manifest.files
        ]
        assert Text(text="look") == manifest.content
