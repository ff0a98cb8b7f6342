"""Envelopes that a relay does not take, brought over HTTP. One row per attempt: who tries what, status and code."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest_asyncio

from tests.chains import named_hash, nonce, object_ref, seed
from tests.ends import End, Reply, SealedObject, object_header, seal_of, sealed_object, to_json, upload
from tests.standing_case import StandingCase, standing_case, with_objects
from vetrelay.protocol.case import Close
from vetrelay.protocol.envelope import Unit, View
from vetrelay.protocol.ids import b64, sha256, unb64
from vetrelay.protocol.seal import seal_bytes
from vetrelay.protocol.signature import Signed, sign

Attempt = Callable[[StandingCase], Awaitable[Reply]]
replace = msgspec.structs.replace


@pytest_asyncio.fixture
async def standing(tmp_path: Path) -> AsyncIterator[StandingCase]:
    """A case that has just begun."""
    async with standing_case(tmp_path) as made:
        yield made


async def outcomes(standing: StandingCase, attempts: dict[str, tuple[int, str, Attempt]]) -> dict[str, tuple[int, str]]:
    """What each attempt is answered; the log is as long after them as before."""
    before = await standing.n()
    answers = {}
    for name, (_, _, attempt) in attempts.items():
        reply = await attempt(standing)
        answers[name] = (reply.status, reply.code)
    assert before == await standing.n()
    return answers


def expected(attempts: dict[str, tuple[int, str, Attempt]]) -> dict[str, tuple[int, str]]:
    """What the rows say."""
    return {name: (status, code) for name, (status, code, _) in attempts.items()}


def relabelled(change: Callable[[Signed], Signed]) -> Attempt:
    """The owner's envelope, tampered with after it was signed."""

    async def attempt(s: StandingCase) -> Reply:
        draft = await s.owner.draft(s.case)
        return await s.owner.submit(draft, signed=change(s.owner.sign(draft.envelope, kind="envelope")))

    return attempt


def altered(**fields: Any) -> Attempt:
    """The owner's envelope, with other fields before it was signed."""

    async def attempt(s: StandingCase) -> Reply:
        return await s.owner.submit((await s.owner.draft(s.case)).changed(**fields))

    return attempt


def rewritten(signed: Signed, old: bytes, new: bytes) -> Signed:
    """Another body under the same signature."""
    assert old in signed.content()
    return replace(signed, body=b64(signed.content().replace(old, new)))


async def by_another_member(s: StandingCase) -> Reply:
    """The owner's words, signed by the clinic, brought with the owner's bearer."""
    draft = await s.owner.draft(s.case)
    return await s.owner.submit(draft, signed=s.clinic.sign(draft.envelope, kind="envelope"))


async def brought_by_another(s: StandingCase) -> Reply:
    """The owner's envelope as it is, brought with the clinic's bearer."""
    draft = await s.owner.draft(s.case)
    return await s.clinic.submit(draft, signed=s.owner.sign(draft.envelope, kind="envelope"))


async def into_another_case(s: StandingCase) -> Reply:
    """What was said in one case, put into another of the same people."""
    other = await s.clinic.open_case(label="another case")
    draft = await s.clinic.draft(s.case, "reply")
    request = draft.request(s.clinic.sign(draft.envelope, kind="envelope"))
    return await s.clinic.call("PUT", f"/v1/cases/{other}/envelopes/{draft.envelope.id}", request)


async def under_another_id(s: StandingCase) -> Reply:
    """A signed envelope under a path that names another."""
    draft = await s.owner.draft(s.case)
    request = draft.request(s.owner.sign(draft.envelope, kind="envelope"))
    return await s.owner.call("PUT", f"/v1/cases/{s.case}/envelopes/{nonce('another')}", request)


async def by_intake(s: StandingCase) -> Reply:
    """The file check says something of its own."""
    return await s.intake.submit(await s.intake.draft(s.case, "message"))


async def reply_by_owner(s: StandingCase) -> Reply:
    """An owner speaks as the clinic does."""
    return await s.owner.submit(await s.owner.draft(s.case, "reply"))


ATTEMPTS: dict[str, tuple[int, str, Attempt]] = {
    "N03 signatures stripped": (422, "bad_signature", relabelled(lambda one: replace(one, sigs=()))),
    "N03 signed by another member": (422, "bad_signature", by_another_member),
    "N03 brought by another member": (403, "not_a_device", brought_by_another),
    "N03 signed twice": (422, "bad_signature", relabelled(lambda one: replace(one, sigs=one.sigs * 2))),
    "N04 into another case": (422, "wrong_case", into_another_case),
    "N04 for another relay": (422, "wrong_relay", altered(relay=named_hash("another relay"))),
    "N04 another class under the signature": (
        422,
        "bad_signature",
        relabelled(lambda one: rewritten(one, b'"class":"message"', b'"class":"control"')),
    ),
    "N05 under another id": (400, "bad_body", under_another_id),
    "N09 another head": (409, "roster_moved", altered(view=View(n=3, head=named_hash("fork")))),
    "N09 a view of the future": (409, "roster_moved", altered(view=View(n=2**40, head=named_hash("future")))),
    "N15 the intake signs a message": (403, "may_not", by_intake),
    "N15 an owner signs a reply": (403, "may_not", reply_by_owner),
    "N18 relabelled as a case statement": (422, "wrong_type", relabelled(lambda one: replace(one, type="case"))),
    "N18 relabelled as a grant": (422, "wrong_type", relabelled(lambda one: replace(one, type="grant"))),
    "N50 version 2": (422, "newer_version", altered(v=2)),
}


async def test_nobody_takes_what_is_signed_or_addressed_wrongly(standing: StandingCase) -> None:
    """(N03, N04, N05, N09, N15, N18, N50) Refused with these codes, and the log has not grown."""
    assert expected(ATTEMPTS) == await outcomes(standing, ATTEMPTS)


async def test_a_signature_made_for_one_type_is_none_for_another(standing: StandingCase) -> None:
    """(N18) The same body, signed as a session and offered as an envelope."""
    draft = await standing.owner.draft(standing.case)
    signed = standing.owner.sign(draft.envelope, kind="session")
    reply = await standing.owner.submit(draft, signed=replace(signed, type="envelope"))
    assert (422, "bad_signature") == (reply.status, reply.code)


async def sealed_to(s: StandingCase, *parties: End, recipients: tuple[End, ...] | None = None) -> Reply:
    """The owner's envelope with a manifest whose header has a stanza for each of these parties."""
    known = await s.owner.know(s.case)
    draft = await s.owner.draft(s.case, known=known)
    keys = [unb64(seal_of(known.roster, Unit(party=one.id, group="all", gen=0))) for one in parties]
    sealed = seal_bytes(b"{}", keys, file_key=seed("key", 16), nonce=seed("nonce", 16))
    ref = replace(draft.objects[0].ref, h0=b64(sealed.h0), p=b64(sealed.p), size=len(sealed.payload))
    changed = with_objects(draft, [SealedObject(ref=ref, header=sealed.header, payload=sealed.payload)])
    if recipients is not None:
        named = sorted(one.id for one in recipients)
        changed = changed.changed(recipients=tuple(Unit(party=one, group="all", gen=0) for one in named))
    return await s.owner.submit(changed)


RECIPIENTS: dict[str, tuple[int, str, Attempt]] = {
    "N06 a stanza fewer": (422, "sealed_shape", lambda s: sealed_to(s, s.owner)),
    "N06 a stanza more": (422, "sealed_shape", lambda s: sealed_to(s, s.owner, s.clinic, s.intake)),
    "N07 a party left out": (422, "bad_recipients", lambda s: sealed_to(s, s.owner, recipients=(s.owner,))),
    "N06 the intake let in": (
        422,
        "bad_recipients",
        lambda s: sealed_to(s, s.owner, s.clinic, s.intake, recipients=(s.owner, s.clinic, s.intake)),
    ),
    "N11 nobody": (400, "bad_body", altered(recipients=())),
}


async def test_objects_are_sealed_to_exactly_the_recipients_that_the_log_computes(standing: StandingCase) -> None:
    """(N06, N07, N11) Neither a stanza nor a recipient more or fewer."""
    assert expected(RECIPIENTS) == await outcomes(standing, RECIPIENTS)


MAC_LINE = b"--- " + b"A" * 43 + b"\n"
BODY_LINE = b"A" * 43 + b"\n"


def header_of(stanza: bytes, *, times: int = 2) -> bytes:
    """A header with this stanza so many times."""
    return b"age-encryption.org/v1\n" + stanza * times + MAC_LINE


def non_canonical(header: bytes) -> bytes:
    """The MAC's last character stands for the same bytes, and is another one."""
    last = header[-2:-1].decode()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return header[:-2] + alphabet[alphabet.index(last) ^ 1].encode() + b"\n"


def armored(header: bytes) -> bytes:
    """As a text file would carry it."""
    lines = base64.encodebytes(header)
    return b"-----BEGIN AGE ENCRYPTED FILE-----\n" + lines + b"-----END AGE ENCRYPTED FILE-----\n"


HEADERS: dict[str, tuple[int, str, bytes | Callable[[bytes], bytes]]] = {
    "N11 empty": (422, "age_header", b""),
    "N11 no stanza": (422, "age_header", header_of(b"", times=0)),
    "N11 passphrase": (422, "sealed_shape", header_of(b"-> scrypt AAAAAAAAAAAAAAAAAAAAAA 18\n" + BODY_LINE)),
    "N11 unknown stanza": (422, "sealed_shape", header_of(b"-> grease x y\n" + BODY_LINE)),
    "N20 an older suite": (422, "sealed_shape", header_of(b"-> X25519 " + b"A" * 43 + b"\n" + BODY_LINE)),
    "N11 one suite beside another": (
        422,
        "sealed_shape",
        lambda good: good[: good.rindex(b"-> ")] + b"-> X25519 " + b"A" * 43 + b"\n" + BODY_LINE + MAC_LINE,
    ),
    "N11 armored": (422, "age_header", armored),
    "N11 10,000 stanzas": (422, "age_header", header_of(b"-> x\n\n", times=10_000)),
    "N11 64 + 1 stanzas": (
        422,
        "age_header",
        lambda good: header_of(good[good.index(b"-> ") : good.rindex(b"-> ")], times=65),
    ),
    "N11 a megabyte in one line": (422, "age_header", header_of(b"-> " + b"x" * 2**20 + b"\n\n", times=1)),
    "N11 CRLF": (422, "age_header", lambda good: good.replace(b"\n", b"\r\n")),
    "N11 non-canonical base64": (422, "age_header", non_canonical),
    "N11 padded base64": (422, "age_header", lambda good: good[:-1] + b"=\n"),
    "N11 something after the MAC": (422, "sealed_shape", lambda good: good + b"\n"),
    "N11 too large for any submit": (413, "too_large", header_of(b"-> x\n\n", times=2**19)),
}


def with_header(change: bytes | Callable[[bytes], bytes]) -> Attempt:
    """The owner's envelope, whose manifest has this header and is named after it."""

    async def attempt(s: StandingCase) -> Reply:
        draft = await s.owner.draft(s.case)
        manifest = draft.objects[0]
        header = change if isinstance(change, bytes) else change(manifest.header)
        ref = replace(manifest.ref, h0=b64(sha256(header)))
        changed = SealedObject(ref=ref, header=header, payload=manifest.payload)
        return await s.owner.submit(with_objects(draft, [changed]))

    return attempt


async def test_headers_are_strict_hybrid_age_headers(standing: StandingCase) -> None:
    """(N11, N20) Whatever else stands in a header is refused, before anything is kept of it."""
    attempts = {name: (status, code, with_header(change)) for name, (status, code, change) in HEADERS.items()}
    assert expected(attempts) == await outcomes(standing, attempts)


async def test_a_repeat_gets_the_same_receipt(standing: StandingCase) -> None:
    """(N05) Byte for byte, with 200 instead of 201; also when the log has gone on since."""
    draft = await standing.owner.draft(standing.case)
    first = await standing.owner.submit(draft)
    await standing.clinic.send(standing.case, "reply", label="in between")
    again = await standing.owner.submit(draft)
    assert [201, 200] == [first.status, again.status]
    assert first.raw == again.raw


async def test_a_repeat_after_a_rotation_still_gets_its_receipt(standing: StandingCase) -> None:
    """(N05, N09) Whoever lost the answer gets it, though the envelope would be refused if it were new."""
    draft = await standing.owner.draft(standing.case)
    first = await standing.owner.submit(draft)
    await standing.rotate(standing.clinic)
    again = await standing.owner.submit(draft)
    assert (200, first.raw) == (again.status, again.raw)


async def test_fifty_repeats_at_once_are_one_entry(standing: StandingCase) -> None:
    """(N05) One of them is new, all get the same receipt, and the log has grown by one."""
    before = await standing.n()
    draft = await standing.owner.draft(standing.case)
    replies = await asyncio.gather(*(standing.owner.submit(draft) for _ in range(50)))
    assert [200] * 49 + [201] == sorted(reply.status for reply in replies)
    assert 1 == len({reply.raw for reply in replies})
    assert before + 1 == await standing.n()


async def test_an_id_is_used_once(standing: StandingCase) -> None:
    """(N05) The same id with other bytes is a conflict; the first stays what it was."""
    draft = await standing.owner.draft(standing.case)
    assert (await standing.owner.submit(draft)).status == 201
    n = await standing.n()
    other = await standing.owner.submit(draft.changed(sent_at=1))
    assert (409, "id_used") == (other.status, other.code)
    assert n == await standing.n()


async def test_an_envelope_sealed_before_a_narrowing_comes_too_late(standing: StandingCase) -> None:
    """(N09) The answer says how far the log is, and the same words sealed again are taken."""
    known = await standing.owner.know(standing.case)
    draft = await standing.owner.draft(standing.case, known=known)
    assert (await standing.rotate(standing.clinic)).status == 201
    late = await standing.owner.submit(draft)
    assert (409, "roster_moved", await standing.n()) == (late.status, late.code, late.body["after"])
    assert (await standing.owner.submit(await standing.owner.draft(standing.case))).status == 201


async def test_an_addition_makes_nothing_late(standing: StandingCase) -> None:
    """(N09) A new device of the clinic, an invitation: what was sealed before them is taken."""
    draft = await standing.owner.draft(standing.case)
    assert (await standing.clinic.extend(standing.clinic.device_added("tablet"))).status == 201
    await standing.clinic.invite(standing.case, "owner", label="second")
    assert (await standing.owner.submit(draft)).status == 201


async def test_a_revoked_device_says_nothing_more(standing: StandingCase) -> None:
    """(N10) Its bearer is refused, and what it signed under an old view does not come in by another device either."""
    clinic = standing.clinic
    assert (await clinic.extend(clinic.device_added("tablet"))).status == 201
    assert (await clinic.sign_in("tablet")).status == 200
    draft = await clinic.draft(standing.case, "reply", device="tablet")
    draft = draft.changed(sent_at=1)
    assert (await standing.rotate(clinic, "tablet")).status == 201
    signed = clinic.sign(draft.envelope, "tablet", kind="envelope")
    itself = await clinic.submit(draft, device="tablet", signed=signed)
    brought = await clinic.submit(draft, signed=signed)
    assert [(401, "no_session"), (403, "not_a_device")] == [(one.status, one.code) for one in (itself, brought)]


async def test_a_removed_party_neither_writes_nor_reads(standing: StandingCase) -> None:
    """(N35) From the removal on the case is one of other people; it gets the answer of a case that is not there."""
    s = standing
    provider = await s.provider()
    draft = await provider.draft(s.case, label="in time")
    assert (await provider.submit(draft)).status == 201
    late = await provider.draft(s.case, label="late")
    own = f"/v1/objects/{draft.objects[0].ref.h0}"
    before = await provider.call("GET", own)
    assert (await s.owner.remove(s.case, provider, "provider")).status == 201
    paths = [f"/v1/cases/{s.case}/log", f"/v1/cases/{s.case}/inbox", f"/v1/cases/{named_hash('no case')}/log", own]
    replies = [await provider.submit(late), *[await provider.call("GET", path) for path in paths]]
    assert 200 == before.status
    assert [(403, "not_a_member")] * 5 == [(reply.status, reply.code) for reply in replies]


async def test_a_closed_case_takes_no_message(standing: StandingCase) -> None:
    """Whatever is said after closing is refused; reading goes on."""
    s = standing
    assert (await s.clinic.say(s.case, Close(v=1, case=s.case, nonce=nonce("close")))).status == 201
    reply = await s.owner.submit(await s.owner.draft(s.case))
    assert (409, "case_closed") == (reply.status, reply.code)


async def test_an_object_belongs_to_one_envelope(standing: StandingCase) -> None:
    """(N41) The same header named in a second envelope, by another party or its own, is taken already."""
    s = standing
    first = await s.owner.draft(s.case)
    assert (await s.owner.submit(first)).status == 201
    for end, class_ in ((s.clinic, "reply"), (s.owner, "message")):
        made = await end.draft(s.case, class_, label="second")  # type: ignore[arg-type]  # classes of the protocol
        reply = await end.submit(with_objects(made, first.objects))
        assert (409, "object_taken") == (reply.status, reply.code)


async def test_a_slip_is_not_lifted(standing: StandingCase) -> None:
    """(N41) A slip of another envelope, named beside files of one's own, is taken already."""
    s = standing
    draft, _ = await s.with_photo()
    [slip] = [one for one in draft.objects if one.ref.role == "slip"]
    ref = await upload(s.world, s.case, "own file")
    made = await s.clinic.draft(s.case, "reply", label="lifted", files=[ref])
    lifted = [slip if one.ref.role == "slip" else one for one in made.objects]
    reply = await s.clinic.submit(with_objects(made, lifted))
    assert (409, "object_taken") == (reply.status, reply.code)


async def test_a_verdict_on_an_internal_file_stays_with_the_clinic(standing: StandingCase) -> None:
    """(N41) Its audience is that of what it answers; told to the whole case it is refused."""
    s = standing
    ref = await upload(s.world, s.case, "internal file")
    draft = await s.clinic.draft(s.case, "internal", "own", label="note", files=[ref])
    signed = s.clinic.sign(draft.envelope, kind="envelope")
    assert (await s.clinic.submit(draft, signed=signed)).status == 201
    honest = await s.verdict(signed)
    loud = await s.intake.draft(s.case, "verdict", "case", label="loud", own=s.clinic.id)
    loud = loud.changed(derived_from=honest.envelope.derived_from, verdict=honest.envelope.verdict)
    refused, taken = await s.intake.submit(loud), await s.intake.submit(honest)
    assert [(422, "wrong_verdict"), (201, "success")] == [(one.status, one.code) for one in (refused, taken)]


async def test_the_intakes_copy_is_no_original(standing: StandingCase) -> None:
    """(N15) A verdict that brings an attachment is refused."""
    s = standing
    _, signed = await s.with_photo()
    honest = await s.verdict(signed)
    known = await s.intake.know(s.case)
    extra = object_header(
        await upload(s.world, s.case, "copy"), known.roster, honest.envelope.recipients, label="claimed original"
    )
    reply = await s.intake.submit(with_objects(honest, [*honest.objects, extra]))
    assert (422, "bad_objects") == (reply.status, reply.code)


async def test_the_first_verdict_stands_until_a_later_one_names_it(standing: StandingCase) -> None:
    """(N48) Without `supersedes`, or with another entry there, a second one is a conflict."""
    s = standing
    _, signed = await s.with_photo()
    first = await s.verdict(signed)
    first_signed = s.intake.sign(first.envelope, kind="envelope")
    assert (await s.intake.submit(first, signed=first_signed)).status == 201
    for supersedes, status, code in (
        (None, 409, "verdict_stands"),
        (named_hash("another entry"), 409, "verdict_stands"),
        (first_signed.entry_id(), 201, "success"),
    ):
        later = await s.verdict(signed, label=f"later {supersedes}", code="refused", supersedes=supersedes)
        reply = await s.intake.submit(later)
        assert (status, code) == (reply.status, reply.code)


async def test_one_file_may_have_several_copies(standing: StandingCase) -> None:
    """The pages of a scan: the relay asks for their payloads, and takes them."""
    s = standing
    _, signed = await s.with_photo()
    honest = await s.verdict(signed, code="clean")
    known = await s.intake.know(s.case)
    copies = [
        sealed_object("normalized", name.encode(), known.roster, honest.envelope.recipients, label=name)
        for name in ("one", "other")
    ]
    reply = await s.intake.submit(with_objects(honest, [*honest.objects, *copies]))
    assert (424, "payloads_missing") == (reply.status, reply.code)


async def test_an_envelope_waits_for_its_payloads(standing: StandingCase) -> None:
    """424 names those that are not here; an upload to another case, or of another size, does not count."""
    s = standing
    other = await s.clinic.open_case(label="other")
    elsewhere = await upload(s.world, other, "elsewhere")
    absent = object_ref("attachment", "never uploaded")
    draft = await s.owner.draft(s.case, label="early", files=[elsewhere, absent])
    reply = await s.owner.submit(draft)
    assert (424, "payloads_missing") == (reply.status, reply.code)
    assert sorted([elsewhere.p, absent.p]) == reply.body["missing"]
    here = await upload(s.world, s.case, "here")
    shorter = await s.owner.draft(s.case, label="shorter", files=[replace(here, size=here.size - 1)])
    assert (422, "bad_objects") == ((wrong := await s.owner.submit(shorter)).status, wrong.code)


async def test_a_manifest_that_does_not_come_along_is_missing(standing: StandingCase) -> None:
    """Inline payloads are asked for like the others; the wrong bytes for a name are refused."""
    s = standing
    draft = await s.owner.draft(s.case)
    named = draft.objects[0].ref
    table: list[tuple[dict[str, Any], int, str]] = [
        ({"payloads": {}}, 424, "payloads_missing"),
        ({"payloads": {named.p: b64(draft.objects[0].payload[:-1] + b"x")}}, 422, "bad_objects"),
        ({"payloads": {named.p: b64(draft.objects[0].payload), named_hash("more"): b64(b"more")}}, 422, "bad_objects"),
        ({"headers": {}}, 422, "bad_objects"),
        ({"headers": {named.h0: b64(draft.objects[0].header + b"x")}}, 422, "bad_objects"),
        ({"headers": {named.h0: base64.b64encode(draft.objects[0].header).decode()}}, 400, "bad_base64"),
        ({"headers": {named.h0: 1}}, 400, "bad_body"),
        ({"more": 1}, 400, "bad_body"),
        ({"envelope": to_json(draft.envelope)}, 400, "bad_body"),
    ]
    for change, status, code in table:
        reply = await s.owner.submit(draft, **change)
        assert (status, code) == (reply.status, reply.code), change
    assert (await s.owner.submit(draft)).status == 201


async def test_clocks_decide_nothing(standing: StandingCase) -> None:
    """(N38) A sender whose clock is days off is taken; what counts is the place in the log."""
    day_ms = 24 * 60 * 60 * 1000
    for days in (-2, 2):
        sent_at = standing.world.clock.now_ms + days * day_ms
        draft = (await standing.owner.draft(standing.case, label=f"{days} days")).changed(sent_at=sent_at)
        assert (await standing.owner.submit(draft)).status == 201


async def test_nobody_signs_with_a_key_of_no_party(standing: StandingCase) -> None:
    """(N03) A device that is in no chain is no device, whatever it signs."""
    s = standing
    stranger = End(s.world, "stranger")
    draft = (await s.owner.draft(s.case)).changed(device=stranger.device().id)
    signed = sign("envelope", draft.envelope, [stranger.device().signer])
    reply = await s.owner.submit(draft, signed=signed)
    assert (403, "not_a_device") == (reply.status, reply.code)
