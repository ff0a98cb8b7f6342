"""What a relay's owner, or a dishonest member, may try with what is sealed: nothing of it is shown or written.

N01, N02, N08, N12, N13, N39, N51: through the whole client.
"""

import json
import os
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from tests.client import town
from tests.client.conftest import Room
from tests.client.test_fetch import COPY, checked, sent, shown
from tests.client.town import verdict_on
from tests.hostile.dishonest import Json, Liar, said
from tests.protocol.salamander import forge
from vetrelay.client.drafts import seal_draft
from vetrelay.client.end import End
from vetrelay.client.fetch import save_attachments
from vetrelay.client.follow import envelope_of, follow
from vetrelay.client.news import receive
from vetrelay.client.say import draft_of, speaking_class
from vetrelay.client.thread import read_thread
from vetrelay.client.transfer import SealedFile, seal_content
from vetrelay.protocol.age.header import parse_header, render_header
from vetrelay.protocol.age.recipients import wrap
from vetrelay.protocol.age.stanza import Stanza
from vetrelay.protocol.age.stream import CHUNK_BYTES, NONCE_BYTES, TAG_BYTES
from vetrelay.protocol.envelope import parse_envelope
from vetrelay.protocol.ids import b64, sha256, unb64
from vetrelay.protocol.manifest import Text
from vetrelay.protocol.signature import parse_wire, sign
from vetrelay.protocol.statement import render

Alter = Callable[[bytes, bytes], tuple[bytes, bytes]]

# --- objects: what comes with an envelope, and what is fetched ----------------------------------------------------------


async def altered(end: End, case: str, text: str, alter: Alter) -> None:
    """A message whose manifest's header and payload its (malicious) sender has made otherwise; well signed."""
    followed = await follow(end, case)
    draft = draft_of(end, case, class_=speaking_class(followed, end), audience="case", content=Text(text=text))
    request = msgspec.json.decode(seal_draft(end, draft, followed, {}).body)
    envelope = parse_envelope(parse_wire(msgspec.json.encode(request["envelope"])))
    (ref,) = envelope.of_role("manifest")
    header, payload = alter(unb64(request["headers"][ref.h0]), unb64(request["payloads"][ref.p]))
    changed = structs.replace(ref, h0=b64(sha256(header)), p=b64(sha256(payload)), size=len(payload))
    signed = sign("envelope", structs.replace(envelope, objects=(changed,)), [end.device.signer])
    body = {"envelope": signed, "headers": {changed.h0: b64(header)}, "payloads": {changed.p: b64(payload)}}
    await end.api.put_envelope(case, draft.id, render(body))


def random_stanzas(header: bytes, payload: bytes) -> tuple[bytes, bytes]:
    """(N08) Stanzas with random bodies: nobody can open them."""
    stanzas = [Stanza(one.kind, one.args, os.urandom(len(one.body))) for one in parse_header(header).stanzas]
    return render_header(stanzas, os.urandom(16)), payload


def broken_mac(header: bytes, payload: bytes) -> tuple[bytes, bytes]:
    """The stanzas are right, the header's MAC is not."""
    raw = bytearray(header)
    raw[-10] = ord("A") if raw[-10] != ord("A") else ord("B")
    return bytes(raw), payload


def broken_tag(header: bytes, payload: bytes) -> tuple[bytes, bytes]:
    """Header and key are right, the payload's last chunk is not."""
    return header, payload[:-1] + bytes([payload[-1] ^ 1])


@pytest.mark.parametrize("alter", [random_stanzas, broken_mac, broken_tag])
async def test_what_cannot_be_opened_is_shown_as_such_and_all_look_alike(room: Room, liar: Liar, alter: Alter) -> None:
    """(N08, N39) "Not mine", "bad MAC" and "bad tag" have one code, and the relay sees the same requests after each."""
    owner = await room.town.again(room.owner, url=liar.url)
    await follow(owner, room.case)
    await altered(room.clinic, room.case, "secret", alter)
    liar.asked.clear()
    await receive(owner, wait_seconds=0)
    (entry,) = read_thread(owner, room.case).entries
    assert (None, "cannot_open", ()) == (entry.text, entry.problem, entry.attachments)
    paths = [line.replace(room.case, "CASE") for line in liar.asked]
    assert ["GET /v1/inbox", "GET /v1/cases/CASE/inbox", "POST /v1/inbox/ack"] == paths[:3]
    assert {"GET /v1/inbox"} >= set(paths[3:])


async def test_one_payload_for_two_keys_shows_one_text_at_most(room: Room, liar: Liar) -> None:
    """(N02) A sender gives each reader another key to the same payload: one MAC fits one key, the other is told."""
    keys, nonce = (os.urandom(16), os.urandom(16)), os.urandom(16)
    payload = forge(keys, nonce, (b'{"binding": one ', b'{"binding": two '), random.Random(7))
    readers: list[bytes] = []

    def salamander(_header: bytes, _payload: bytes) -> tuple[bytes, bytes]:
        stanzas = [wrap(recipient, key) for recipient, key in zip(readers, keys, strict=True)]
        return render_header(stanzas, keys[0]), payload

    roster = (await follow(room.clinic, room.case)).roster
    members = sorted(member.party for member in roster.active())
    readers += [unb64(roster.parties[party].generation.seal) for party in members]
    await altered(room.clinic, room.case, "", salamander)
    problems = {}
    for end in (room.owner, room.clinic):
        await follow(end, room.case)
        (entry,) = read_thread(end, room.case).entries
        problems[members.index(end.keyring.party)] = entry.problem
        assert entry.text is None
    # The first key passes the MAC; what it opens is no manifest. The second does not even get so far.
    assert {0: "bad_json", 1: "cannot_open"} == problems


async def test_a_second_header_from_the_relay_is_not_looked_at(room: Room, liar: Liar) -> None:
    """(N02) Only the header whose hash its author signed opens an object."""
    owner = await room.town.again(room.owner, url=liar.url)
    await follow(owner, room.case)
    await said(room.clinic, room.case, "one")
    roster = (await follow(room.clinic, room.case)).roster
    seal = unb64(roster.parties[room.owner.keyring.party].generation.seal)
    other = b64(render_header([wrap(seal, bytes(16))] * 1, bytes(16)))

    def lie(page: Json) -> Json:
        for item in page["items"]:
            for part in item["objects"]:
                part["header"] = other
        return page

    liar.rewrite("GET", "/v1/cases/.*/inbox", lie)
    await follow(owner, room.case)
    assert [(None, "cannot_open")] == [(one.text, one.problem) for one in read_thread(owner, room.case).entries]


SWAPS: dict[str, Callable[[Json], Json]] = {
    "another payload": lambda part: {**part, "payload": b64(os.urandom(100))},
    "no payload": lambda part: {**part, "payload": None},
    "no base64": lambda part: {**part, "payload": "=!="},
    "another name": lambda part: {**part, "h0": b64(os.urandom(32))},
}


@pytest.mark.parametrize("swap", SWAPS)
async def test_a_part_that_is_another_is_not_shown_and_harms_no_other(room: Room, liar: Liar, swap: str) -> None:
    """(N01, N13) Also where the relay hands out one message's parts under the name of another's."""
    owner = await room.town.again(room.owner, url=liar.url)
    await follow(owner, room.case)
    await said(room.clinic, room.case, "one", "two")
    first = {"done": False}

    def lie(page: Json) -> Json:
        for item in page["items"]:
            if item["objects"] and item["kind"] == 3 and not first["done"]:
                item["objects"] = [SWAPS[swap](part) for part in item["objects"]]
                first["done"] = True
        return page

    liar.rewrite("GET", "/v1/cases/.*/inbox", lie)
    await follow(owner, room.case)
    shown = [(one.text, one.problem) for one in read_thread(owner, room.case).entries]
    assert [(None, "cannot_open"), ("two", None)] == shown
    assert owner.journal.case(room.case).blocked is None


def another(_raw: bytes) -> bytes:
    """Another object of any size."""
    return os.urandom(1000)


def swapped_chunks(raw: bytes) -> bytes:
    """(N51) Two chunks of the stream change places."""
    nonce, rest = raw[:NONCE_BYTES], raw[NONCE_BYTES:]
    size = CHUNK_BYTES + TAG_BYTES
    return nonce + rest[size : 2 * size] + rest[:size] + rest[2 * size :]


FETCHED: dict[str, Callable[[bytes], bytes]] = {
    "N13 another object": another,
    "N13 longer": lambda raw: raw + b"\0",
    "N12 shorter": lambda raw: raw[:-1],
    "N12 nothing": lambda _raw: b"",
    "N51 chunks swapped": swapped_chunks,
    "one bit": lambda raw: raw[:100_000] + bytes([raw[100_000] ^ 1]) + raw[100_001:],
}


@pytest.mark.parametrize("how", FETCHED)
async def test_a_file_that_is_another_is_never_written(room: Room, liar: Liar, tmp_path: Path, how: str) -> None:
    """Nothing of it stands in the folder, nothing stays in the spool, and the honest copy can be had afterwards."""
    entry = await sent(room, tmp_path, "a.jpg")
    await checked(room, entry)
    clinic = await room.town.again(room.clinic, url=liar.url)
    view = await shown(clinic, room.case, entry)
    liar.replace("GET", "/v1/objects/.*", FETCHED[how])
    saved, missed = await save_attachments(clinic, view, tmp_path / "out", original=False)
    assert ([], ["payload_differs"]) == (saved, [one.code for one in missed])
    left = [path.name for folder in (tmp_path / "out", clinic.journal.spool) for path in folder.glob("*")]
    assert [] == left
    liar.answers.clear()
    saved, _ = await save_attachments(clinic, view, tmp_path / "out", original=False)
    assert [COPY] == [one.path.read_bytes() for one in saved]


async def test_a_sender_whose_stream_is_broken_leaves_nothing_either(room: Room, tmp_path: Path) -> None:
    """(N51) Its author signed the swapped payload: the hash is right, the stream does not open."""
    entry = await sent(room, tmp_path, "a.jpg")
    await follow(room.intake, room.case)
    found = envelope_of(room.intake, room.case, entry)
    assert found is not None
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(town, "seal_content", _sealed_and_swapped)
        await verdict_on(room.intake, found[2], entry, sender=room.owner.keyring.party, copy=COPY)
    view = await shown(room.clinic, room.case, entry)
    saved, missed = await save_attachments(room.clinic, view, tmp_path / "out", original=False)
    assert ([], ["cannot_open"]) == (saved, [one.code for one in missed])
    assert [] == list((tmp_path / "out").glob("*"))
    assert [] == list(room.clinic.journal.spool.iterdir())


def _sealed_and_swapped(end: End, content: bytes) -> SealedFile:
    made = seal_content(end, content)
    raw = swapped_chunks(made.spool.read_bytes())
    made.spool.write_bytes(raw)
    return replace(made, p=b64(sha256(raw)))


async def test_a_second_verdict_stands_only_if_it_says_what_it_supersedes(
    room: Room, liar: Liar, tmp_path: Path
) -> None:
    """(N48) A relay that lets any verdict in: the first stands, and the other is listed with its code."""
    entry = await sent(room, tmp_path, "a.jpg")
    liar.fork = await liar.fork_of(room.owner, room.case)
    intake = await room.town.again(room.intake, url=liar.url)
    clinic = await room.town.again(room.clinic, url=liar.url)
    await follow(room.intake, room.case)
    answered = envelope_of(room.intake, room.case, entry)
    assert answered is not None
    sender = room.owner.keyring.party
    first = await verdict_on(intake, answered[2], entry, sender=sender, copy=COPY)
    intake.journal._db.execute("DELETE FROM outbox")
    await verdict_on(intake, answered[2], entry, sender=sender, copy=None, code="refused")
    view = await shown(clinic, room.case, entry)
    assert "clean" == view.attachments[0].verdict
    assert ["verdict_stands"] == [one.problem for one in read_thread(clinic, room.case).entries if one.problem]
    intake.journal._db.execute("DELETE FROM outbox")
    await verdict_on(intake, answered[2], entry, sender=sender, copy=None, code="refused", supersedes=first.entry)
    assert "refused" == (await shown(clinic, room.case, entry)).attachments[0].verdict
    liar.fork.items[-1]["signed"]["sigs"][0]["sig"] = b64(bytes(64))
    other = await room.town.at(tmp_path / "other", room.clinic.keyring, url=liar.url)
    assert "clean" == (await shown(other, room.case, entry)).attachments[0].verdict


async def test_an_intake_that_speaks_is_not_heard(room: Room, liar: Liar) -> None:
    """(N15) It signs a message; a relay lets it in; nobody shows it as one."""
    liar.fork = await liar.fork_of(room.clinic, room.case)
    intake = await room.town.again(room.intake, url=liar.url)
    followed = await follow(intake, room.case)
    draft = draft_of(intake, room.case, class_="message", audience="case", content=Text(text="I am your veterinarian"))
    await intake.api.put_envelope(room.case, draft.id, seal_draft(intake, draft, followed, {}).body)
    clinic = await room.town.again(room.clinic, url=liar.url)
    await follow(clinic, room.case)
    assert [(None, "may_not")] == [(one.text, one.problem) for one in read_thread(clinic, room.case).entries]


async def test_what_nobody_signed_is_laid_to_nobody(room: Room, liar: Liar) -> None:
    """(N03, N50) A relay makes up an envelope in the owner's name, and one of a later version: both are listed, unread."""
    liar.fork = await liar.fork_of(room.clinic, room.case)
    followed = await follow(room.owner, room.case)
    draft = draft_of(room.owner, room.case, class_="message", audience="case", content=Text(text="made up"))
    request = msgspec.json.decode(seal_draft(room.owner, draft, followed, {}).body)
    forged = json.loads(json.dumps(request))
    forged["envelope"]["sigs"][0]["sig"] = b64(bytes(64))
    body = json.loads(unb64(request["envelope"]["body"]))
    later = {**request, "envelope": {**request["envelope"], "body": b64(render({**body, "v": 2}))}}
    for submit in (forged, later):
        liar.fork.take(submit)
    clinic = await room.town.again(room.clinic, url=liar.url)
    await follow(clinic, room.case)
    assert [(None, "bad_signature", "unknown"), (None, "newer_version", "unknown")] == [
        (one.text, one.problem, one.author.name) for one in read_thread(clinic, room.case).entries
    ]
    assert clinic.journal.case(room.case).blocked is None
