"""The chunks of a PNG (W3C PNG, third edition): every length and every checksum, before the decoder sees it."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from vetrelay.inspection.notes import Note
from vetrelay.inspection.outlines.outline import Content, Outline, check_size, number
from vetrelay.inspection.words import Reason, Unfit

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER_BYTES = 13
_FRAME_CONTROL_BYTES = 26
_OVERHEAD_BYTES = 12  # length, type, checksum
_NEEDED_TO_DRAW = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
# A profile is some kilobytes, a caption some more; both far below this, a bomb far above.
_MAX_UNPACKED_BYTES = 1 << 20
_CHECK_STEP_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One chunk: its four letters, and where its content starts and ends."""

    kind: bytes
    start: int
    end: int


def chunks(content: Content) -> Iterator[Chunk]:
    """The chunks up to and with IEND, each with a sound checksum. Raises Unfit."""
    position = len(SIGNATURE)
    kind = b""
    while kind != b"IEND":
        length = number(content, position, 4)
        kind = bytes(content[position + 4 : position + 8])
        end = position + _OVERHEAD_BYTES + length
        if not kind.isalpha() and len(kind) == 4:
            raise Unfit(Reason.DAMAGED)
        if end > len(content):
            raise Unfit(Reason.INCOMPLETE)
        if _checksum(content, position + 4, end - 4) != number(content, end - 4, 4):
            raise Unfit(Reason.DAMAGED)
        yield Chunk(kind=kind, start=position + 8, end=end - 4)
        position = end


def read(content: Content) -> Outline:
    """Walks the chunks to IEND. Raises Unfit: incomplete, damaged (also by checksum), or unpacking too large."""
    walk = chunks(content)
    header = next(walk)
    if header.kind != b"IHDR" or header.end - header.start != _HEADER_BYTES:
        raise Unfit(Reason.DAMAGED)
    width_px, height_px = number(content, header.start, 4), number(content, header.start + 4, 4)
    check_size(width_px, height_px)
    kinds = {header.kind}
    notes: set[Note] = set()
    frames: list[int] = []
    end = 0
    for chunk in walk:
        if chunk.kind == b"IHDR":
            raise Unfit(Reason.DAMAGED)
        if chunk.kind == b"acTL" and b"IDAT" in kinds:
            continue  # too late to say so: it is a still picture then
        kinds.add(chunk.kind)
        if chunk.kind == b"fcTL":
            frames.append(_frame_ms(content, chunk))
        if chunk.kind in _TEXTS or chunk.kind == b"iCCP":
            notes |= _read_text(chunk.kind, bytes(content[chunk.start : chunk.end]))
        end = chunk.end + 4
    if b"IDAT" not in kinds:
        raise Unfit(Reason.INCOMPLETE)
    if end < len(content):
        notes.add(Note.TRAILING_BYTES_REMOVED)
    return Outline(
        width_px=width_px,
        height_px=height_px,
        end_bytes=end,
        notes=frozenset(notes),
        bare=kinds <= _NEEDED_TO_DRAW and end == len(content),
        frames_ms=tuple(frames) if b"acTL" in kinds else (),
        moving=b"acTL" in kinds and len(frames) > 1,
    )


def _frame_ms(content: Content, chunk: Chunk) -> int:
    """How long a frame is shown: a fraction of a second (PNG, third edition, 11.3.6.2)."""
    if chunk.end - chunk.start != _FRAME_CONTROL_BYTES:
        raise Unfit(Reason.DAMAGED)
    over, under = number(content, chunk.start + 20, 2), number(content, chunk.start + 22, 2)
    return 1000 * over // (under or 100)


def _checksum(content: Content, start: int, end: int) -> int:
    checksum = 0
    for position in range(start, end, _CHECK_STEP_BYTES):
        checksum = zlib.crc32(content[position : min(position + _CHECK_STEP_BYTES, end)], checksum)
    return checksum


def _read_text(kind: bytes, chunk: bytes) -> set[Note]:
    """What losing a text chunk is called. Raises Unfit for one that unpacks to more than any caption or profile."""
    keyword, _, rest = chunk.partition(b"\x00")
    packed = _packed_part(kind, rest)
    unpacker = zlib.decompressobj()
    try:
        unpacked = unpacker.decompress(packed, _MAX_UNPACKED_BYTES + 1)
    except zlib.error:
        unpacked = b""  # unreadable, and dropped anyway
    if len(unpacked) > _MAX_UNPACKED_BYTES:
        raise Unfit(Reason.UNPACKS_TOO_LARGE)
    if kind == b"iCCP":
        return set()
    return {Note.EDITING_RECORD_REMOVED if keyword == b"XML:com.adobe.xmp" else Note.COMMENT_REMOVED}


def _packed_part(kind: bytes, rest: bytes) -> bytes:
    if kind == b"iTXt":
        # flag, method, language, translated keyword, text
        return rest[2:].split(b"\x00", 2)[-1] if rest[:1] == b"\x01" else b""
    return b"" if kind == b"tEXt" else rest[1:]
