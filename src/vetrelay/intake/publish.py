"""Publishing: findings become one verdict on all files of an envelope, promised first and delivered after.

The verdict and its derived objects have the audience of the envelope they answer (protocol.md section 6).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec import structs

from vetrelay.client.drafts import Draft, DraftObject
from vetrelay.client.end import End
from vetrelay.client.transfer import SealedFile, Sealing, seal_content
from vetrelay.inspection.finding import Finding as Inspected
from vetrelay.inspection.finding import Member as InspectedMember
from vetrelay.inspection.finding import Output
from vetrelay.inspection.result import Patient as RecordPatient
from vetrelay.inspection.words import Verdict
from vetrelay.protocol.envelope import MAX_OBJECTS, Envelope, Ruling, VerdictCode
from vetrelay.protocol.finding import (
    MAX_DERIVED,
    MAX_MEMBERS,
    USES,
    Derived,
    Finding,
    Findings,
    Member,
    Patient,
    Use,
)
from vetrelay.protocol.ids import CaseId, EntryId, Hash, PartyId, b64
from vetrelay.protocol.manifest import NO_HINTS
from vetrelay.protocol.statement import render

_USES: Final[dict[str, Use]] = {use: use for use in USES}
_CODES: Final[dict[Verdict, VerdictCode]] = {
    Verdict.CLEAN: "clean",
    Verdict.CONVERTED: "converted",
    Verdict.KEPT_SEALED: "kept-sealed",
    Verdict.HELD: "held",
    Verdict.REFUSED: "refused",
}
_SUBMIT_BYTES: Final = 2 * 1024 * 1024 - 64 * 1024
_STANZA_BYTES: Final = 2200  # a hybrid stanza of an age header as base64url in the submit
_ALL: Final = MAX_DERIVED
_KEPT: Final[tuple[Mapping[Use, int], ...]] = (
    {"record": _ALL, "viewing": _ALL, "text": _ALL, "preview": _ALL, "strip": _ALL},
    {"record": _ALL, "viewing": _ALL, "text": _ALL, "preview": 1},
    {"record": _ALL, "viewing": _ALL, "text": _ALL},
    {"record": _ALL},
)
"""What is left out, step by step, until a verdict fits."""
_HEADER_BYTES: Final = 400  # what else stands there for an object: names, the first and the last line of its header


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What is said of one file, and the sealed copies that go with it."""

    finding: Finding
    objects: tuple[DraftObject, ...] = ()
    sealed: tuple[SealedFile, ...] = ()


def refused(p: Hash, reason: str) -> Judged:
    """A file that could not be opened as its author sealed it: nothing is known of it but this."""
    return Judged(
        finding=Finding(
            p=p,
            code="refused",
            keep=False,
            reason=reason,
            notes=(),
            media="application/octet-stream",
            captured=None,
            width=None,
            height=None,
            items=None,
            duration_ms=None,
            patient=None,
            derived=(),
            members=(),
        )
    )


def judged(end: End, p: Hash, inspected: Inspected, *, keep_original: bool, packing: Sealing | None = None) -> Judged:
    """The word on a file that was inspected; its outputs are sealed into the spool. Raises OSError.

    `packing` is where a pack of many members was written to as it was made.

    The original stays fetchable where the policy table says so, or the sender wished it.
    """
    sealed = tuple(_sealed(end, made, packing) for made in inspected.outputs)
    finding = Finding(
        p=p,
        code=_CODES[inspected.verdict],
        keep=keep_original or inspected.keep_original,
        reason=inspected.reason.key if inspected.reason is not None else None,
        notes=inspected.notes,
        media=inspected.media_type,
        captured=inspected.facts.capture_time,
        width=inspected.facts.width or None,
        height=inspected.facts.height or None,
        items=inspected.facts.items or None,
        duration_ms=inspected.facts.duration_ms or None,
        patient=_patient(inspected.facts.patient),
        derived=tuple(_derived(made, copy) for made, copy in zip(inspected.outputs, sealed, strict=True)),
        members=tuple(_member(one) for one in inspected.members[:MAX_MEMBERS]),
    )
    objects = tuple(_object(made, copy) for made, copy in zip(inspected.outputs, sealed, strict=True))
    return Judged(finding=finding, objects=objects, sealed=sealed)


def _sealed(end: End, made: Output, packing: Sealing | None) -> SealedFile:
    if made.written is None:
        return seal_content(end, made.content)
    assert packing is not None
    return packing.finish()


def _patient(said: RecordPatient | None) -> Patient | None:
    return None if said is None else Patient(name=said.name, owner=said.owner, species=said.species, id=said.id)


def _member(one: InspectedMember) -> Member:
    return Member(
        name=one.name[:255],
        code=_CODES[one.verdict],
        reason=one.reason.key if one.reason is not None else None,
        notes=one.notes[:32],
        media=one.media_type,
    )


def _derived(made: Output, copy: SealedFile) -> Derived:
    return Derived(
        use=_USES[made.role],
        h0=copy.p,  # a draft's findings name payloads; the headers are made when it is sealed
        plain_sha256=copy.plain_sha256,
        size=copy.plain_bytes,
        media=made.media_type,
        name=made.name,
        width=made.width or None,
        height=made.height or None,
        member=made.member,
    )


def _object(made: Output, copy: SealedFile) -> DraftObject:
    return DraftObject(
        role=USES[_USES[made.role]],
        p=copy.p,
        size=copy.size_bytes,
        key=b64(copy.key),
        plain_sha256=copy.plain_sha256,
        plain_size=copy.plain_bytes,
        media=made.media_type,
        name=made.name,
        keep_original=False,
    )


def verdict_draft(
    end: End, entry: EntryId, answered: Envelope, *, sender: PartyId, judgements: Sequence[Judged]
) -> Draft:
    """The verdict on an envelope of this sender: every attachment has exactly one judgement."""
    return Draft(
        case=answered.case,
        id=b64(end.random_bytes(16)),
        class_="verdict",
        audience=answered.audience,
        content=Findings(answers=entry, findings=tuple(one.finding for one in judgements)),
        objects=tuple(made for one in judgements for made in one.objects),
        hints=NO_HINTS,
        reply_to=None,
        derived_from=entry,
        supersedes=None,
        verdict=tuple(Ruling(p=one.finding.p, code=one.finding.code, keep=one.finding.keep) for one in judgements),
        own=sender,
        sent_at=end.now_ms(),
    )


def fitting(judgements: Sequence[Judged], *, readers: int) -> tuple[Judged, ...]:
    """The same judgements in a verdict that one submit can carry: what is only for the screen goes first.

    A verdict of records alone has as many objects as the message it answers, and that one fitted.
    """
    for kept in _KEPT:
        judgements = tuple(_keeping(one, kept) for one in judgements)
        if _fits(judgements, readers=readers):
            break
    return tuple(judgements)


def _fits(judgements: Sequence[Judged], *, readers: int) -> bool:
    objects = 1 + sum(len(one.objects) for one in judgements)
    said_bytes = sum(len(render(one.finding)) for one in judgements)
    submit_bytes = objects * (readers * _STANZA_BYTES + _HEADER_BYTES) + said_bytes * 3 // 2
    return objects <= MAX_OBJECTS and submit_bytes <= _SUBMIT_BYTES


def _keeping(one: Judged, kept: Mapping[Use, int]) -> Judged:
    """A judgement with at most so many copies of each use, the first ones."""
    left = dict(kept)
    derived: list[Derived] = []
    for part in one.finding.derived:
        left[part.use] = left.get(part.use, 0) - 1
        if left[part.use] >= 0:
            derived.append(part)
    names = {part.h0 for part in derived}
    return Judged(
        finding=structs.replace(one.finding, derived=tuple(derived)),
        objects=tuple(made for made in one.objects if made.p in names),
        sealed=tuple(copy for copy in one.sealed if copy.p in names),
    )


def intent_of(case: CaseId, entry: EntryId) -> str:
    """The one promise there is for an envelope's verdict, so that a kill neither loses nor doubles it."""
    return f"verdict:{case}:{entry}"


def entry_of(intent: str) -> EntryId:
    """The envelope that such a promise answers."""
    return intent.rpartition(":")[2]
