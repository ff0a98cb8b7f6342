"""What was seen of one file, in words for a person and values for a program."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TypeVar

from vetrelay.inspection import policy
from vetrelay.inspection.kinds import KINDS, Kind
from vetrelay.inspection.naming import safe_name, visible
from vetrelay.inspection.notes import Note
from vetrelay.inspection.pack import Written
from vetrelay.inspection.patient import differences
from vetrelay.inspection.policy import Row
from vetrelay.inspection.result import Patient, RawOutput, Result, Role, Series
from vetrelay.inspection.words import Reason, Verdict

T = TypeVar("T", Patient, Series)
MAX_NOTES = 32
"""More are not told of one file: a reader takes so many."""
# The role that most outputs of a file have goes without a word in their name.
_NAMED = {Role.PREVIEW: "preview", Role.VIEWING: "viewing", Role.STRIP: "strip", Role.TEXT: "text"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of the original: when it was taken, its size in pixels, its pages or parts, its length in time.

    `patient` and `series` are what a record says of itself, with everything that is not seen taken out.
    """

    capture_time: str | None = None
    width: int = 0
    height: int = 0
    items: int = 0
    duration_ms: int = 0
    patient: Patient | None = None
    series: Series | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One file made by the inspection; `member` is the number of the member of a pack that it was made of.

    `written` is there where the content went into the caller's sink instead: a pack of many members.
    """

    role: str
    name: str
    media_type: str
    content: bytes
    width: int = 0
    height: int = 0
    member: int | None = None
    written: Written | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file in an archive or a letter, and what became of it."""

    name: str
    verdict: Verdict
    reason: Reason | None
    media_type: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was seen of one file.

    `media_type` is the rebuilt record's, or the content's own where nothing was made. `reason` is None exactly when the
    verdict is clean or converted. `keep_original` is the policy's default, which the sender may widen.
    """

    verdict: Verdict
    reason: Reason | None
    kind: Kind
    media_type: str
    name: str
    notes: tuple[str, ...] = ()
    facts: Facts = Facts()
    outputs: tuple[Output, ...] = ()
    members: tuple[Member, ...] = ()
    keep_original: bool = True

    @property
    def sentence(self) -> str | None:
        """The reason in one sentence, for a person."""
        return None if self.reason is None else self.reason.sentence


def finding_of(
    result: Result,
    name: str,
    *,
    declared: str | None,
    rows: Mapping[Kind, Row] = policy.ROWS,
    expected: Patient | None = None,
) -> Finding:
    """The finding on a file of this name: the verdict by policy, the notes in words, the names made safe."""
    made = next((output.kind for output in result.outputs if output.role is Role.RECORD), None)
    claimed = policy.claimed_kind(name, declared)
    verdict, reason = policy.judge(claimed=claimed, seen=result.kind, reason=result.reason, made=made)
    mended = policy.mends(claimed, result.kind)
    if verdict in {Verdict.REFUSED, Verdict.HELD}:
        return Finding(
            verdict=verdict,
            reason=reason,
            kind=result.kind,
            media_type=KINDS[result.kind].media_type,
            name=safe_name(name, KINDS[result.kind].extensions[0] if mended else ""),
        )
    facts = _facts(result)
    said = [*([Note.RENAMED] if mended else []), *differences(expected, facts.patient)]
    told = dict(sorted(result.notes.items())[: MAX_NOTES - len(said)])
    notes = {**told, **dict.fromkeys(said, 1)}
    # What goes on under a name that says nothing we know is called what it is: some program may know that name.
    mended = mended or (verdict is Verdict.KEPT_SEALED and claimed is Kind.UNKNOWN)
    right = KINDS[made or result.kind].extensions[0]
    return Finding(
        verdict=verdict,
        reason=None if reason is Reason.NONE else reason,
        kind=result.kind,
        media_type=KINDS[made or result.kind].media_type,
        name=safe_name(name, right if made or mended else ""),
        notes=tuple(note.told(count) for note, count in sorted(notes.items())),
        facts=facts,
        outputs=_outputs(result.outputs, name),
        keep_original=policy.keep_original(rows, result.kind) or verdict is Verdict.KEPT_SEALED,
    )


def _facts(result: Result) -> Facts:
    return Facts(
        capture_time=result.captured.text() if result.captured else None,
        width=result.width_px,
        height=result.height_px,
        items=result.items,
        duration_ms=result.duration_ms,
        patient=_visible(result.patient) if result.patient else None,
        series=_visible(result.series) if result.series else None,
    )


def _visible(said: T) -> T:
    return type(said)(**{part.name: visible(getattr(said, part.name)) for part in fields(said)})


def _outputs(raws: tuple[RawOutput, ...], name: str) -> tuple[Output, ...]:
    made: list[Output] = []
    for role in Role:
        alike = [raw for raw in raws if raw.role is role]
        made.extend(_output(raw, name, number if len(alike) > 1 else None) for number, raw in enumerate(alike, start=1))
    return tuple(made)


def _output(raw: RawOutput, name: str, number: int | None) -> Output:
    right = KINDS[raw.kind].extensions[0]
    stem = safe_name(name, right).removesuffix(f".{right}")
    parts = [stem, *([_NAMED[raw.role]] if raw.role in _NAMED else []), *([] if number is None else [str(number)])]
    return Output(
        role=raw.role.word,
        name=f"{'-'.join(parts)}.{right}",
        media_type=KINDS[raw.kind].media_type,
        content=raw.content,
        width=raw.width_px,
        height=raw.height_px,
    )


def finding_as_json(finding: Finding) -> dict[str, object]:
    """The finding as `vetrelay inspect --json` prints it, without the path; contents by hash and size."""
    facts = finding.facts
    return {
        "name": finding.name,
        "kind": finding.kind.name.lower(),
        "verdict": finding.verdict.value,
        "reason": None if finding.reason is None else finding.reason.key,
        "sentence": finding.sentence,
        "media_type": finding.media_type,
        "notes": list(finding.notes),
        "facts": {
            "capture_time": facts.capture_time,
            "width": facts.width,
            "height": facts.height,
            "items": facts.items,
            "duration_ms": facts.duration_ms,
            "patient": None if facts.patient is None else asdict(facts.patient),
            "series": None if facts.series is None else asdict(facts.series),
        },
        "members": [
            {
                "name": member.name,
                "verdict": member.verdict.value,
                "reason": None if member.reason is None else member.reason.key,
                "media_type": member.media_type,
                "notes": list(member.notes),
            }
            for member in finding.members
        ],
        "outputs": [_output_as_json(made) for made in finding.outputs],
    }


def _output_as_json(made: Output) -> dict[str, object]:
    return {
        "role": made.role,
        "name": made.name,
        "media_type": made.media_type,
        "size_bytes": made.written.size_bytes if made.written else len(made.content),
        "sha256": made.written.sha256 if made.written else hashlib.sha256(made.content).hexdigest(),
        "width": made.width,
        "height": made.height,
        "member": made.member,
    }
