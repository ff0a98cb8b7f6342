"""What the parent believes of a job's answer: nothing that it cannot see for itself."""

from dataclasses import replace

import pytest

from tests.hostile import images
from vetrelay.inspection.answer import checked_result
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.notes import Note
from vetrelay.inspection.result import RawOutput, Result, Role
from vetrelay.inspection.resultframe import encode_result
from vetrelay.inspection.sandbox import End, Ending
from vetrelay.inspection.words import Reason

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


def finished(result: Result) -> Ending:
    """The ending of a job that wrote this result."""
    return Ending(end=End.FINISHED, untrusted=b"".join(encode_result(result)))


def test_an_honest_result_passes() -> None:
    """What was made is a bare picture of the stated size."""
    assert REBUILT == checked_result(finished(REBUILT))


@pytest.mark.parametrize(
    "dishonest",
    [
        replace(NORMALIZED, content=images.jpeg(exif=images.camera_exif())),
        replace(NORMALIZED, content=JPEG + b"x"),
        replace(NORMALIZED, content=JPEG[:-1]),
        replace(NORMALIZED, content=b"<html>"),
        replace(NORMALIZED, kind=Kind.PNG),
        replace(NORMALIZED, width_px=161),
    ],
)
def test_a_job_that_was_taken_over_cannot_pass_something_else_for_a_picture(dishonest: RawOutput) -> None:
    """Every output is looked at once more, outside: its bytes, its end, its size."""
    assert Reason.JAIL_GARBLED is checked_result(finished(replace(REBUILT, outputs=(dishonest, PREVIEW)))).reason


TEXT = RawOutput(role=Role.RECORD, kind=Kind.TEXT, content="Luna\tleft ear\n\u00e4".encode())
PDF = RawOutput(role=Role.RECORD, kind=Kind.PDF, content=b"%PDF-1.7\n")


@pytest.mark.parametrize("honest", [TEXT, PDF])
def test_what_is_no_picture_is_known_by_its_start(honest: RawOutput) -> None:
    """A text is plain, a PDF begins like one."""
    result = Result(kind=honest.kind, outputs=(honest,))
    assert result == checked_result(finished(result))


@pytest.mark.parametrize(
    "dishonest",
    [
        replace(TEXT, content=b"bell\x07"),
        replace(TEXT, content=b"\xff"),
        replace(TEXT, content=b"carriage\rreturn"),
        replace(TEXT, content="\u0085".encode()),
        replace(PDF, content=b"MZ"),
        replace(PDF, kind=Kind.DICOM),
    ],
)
def test_what_is_not_what_it_says_is_garbled(dishonest: RawOutput) -> None:
    """Control characters in a text, a program as a PDF."""
    assert Reason.JAIL_GARBLED is checked_result(finished(Result(kind=Kind.PDF, outputs=(dishonest,)))).reason
