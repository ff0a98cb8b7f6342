"""The chunks of a WebP file (RFC 9649)."""

from vetrelay.inspection.outlines.outline import Content, Outline, check_size
from vetrelay.inspection.words import Note, Reason, Unfit

_RIFF_HEADER_BYTES = 8
_FIRST_CHUNK = 12
_LOSSY_START = b"\x9d\x01\x2a"
_LOSSLESS_START = 0x2F


def read(content: Content) -> Outline:
    """Walks the chunks of the RIFF container. Raises Unfit."""
    end = _little(content, 4, 4) + _RIFF_HEADER_BYTES
    if end > len(content):
        raise Unfit(Reason.INCOMPLETE)
    position = _FIRST_CHUNK
    size: tuple[int, int] | None = None
    kinds: set[bytes] = set()
    while position < end:
        kind = bytes(content[position : position + 4])
        length = _little(content, position + 4, 4)
        start = position + _RIFF_HEADER_BYTES
        if start + length > end:
            raise Unfit(Reason.INCOMPLETE)
        if size is None:
            size = _size(content, kind, start)
            check_size(*size)
        kinds.add(kind)
        position = start + length + (length & 1)
    if size is None or not kinds & {b"VP8 ", b"VP8L", b"ANMF"}:
        raise Unfit(Reason.INCOMPLETE)
    notes = set()
    if b"XMP " in kinds:
        notes.add(Note.EDITING_RECORD_REMOVED)
    if position < len(content):
        notes.add(Note.TRAILING_BYTES_REMOVED)
    return Outline(
        width_px=size[0],
        height_px=size[1],
        end_bytes=end,
        notes=frozenset(notes),
        moving=bool(kinds & {b"ANIM", b"ANMF"}),
    )


def _size(content: Content, kind: bytes, start: int) -> tuple[int, int]:
    if kind == b"VP8X":
        return _little(content, start + 4, 3) + 1, _little(content, start + 7, 3) + 1
    if kind == b"VP8 " and bytes(content[start + 3 : start + 6]) == _LOSSY_START:
        return _little(content, start + 6, 2) & 0x3FFF, _little(content, start + 8, 2) & 0x3FFF
    if kind == b"VP8L" and _little(content, start, 1) == _LOSSLESS_START:
        packed = _little(content, start + 1, 4)
        return (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    raise Unfit(Reason.DAMAGED)


def _little(content: Content, position: int, size: int) -> int:
    taken = content[position : position + size]
    if len(taken) != size:
        raise Unfit(Reason.INCOMPLETE)
    return int.from_bytes(taken, "little")
