"""The two jobs of packs: one member taken out in the jail, and previews drawn onto one sheet there."""

import zlib
from dataclasses import dataclass

from vetrelay.inspection.entries import Entry
from vetrelay.inspection.frames import Job, Request
from vetrelay.inspection.policy import GiB, Limits, MiB
from vetrelay.inspection.sandbox import End, Ending
from vetrelay.inspection.source import Source
from vetrelay.inspection.words import Reason, Unfit

_REASON_OF_END = {
    End.TIMED_OUT: Reason.JAIL_TIMEOUT,
    End.OUT_OF_MEMORY: Reason.NEEDS_TOO_MUCH_MEMORY,
    End.CRASHED: Reason.JAIL_CRASHED,
    End.FLOODED: Reason.JAIL_FLOODED,
}
# Inflating runs at a hundred MiB a second and more.
_BASE_SECONDS, _MIB_PER_SECOND = 10, 10
# What Python, and the libraries that are loaded beside it, take before a job begins.
_LOADED_BYTES = 2 * GiB
_DRAWING_SECONDS = 20
_SHEET_BYTES = 8 * MiB
# What an inflating job may say with a reason of its own.
_SAID = frozenset({Reason.PACK_DISAGREES, Reason.PACK_METHOD_UNKNOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A part of another source: a member that is stored as it is."""

    source: Source
    offset: int
    size_bytes: int

    def read(self, offset: int, size_bytes: int) -> bytes:
        """These bytes of the part; fewer at its end."""
        return self.source.read(self.offset + offset, max(0, min(size_bytes, self.size_bytes - offset)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taken:
    """A member as the jail gave it, not copied once more: it may be as large as the largest file."""

    content: memoryview

    @property
    def size_bytes(self) -> int:
        """How long it is."""
        return len(self.content)

    def read(self, offset: int, size_bytes: int) -> bytes:
        """A slice."""
        return bytes(self.content[offset : offset + size_bytes])


def check_sum(content: Source, crc: int) -> None:
    """Raises Unfit(PACK_DISAGREES) unless a stored member has the CRC-32 that the pack's list says."""
    seen = position = 0
    while piece := content.read(position, MiB):
        seen = zlib.crc32(piece, seen)
        position += len(piece)
    if seen != crc or position != content.size_bytes:
        raise Unfit(Reason.PACK_DISAGREES)


def taking_out(entry: Entry) -> Request:
    """The job that inflates one member, whose packed bytes are its content."""
    seconds = _BASE_SECONDS + entry.plain_bytes // (_MIB_PER_SECOND * MiB)
    return Request(
        job=Job.MEMBER,
        size_bytes=entry.packed_bytes,
        limits=Limits(
            cpu_seconds=seconds,
            wall_ms=3000 * seconds,
            # The member while it grows, once more as it is handed over, and its packed bytes.
            address_space_bytes=_LOADED_BYTES + 3 * entry.plain_bytes + entry.packed_bytes,
            output_bytes=entry.plain_bytes + 64,
        ),
        method=entry.method,
        plain_bytes=entry.plain_bytes,
        crc=entry.crc,
    )


def taken_out(ending: Ending) -> Source:
    """The member's own bytes. Raises Unfit with the reason that the jail gave, or with how it ended."""
    if ending.end is not End.FINISHED:
        raise Unfit(_REASON_OF_END[ending.end])
    said = memoryview(ending.untrusted)
    if bytes(said[:1]) == bytes([Reason.NONE]):
        return _Taken(content=said[1:])
    raise Unfit(next((reason for reason in _SAID if bytes(said[:2]) == bytes([reason])), Reason.JAIL_GARBLED))


def drawing(previews: bytes) -> Request:
    """The job that draws a contact sheet of encoded previews."""
    return Request(
        job=Job.SHEET,
        size_bytes=len(previews),
        limits=Limits(
            cpu_seconds=_DRAWING_SECONDS,
            wall_ms=3000 * _DRAWING_SECONDS,
            address_space_bytes=_LOADED_BYTES,
            output_bytes=_SHEET_BYTES,
        ),
    )
