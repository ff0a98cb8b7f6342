"""Requests and reports: fixed integers that arrive as they were sent."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vetrelay.inspection.ask import Ask, DicomMode
from vetrelay.inspection.frames import (
    Garbled,
    Job,
    Report,
    Request,
    decode_report,
    decode_request,
    encode_report,
    encode_request,
    inspecting,
)
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.policy import ROWS, Limits, limits_of

sizes = st.integers(0, 2**40)
requests = st.builds(
    Request,
    job=st.integers(0, 200),
    size_bytes=sizes,
    limits=st.builds(
        Limits,
        cpu_seconds=st.integers(0, 2**31),
        wall_ms=st.integers(0, 2**32 - 1),
        address_space_bytes=sizes,
        output_bytes=sizes,
        threads=st.booleans(),
    ),
    ask=st.builds(
        Ask,
        claimed=st.sampled_from(list(Kind)),
        longest_side_px=st.integers(0, 2**32 - 1),
        most=st.integers(0, 2**32 - 1),
        file_bytes=sizes,
        mode=st.sampled_from(list(DicomMode)),
        preview=st.booleans(),
        flatten=st.booleans(),
        keep_motion=st.booleans(),
        salt=st.just(b"") | st.binary(min_size=16, max_size=16).filter(any),
    ),
    argument=sizes,
    method=st.sampled_from([0, 8]),
    plain_bytes=sizes,
    crc=st.integers(0, 2**32 - 1),
)


@given(requests)
def test_a_request_arrives_as_it_was_sent(request: Request) -> None:
    """Every wish and every limit."""
    assert request == decode_request(encode_request(request))


def test_a_report_of_another_size_is_no_report() -> None:
    """The zygote's word is two integers."""
    report = Report(sequence=2**50, status=-1)
    assert report == decode_report(encode_report(report))
    with pytest.raises(Garbled):
        decode_report(encode_report(report) + b"x")


def test_a_job_is_bounded_by_its_row() -> None:
    """What the row says of size and number goes to the jail; a preview is made only where both want one."""
    row = replace(ROWS[Kind.PDF], most=7, file_bytes=99, preview=False)
    request = inspecting(row, Ask(claimed=Kind.PDF, flatten=True), size_bytes=12, patience=3)
    assert Ask(claimed=Kind.PDF, flatten=True, most=7, file_bytes=99, preview=False) == request.ask
    assert limits_of(row, size_bytes=12, patience=3) == request.limits
    assert (Job.INSPECT, 12) == (request.job, request.size_bytes)
