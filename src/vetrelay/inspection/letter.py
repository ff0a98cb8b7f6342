"""Reads one whole letter (RFC 5322) as a value, in the jail: what the bridge does with everything that it receives.

read = await read_letter(inspector, content)
"""

from vetrelay.inspection.frames import Garbled, Job, Request
from vetrelay.inspection.inspect import Inspector
from vetrelay.inspection.letterframe import decode_letter
from vetrelay.inspection.letterread import (
    MAX_PARTS,
    Action,
    DeliveryReport,
    LetterPart,
    LetterRead,
    Protection,
    SignedPart,
)
from vetrelay.inspection.policy import GiB, Limits, MiB
from vetrelay.inspection.sandbox import End, Ending
from vetrelay.inspection.source import BytesSource, Source
from vetrelay.inspection.threads import to_its_end
from vetrelay.inspection.words import Reason, Unfit

__all__ = [
    "MAX_LETTER_BYTES",
    "Action",
    "DeliveryReport",
    "LetterPart",
    "LetterRead",
    "Protection",
    "SignedPart",
    "read_letter",
]

MAX_LETTER_BYTES = 52 * MiB
"""What the bridge accepts, and the fields that it and its peers write above it."""
_AT_ONCE_BYTES = MiB
_REASON_OF_END = {
    End.TIMED_OUT: Reason.JAIL_TIMEOUT,
    End.OUT_OF_MEMORY: Reason.NEEDS_TOO_MUCH_MEMORY,
    End.CRASHED: Reason.JAIL_CRASHED,
    End.FLOODED: Reason.JAIL_FLOODED,
}


async def read_letter(inspector: Inspector, source: bytes | Source, *, at_most_parts: int = 100) -> LetterRead:
    """The letter, with at most so many files in it (no more than `MAX_PARTS`).

    Raises Unfit where it cannot be opened safely: EMPTY, TOO_MANY_BYTES, DAMAGED (fields without end),
    LETTER_TOO_DEEP, LETTER_TOO_MANY_PARTS, NESTED_TOO_DEEP (a web page), or how the jail ended. Raises Fault where no
    jail can be had at all.
    """
    content = BytesSource(source) if isinstance(source, bytes) else source
    if content.size_bytes == 0:
        raise Unfit(Reason.EMPTY)
    if content.size_bytes > MAX_LETTER_BYTES:
        raise Unfit(Reason.TOO_MANY_BYTES)
    most_parts = min(at_most_parts, MAX_PARTS)
    ending = await inspector.run(_reading(content.size_bytes, most_parts=most_parts), content)
    if len(ending.untrusted) <= _AT_ONCE_BYTES:
        return _believed(ending, content, most_parts)
    return await to_its_end(_believed, ending, content, most_parts)


def _reading(size_bytes: int, *, most_parts: int) -> Request:
    seconds = 15 + size_bytes // MiB
    return Request(
        job=Job.LETTER,
        size_bytes=size_bytes,
        limits=Limits(
            cpu_seconds=seconds,
            wall_ms=3000 * seconds,
            address_space_bytes=GiB + 4 * size_bytes,
            # What base64 and the like unpack to is never larger than the letter; Outlook's packed text may be.
            output_bytes=2 * size_bytes + 32 * MiB,
        ),
        argument=most_parts,
    )


def _believed(ending: Ending, content: Source, most_parts: int) -> LetterRead:
    """What is believed of the job's answer. Raises Unfit."""
    if ending.end is not End.FINISHED:
        raise Unfit(_REASON_OF_END[ending.end])
    try:
        return decode_letter(ending.untrusted, content, most_parts=most_parts)
    except Garbled:
        raise Unfit(Reason.JAIL_GARBLED) from None
