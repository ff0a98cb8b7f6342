"""The sealed parts: manifest, slip and card, what they say and how they are padded (docs/protocol.md, chapter 11).

A manifest tells which envelope it belongs to; a reader shows nothing of one that lies about it.
Content kinds of the clinical domain come with their own package; the kinds here are what the wire itself needs.
"""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from vetrelay.errors import Refusal
from vetrelay.protocol.bymail import KINDS_BY_MAIL, ByMail
from vetrelay.protocol.envelope import MAX_ATTACHMENTS, Envelope
from vetrelay.protocol.finding import (
    MAX_TEXT,
    CheckedFiles,
    Findings,
    MediaType,
    Name,
    Patient,
    check_checked,
    check_findings,
)
from vetrelay.protocol.ids import PATTERN_16, Bytes, CaseId, DeviceId, EnvelopeId, Hash, PersonId
from vetrelay.protocol.statement import VERSION, Body, convert, parse_sealed, render

SPACE: Final = b"\x20"
ShortName = Annotated[str, Meta(min_length=1, max_length=100)]
FileKey = Annotated[str, Meta(pattern=PATTERN_16, max_length=22)]


class Binding(Body, frozen=True):
    """The envelope that a sealed part belongs to."""

    v: int
    case: CaseId
    id: EnvelopeId
    device: DeviceId


class FileEntry(Body, frozen=True):
    """An attachment as its sender meant it: its payload, its plaintext's hash and size, its name."""

    p: Hash
    plain_sha256: Hash
    size: Bytes
    media: MediaType
    name: Name


class Text(Body, frozen=True, tag_field="kind", tag="text"):
    """Something said, in words."""

    text: Annotated[str, Meta(max_length=MAX_TEXT)]


class PersonName(Body, frozen=True):
    """What a person of the sender's own party is called."""

    person: PersonId
    name: ShortName


class Names(Body, frozen=True, tag_field="kind", tag="names"):
    """The case card: title, patient, the sender's party's name, its people's names. A name never decides anything."""

    title: Annotated[str, Meta(max_length=200)] | None
    patient: Patient | None
    party: ShortName
    people: Annotated[tuple[PersonName, ...], Meta(max_length=64)]


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """Content of a kind that came after this software: shown as such, never as an attack."""

    kind: str


Content = Text | Names | Findings | CheckedFiles | ByMail
_KNOWN_KINDS: Final = frozenset({"text", "names", "verdict", "checked"}) | KINDS_BY_MAIL


class Manifest(Body, frozen=True):
    """What is said, and the list of attachments."""

    binding: Binding
    content: Content
    files: Annotated[tuple[FileEntry, ...], Meta(max_length=MAX_ATTACHMENTS)]


class SlipFile(Body, frozen=True):
    """What the intake needs to inspect one attachment: its file key and what it should turn out to be."""

    h0: Hash
    p: Hash
    key: FileKey
    plain_sha256: Hash
    name: Name
    declared: MediaType
    keep_original: bool


class Hints(Body, frozen=True):
    """What helps the inspection: the sender's wishes for its files, and whom the case is about."""

    purpose: Annotated[str, Meta(max_length=20)] | None
    full_size: bool
    keep_motion: bool
    patient: Patient | None


NO_HINTS: Final = Hints(purpose=None, full_size=False, keep_motion=False, patient=None)


class Slip(Body, frozen=True):
    """The sealed note to the intake alone."""

    binding: Binding
    files: Annotated[tuple[SlipFile, ...], Meta(min_length=1, max_length=MAX_ATTACHMENTS)]
    hints: Hints


class Card(Body, frozen=True):
    """What an invitation shows to whoever holds its secret."""

    v: int
    case: CaseId
    title: Annotated[str, Meta(max_length=200)]
    party: ShortName
    person: ShortName


class OpenedManifest(msgspec.Struct, frozen=True, kw_only=True):
    """A manifest after its checks; `content` is `Unknown` when newer software wrote it."""

    binding: Binding
    content: Content | Unknown
    files: tuple[FileEntry, ...]


def padded_size(plain_bytes: int) -> int:
    """Padmé: the size that hides all but the magnitude of a length (at most 12 % more; Nikitin et al., PURBs, 2019)."""
    if plain_bytes < 2:
        return plain_bytes
    exponent = plain_bytes.bit_length() - 1
    kept_bits = exponent.bit_length()
    mask = (1 << (exponent - kept_bits)) - 1 if exponent > kept_bits else 0
    return (plain_bytes + mask) & ~mask


def pad(part: Body) -> bytes:
    """A sealed part's bytes: its JSON, then spaces up to Padmé(length + 1)."""
    raw = render(part)
    return raw.ljust(padded_size(len(raw) + 1), SPACE)


def _parse_bound(plaintext: bytes) -> dict[str, Any]:
    """A manifest or slip as builtins; its version stands in its binding, and is looked at before all else (N50)."""
    value = parse_sealed(plaintext.rstrip(SPACE))
    binding = value.get("binding")
    if isinstance(binding, dict):
        convert(binding, Binding)
    return value


def _check_binding(binding: Binding, envelope: Envelope) -> None:
    """(N14) What is inside names the very envelope that carries it."""
    if (binding.v, binding.case, binding.id, binding.device) != (VERSION, envelope.case, envelope.id, envelope.device):
        raise Refusal("binding_differs")


def bind(envelope_id: EnvelopeId, *, case: CaseId, device: DeviceId) -> Binding:
    """The binding of the parts of one envelope."""
    return Binding(v=VERSION, case=case, id=envelope_id, device=device)


def open_manifest(plaintext: bytes, envelope: Envelope) -> OpenedManifest:
    """A manifest that belongs to `envelope` and lists exactly its attachments.

    Raises Refusal `binding_differs`, `verdict_differs` (N48), `bad_json`, `bad_body`, `newer_version`.
    """
    value = _parse_bound(plaintext)
    content = value.get("content")
    kind = content.get("kind") if isinstance(content, dict) else None
    if isinstance(kind, str) and kind not in _KNOWN_KINDS:
        rest = convert({**value, "content": {"kind": "text", "text": ""}}, Manifest)
        opened = OpenedManifest(binding=rest.binding, content=Unknown(kind=kind), files=rest.files)
    else:
        manifest = convert(value, Manifest)
        opened = OpenedManifest(binding=manifest.binding, content=manifest.content, files=manifest.files)
    _check_binding(opened.binding, envelope)
    if sorted(entry.p for entry in opened.files) != sorted(named.p for named in envelope.of_role("attachment")):
        raise Refusal("binding_differs")
    _check_said(opened.content, envelope)
    return opened


def _check_said(content: Content | Unknown, envelope: Envelope) -> None:
    """A verdict says its findings; files that no intake is asked to look at come with their sender's own word."""
    match content:
        case Unknown():
            return
        case Findings():
            check_findings(content, envelope)
        case CheckedFiles():
            check_checked(content, envelope)
        case _ if envelope.class_ == "verdict" or (envelope.has_files and not envelope.of_role("slip")):
            raise Refusal("verdict_differs")


def open_slip(plaintext: bytes, envelope: Envelope) -> Slip:
    """A slip that belongs to `envelope` and names only attachments of it (N41).

    Raises Refusal `binding_differs`, `bad_json`, `bad_body`, `newer_version`.
    """
    slip = convert(_parse_bound(plaintext), Slip)
    _check_binding(slip.binding, envelope)
    own = {(named.h0, named.p) for named in envelope.of_role("attachment")}
    if {(entry.h0, entry.p) for entry in slip.files} != own or len(slip.files) != len(own):
        raise Refusal("binding_differs")
    return slip


def open_card(plaintext: bytes) -> Card:
    """An invitation's card. Raises Refusal `bad_json`, `bad_body`, `newer_version`."""
    return convert(parse_sealed(plaintext.rstrip(SPACE)), Card)
