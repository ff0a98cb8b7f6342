"""The chunks of a PNG (W3C PNG, third edition): every length and every checksum, before the decoder sees it."""

import zlib

from vetrelay.inspection.outlines.outline import Content, Outline, check_size, number
from vetrelay.inspection.words import Note, Reason, Unfit

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER_BYTES = 13
_OVERHEAD_BYTES = 12  # length, type, checksum
_NEEDED_TO_DRAW = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
# A profile is some kilobytes, a caption some more; both far below this, a bomb far above.
_MAX_UNPACKED_BYTES = 1 << 20
_CHECK_STEP_BYTES = 1 << 20


def read(content: Content) -> Outline:
    """Walks the chunks to IEND. Raises Unfit: incomplete, damaged (also by checksum), or unpacking too large."""
    position = len(SIGNATURE)
    size: tuple[int, int] | None = None
    kinds: set[bytes] = set()
    notes: set[Note] = set()
    while b"IEND" not in kinds:
        length = number(content, position, 4)
        kind = bytes(content[position + 4 : position + 8])
        end = position + _OVERHEAD_BYTES + length
        if len(kind) == 4 and not kind.isalpha():  # noqa: PLR2004 - four letters
            raise Unfit(Reason.DAMAGED)
        if end > len(content):
            raise Unfit(Reason.INCOMPLETE)
        if _checksum(content, position + 4, end - 4) != number(content, end - 4, 4):
            raise Unfit(Reason.DAMAGED)
        if (size is None) != (kind == b"IHDR"):
            raise Unfit(Reason.DAMAGED)
        if size is None:
            if length != _HEADER_BYTES:
                raise Unfit(Reason.DAMAGED)
            size = number(content, position + 8, 4), number(content, position + 12, 4)
            check_size(*size)
        elif kind in _TEXTS or kind == b"iCCP":
            text = bytes(content[position + 8 : end - 4])
            _check_unpacked(kind, text)
            notes |= _loss(text) if kind in _TEXTS else set()
        kinds.add(kind)
        position = end
    if size is None or b"IDAT" not in kinds:
        raise Unfit(Reason.INCOMPLETE)
    bare = kinds <= _NEEDED_TO_DRAW and position == len(content)
    if position < len(content):
        notes.add(Note.TRAILING_BYTES_REMOVED)
    return Outline(
        width_px=size[0],
        height_px=size[1],
        end_bytes=position,
        notes=frozenset(notes),
        bare=bare,
        moving=b"acTL" in kinds,
    )


def _checksum(content: Content, start: int, end: int) -> int:
    checksum = 0
    for position in range(start, end, _CHECK_STEP_BYTES):
        checksum = zlib.crc32(content[position : min(position + _CHECK_STEP_BYTES, end)], checksum)
    return checksum


def _check_unpacked(kind: bytes, chunk: bytes) -> None:
    keyword, _, rest = chunk.partition(b"\x00")
    if kind == b"tEXt" or not rest:
        return
    if kind == b"iTXt":
        if rest[:1] == b"\x00":  # not compressed
            return
        packed = rest[2:].split(b"\x00", 2)[-1]
    else:
        packed = rest[1:]
    unpacker = zlib.decompressobj()
    try:
        unpacked = unpacker.decompress(packed, _MAX_UNPACKED_BYTES + 1)
    except zlib.error:
        return  # the text or profile is unreadable, and is dropped anyway
    if len(keyword) + len(unpacked) > _MAX_UNPACKED_BYTES:
        raise Unfit(Reason.UNPACKS_TOO_LARGE)


def _loss(text: bytes) -> set[Note]:
    if text.startswith(b"XML:com.adobe.xmp"):
        return {Note.EDITING_RECORD_REMOVED}
    return {Note.COMMENT_REMOVED}
