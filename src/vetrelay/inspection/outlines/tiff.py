"""The pages of a TIFF (revision 6.0, its technical notes, and BigTIFF): counted and measured before any decoder runs.

libtiff and Pillow each read the directories on their own and need not agree on a strange one. So a directory that names
a thing twice is refused here, and what both will allocate by is checked against the file: the size of the picture, of
its strips or tiles, and that each of them lies within the file.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from vetrelay.inspection.outlines.outline import Content, check_size
from vetrelay.inspection.policy import MAX_PIXELS, MAX_SIDE_PX
from vetrelay.inspection.words import Reason, Unfit

# However many pages are allowed, nobody walks more directories than this, or longer ones: the decoder does it again.
_MOST_DIRECTORIES = 256
_MOST_TAGS = 1024
_MOST_VALUES = 1 << 21
_BYTES_OF_TYPE = {1: 1, 3: 2, 4: 4, 13: 4, 16: 8, 18: 8}

_SUBFILE, _WIDTH, _HEIGHT, _DEPTH, _PACKING, _PHOTOMETRIC = 254, 256, 257, 258, 259, 262
_STRIP_OFFSETS, _ORIENTATION, _SAMPLES, _STRIP_ROWS, _STRIP_BYTES, _PLANES = 273, 274, 277, 278, 279, 284
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_BYTES, _RAW_CAMERA = 322, 323, 324, 325, 50706

_UNPACKED = 1
# CCITT (three of them), LZW, JPEG, deflate by both its numbers, PackBits. Not: the first JPEG scheme, JBIG, JPEG 2000.
_PACKINGS = frozenset({_UNPACKED, 2, 3, 4, 5, 7, 8, 32946, 32773})
_WHITE_IS_ZERO = 0
_GREY, _RGB, _PALETTE, _CMYK, _YCBCR = 1, 2, 3, 5, 6
_PHOTOMETRICS = frozenset({_WHITE_IS_ZERO, _GREY, _RGB, _PALETTE, _CMYK, _YCBCR})
_RAW_PHOTOMETRICS = frozenset({32803, 34892})
_DEPTHS = frozenset({1, 2, 4, 8, 12, 16, 32})
_MOST_SAMPLES = 6
_SMALLEST_TILE_PX = 16  # section 15: a multiple of it
_REDUCED, _MASK = 1, 4
_UPRIGHT = 1
_WIDE = 8  # orientations from 5 on lie on their side


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One directory: its number in the chain, the size as stored, and what a decoder leaves to us.

    `white_is_zero`: the larger the number, the darker. `turned`: it is not stored upright. `reduced`: a smaller copy of
    another page, or a mask of one.
    """

    index: int
    width_px: int
    height_px: int
    white_is_zero: bool
    turned: bool
    reduced: bool


@dataclass(frozen=True, slots=True)
class _Reader:
    content: Content
    order: Literal["little", "big"]
    big: bool

    def number(self, position: int, size: int) -> int:
        taken = self.content[position : position + size]
        if len(taken) != size:
            raise Unfit(Reason.INCOMPLETE)
        return int.from_bytes(taken, self.order)


@dataclass(frozen=True, slots=True)
class _Tag:
    """Where a tag's values stand, how many there are, and how wide one is."""

    position: int
    count: int
    value_bytes: int


def pages(content: Content, *, most: int) -> tuple[Page, ...]:
    """The pages in order, each measured. Raises Unfit; `most` is how many there may be (0: not said).

    A chain that comes back to itself ends there.
    """
    reader, position = _opened(content)
    found: list[Page] = []
    page_count = 0
    visited: set[int] = set()
    while position and position not in visited:
        visited.add(position)
        if len(visited) > _MOST_DIRECTORIES:
            raise Unfit(Reason.TOO_MANY_PAGES_OF_PICTURES)
        tags, position = _directory(reader, position)
        found.append(_page(reader, tags, len(found)))
        page_count += not found[-1].reduced
        if most and page_count > most:
            raise Unfit(Reason.TOO_MANY_PAGES_OF_PICTURES)
    if not found:
        raise Unfit(Reason.INCOMPLETE)
    return tuple(found)


def _opened(content: Content) -> tuple[_Reader, int]:
    """The reader for this file's order of bytes, and where the first directory stands."""
    order: Literal["little", "big"] = "little" if content[:2] == b"II" else "big"
    plain = _Reader(content, order, big=False)
    if plain.number(2, 2) != 43:
        return plain, plain.number(4, 4)
    if plain.number(4, 4) not in {8, 8 << 16}:
        raise Unfit(Reason.DAMAGED)
    return _Reader(content, order, big=True), plain.number(8, 8)


def _directory(reader: _Reader, position: int) -> tuple[Mapping[int, _Tag], int]:
    count_bytes, entry_bytes, inline_bytes = (8, 20, 8) if reader.big else (2, 12, 4)
    count = reader.number(position, count_bytes)
    position += count_bytes
    if count > _MOST_TAGS:
        raise Unfit(Reason.DAMAGED)
    if position + count * entry_bytes + inline_bytes > len(reader.content):
        raise Unfit(Reason.INCOMPLETE)
    tags: dict[int, _Tag] = {}
    for at in range(position, position + count * entry_bytes, entry_bytes):
        tag, value_bytes = reader.number(at, 2), _BYTES_OF_TYPE.get(reader.number(at + 2, 2), 1)
        values = reader.number(at + 4, inline_bytes)
        start = at + 4 + inline_bytes
        if values * value_bytes > inline_bytes:
            start = reader.number(start, inline_bytes)
        if tag in tags:
            raise Unfit(Reason.DAMAGED)
        tags[tag] = _Tag(start, values, value_bytes)
    return tags, reader.number(position + count * entry_bytes, inline_bytes)


def _values(reader: _Reader, tag: _Tag | None) -> Iterator[int]:
    if tag is None:
        return
    if tag.count > _MOST_VALUES:
        raise Unfit(Reason.DAMAGED)
    for index in range(tag.count):
        yield reader.number(tag.position + index * tag.value_bytes, tag.value_bytes)


def _page(reader: _Reader, tags: Mapping[int, _Tag], index: int) -> Page:
    def one(tag: int, default: int) -> int:
        return next(_values(reader, tags.get(tag)), default)

    width_px, height_px = one(_WIDTH, 0), one(_HEIGHT, 0)
    check_size(width_px, height_px)
    photometric = one(_PHOTOMETRIC, _WHITE_IS_ZERO)
    # A camera's raw file is a TIFF, too; opened as one it would show its thumbnail.
    if _RAW_CAMERA in tags or photometric in _RAW_PHOTOMETRICS:
        raise Unfit(Reason.TYPE_NOT_TAKEN)
    if photometric not in _PHOTOMETRICS:
        raise Unfit(Reason.PACKED_UNUSUALLY)
    _check_pieces(reader, tags, (width_px, height_px))
    orientation = one(_ORIENTATION, _UPRIGHT)
    return Page(
        index=index,
        width_px=width_px,
        height_px=height_px,
        white_is_zero=photometric == _WHITE_IS_ZERO,
        turned=_UPRIGHT < orientation <= _WIDE,
        reduced=bool(one(_SUBFILE, 0) & (_REDUCED | _MASK)),
    )


def _check_pieces(reader: _Reader, tags: Mapping[int, _Tag], size_px: tuple[int, int]) -> None:
    """Strips or tiles: as many as the picture takes, no larger than a picture may be, and all of them in the file."""
    packing = next(_values(reader, tags.get(_PACKING)), _UNPACKED)
    samples = next(_values(reader, tags.get(_SAMPLES)), 1)
    depths = set(_values(reader, tags.get(_DEPTH))) or {1}
    if packing not in _PACKINGS or not depths <= _DEPTHS or not 1 <= samples <= _MOST_SAMPLES:
        raise Unfit(Reason.PACKED_UNUSUALLY)
    tiled = _TILE_OFFSETS in tags
    piece_px = _piece_px(reader, tags, size_px, tiled=tiled)
    separate = next(_values(reader, tags.get(_PLANES)), 1) == 2
    across, down = (-(-side // piece) for side, piece in zip(size_px, piece_px, strict=True))
    wanted = across * down * (samples if separate else 1)
    offsets = list(islice(_values(reader, tags.get(_TILE_OFFSETS if tiled else _STRIP_OFFSETS)), wanted))
    lengths = list(islice(_values(reader, tags.get(_TILE_BYTES if tiled else _STRIP_BYTES)), wanted))
    # Some old writers leave out the length of a single unpacked strip.
    row_bytes = (piece_px[0] * (1 if separate else samples) * max(depths) + 7) // 8
    if not lengths and len(offsets) == 1 and packing == _UNPACKED:
        lengths = [row_bytes * size_px[1]]
    if len(offsets) < wanted or len(lengths) < wanted:
        raise Unfit(Reason.DAMAGED)
    for start, length in zip(offsets, lengths, strict=False):
        if start + length > len(reader.content) or (not length and not tiled):
            raise Unfit(Reason.INCOMPLETE)
    if packing == _UNPACKED and sum(lengths) < row_bytes * size_px[1] * (samples if separate else 1):
        raise Unfit(Reason.INCOMPLETE)


def _piece_px(reader: _Reader, tags: Mapping[int, _Tag], size_px: tuple[int, int], *, tiled: bool) -> tuple[int, int]:
    """Width and height of a strip or a tile. Raises Unfit for one that is larger than any picture."""
    if not tiled:
        return size_px[0], min(size_px[1], max(1, next(_values(reader, tags.get(_STRIP_ROWS)), size_px[1])))
    width_px = next(_values(reader, tags.get(_TILE_WIDTH)), 0)
    height_px = next(_values(reader, tags.get(_TILE_HEIGHT)), 0)
    if min(width_px, height_px) < _SMALLEST_TILE_PX:
        raise Unfit(Reason.DAMAGED)
    # A tile of a large picture is far smaller than it, and one of a small picture hardly larger.
    if width_px > MAX_SIDE_PX or height_px > MAX_SIDE_PX or width_px * height_px > MAX_PIXELS:
        raise Unfit(Reason.UNPACKS_TOO_LARGE)
    return width_px, height_px
