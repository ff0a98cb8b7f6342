"""The dumb wire between the jail and its parent: fixed integers, enum codes, capped bytes.

Three messages, each a fixed little-endian struct:

* `Request`, parent to job, with two descriptors (the content, the pipe for the result);
* `Report`, zygote to parent: how the job ended, in integers;
* `Result`, job to parent, on descriptor 3: what was seen and what was made.

A result comes from a process that may have been taken over, so `decode_result` believes nothing: every number is
checked against its range and every output against its cap; anything else is `Garbled`.
"""

import struct
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from enum import IntEnum

from vetrelay.inspection.kinds import OPENED_KINDS, Kind
from vetrelay.inspection.policy import MAX_PIXELS, MAX_SIDE_PX, Limits
from vetrelay.inspection.words import FIRST_JAIL_END, Note, Reason


class Garbled(Exception):
    """Bytes from the jail are not a result. Says nothing of them: they are the jail's."""


class Job(IntEnum):
    """What a jail may be asked to do."""

    INSPECT = 1
    PROBE = 2
    SAMPLE = 3


class Role(IntEnum):
    """What an output is for."""

    NORMALIZED = 1
    PREVIEW = 2

    @property
    def word(self) -> str:
        """The role as it stands in a finding."""
        return self.name.lower()


class Exit(IntEnum):
    """A job's exit codes; every other one is a crash."""

    FINISHED = 0
    NO_SANDBOX = 71
    OUT_OF_MEMORY = 77


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One job. `size_bytes` is the file's true size; the content handed over may be only its head."""

    job: int
    argument: int
    size_bytes: int
    limits: Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How the zygote's `sequence`-th job ended: `status` as wait(2) gives it."""

    sequence: int
    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RawOutput:
    """One file made in the jail."""

    role: Role
    kind: Kind
    width_px: int
    height_px: int
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureTime:
    """When a picture was taken, as the camera wrote it: local time, and the offset from UTC if it knew."""

    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int
    offset_minutes: int | None

    def text(self) -> str:
        """ISO 8601, with the offset if there is one. Raises ValueError for a date that does not exist."""
        zone = None if self.offset_minutes is None else timezone(timedelta(minutes=self.offset_minutes))
        return datetime(self.year, self.month, self.day, self.hour, self.minute, self.second, tzinfo=zone).isoformat()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a job saw (`kind`, `width_px` × `height_px` of the original, when it was taken) and what it made."""

    kind: Kind
    reason: Reason = Reason.NONE
    notes: frozenset[Note] = frozenset()
    width_px: int = 0
    height_px: int = 0
    captured: CaptureTime | None = None
    outputs: tuple[RawOutput, ...] = field(default=())


_REQUEST = struct.Struct("<HQQQIIQQB")
_REPORT = struct.Struct("<Qi")
_RESULT = struct.Struct("<4sBBQIIHBBBBBhB")
_OUTPUT = struct.Struct("<BBIII")
_MAGIC = b"VRI1"
_NO_OFFSET = 0x7FFF
_MAX_OFFSET_MINUTES = 24 * 60 - 1
_OUTPUT_KINDS = frozenset({Kind.JPEG, Kind.PNG})
_ALL_NOTES = sum(1 << note for note in Note)
_ROLES_MADE = (Role.NORMALIZED, Role.PREVIEW)

# A job ends its answer with this and closes the pipe, so that nobody waits for the kernel to take the process down.
# It is no proof: a job that was taken over can write it too, as it could exit with 0. The result is checked in any case.
DONE = b"."

# What a sound jail answers to a probe: one byte for each of the worker's attempts that was denied.
PROBE_PASSED = b"\x01" * 7

REQUEST_BYTES = _REQUEST.size
REPORT_BYTES = _REPORT.size


def encode_request(request: Request) -> bytes:
    """The request as the job reads it."""
    limits = request.limits
    return _REQUEST.pack(
        request.job,
        request.argument,
        request.size_bytes,
        limits.file_bytes,
        limits.cpu_seconds,
        limits.wall_ms,
        limits.address_space_bytes,
        limits.output_bytes,
        limits.threads,
    )


def decode_request(message: bytes) -> Request:
    """The parent's request; the parent is trusted, so a wrong size is our own fault (struct.error)."""
    job, argument, size_bytes, file_bytes, cpu_seconds, wall_ms, address_space_bytes, output_bytes, threads = (
        _REQUEST.unpack(message)
    )
    limits = Limits(
        file_bytes=file_bytes,
        cpu_seconds=cpu_seconds,
        wall_ms=wall_ms,
        address_space_bytes=address_space_bytes,
        output_bytes=output_bytes,
        threads=bool(threads),
    )
    return Request(job=job, argument=argument, size_bytes=size_bytes, limits=limits)


def encode_report(report: Report) -> bytes:
    """The report as the parent reads it."""
    return _REPORT.pack(report.sequence, report.status)


def decode_report(message: bytes) -> Report:
    """The zygote's report. Raises Garbled for another size."""
    if len(message) != REPORT_BYTES:
        raise Garbled
    sequence, status = _REPORT.unpack(message)
    return Report(sequence=sequence, status=status)


def encode_result(result: Result) -> list[bytes]:
    """The result as parts to be written one after the other, so that a picture is not copied once more."""
    taken = result.captured
    when = (0,) * 6 if taken is None else (taken.year, taken.month, taken.day, taken.hour, taken.minute, taken.second)
    offset = _NO_OFFSET if taken is None or taken.offset_minutes is None else taken.offset_minutes
    parts = [
        _RESULT.pack(
            _MAGIC,
            result.kind,
            result.reason,
            sum(1 << note for note in result.notes),
            result.width_px,
            result.height_px,
            *when,
            offset,
            len(result.outputs),
        )
    ]
    for made in result.outputs:
        parts.append(_OUTPUT.pack(made.role, made.kind, made.width_px, made.height_px, len(made.content)))
        parts.append(made.content)
    return parts


def decode_result(untrusted: bytes) -> Result:
    """A checked result. Raises Garbled for everything that an honest job cannot have written."""
    if len(untrusted) < _RESULT.size:
        raise Garbled
    magic, kind, reason, notes, width_px, height_px, *when, offset, output_count = _RESULT.unpack_from(untrusted)
    if magic != _MAGIC or notes & ~_ALL_NOTES:
        raise Garbled
    checked_kind = _kind(kind)
    checked_reason = _reason(reason)
    outputs = _outputs(untrusted, output_count)
    made_both = tuple(made.role for made in outputs) == _ROLES_MADE
    # Either a reason and nothing made, or no reason and exactly the two outputs of an opened kind.
    if made_both == (checked_reason is not Reason.NONE) or (not made_both and outputs):
        raise Garbled
    if made_both and (checked_kind not in OPENED_KINDS or not _drawable(width_px, height_px)):
        raise Garbled
    return Result(
        kind=checked_kind,
        reason=checked_reason,
        notes=frozenset(note for note in Note if notes >> note & 1),
        width_px=width_px,
        height_px=height_px,
        captured=_captured(when, offset),
        outputs=outputs,
    )


def _kind(untrusted_kind: int) -> Kind:
    try:
        return Kind(untrusted_kind)
    except ValueError:
        raise Garbled from None


def _reason(untrusted_reason: int) -> Reason:
    try:
        reason = Reason(untrusted_reason)
    except ValueError:
        raise Garbled from None
    # How a jail ended is the parent's to say, and so is what a name claims.
    if reason >= FIRST_JAIL_END or reason is Reason.CONTENT_DIFFERS_FROM_NAME:
        raise Garbled
    return reason


def _drawable(untrusted_width_px: int, untrusted_height_px: int) -> bool:
    return (
        0 < untrusted_width_px <= MAX_SIDE_PX
        and 0 < untrusted_height_px <= MAX_SIDE_PX
        and untrusted_width_px * untrusted_height_px <= MAX_PIXELS
    )


def _captured(untrusted_when: list[int], untrusted_offset: int) -> CaptureTime | None:
    year, month, day, hour, minute, second = untrusted_when
    if year == 0:
        if any(untrusted_when) or untrusted_offset != _NO_OFFSET:
            raise Garbled
        return None
    offset_minutes = None if untrusted_offset == _NO_OFFSET else untrusted_offset
    if offset_minutes is not None and abs(offset_minutes) > _MAX_OFFSET_MINUTES:
        raise Garbled
    taken = CaptureTime(
        year=year, month=month, day=day, hour=hour, minute=minute, second=second, offset_minutes=offset_minutes
    )
    try:
        taken.text()
    except ValueError:
        raise Garbled from None
    return taken


def _outputs(untrusted: bytes, untrusted_count: int) -> tuple[RawOutput, ...]:
    if untrusted_count > len(_ROLES_MADE):
        raise Garbled
    outputs = []
    position = _RESULT.size
    for role in _ROLES_MADE[:untrusted_count]:
        if len(untrusted) - position < _OUTPUT.size:
            raise Garbled
        untrusted_role, kind, width_px, height_px, size_bytes = _OUTPUT.unpack_from(untrusted, position)
        position += _OUTPUT.size
        content = untrusted[position : position + size_bytes]
        position += size_bytes
        if untrusted_role != role or kind not in _OUTPUT_KINDS or not size_bytes or len(content) != size_bytes:
            raise Garbled
        if not _drawable(width_px, height_px):
            raise Garbled
        outputs.append(RawOutput(role=role, kind=Kind(kind), width_px=width_px, height_px=height_px, content=content))
    if position != len(untrusted):
        raise Garbled
    return tuple(outputs)
