"""Drafts: what an envelope will say, before it is sealed for a roster; and the sealing, which can be done again.

A draft survives in the journal as a sealed note. When the roster moves, the same draft is sealed to the new readers:
headers are made anew, uploaded payloads stay as they are (protocol.md section 6).
"""

import mimetypes
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from msgspec import structs

from vetrelay.client.end import End
from vetrelay.client.folder import folder_name
from vetrelay.client.follow import Followed
from vetrelay.client.transfer import SealedFile
from vetrelay.protocol.envelope import (
    Audience,
    Envelope,
    EnvelopeClass,
    ObjectRef,
    ObjectRole,
    Ruling,
    Unit,
    View,
    recipients_of,
    slip_units,
)
from vetrelay.protocol.finding import CheckedFiles, Findings, Seen
from vetrelay.protocol.ids import CaseId, EntryId, EnvelopeId, Hash, PartyId, b64, sha256, unb64
from vetrelay.protocol.manifest import Content, FileEntry, Hints, Manifest, Slip, SlipFile, bind, pad
from vetrelay.protocol.roster import Roster
from vetrelay.protocol.seal import Sealed, seal_bytes, seal_header
from vetrelay.protocol.signature import sign
from vetrelay.protocol.statement import VERSION, Body, render

S = TypeVar("S", bound=Seen)
MAX_FILE_NAME: Final = 255
MAX_MEDIA_TYPE: Final = 100


class DraftObject(msgspec.Struct, frozen=True, kw_only=True):
    """A payload that is sealed already: its role, hash, size, and the file key that its headers will carry."""

    role: ObjectRole
    p: Hash
    size: int
    key: str
    plain_sha256: Hash
    plain_size: int
    media: str
    name: str
    keep_original: bool


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """Everything an envelope will say. `own` is whose own audience is meant, for verdicts.

    In what a draft says of files, a derived object's `h0` still holds its payload's hash: its header is made when it is sealed.
    """

    case: CaseId
    id: EnvelopeId
    class_: EnvelopeClass
    audience: Audience
    content: Content
    objects: tuple[DraftObject, ...]
    hints: Hints
    reply_to: EntryId | None
    derived_from: EntryId | None
    supersedes: EntryId | None
    verdict: tuple[Ruling, ...] | None
    own: PartyId
    sent_at: int


class SealedDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A submit request, ready to be sent and sent again."""

    body: bytes
    entry: EntryId


def _recipient_keys(roster: Roster, units: tuple[Unit, ...]) -> list[bytes]:
    return [unb64(roster.parties[unit.party].generations[unit.gen].seal, 1216) for unit in units]


def _seal_part(end: End, part: Body, recipients: list[bytes]) -> Sealed:
    return seal_bytes(pad(part), recipients, file_key=end.random_bytes(16), nonce=end.random_bytes(16))


def sendable_name(path: Path) -> str:
    """A file's name, or that of a folder's pack; bytes in it that are no characters become question marks."""
    return (folder_name(path) if path.is_dir() else path.name).encode("utf-8", "replace").decode()[:MAX_FILE_NAME]


def media_type_of(name: str) -> str:
    """The media type that a file's name speaks of."""
    return (mimetypes.guess_type(name)[0] or "application/octet-stream")[:MAX_MEDIA_TYPE]


def as_object(sealed: SealedFile, *, media: str, name: str, keep_original: bool) -> DraftObject:
    """A sealed file as an attachment of a draft."""
    return DraftObject(
        role="attachment",
        p=sealed.p,
        size=sealed.size_bytes,
        key=b64(sealed.key),
        plain_sha256=sealed.plain_sha256,
        plain_size=sealed.plain_bytes,
        media=media,
        name=name,
        keep_original=keep_original,
    )


def _with_headers(content: Content, refs: dict[Hash, ObjectRef]) -> Content:
    def named(seen: S) -> S:
        derived = tuple(structs.replace(part, h0=refs[part.h0].h0) for part in seen.derived)
        return structs.replace(seen, derived=derived)

    match content:
        case Findings():
            return structs.replace(content, findings=tuple(named(finding) for finding in content.findings))
        case CheckedFiles():
            return structs.replace(content, files=tuple(named(file) for file in content.files))
        case _:
            return content


def _manifest(draft: Draft, refs: dict[Hash, ObjectRef], end: End) -> Manifest:
    attached = [made for made in draft.objects if made.role == "attachment"]
    return Manifest(
        binding=bind(draft.id, case=draft.case, device=end.device.id),
        content=_with_headers(draft.content, refs),
        files=tuple(
            FileEntry(p=made.p, plain_sha256=made.plain_sha256, size=made.plain_size, media=made.media, name=made.name)
            for made in attached
        ),
    )


def _slip(draft: Draft, refs: dict[Hash, ObjectRef], end: End) -> Slip:
    return Slip(
        binding=bind(draft.id, case=draft.case, device=end.device.id),
        files=tuple(
            SlipFile(
                h0=refs[made.p].h0,
                p=made.p,
                key=made.key,
                plain_sha256=made.plain_sha256,
                name=made.name,
                declared=made.media,
                keep_original=made.keep_original,
            )
            for made in draft.objects
        ),
        hints=draft.hints,
    )


def seal_headers(end: End, draft: Draft, roster: Roster) -> dict[Hash, bytes]:
    """New age headers for the draft's payloads, by payload, for the readers at this roster."""
    units = recipients_of(roster, draft.audience, sender=end.keyring.party, own=draft.own)
    recipients = _recipient_keys(roster, units)
    return {made.p: seal_header(recipients, unb64(made.key, 16)) for made in draft.objects}


def seal_draft(end: End, draft: Draft, followed: Followed, headers: dict[Hash, bytes]) -> SealedDraft:
    """The submit request for a draft at the newest roster; `headers` as `seal_headers` made them for it.

    Raises Refusal `no_intake` when files need checking and nobody can.
    """
    roster = followed.roster
    units = recipients_of(roster, draft.audience, sender=end.keyring.party, own=draft.own)
    recipients = _recipient_keys(roster, units)
    refs = {
        made.p: ObjectRef(role=made.role, h0=b64(sha256(headers[made.p])), p=made.p, size=made.size)
        for made in draft.objects
    }
    parts: dict[ObjectRole, Sealed] = {"manifest": _seal_part(end, _manifest(draft, refs, end), recipients)}
    if draft.class_ != "verdict" and refs and roster.policy is not None and roster.policy.inspection == "intake":
        intakes = _recipient_keys(roster, slip_units(roster))
        parts["slip"] = _seal_part(end, _slip(draft, refs, end), intakes)
    envelope = Envelope(
        v=VERSION,
        relay=roster.relay,
        case=draft.case,
        id=draft.id,
        class_=draft.class_,
        audience=draft.audience,
        device=end.device.id,
        view=View(n=followed.tail.n, head=followed.tail.head),
        recipients=units,
        objects=(
            *(
                ObjectRef(role=role, h0=b64(part.h0), p=b64(part.p), size=len(part.payload))
                for role, part in parts.items()
            ),
            *refs.values(),
        ),
        reply_to=draft.reply_to,
        derived_from=draft.derived_from,
        supersedes=draft.supersedes,
        verdict=draft.verdict,
        urgency=None,
        sent_at=draft.sent_at,
    )
    signed = sign("envelope", envelope, [end.device.signer])
    request: dict[str, Any] = {
        "envelope": signed,
        "headers": {refs[p].h0: b64(header) for p, header in headers.items()}
        | {b64(part.h0): b64(part.header) for part in parts.values()},
        "payloads": {b64(part.p): b64(part.payload) for part in parts.values()},
    }
    return SealedDraft(body=render(request), entry=signed.entry_id())
