"""The boxes of a HEIC or AVIF file (ISO/IEC 14496-12 and 23008-12): what libheif does not check.

libheif decodes a truncated file without a word, so the extents of every item are checked against the file here; the
size of every image item is checked before anything is allocated for it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from vetrelay.inspection.notes import Note
from vetrelay.inspection.outlines.outline import Content, Outline, check_size, number
from vetrelay.inspection.words import Reason, Unfit

_MAX_BOXES = 4096
_MAX_EXTENTS = 65_536
_IN_FILE, _IN_META = 0, 1
_LARGE_SIZE, _TO_THE_END = 1, 0
_ALPHA_TYPES = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1")
_IMAGE_ITEMS = frozenset({b"hvc1", b"av01", b"grid", b"iden", b"iovl"})


@dataclass(frozen=True, slots=True)
class _Box:
    kind: bytes
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    number: int
    kind: bytes
    content_type: bytes


def read(content: Content) -> Outline:
    """Walks file, meta, item and property boxes. Raises Unfit."""
    top = list(_boxes(content, 0, len(content)))
    meta = _only(top, b"meta")
    inside = list(_boxes(content, meta.start + 4, meta.end))
    _check_extents(content, _only(inside, b"iloc"), idat=next((box for box in inside if box.kind == b"idat"), None))
    items = _items(content, _only(inside, b"iinf"))
    properties = list(_boxes(content, _only(inside, b"iprp").start, _only(inside, b"iprp").end))
    container = _only(properties, b"ipco")
    described = list(_boxes(content, container.start, container.end))
    sizes = [
        (number(content, box.start + 4, 4), number(content, box.start + 8, 4))
        for box in described
        if box.kind == b"ispe"
    ]
    if not sizes:
        raise Unfit(Reason.DAMAGED)
    for size in sizes:
        check_size(*size)
    turned = any(
        (box.kind == b"irot" and number(content, box.start, 1) & 3) or box.kind == b"imir" for box in described
    )
    draws_alpha = any(
        box.kind == b"auxC" and bytes(content[box.start + 4 : box.end]).startswith(_ALPHA_TYPES) for box in described
    )
    width_px, height_px = max(sizes, key=lambda size: size[0] * size[1])
    return Outline(
        width_px=width_px,
        height_px=height_px,
        end_bytes=top[-1].end,
        notes=_losses(content, items, inside, draws_alpha=draws_alpha),
        moving=any(box.kind == b"moov" for box in top),
        turned=turned,
    )


def _boxes(content: Content, start: int, end: int) -> Iterator[_Box]:
    position = start
    for _ in range(_MAX_BOXES):
        if position == end:
            return
        size = number(content, position, 4)
        kind = bytes(content[position + 4 : position + 8])
        header = 8
        if size == _LARGE_SIZE:
            size = number(content, position + 8, 8)
            header = 16
        elif size == _TO_THE_END:
            size = end - position
        if size < header or not kind.isascii() or b"\x00" in kind:
            raise Unfit(Reason.DAMAGED)
        if position + size > end:
            raise Unfit(Reason.INCOMPLETE)
        yield _Box(kind, position + header, position + size)
        position += size
    raise Unfit(Reason.DAMAGED)


def _only(boxes: list[_Box], kind: bytes) -> _Box:
    found = [box for box in boxes if box.kind == kind]
    if len(found) != 1:
        raise Unfit(Reason.DAMAGED)
    return found[0]


def _check_extents(content: Content, iloc: _Box, *, idat: _Box | None) -> None:
    """Every byte of every item must be in the file (14496-12, 8.11.3)."""
    version = number(content, iloc.start, 1)
    sizes = number(content, iloc.start + 4, 2)
    offset_bytes, length_bytes, base_bytes = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_bytes = sizes & 15 if version else 0
    id_bytes = 4 if version > 1 else 2
    position = iloc.start + 6
    item_count = number(content, position, id_bytes)
    position += id_bytes
    seen = 0
    for _ in range(item_count):
        position += id_bytes
        method = number(content, position, 2) & 15 if version else _IN_FILE
        position += 4 if version else 2
        base = number(content, position, base_bytes) if base_bytes else 0
        position += base_bytes
        extent_count = number(content, position, 2)
        position += 2
        for _ in range(extent_count):
            seen += 1
            if seen > _MAX_EXTENTS or position > iloc.end:
                raise Unfit(Reason.DAMAGED)
            position += index_bytes
            offset = number(content, position, offset_bytes) if offset_bytes else 0
            position += offset_bytes
            length = number(content, position, length_bytes) if length_bytes else 0
            position += length_bytes
            _check_extent(content, method, base + offset, length, idat=idat)


def _check_extent(content: Content, method: int, offset: int, length: int, *, idat: _Box | None) -> None:
    if method == _IN_FILE:
        available = len(content)
    elif method == _IN_META and idat is not None:
        available = idat.end - idat.start
    else:
        raise Unfit(Reason.DAMAGED)
    if offset + length > available or offset >= available:
        raise Unfit(Reason.INCOMPLETE)


def _items(content: Content, iinf: _Box) -> list[_Item]:
    version = number(content, iinf.start, 1)
    start = iinf.start + (8 if version else 6)
    items = []
    for box in _boxes(content, start, iinf.end):
        if box.kind != b"infe":
            continue
        infe_version = number(content, box.start, 1)
        if infe_version < 2:
            raise Unfit(Reason.DAMAGED)
        id_bytes = 4 if infe_version > 2 else 2
        kind_at = box.start + 4 + id_bytes + 2
        rest = bytes(content[kind_at + 4 : min(box.end, kind_at + 4 + 256)])
        items.append(
            _Item(
                number=number(content, box.start + 4, id_bytes),
                kind=bytes(content[kind_at : kind_at + 4]),
                content_type=b"".join(rest.split(b"\x00")[1:2]),
            )
        )
    return items


def _losses(content: Content, items: list[_Item], inside: list[_Box], *, draws_alpha: bool) -> frozenset[Note]:
    notes = set()
    if any(item.kind == b"mime" and item.content_type == b"application/rdf+xml" for item in items):
        notes.add(Note.EDITING_RECORD_REMOVED)
    primary = _primary(content, _only(inside, b"pitm"))
    references = [reference for box in inside if box.kind == b"iref" for reference in _references(content, box)]
    thumbnails = {source for kind, source, _ in references if kind == b"thmb"}
    # A picture's own transparency is drawn, not lost.
    alpha = {source for kind, source, _ in references if kind == b"auxl"} if draws_alpha else set()
    expected = {primary} | thumbnails | (alpha if len(alpha) == 1 else set())
    tiles = {item for kind, source, parts in references if kind == b"dimg" and source in expected for item in parts}
    if thumbnails:
        notes.add(Note.THUMBNAIL_REMOVED)
    if {item.number for item in items if item.kind in _IMAGE_ITEMS} - expected - tiles:
        notes.add(Note.EXTRA_PICTURES_REMOVED)
    return frozenset(notes)


def _primary(content: Content, pitm: _Box) -> int:
    return number(content, pitm.start + 4, 4 if number(content, pitm.start, 1) else 2)


def _references(content: Content, iref: _Box) -> Iterator[tuple[bytes, int, set[int]]]:
    id_bytes = 4 if number(content, iref.start, 1) else 2
    for box in _boxes(content, iref.start + 4, iref.end):
        first = box.start + id_bytes + 2
        targets = range(first, min(first + number(content, box.start + id_bytes, 2) * id_bytes, box.end), id_bytes)
        yield box.kind, number(content, box.start, id_bytes), {number(content, at, id_bytes) for at in targets}
