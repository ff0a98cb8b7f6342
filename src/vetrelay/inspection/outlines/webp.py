"""The chunks of a WebP file (RFC 9649)."""

from dataclasses import dataclass, field

from vetrelay.inspection.notes import Note
from vetrelay.inspection.outlines.outline import Content, Outline, check_size, little
from vetrelay.inspection.words import Reason, Unfit

_RIFF_HEADER_BYTES = 8
_FIRST_CHUNK = 12
_LOSSY_START = b"\x9d\x01\x2a"
_LOSSLESS_START = 0x2F
_PICTURES = frozenset({b"VP8 ", b"VP8L"})
_FRAME_HEADER_BYTES = 16
# The length of each chunk that stands in a bare file beside the pictures, where it has a fixed one.
_FIXED_BYTES = {b"VP8X": 10, b"ANIM": 6}
_BARE = frozenset({b"VP8X", b"ANIM", b"ANMF", b"ALPH"}) | _PICTURES
_BARE_IN_A_FRAME = frozenset({b"ALPH"}) | _PICTURES
# Of the flags of VP8X: animation and alpha. The others announce a profile, EXIF and XMP, or are reserved.
_BARE_FLAGS = 0x12


@dataclass(slots=True)
class _Seen:
    """What the walk has met so far."""

    size: tuple[int, int] | None = None
    kinds: set[bytes] = field(default_factory=set)
    frames_ms: list[int] = field(default_factory=list)
    bare: bool = True


def read(content: Content) -> Outline:
    """Walks the chunks of the RIFF container. Raises Unfit."""
    end = little(content, 4, 4) + _RIFF_HEADER_BYTES
    if end > len(content):
        raise Unfit(Reason.INCOMPLETE)
    seen = _Seen()
    position = _FIRST_CHUNK
    while position < end:
        position = _chunk(content, position, end, seen)
    if seen.size is None or not seen.kinds & (_PICTURES | {b"ANMF"}):
        raise Unfit(Reason.INCOMPLETE)
    notes = set()
    if b"XMP " in seen.kinds:
        notes.add(Note.EDITING_RECORD_REMOVED)
    if position < len(content):
        notes.add(Note.TRAILING_BYTES_REMOVED)
    return Outline(
        width_px=seen.size[0],
        height_px=seen.size[1],
        end_bytes=end,
        notes=frozenset(notes),
        bare=seen.bare and position == end == len(content),
        frames_ms=tuple(seen.frames_ms),
        moving=len(seen.frames_ms) > 1,
    )


def _chunk(content: Content, position: int, end: int, seen: _Seen) -> int:
    """Looks at one chunk, and says where the next one starts. Raises Unfit."""
    kind = bytes(content[position : position + 4])
    length = little(content, position + 4, 4)
    start = position + _RIFF_HEADER_BYTES
    if start + length > end:
        raise Unfit(Reason.INCOMPLETE)
    if seen.size is None:
        seen.size = _size(content, kind, start)
        check_size(*seen.size)
    if kind == b"ANMF":
        _frame(content, start, start + length, seen)
    # Only frames come more than once, and an odd chunk is followed by one empty byte.
    seen.bare &= kind in _BARE and (kind == b"ANMF" or kind not in seen.kinds)
    seen.bare &= length == _FIXED_BYTES.get(kind, length) and _is_padded(content, start + length)
    if kind == b"VP8X":
        seen.bare &= not little(content, start, 4) & ~_BARE_FLAGS
    seen.kinds.add(kind)
    return start + length + (length & 1)


def _frame(content: Content, start: int, end: int, seen: _Seen) -> None:
    """One frame of an animation: where it stands, how long it is shown, and its own chunks. Raises Unfit."""
    assert seen.size is not None
    left_px, top_px = 2 * little(content, start, 3), 2 * little(content, start + 3, 3)
    width_px, height_px = little(content, start + 6, 3) + 1, little(content, start + 9, 3) + 1
    if left_px + width_px > seen.size[0] or top_px + height_px > seen.size[1]:
        raise Unfit(Reason.DAMAGED)
    seen.frames_ms.append(little(content, start + 12, 3))
    seen.bare &= not little(content, start + 15, 1) & 0xFC
    position = start + _FRAME_HEADER_BYTES
    kinds: list[bytes] = []
    while position < end:
        kinds.append(bytes(content[position : position + 4]))
        length = little(content, position + 4, 4)
        position += _RIFF_HEADER_BYTES + length
        seen.bare &= _is_padded(content, position)
        position += length & 1
    if position != end:
        raise Unfit(Reason.INCOMPLETE if position > end else Reason.DAMAGED)
    seen.bare &= set(kinds) <= _BARE_IN_A_FRAME and len(set(kinds)) == len(kinds)


def _is_padded(content: Content, position: int) -> bool:
    return not position & 1 or content[position : position + 1] == b"\x00"


def _size(content: Content, kind: bytes, start: int) -> tuple[int, int]:
    if kind == b"VP8X":
        return little(content, start + 4, 3) + 1, little(content, start + 7, 3) + 1
    if kind == b"VP8 " and bytes(content[start + 3 : start + 6]) == _LOSSY_START:
        return little(content, start + 6, 2) & 0x3FFF, little(content, start + 8, 2) & 0x3FFF
    if kind == b"VP8L" and little(content, start, 1) == _LOSSLESS_START:
        packed = little(content, start + 1, 4)
        return (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    raise Unfit(Reason.DAMAGED)
