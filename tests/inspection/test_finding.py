"""What is told of a file: verdict, names, notes, facts."""

from dataclasses import replace

import pytest

from tests.hostile import images
from vetrelay.inspection.answer import checked_result
from vetrelay.inspection.finding import Facts, Finding, finding_as_json, finding_of
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.notes import Note
from vetrelay.inspection.result import Patient, RawOutput, Result, Role
from vetrelay.inspection.sandbox import End, Ending
from vetrelay.inspection.words import Reason, Verdict

JPEG = images.jpeg()
NORMALIZED = RawOutput(role=Role.RECORD, kind=Kind.JPEG, width_px=160, height_px=120, content=JPEG)
PREVIEW = replace(NORMALIZED, role=Role.PREVIEW)
REBUILT = Result(
    kind=Kind.HEIC,
    notes={Note.CONVERTED_TO_JPEG: 1},
    width_px=320,
    height_px=240,
    outputs=(NORMALIZED, PREVIEW),
)


@pytest.mark.parametrize(
    ("end", "verdict", "reason"),
    [
        (End.TIMED_OUT, Verdict.HELD, Reason.JAIL_TIMEOUT),
        (End.CRASHED, Verdict.HELD, Reason.JAIL_CRASHED),
        (End.FLOODED, Verdict.HELD, Reason.JAIL_FLOODED),
        (End.OUT_OF_MEMORY, Verdict.REFUSED, Reason.NEEDS_TOO_MUCH_MEMORY),
        (End.FINISHED, Verdict.HELD, Reason.JAIL_GARBLED),
    ],
)
def test_each_way_to_end_has_its_verdict(end: End, verdict: Verdict, reason: Reason) -> None:
    """Row 63: fixed, whatever the file's name says."""
    finding = finding_of(checked_result(Ending(end=end)), "a.jpg", declared=None)
    assert (verdict, reason, ()) == (finding.verdict, finding.reason, finding.outputs)


def test_a_finding_names_what_was_made() -> None:
    """One safe name for the copy, another for its preview; the facts are the original's."""
    finding = finding_of(REBUILT, "../Rex\u202e.HEIC", declared=None)
    assert (Verdict.CONVERTED, None, "image/jpeg", "Rex.jpg") == (
        finding.verdict,
        finding.reason,
        finding.media_type,
        finding.name,
    )
    assert ["Rex.jpg", "Rex-preview.jpg"] == [output.name for output in finding.outputs]
    assert Facts(width=320, height=240) == finding.facts
    assert not finding.keep_original


@pytest.mark.parametrize(
    ("kind", "reason", "name", "expected"),
    [
        (Kind.TIFF, Reason.DAMAGED, "scan.jpg", "scan.tiff"),
        (Kind.OFFICE_OLE, Reason.OPEN_WITH_CARE, "letter.doc", "letter.doc"),
        (Kind.OFFICE_ZIP, Reason.OPEN_WITH_CARE, "talk.pptx", "talk.pptx"),
        (Kind.UNKNOWN, Reason.HELD_TYPE_UNKNOWN, "thing.xyz", "thing.xyz"),
        (Kind.HTML, Reason.TYPE_NOT_TAKEN, "a.jpg", "a.jpg"),
    ],
)
def test_a_file_that_was_not_rebuilt_keeps_its_name_unless_it_can_be_mended(
    kind: Kind, reason: Reason, name: str, expected: str
) -> None:
    """Inside the family the extension is put right; otherwise the name is only made safe."""
    finding = finding_of(Result(kind=kind, reason=reason), name, declared=None)
    assert expected == finding.name
    assert finding.keep_original


def test_a_finding_as_json_has_the_hashes_and_no_content() -> None:
    """What `vetrelay inspect --json` prints beside the path."""
    shown = finding_as_json(finding_of(REBUILT, "a.heic", declared=None))
    outputs = shown.pop("outputs")
    assert {
        "name": "a.jpg",
        "kind": "heic",
        "verdict": "converted",
        "reason": None,
        "sentence": None,
        "media_type": "image/jpeg",
        "notes": ["converted to JPEG"],
        "facts": {
            "capture_time": None,
            "width": 320,
            "height": 240,
            "items": 0,
            "duration_ms": 0,
            "patient": None,
            "series": None,
        },
        "members": [],
    } == shown
    assert isinstance(outputs, list)
    assert {"role", "name", "media_type", "size_bytes", "sha256", "width", "height", "member"} == set(outputs[0])
    held = finding_as_json(finding_of(Result(kind=Kind.PDF, reason=Reason.TYPES_DISAGREE), "a.pdf", declared=None))
    assert ("held", "types_disagree", []) == (held["verdict"], held["reason"], held["outputs"])
    assert str(held["sentence"]).startswith("Two checks disagree")


def test_a_finding_is_a_value() -> None:
    """It cannot be changed on its way to a verdict."""
    finding = finding_of(REBUILT, "a.heic", declared=None)
    assert isinstance(finding, Finding)
    with pytest.raises(AttributeError):
        finding.verdict = Verdict.CLEAN  # type: ignore[misc]  # this is what must fail


def test_pages_are_numbered_and_other_copies_are_named_by_their_use() -> None:
    """Nothing overwrites anything when they are saved into one folder."""
    page = RawOutput(role=Role.RECORD, kind=Kind.PNG, width_px=1, height_px=1, content=b"x")
    text = RawOutput(role=Role.TEXT, kind=Kind.TEXT, content=b"x")
    result = Result(kind=Kind.TIFF, outputs=(page, page, PREVIEW, text))
    names = [output.name for output in finding_of(result, "scan.tif", declared=None).outputs]
    assert ["scan-1.png", "scan-2.png", "scan-preview.jpg", "scan-text.txt"] == names


def test_what_a_record_says_is_shown_on_one_line_without_what_is_not_seen() -> None:
    """A name from a stranger's file is a stranger's text."""
    result = replace(REBUILT, patient=Patient(name="Miller\u202e^Rex\x07\nx", species="dog"))
    assert Patient(name="Miller^Rexx", species="dog") == finding_of(result, "a", declared=None).facts.patient


def test_a_record_of_another_animal_is_a_warning_and_no_refusal() -> None:
    """A person looks: the file may be right and the case wrong."""
    result = replace(REBUILT, patient=Patient(name="Miller^Bella", species="feline"))
    expected = Patient(name="Rex", owner="Anna Miller", species="dog")
    finding = finding_of(result, "a.heic", declared=None, expected=expected)
    assert Verdict.CONVERTED is finding.verdict
    warnings = {note for note in finding.notes if note.startswith("warning")}
    assert {Note.OTHER_ANIMAL.words, Note.OTHER_SPECIES.words} == warnings
