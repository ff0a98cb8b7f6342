"""The dumb wire between the jail and its parent: fixed integers and enum codes.

* `Request`, parent to job, with two descriptors (the content, the pipe for the result);
* `Report`, zygote to parent: how the job ended, in integers;
* the answer on descriptor 3: see `vetrelay.inspection.resultframe`.
"""

import struct
from dataclasses import dataclass, replace
from enum import IntEnum

from vetrelay.inspection.ask import Ask, DicomMode
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.policy import Limits, Row, limits_of

NO_WISHES = Ask()


class Garbled(Exception):
    """Bytes from the jail are not what they should be. Says nothing of them: they are the jail's."""


class Job(IntEnum):
    """What a jail may be asked to do.

    INSPECT: one file. MEMBER: one member of a pack, inflated. SHEET: a contact sheet of pictures
    that were made. LETTER: a whole letter, read as a value. PROBE and SAMPLE: the self-test's.
    """

    INSPECT = 1
    PROBE = 2
    SAMPLE = 3
    MEMBER = 4
    SHEET = 5
    LETTER = 6


class Exit(IntEnum):
    """A job's exit codes; every other one is a crash."""

    FINISHED = 0
    NO_SANDBOX = 71
    OUT_OF_MEMORY = 77


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One job.

    `size_bytes` is the file's true size; the content handed over may be only its head. `argument` is the number of a
    sample, or how many files a letter may have. A member was packed by `method` (0 stored, 8 deflated) from `plain_bytes` with this `crc` (ZIP's CRC-32).
    """

    job: int
    size_bytes: int
    limits: Limits
    ask: Ask = NO_WISHES
    argument: int = 0
    method: int = 0
    plain_bytes: int = 0
    crc: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How the zygote's `sequence`-th job ended: `status` as wait(2) gives it."""

    sequence: int
    status: int


def inspecting(row: Row, ask: Ask, *, size_bytes: int, patience: int = 1) -> Request:
    """The job that inspects a file of this size under this row; what the row bounds is written into the ask."""
    bounded = replace(ask, most=row.most, file_bytes=row.file_bytes, preview=ask.preview and row.preview)
    limits = limits_of(row, size_bytes=size_bytes, patience=patience)
    return Request(job=Job.INSPECT, size_bytes=size_bytes, limits=limits, ask=bounded)


_REQUEST = struct.Struct("<HQIIQQ?BIIQB???16sQHQI")
_REPORT = struct.Struct("<Qi")

# A job ends its answer with this and closes the pipe, so that nobody waits for the kernel to take the process down.
# It is no proof: a job that was taken over can write it too, as it could exit with 0. The result is checked in any case.
DONE = b"."

# What a sound jail answers to a probe: one byte for each of the worker's attempts that was denied.
PROBE_PASSED = b"\x01" * 7

REQUEST_BYTES = _REQUEST.size
REPORT_BYTES = _REPORT.size


def encode_request(request: Request) -> bytes:
    """The request as the job reads it."""
    limits, ask = request.limits, request.ask
    return _REQUEST.pack(
        request.job,
        request.size_bytes,
        limits.cpu_seconds,
        limits.wall_ms,
        limits.address_space_bytes,
        limits.output_bytes,
        limits.threads,
        ask.claimed,
        ask.longest_side_px,
        ask.most,
        ask.file_bytes,
        ask.mode,
        ask.preview,
        ask.flatten,
        ask.keep_motion,
        ask.salt,
        request.argument,
        request.method,
        request.plain_bytes,
        request.crc,
    )


def decode_request(message: bytes) -> Request:
    """The parent's request; the parent is trusted, so a wrong size is our own fault (struct.error)."""
    job, size_bytes, cpu, wall, space, output, threads, *asked, argument, method, plain, crc = _REQUEST.unpack(message)
    claimed, side_px, most, file_bytes, mode, preview, flatten, keep_motion, salt = asked
    return Request(
        job=job,
        size_bytes=size_bytes,
        limits=Limits(
            cpu_seconds=cpu,
            wall_ms=wall,
            address_space_bytes=space,
            output_bytes=output,
            threads=threads,
        ),
        ask=Ask(
            claimed=Kind(claimed),
            longest_side_px=side_px,
            most=most,
            file_bytes=file_bytes,
            mode=DicomMode(mode),
            preview=preview,
            flatten=flatten,
            keep_motion=keep_motion,
            salt=salt.rstrip(b"\0") and salt,
        ),
        argument=argument,
        method=method,
        plain_bytes=plain,
        crc=crc,
    )


def encode_report(report: Report) -> bytes:
    """The report as the parent reads it."""
    return _REPORT.pack(report.sequence, report.status)


def decode_report(message: bytes) -> Report:
    """The zygote's report. Raises Garbled for another size."""
    if len(message) != REPORT_BYTES:
        raise Garbled
    sequence, status = _REPORT.unpack(message)
    return Report(sequence=sequence, status=status)
