"""What is said of a file that was inspected, by an intake or by its sender's own program (docs/protocol.md, chapter 11).

An intake answers with a verdict: one `Finding` on each file that stands there sealed. Where the ends inspect, the
sender's program sends what it made and says so itself: one `CheckedFile` for each file, in the message that carries it.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Final, Literal

from msgspec import Meta

from vetrelay.errors import Refusal
from vetrelay.protocol.envelope import MAX_ATTACHMENTS, Envelope, ObjectRole, VerdictCode
from vetrelay.protocol.ids import Bytes, EntryId, Hash
from vetrelay.protocol.statement import Body

MAX_DERIVED: Final = 64
MAX_MEMBERS: Final = 500
MAX_TEXT: Final = 200_000
Name = Annotated[str, Meta(max_length=255)]
MediaType = Annotated[str, Meta(max_length=100)]
Notes = Annotated[tuple[Annotated[str, Meta(max_length=100)], ...], Meta(max_length=32)]
ReasonKey = Annotated[str, Meta(max_length=64)]
Amount = Annotated[int, Meta(ge=0)]
Use = Literal["record", "viewing", "preview", "strip", "text"]
SentCode = Literal["clean", "converted", "kept-sealed"]
USES: Final[Mapping[Use, ObjectRole]] = {
    "record": "normalized",
    "viewing": "normalized",
    "text": "normalized",
    "preview": "preview",
    "strip": "preview",
}
"""What a copy is for, and the role that its object has in the clear."""


class Patient(Body, frozen=True):
    """Whom a case is about, or whom a record says it is about; empty where nothing is said."""

    name: Annotated[str, Meta(max_length=100)]
    owner: Annotated[str, Meta(max_length=100)]
    species: Annotated[str, Meta(max_length=100)]
    id: Annotated[str, Meta(max_length=100)]


class Derived(Body, frozen=True):
    """A copy that was made: what for, which object of the envelope, and its plaintext.

    Copies of one use stand in order: pages, key frames. `member` is the number of the pack's member it was made of.
    """

    use: Use
    h0: Hash
    plain_sha256: Hash
    size: Bytes
    media: MediaType
    name: Name
    width: Amount | None
    height: Amount | None
    member: Annotated[int, Meta(ge=0, lt=MAX_MEMBERS)] | None


class Member(Body, frozen=True):
    """One file inside an archive or a letter, and what became of it."""

    name: Name
    code: VerdictCode
    reason: ReasonKey | None
    notes: Notes
    media: MediaType


class Seen(Body, frozen=True):
    """What the sandbox saw of one file, in fixed codes and words, and the copies that it made."""

    reason: ReasonKey | None
    notes: Notes
    media: MediaType
    captured: Annotated[str, Meta(max_length=40)] | None
    width: Amount | None
    height: Amount | None
    items: Amount | None
    duration_ms: Amount | None
    patient: Patient | None
    derived: Annotated[tuple[Derived, ...], Meta(max_length=MAX_DERIVED)]
    members: Annotated[tuple[Member, ...], Meta(max_length=MAX_MEMBERS)]


class Finding(Seen, frozen=True):
    """What an intake says of one attachment of the envelope that it answers."""

    p: Hash
    code: VerdictCode
    keep: bool


class Findings(Body, frozen=True, tag_field="kind", tag="verdict"):
    """The sealed part of a verdict: it repeats the clear codes, and says why."""

    answers: EntryId
    findings: Annotated[tuple[Finding, ...], Meta(max_length=MAX_ATTACHMENTS)]


class CheckedFile(Seen, frozen=True):
    """What a sender's own program says of one of its files; `original` is the attachment that goes with it unsafe."""

    name: Name
    size: Bytes
    code: SentCode
    original: Hash | None


class CheckedFiles(Body, frozen=True, tag_field="kind", tag="checked"):
    """Words with files that the sender's own program checked: how files go where the ends inspect."""

    text: Annotated[str, Meta(max_length=MAX_TEXT)]
    files: Annotated[tuple[CheckedFile, ...], Meta(min_length=1, max_length=MAX_ATTACHMENTS)]


def check_findings(findings: Findings, envelope: Envelope) -> None:
    """The sealed part repeats the clear codes; every copy is one object of this envelope.

    Raises Refusal `verdict_differs` (N48).
    """
    clear = {(ruling.p, ruling.code, ruling.keep) for ruling in envelope.verdict or ()}
    if (
        findings.answers != envelope.derived_from
        or clear != {(finding.p, finding.code, finding.keep) for finding in findings.findings}
        or len(clear) != len(findings.findings)
    ):
        raise Refusal("verdict_differs")
    _check_copies(findings.findings, envelope)


def check_checked(checked: CheckedFiles, envelope: Envelope) -> None:
    """Every copy and every original is one object of this envelope, and each file has one of the two at least.

    A file that was rebuilt comes with what was made of it; one that was not, as it is. Raises Refusal `verdict_differs`.
    """
    originals = [file.original for file in checked.files if file.original is not None]
    if (
        envelope.class_ == "verdict"
        or envelope.of_role("slip")
        or sorted(originals) != sorted(ref.p for ref in envelope.of_role("attachment"))
        or any(not _is_there(file) for file in checked.files)
    ):
        raise Refusal("verdict_differs")
    _check_copies(checked.files, envelope)


def _is_there(file: CheckedFile) -> bool:
    if file.code == "kept-sealed":
        return file.original is not None
    return any(USES[part.use] == "normalized" for part in file.derived)


def _check_copies(seen: Iterable[Seen], envelope: Envelope) -> None:
    told = [(one, part) for one in seen for part in one.derived]
    named = [(ref.role, ref.h0) for role in ("normalized", "preview") for ref in envelope.of_role(role)]
    if sorted((USES[part.use], part.h0) for _, part in told) != sorted(named):
        raise Refusal("verdict_differs")
    if any(part.member is not None and part.member >= len(one.members) for one, part in told):
        raise Refusal("verdict_differs")
