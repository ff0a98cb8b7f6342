"""The files of a message as a person sees them: what was said of each, by whom, and what can be saved."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from vetrelay.inspection.naming import safe_name
from vetrelay.protocol.envelope import Envelope, ObjectRef
from vetrelay.protocol.finding import CheckedFile, CheckedFiles, Derived, Finding, Findings, Member, Patient, Seen
from vetrelay.protocol.ids import Hash
from vetrelay.protocol.manifest import FileEntry, OpenedManifest


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectView:
    """Something that can be saved: a copy that was made, or the original.

    `vouched`: only its sender says what it is, so that it is looked at again before it is saved.
    """

    role: str
    name: str
    media_type: str
    size_bytes: int
    sha256: Hash
    ref: ObjectRef
    unsafe: bool
    vouched: bool = False
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What is said of what stands in a file: its pages or parts, its length in time, whom it is about, what it packs."""

    items: int | None = None
    duration_ms: int | None = None
    patient: Patient | None = None
    members: tuple[Member, ...] = ()


NOTHING_SAID = Content()


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentView:
    """A file of a message, and what was said of it (`pending` until something was).

    `checked_by` is `intake`, or `sender` where the ends inspect, or None while it is pending. `sha256` is the
    original's; of an original that was not sent, the first copy's.
    """

    name: str
    media_type: str
    size_bytes: int
    sha256: Hash
    verdict: str
    checked_by: str | None
    reason: str | None
    notes: tuple[str, ...]
    objects: tuple[ObjectView, ...]
    content: Content = NOTHING_SAID


def attachments_of(
    envelope: Envelope, opened: OpenedManifest, verdict: tuple[Findings, Envelope] | None
) -> tuple[AttachmentView, ...]:
    """The files of an envelope: by the verdict that stands, or by their sender's own word."""
    originals = {entry.p: _original(entry, ref) for entry, ref in _entries(envelope, opened)}
    if isinstance(opened.content, CheckedFiles):
        refs = {ref.h0: ref for ref in envelope.objects}
        return tuple(_vouched(file, originals, refs) for file in opened.content.files)
    found = {finding.p: finding for finding in verdict[0].findings} if verdict else {}
    refs = {ref.h0: ref for ref in verdict[1].objects} if verdict else {}
    return tuple(_checked(originals[entry.p], found.get(entry.p), refs) for entry in opened.files)


def _entries(envelope: Envelope, opened: OpenedManifest) -> Iterable[tuple[FileEntry, ObjectRef]]:
    refs = {ref.p: ref for ref in envelope.of_role("attachment")}
    return ((entry, refs[entry.p]) for entry in opened.files)


def _original(entry: FileEntry, ref: ObjectRef) -> ObjectView:
    return ObjectView(
        role="original",
        name=safe_name(entry.name, ""),
        media_type=entry.media,
        size_bytes=entry.size,
        sha256=entry.plain_sha256,
        ref=ref,
        unsafe=True,
    )


def _copy(part: Derived, refs: Mapping[Hash, ObjectRef], *, vouched: bool) -> ObjectView:
    return ObjectView(
        role=part.use,
        name=safe_name(part.name, ""),
        media_type=part.media,
        size_bytes=part.size,
        sha256=part.plain_sha256,
        ref=refs[part.h0],
        unsafe=False,
        vouched=vouched,
        width=part.width,
        height=part.height,
    )


def _checked(original: ObjectView, finding: Finding | None, refs: Mapping[Hash, ObjectRef]) -> AttachmentView:
    copies = tuple(_copy(part, refs, vouched=False) for part in (finding.derived if finding else ()))
    return AttachmentView(
        name=original.name,
        media_type=finding.media if finding else original.media_type,
        size_bytes=original.size_bytes,
        sha256=original.sha256,
        verdict=finding.code if finding else "pending",
        checked_by="intake" if finding else None,
        reason=finding.reason if finding else None,
        notes=finding.notes if finding else (),
        objects=(*copies, original),
        content=_content(finding) if finding else NOTHING_SAID,
    )


def _vouched(file: CheckedFile, originals: Mapping[Hash, ObjectView], refs: Mapping[Hash, ObjectRef]) -> AttachmentView:
    original = originals[file.original] if file.original is not None else None
    copies = tuple(_copy(part, refs, vouched=True) for part in file.derived)
    objects = copies if original is None else (*copies, original)
    return AttachmentView(
        name=safe_name(file.name, ""),
        media_type=file.media,
        size_bytes=file.size,
        sha256=objects[-1 if original is not None else 0].sha256,
        verdict=file.code,
        checked_by="sender",
        reason=file.reason,
        notes=file.notes,
        objects=objects,
        content=_content(file),
    )


def _content(seen: Seen) -> Content:
    return Content(items=seen.items, duration_ms=seen.duration_ms, patient=seen.patient, members=seen.members)
