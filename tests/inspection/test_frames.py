"""The dumb wire: what an honest job writes arrives, and nothing else does."""

import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vetrelay.inspection.frames import (
    CaptureTime,
    Garbled,
    RawOutput,
    Report,
    Request,
    Result,
    Role,
    decode_report,
    decode_request,
    decode_result,
    encode_report,
    encode_request,
    encode_result,
)
from vetrelay.inspection.kinds import OPENED_KINDS, Kind
from vetrelay.inspection.policy import MAX_SIDE_PX, Limits
from vetrelay.inspection.words import FIRST_JAIL_END, Note, Reason

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
notes = st.frozensets(st.sampled_from(list(Note)))


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


rebuilt = st.builds(
    Result,
    kind=st.sampled_from(sorted(OPENED_KINDS)),
    notes=notes,
    width_px=sides,
    height_px=sides,
    captured=st.none() | captured,
    outputs=st.tuples(output(Role.NORMALIZED), output(Role.PREVIEW)),
)
declined = st.builds(
    Result,
    kind=st.sampled_from(list(Kind)),
    reason=st.sampled_from(
        [
            reason
            for reason in Reason
            if reason not in {Reason.NONE, Reason.CONTENT_DIFFERS_FROM_NAME} and reason < FIRST_JAIL_END
        ]
    ),
)
SOUND = Result(
    kind=Kind.JPEG,
    notes=frozenset({Note.TURNED_UPRIGHT}),
    width_px=40,
    height_px=30,
    outputs=(
        RawOutput(role=Role.NORMALIZED, kind=Kind.JPEG, width_px=40, height_px=30, content=b"normalized"),
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
        decode_result(b"VRI1" + untrusted)
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
        replace(SOUND, outputs=(NORMALIZED,)),
        replace(SOUND, outputs=(PREVIEW, NORMALIZED)),
        replace(SOUND, outputs=(NORMALIZED, NORMALIZED)),
        replace(SOUND, reason=Reason.DAMAGED),
        replace(SOUND, kind=Kind.PDF),
        replace(SOUND, width_px=0),
        replace(SOUND, width_px=MAX_SIDE_PX + 1),
        replace(SOUND, width_px=MAX_SIDE_PX, height_px=MAX_SIDE_PX),
        replace(SOUND, outputs=(replace(NORMALIZED, kind=Kind.WEBP), PREVIEW)),
        replace(SOUND, outputs=(replace(NORMALIZED, height_px=0), PREVIEW)),
        replace(SOUND, outputs=(replace(NORMALIZED, content=b""), PREVIEW)),
        Result(kind=Kind.UNKNOWN, reason=Reason.JAIL_LOST),
        Result(kind=Kind.UNKNOWN, reason=Reason.CONTENT_DIFFERS_FROM_NAME),
        Result(kind=Kind.UNKNOWN),
    ],
)
def test_a_result_that_breaks_a_rule_is_garbled(dishonest: Result) -> None:
    """Outputs without their pair, outputs beside a reason, sizes out of range, reasons that are not the jail's."""
    with pytest.raises(Garbled):
        decode_result(wire(dishonest))


@pytest.mark.parametrize(("offset", "value"), [(4, 200), (5, 250), (24, 13), (25, 32), (26, 24)])
def test_a_code_or_date_that_does_not_exist_is_garbled(offset: int, value: int) -> None:
    """Kinds, reasons, months, days and hours are those that exist."""
    taken = CaptureTime(year=2024, month=2, day=3, hour=4, minute=5, second=6, offset_minutes=None)
    changed = bytearray(wire(replace(SOUND, captured=taken)))
    changed[offset] = value
    with pytest.raises(Garbled):
        decode_result(bytes(changed))


def test_a_note_that_does_not_exist_is_garbled() -> None:
    """Bits beyond the closed list are not dropped in silence."""
    changed = bytearray(wire(SOUND))
    struct.pack_into("<Q", changed, 6, 1 << 63)
    with pytest.raises(Garbled):
        decode_result(bytes(changed))


def test_a_capture_time_is_told_in_iso_8601() -> None:
    """With the camera's offset from UTC where it knew it, and as local time where it did not."""
    taken = CaptureTime(year=2024, month=5, day=6, hour=7, minute=8, second=9, offset_minutes=-210)
    assert "2024-05-06T07:08:09-03:30" == taken.text()
    assert "2024-05-06T07:08:09" == replace(taken, offset_minutes=None).text()


def test_requests_and_reports_go_through_unchanged() -> None:
    """Both are fixed structs; a report of another size is no report."""
    limits = Limits(file_bytes=1, cpu_seconds=2, wall_ms=3, address_space_bytes=2**40, output_bytes=2**33, threads=True)
    request = Request(job=7, argument=2**50, size_bytes=2**41, limits=limits)
    assert request == decode_request(encode_request(request))
    report = Report(sequence=2**50, status=-1)
    assert report == decode_report(encode_report(report))
    with pytest.raises(Garbled):
        decode_report(encode_report(report) + b"x")
