"""What came of a pack or of a letter's parts, and how it is said as a finding."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from vetrelay.inspection.finding import MAX_NOTES, Finding, Member, Output
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.notes import Note
from vetrelay.inspection.patient import differences
from vetrelay.inspection.result import Patient
from vetrelay.inspection.words import Reason

# Documents that stand in a ZIP: the first KiB cannot always tell, the sender's word may.
_DOCUMENTS_IN_A_ZIP = frozenset({Kind.DOCX, Kind.XLSX, Kind.ODT, Kind.OFFICE_ZIP})


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """The members, what was made of them, and whom the records in it are about.

    `reason` is NONE where at least one file was made. `made` counts those.
    """

    reason: Reason
    notes: Mapping[Note, int]
    made: int
    members: tuple[Member, ...]
    outputs: tuple[Output, ...]
    patients: tuple[Patient, ...]


def is_pack(seen: Kind, claimed: Kind) -> bool:
    """Whether a file is to be unpacked here, by its first bytes and its name; documents are opened as a whole."""
    return seen is Kind.ZIP and claimed not in _DOCUMENTS_IN_A_ZIP


def kind_to_open(seen: Kind, claimed: Kind) -> Kind:
    """By which row of the policy table a file is opened: a ZIP that is said to be a document by the documents' one."""
    return Kind.OFFICE_ZIP if seen is Kind.ZIP and claimed in _DOCUMENTS_IN_A_ZIP else seen


def pack_finding(empty: Finding, unpacked: Unpacked, *, expected: Patient | None) -> Finding:
    """The finding on a pack; `empty` is the one on a pack of this name in which nothing was looked at yet."""
    if unpacked.reason is not Reason.NONE:
        verdict = unpacked.reason.verdict
        return replace(empty, verdict=verdict, reason=unpacked.reason, members=unpacked.members, notes=())
    return _with(empty, unpacked, unpacked.notes, expected=expected)


def letter_finding(letter: Finding, unpacked: Unpacked, *, expected: Patient | None) -> Finding:
    """The finding on a letter whose words were made already; its parts are said beside them, whatever became of them."""
    notes: dict[Note, int] = {note: count for note, count in unpacked.notes.items() if note is not Note.UNPACKED}
    return _with(letter, unpacked, notes, expected=expected)


def _with(finding: Finding, unpacked: Unpacked, notes: Mapping[Note, int], *, expected: Patient | None) -> Finding:
    # One record of another animal is enough for a warning, wherever in the pack it is.
    others = {note: 1 for patient in unpacked.patients for note in differences(expected, patient)}
    said: dict[Note, int] = {**notes, **others}
    return replace(
        finding,
        notes=(
            *finding.notes[: MAX_NOTES - len(said)],
            *(note.told(count) for note, count in sorted(said.items())),
        ),
        facts=replace(
            finding.facts, items=unpacked.made, patient=finding.facts.patient or next(iter(unpacked.patients), None)
        ),
        outputs=(*finding.outputs, *unpacked.outputs),
        members=unpacked.members,
    )
