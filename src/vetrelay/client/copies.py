"""What an inspection saw and made, on its way into an envelope: the words as they are sealed, the copies in the spool.

An intake answers with it, and a sender's own program sends it where the ends inspect.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeVar

from msgspec import structs

from vetrelay.client.drafts import DraftObject
from vetrelay.client.end import End
from vetrelay.client.transfer import SealedFile, Sealing, seal_content
from vetrelay.inspection.finding import Finding as Inspected
from vetrelay.inspection.finding import Member as InspectedMember
from vetrelay.inspection.finding import Output
from vetrelay.inspection.result import Patient as RecordPatient
from vetrelay.inspection.wishes import Wishes
from vetrelay.inspection.words import Verdict
from vetrelay.protocol.envelope import MAX_OBJECTS, VerdictCode
from vetrelay.protocol.finding import MAX_DERIVED, MAX_MEMBERS, USES, Derived, Member, Patient, Seen, Use
from vetrelay.protocol.ids import b64
from vetrelay.protocol.manifest import Hints
from vetrelay.protocol.statement import render

S = TypeVar("S", bound=Seen)
CODES: Final[dict[Verdict, VerdictCode]] = {
    Verdict.CLEAN: "clean",
    Verdict.CONVERTED: "converted",
    Verdict.KEPT_SEALED: "kept-sealed",
    Verdict.HELD: "held",
    Verdict.REFUSED: "refused",
}
_USES: Final[dict[str, Use]] = {use: use for use in USES}
_SUBMIT_BYTES: Final = 2 * 1024 * 1024 - 64 * 1024
_STANZA_BYTES: Final = 2200  # a hybrid stanza of an age header as base64url in the submit
_HEADER_BYTES: Final = 400  # what else stands there for an object: names, the first and the last line of its header
_SAID_BYTES: Final = 960 * 1024  # a sealed part ends at a mebibyte of JSON
_BESIDE: Final = 8  # manifest, slip, and what else an envelope may need
_ALL: Final = MAX_DERIVED
_KEPT: Final[tuple[Mapping[Use, int], ...]] = (
    {"record": _ALL, "viewing": _ALL, "text": _ALL, "preview": _ALL, "strip": _ALL},
    {"record": _ALL, "viewing": _ALL, "text": _ALL, "preview": 1},
    {"record": _ALL, "viewing": _ALL, "text": _ALL},
    {"record": _ALL},
)
"""What is left out, step by step, until an envelope fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied(Generic[S]):
    """What is said of one file, and the sealed objects that go with it."""

    finding: S
    objects: tuple[DraftObject, ...] = ()
    sealed: tuple[SealedFile, ...] = ()


C = TypeVar("C", bound=Copied[Any])


def copied(end: End, inspected: Inspected, *, packing: Sealing | None = None) -> Copied[Seen]:
    """What was seen of a file, its outputs sealed into the spool. Raises OSError.

    `packing` is where a pack of many members was written to as it was made.
    """
    sealed = tuple(_sealed(end, made, packing) for made in inspected.outputs)
    seen = Seen(
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
    return Copied(finding=seen, objects=objects, sealed=sealed)


def wishes_of(hints: Hints) -> Wishes:
    """What the sender wishes for its files, as the inspection takes it."""
    said = hints.patient
    return Wishes(
        purpose=hints.purpose,
        full_size=hints.full_size,
        keep_motion=hints.keep_motion,
        patient=None
        if said is None
        else RecordPatient(name=said.name, owner=said.owner, species=said.species, id=said.id),
    )


def records_for_each(files: int, *, readers: int) -> int:
    """How many records each of so many files may become, so that an envelope for so many readers can carry them all."""
    fit = min(MAX_OBJECTS, _SUBMIT_BYTES // (readers * _STANZA_BYTES + _HEADER_BYTES))
    return max(1, (fit - _BESIDE) // max(1, files))


def fitting(files: Sequence[C], *, readers: int) -> tuple[C, ...]:
    """The same files in an envelope that one submit can carry: what is only for the screen goes first.

    An envelope of records alone has as many objects as there are files, and so many fit.
    """
    for kept in _KEPT:
        files = tuple(_keeping(one, kept) for one in files)
        if _fits(files, readers=readers):
            break
    return tuple(files)


def _fits(files: Sequence[C], *, readers: int) -> bool:
    objects = 1 + sum(len(one.objects) for one in files)
    said_bytes = sum(len(render(one.finding)) for one in files)
    submit_bytes = objects * (readers * _STANZA_BYTES + _HEADER_BYTES) + said_bytes * 3 // 2
    return objects <= MAX_OBJECTS and submit_bytes <= _SUBMIT_BYTES and said_bytes <= _SAID_BYTES


def _keeping(one: C, kept: Mapping[Use, int]) -> C:
    """A file with at most so many copies of each use, the first ones; an original always stays."""
    left = dict(kept)
    derived: list[Derived] = []
    for part in one.finding.derived:
        left[part.use] = left.get(part.use, 0) - 1
        if left[part.use] >= 0:
            derived.append(part)
    names = {part.h0 for part in derived} | {made.p for made in one.objects if made.role == "attachment"}
    return replace(
        one,
        finding=structs.replace(one.finding, derived=tuple(derived)),
        objects=tuple(made for made in one.objects if made.p in names),
        sealed=tuple(copy for copy in one.sealed if copy.p in names),
    )


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
        code=CODES[one.verdict],
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
