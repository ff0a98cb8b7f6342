"""The headers of a BMP (Microsoft's BITMAPINFOHEADER and its kin), and whether all its rows are there.

A decoder fills up what is missing of a packed picture without a word; so its packed rows are walked here to their end.
"""

from dataclasses import dataclass

from vetrelay.inspection.notes import Note
from vetrelay.inspection.outlines.outline import Content, Outline, check_size, little
from vetrelay.inspection.words import Reason, Unfit

_FILE_HEADER_BYTES = 14
_CORE_BYTES = 12
HEADER_BYTES = frozenset({_CORE_BYTES, 40, 52, 56, 64, 108, 124})
"""The sizes that the second header is known in."""

_PLAIN, _RLE8, _RLE4, _FIELDS, _ALPHA_FIELDS = 0, 1, 2, 3, 6
_DEPTHS = {
    _PLAIN: frozenset({1, 4, 8, 16, 24, 32}),
    _RLE8: frozenset({8}),
    _RLE4: frozenset({4}),
    _FIELDS: frozenset({16, 24, 32}),
    _ALPHA_FIELDS: frozenset({16, 24, 32}),
}
# Packed rows are unpacked by a decoder in plain Python: what is beyond these takes it longer than a job has.
_MOST_PACKED_BYTES = 4 << 20
_MOST_PACKED_PIXELS = 12_000_000
_END_OF_LINE, _END_OF_PICTURE, _MOVE = 0, 1, 2
# Some programs fill up the file to a whole word.
_FILL_BYTES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    """What the two headers say."""

    pixels_at: int
    width_px: int
    height_px: int
    depth_bits: int
    packing: int
    profile_end: int


def read(content: Content) -> Outline:
    """Raises Unfit: incomplete, damaged, too large, or packed in a way that is not opened."""
    header = _header(content)
    check_size(header.width_px, header.height_px)
    if header.depth_bits not in _DEPTHS.get(header.packing, frozenset()):
        raise Unfit(Reason.PACKED_UNUSUALLY)
    if header.packing in {_RLE8, _RLE4}:
        if header.width_px * header.height_px > _MOST_PACKED_PIXELS:
            raise Unfit(Reason.PACKED_UNUSUALLY)
        end = _packed_end(content, header)
    else:
        row_bytes = (header.width_px * header.depth_bits + 31) // 32 * 4
        end = header.pixels_at + row_bytes * header.height_px
    if end > len(content):
        raise Unfit(Reason.INCOMPLETE)
    end = max(end, header.profile_end)
    trailing = len(content) - end >= _FILL_BYTES or any(content[end:])
    return Outline(
        width_px=header.width_px,
        height_px=header.height_px,
        end_bytes=min(end, len(content)),
        notes=frozenset({Note.TRAILING_BYTES_REMOVED}) if trailing else frozenset(),
    )


def _header(content: Content) -> _Header:
    header_bytes = little(content, _FILE_HEADER_BYTES, 4)
    if header_bytes not in HEADER_BYTES:
        raise Unfit(Reason.PACKED_UNUSUALLY)
    pixels_at = little(content, 10, 4)
    if pixels_at < _FILE_HEADER_BYTES + header_bytes:
        raise Unfit(Reason.DAMAGED)
    if header_bytes == _CORE_BYTES:
        return _Header(
            pixels_at=pixels_at,
            width_px=little(content, 18, 2),
            height_px=little(content, 20, 2),
            depth_bits=little(content, 24, 2),
            packing=_PLAIN,
            profile_end=0,
        )
    height_px = little(content, 22, 4)
    profile_end = 0
    if header_bytes == 124 and little(content, 70, 4) in {0x4D424544, 0x4C494E4B}:
        profile_end = min(len(content), _FILE_HEADER_BYTES + little(content, 126, 4) + little(content, 130, 4))
    return _Header(
        pixels_at=pixels_at,
        width_px=little(content, 18, 4),
        height_px=height_px if height_px < 1 << 31 else (1 << 32) - height_px,  # negative: from the top down
        depth_bits=little(content, 28, 2),
        packing=little(content, 30, 4),
        profile_end=profile_end,
    )


def _packed_end(content: Content, header: _Header) -> int:
    """Where the run lengths end. Raises Unfit where they end before the picture does, or go on for too long."""
    position = header.pixels_at
    shift = 1 if header.packing == _RLE4 else 0  # two pixels a byte
    while True:
        if position - header.pixels_at > _MOST_PACKED_BYTES:
            raise Unfit(Reason.TOO_MANY_BYTES)
        pair = content[position : position + 2]
        if len(pair) != 2:
            raise Unfit(Reason.INCOMPLETE)
        position += 2
        if pair[0]:
            continue
        if pair[1] == _END_OF_PICTURE:
            return position
        if pair[1] == _MOVE:
            position += 2
        elif pair[1] != _END_OF_LINE:
            row_bytes = (pair[1] + shift) >> shift
            position += row_bytes + (row_bytes & 1)
