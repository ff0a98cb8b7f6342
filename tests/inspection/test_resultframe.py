"""A job's answer: what an honest job writes arrives, and nothing else does."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vetrelay.inspection.frames import Garbled
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.notes import Note
from vetrelay.inspection.policy import MAX_SIDE_PX
from vetrelay.inspection.result import CaptureTime, Patient, RawOutput, RawPart, Result, Role, Series
from vetrelay.inspection.resultframe import MAX_OUTPUTS, MAX_PARTS, decode_result, encode_result
from vetrelay.inspection.words import JAIL_ENDS, Reason, Verdict

sides = st.integers(1, 7_000)
captured = st.builds(
    lambda when, offset: CaptureTime(
        year=when.year,
        month=when.month,
        day=when.day,
        hour=when.hour,
        minute=when.minute,
        second=when.second,
        offset_minutes=offset,
    ),
    st.datetimes(),
    st.none() | st.integers(-1439, 1439),
)
notes = st.dictionaries(st.sampled_from(list(Note)), st.integers(1, 2**32 - 1), max_size=32)
words = st.text(st.characters(codec="utf-8"), max_size=16)


def output(role: Role) -> st.SearchStrategy[RawOutput]:
    """An output of this role."""
    return st.builds(
        RawOutput,
        role=st.just(role),
        kind=st.sampled_from([Kind.JPEG, Kind.PNG]),
        width_px=sides,
        height_px=sides,
        content=st.binary(min_size=1, max_size=200),
    )


parts = st.builds(RawPart, name=words, media_type=words, content=st.binary(max_size=200))


def document(kind: Kind) -> st.SearchStrategy[RawOutput]:
    """A record that is no picture."""
    return st.builds(
        RawOutput, role=st.just(Role.RECORD), kind=st.just(kind), content=st.binary(min_size=1, max_size=200)
    )


def rebuilt_of(
    kinds: list[Kind], outputs: st.SearchStrategy[tuple[RawOutput, ...]], *, has_parts: bool = False
) -> st.SearchStrategy[Result]:
    """What an honest job makes of a file of one of these kinds."""
    return st.builds(
        Result,
        kind=st.sampled_from(kinds),
        notes=notes,
        width_px=sides,
        height_px=sides,
        items=st.integers(0, 5000),
        duration_ms=st.integers(0, 2**30),
        captured=st.none() | captured,
        patient=st.none() | st.builds(Patient, name=words, owner=words, species=words, id=words),
        series=st.none() | st.builds(Series, study=words, uid=words, modality=words),
        outputs=outputs,
        parts=st.just(()) | st.tuples(parts) | st.tuples(parts, parts) if has_parts else st.just(()),
    )


shown = output(Role.PREVIEW)
rebuilt = st.one_of(
    rebuilt_of([Kind.JPEG, Kind.HEIC, Kind.TIFF], st.tuples(output(Role.RECORD), shown)),
    rebuilt_of([Kind.PDF], st.tuples(document(Kind.PDF), shown)),
    rebuilt_of([Kind.DICOM], st.tuples(document(Kind.DICOM), shown), has_parts=True),
    rebuilt_of([Kind.MP4, Kind.AVI], st.tuples(document(Kind.MP4), shown)),
    rebuilt_of([Kind.TEXT, Kind.MARKDOWN, Kind.RTF], st.tuples(document(Kind.TEXT))),
    rebuilt_of([Kind.MAIL, Kind.TNEF, Kind.DOCX], st.tuples(document(Kind.TEXT)), has_parts=True),
)
declined = st.builds(
    Result,
    kind=st.sampled_from(list(Kind)),
    reason=st.sampled_from(
        [
            reason
            for reason in Reason
            if reason not in {Reason.NONE, Reason.CONTENT_DIFFERS_FROM_NAME, Reason.TYPE_SWITCHED_OFF}
            and reason not in {Reason.VIRUS_FOUND, Reason.SCANNER_ABSENT, *JAIL_ENDS}
            and reason.verdict is not Verdict.KEPT_SEALED
        ]
    ),
)
SOUND = Result(
    kind=Kind.JPEG,
    notes={Note.TURNED_UPRIGHT: 1},
    width_px=40,
    height_px=30,
    outputs=(
        RawOutput(role=Role.RECORD, kind=Kind.JPEG, width_px=40, height_px=30, content=b"normalized"),
        RawOutput(role=Role.PREVIEW, kind=Kind.JPEG, width_px=4, height_px=3, content=b"preview"),
    ),
)


def wire(result: Result) -> bytes:
    """The result as it goes over the pipe."""
    return b"".join(encode_result(result))


@given(rebuilt | declined)
def test_what_an_honest_job_writes_arrives(result: Result) -> None:
    """Every result that follows the rules is the same on the other side."""
    assert result == decode_result(wire(result))


@given(st.binary(max_size=400))
def test_any_bytes_are_a_result_or_garbled(untrusted: bytes) -> None:
    """Nothing but Garbled ever comes of reading a stranger's bytes."""
    try:
        decode_result(b"VRI2" + untrusted)
    except Garbled:
        return


@given(rebuilt, st.data())
def test_a_changed_result_is_a_sound_result_or_garbled(result: Result, data: st.DataObject) -> None:
    """Whatever one byte is turned into, what is let through still follows every rule."""
    changed = bytearray(wire(result))
    changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        accepted = decode_result(bytes(changed))
    except Garbled:
        return
    assert bytes(changed) == wire(accepted)


@given(rebuilt | declined, st.data())
def test_a_result_cut_short_or_followed_by_more_is_garbled(result: Result, data: st.DataObject) -> None:
    """The length is exact."""
    whole = wire(result)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    for wrong in (cut, whole + b"\0"):
        with pytest.raises(Garbled):
            decode_result(wrong)


NORMALIZED, PREVIEW = SOUND.outputs


@pytest.mark.parametrize(
    "dishonest",
    [
        replace(SOUND, outputs=()),
        replace(SOUND, outputs=(PREVIEW,)),
        replace(SOUND, outputs=(PREVIEW, NORMALIZED)),
        replace(SOUND, outputs=(NORMALIZED,) * (MAX_OUTPUTS + 1)),
        replace(SOUND, reason=Reason.DAMAGED),
        replace(SOUND, reason=Reason.HELD_TYPE_UNKNOWN),
        replace(SOUND, notes={Note.TURNED_UPRIGHT: 0}),
        replace(SOUND, outputs=(replace(NORMALIZED, width_px=MAX_SIDE_PX + 1), PREVIEW)),
        replace(SOUND, outputs=(replace(NORMALIZED, width_px=MAX_SIDE_PX, height_px=MAX_SIDE_PX), PREVIEW)),
        replace(SOUND, outputs=(replace(NORMALIZED, kind=Kind.PROGRAM), PREVIEW)),
        replace(SOUND, outputs=(replace(NORMALIZED, kind=Kind.HTML), PREVIEW)),
        replace(SOUND, parts=(RawPart(name="a", media_type="b", content=b""),) * (MAX_PARTS + 1)),
        replace(SOUND, outputs=(replace(NORMALIZED, height_px=0), PREVIEW)),
        replace(SOUND, outputs=(replace(NORMALIZED, content=b""), PREVIEW)),
        Result(kind=Kind.UNKNOWN, reason=Reason.JAIL_LOST),
        Result(kind=Kind.UNKNOWN, reason=Reason.CONTENT_DIFFERS_FROM_NAME),
        Result(kind=Kind.UNKNOWN),
    ],
)
def test_a_result_that_breaks_a_rule_is_garbled(dishonest: Result) -> None:
    """No record, outputs beside a refusal, sizes out of range, kinds that are not made, reasons that are not the jail's."""
    with pytest.raises(Garbled):
        decode_result(wire(dishonest))


FIRST_NOTE = 38


@pytest.mark.parametrize(
    ("offset", "value"),
    [(4, 200), (5, 250), (28, 13), (29, 32), (30, 24), (35, 200), (36, 2), (37, 2), (FIRST_NOTE, 250)],
)
def test_a_code_or_date_that_does_not_exist_is_garbled(offset: int, value: int) -> None:
    """Kinds, reasons, months, days, hours and notes are those that exist; a yes is one, not two."""
    taken = CaptureTime(year=2024, month=2, day=3, hour=4, minute=5, second=6, offset_minutes=None)
    changed = bytearray(wire(replace(SOUND, captured=taken)))
    changed[offset] = value
    with pytest.raises(Garbled):
        decode_result(bytes(changed))


def test_an_original_that_goes_on_may_have_copies_beside_it() -> None:
    """Kept sealed, with its words as text: the reader sees something, and opens the original knowingly."""
    text = RawOutput(role=Role.TEXT, kind=Kind.TEXT, content=b"words")
    result = Result(kind=Kind.OFFICE_ZIP, reason=Reason.OPEN_WITH_CARE, outputs=(text,))
    assert result == decode_result(wire(result))


def test_a_long_text_is_cut_between_two_signs() -> None:
    """What is too long arrives shortened, and never as half a sign."""
    result = replace(SOUND, patient=Patient(name="\u00e4" * 40, id="\ud800"))
    arrived = decode_result(wire(result)).patient
    assert Patient(name="\u00e4" * 32, id="?") == arrived


def test_a_capture_time_is_told_in_iso_8601() -> None:
    """With the camera's offset from UTC where it knew it, and as local time where it did not."""
    taken = CaptureTime(year=2024, month=5, day=6, hour=7, minute=8, second=9, offset_minutes=-210)
    assert "2024-05-06T07:08:09-03:30" == taken.text()
    assert "2024-05-06T07:08:09" == replace(taken, offset_minutes=None).text()
