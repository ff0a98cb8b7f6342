"""A DICOM file's entries, found without copying them: where each value begins and ends, nested ones included.

Source: PS3.5 sections 7 and A, PS3.10 section 7. Every length is checked against what is really there before anything
is made of it; nesting and the number of entries are bounded. Pixel data is never touched: an entry is a place in the
content. `vetrelay.inspection.formats.dicom_writing` writes what a rebuild keeps.
"""

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from vetrelay.inspection.formats.dicom_syntax import (
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    LONG_VRS,
    SHORT_VRS,
    SYNTAXES,
    UNDEFINED,
    Syntax,
    dictionary_vrs,
)
from vetrelay.inspection.formats.dicom_tags import PIXEL_DATA
from vetrelay.inspection.outlines.outline import Content
from vetrelay.inspection.policy import MiB
from vetrelay.inspection.words import Reason, Unfit

PREAMBLE_BYTES: Final = 128
DATA_AT: Final = 132
# An enhanced multi-frame object of a thousand slices has some 50 entries for each; beyond this it is a bomb.
MOST_ENTRIES: Final = 300_000
# Structured reports nest about ten deep.
MOST_DEPTH: Final = 24
# A deflated data set may grow to what a file may be, and no further.
INFLATED_BYTES: Final = 300 * MiB
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_TRANSFER_SYNTAX = 0x00020010
_META_GROUP = 0x0002
_META_BYTES = 64  # a UID has no more


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One entry: its value stands from `start` to `end` in the content, unless `value` replaces it.

    `items` are a sequence's; `fragments` the pieces of encapsulated pixel data, without their headers. `implicit`: the
    items are written without VRs although the data set around them is not (PS3.5 section 6.2.2, note 2 on UN).
    """

    tag: int
    vr: bytes
    start: int
    end: int
    items: tuple["Elements", ...] | None = None
    fragments: tuple[tuple[int, int], ...] | None = None
    implicit: bool = False
    value: bytes | None = None


Elements = Mapping[int, Element]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """A file's data set: `content` is the file's own, or what was inflated of it; `padded`: zeros follow the last entry.

    `meta` holds the short values of the header before it, as they are.
    """

    content: Content
    syntax: Syntax
    meta: Mapping[int, bytes]
    elements: Elements
    padded: bool = False

    def value(self, element: Element | None) -> bytes:
        """An entry's bytes, copied; none where it is absent. For short values only."""
        if element is None:
            return b""
        return bytes(self.content[element.start : element.end]) if element.value is None else element.value


@dataclass(slots=True, kw_only=True)
class _Walk:
    """One pass over a content; counts entries down, so that small ones cannot be too many."""

    content: Content
    left: int = MOST_ENTRIES
    padded: bool = field(default=False)


def read(content: Content) -> DataSet | None:
    """The whole file. None for a transfer syntax that is not known. Raises Unfit(INCOMPLETE, DAMAGED, ...)."""
    walk = _Walk(content=content)
    meta, position = _meta(walk)
    syntax = _syntax(content, position, meta)
    if syntax is None:
        return None
    if syntax.deflated:
        inflated = _inflated(content, position)
        walk, position = _Walk(content=inflated), 0
    elements, _ = _elements(walk, position, len(walk.content), syntax=syntax, depth=0, closed=False)
    return DataSet(content=walk.content, syntax=syntax, meta=meta, elements=elements, padded=walk.padded)


def _meta(walk: _Walk) -> tuple[Mapping[int, bytes], int]:
    """The meta header is always explicit and low byte first; its stated length is often wrong, so groups decide."""
    found: dict[int, bytes] = {}
    position, end = DATA_AT, len(walk.content)
    while position + 8 <= end and int.from_bytes(walk.content[position : position + 2], "little") == _META_GROUP:
        element, position = _element(walk, position, end, syntax=EXPLICIT_LITTLE, depth=0)
        found[element.tag] = bytes(walk.content[element.start : min(element.end, element.start + _META_BYTES)])
    return found, position


def _syntax(content: Content, position: int, meta: Mapping[int, bytes]) -> Syntax | None:
    named = meta.get(_TRANSFER_SYNTAX)
    if named is not None:
        return SYNTAXES.get(named.rstrip(b"\0 ").decode("ascii", "replace"))
    # Without the header's word the first entry tells: a VR stands where a length would.
    vr = bytes(content[position + 4 : position + 6])
    return EXPLICIT_LITTLE if vr in LONG_VRS | SHORT_VRS else IMPLICIT_LITTLE


def _inflated(content: Content, position: int) -> bytes:
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        with memoryview(content) as whole, whole[position:] as packed:
            inflated = unpacker.decompress(packed, INFLATED_BYTES)
    except zlib.error:
        raise Unfit(Reason.DAMAGED) from None
    if unpacker.unconsumed_tail:
        raise Unfit(Reason.UNPACKS_TOO_LARGE)
    if not unpacker.eof:
        raise Unfit(Reason.INCOMPLETE)
    return inflated


def _elements(
    walk: _Walk, position: int, end: int, *, syntax: Syntax, depth: int, closed: bool
) -> tuple[Elements, int]:
    """Entries up to `end`, or (`closed`) up to the mark that ends an item."""
    if depth > MOST_DEPTH:
        raise Unfit(Reason.DICOM_NESTED_TOO_DEEP)
    found: dict[int, Element] = {}
    while position < end:
        if closed and end - position >= 8 and _tag(walk, position, syntax) == _ITEM_END:
            return found, position + 8
        if depth == 0 and _only_padding(walk, position, end):
            walk.padded = True
            return found, end
        element, position = _element(walk, position, end, syntax=syntax, depth=depth)
        # Two readers would choose differently between two entries of one tag.
        if element.tag in found:
            raise Unfit(Reason.DAMAGED)
        found[element.tag] = element
    if closed:
        raise Unfit(Reason.INCOMPLETE)
    return found, position


def _only_padding(walk: _Walk, position: int, end: int) -> bool:
    """Whether nothing but zeros follows: some archives fill up to a block."""
    content = walk.content
    return bytes(content[position : position + 4]) == bytes(min(4, end - position)) and not any(
        bytes(content[at : at + MiB]).strip(b"\0") for at in range(position, end, MiB)
    )


def _tag(walk: _Walk, position: int, syntax: Syntax) -> int:
    group, number = struct.unpack_from(syntax.order + "HH", walk.content, position)
    return int(group << 16 | number)


def _header(walk: _Walk, position: int, end: int, syntax: Syntax) -> tuple[int, bytes, int, int]:
    """Tag, VR, length, and where the value begins."""
    if end - position < 8:
        raise Unfit(Reason.INCOMPLETE)
    tag = _tag(walk, position, syntax)
    if tag >> 16 == 0xFFFE:
        raise Unfit(Reason.DAMAGED)  # an item's mark where an entry should begin
    if not syntax.explicit:
        (length,) = struct.unpack_from(syntax.order + "I", walk.content, position + 4)
        vrs = dictionary_vrs(tag)
        return tag, vrs[-1] if vrs else b"UN", length, position + 8
    vr = bytes(walk.content[position + 4 : position + 6])
    if vr in LONG_VRS:
        if end - position < 12:
            raise Unfit(Reason.INCOMPLETE)
        (length,) = struct.unpack_from(syntax.order + "I", walk.content, position + 8)
        return tag, vr, length, position + 12
    if not vr.isalpha() or not vr.isupper():
        raise Unfit(Reason.DAMAGED)
    (length,) = struct.unpack_from(syntax.order + "H", walk.content, position + 6)
    return tag, vr, length, position + 8


def _element(walk: _Walk, position: int, end: int, *, syntax: Syntax, depth: int) -> tuple[Element, int]:
    walk.left -= 1
    if walk.left < 0:
        raise Unfit(Reason.DICOM_TOO_MANY_ENTRIES)
    tag, vr, length, start = _header(walk, position, end, syntax)
    if length == UNDEFINED:
        if tag == PIXEL_DATA:
            fragments, after = _fragments(walk, start, end, syntax)
            return Element(tag=tag, vr=vr, start=start, end=after, fragments=fragments), after
        inner, implicit = (IMPLICIT_LITTLE, True) if vr == b"UN" and syntax.explicit else (syntax, False)
        items, after = _items(walk, start, end, syntax=inner, depth=depth, closed=True)
        return Element(tag=tag, vr=vr, start=start, end=after, items=items, implicit=implicit), after
    after = start + length
    if after > end:
        raise Unfit(Reason.INCOMPLETE)
    if vr == b"SQ":
        items, _ = _items(walk, start, after, syntax=syntax, depth=depth, closed=False)
        return Element(tag=tag, vr=vr, start=start, end=after, items=items), after
    if vr == b"UN" and dictionary_vrs(tag) == (b"SQ",):
        # A sequence that passed through a program which did not know it: what is inside must be looked at all the same.
        items, _ = _items(walk, start, after, syntax=IMPLICIT_LITTLE, depth=depth, closed=False)
        return Element(tag=tag, vr=vr, start=start, end=after, items=items, implicit=True), after
    return Element(tag=tag, vr=vr, start=start, end=after), after


def _items(
    walk: _Walk, position: int, end: int, *, syntax: Syntax, depth: int, closed: bool
) -> tuple[tuple[Elements, ...], int]:
    items: list[Elements] = []
    while position < end:
        tag, length, position = _mark(walk, position, end, syntax)
        if closed and tag == _SEQUENCE_END:
            return tuple(items), position
        if tag != _ITEM:
            raise Unfit(Reason.DAMAGED)
        if length == UNDEFINED:
            item, position = _elements(walk, position, end, syntax=syntax, depth=depth + 1, closed=True)
        else:
            if position + length > end:
                raise Unfit(Reason.INCOMPLETE)
            item, _ = _elements(walk, position, position + length, syntax=syntax, depth=depth + 1, closed=False)
            position += length
        items.append(item)
    if closed:
        raise Unfit(Reason.INCOMPLETE)
    return tuple(items), position


def _fragments(walk: _Walk, position: int, end: int, syntax: Syntax) -> tuple[tuple[tuple[int, int], ...], int]:
    found: list[tuple[int, int]] = []
    while True:
        tag, length, position = _mark(walk, position, end, syntax)
        if tag == _SEQUENCE_END:
            return tuple(found), position
        if tag != _ITEM or length == UNDEFINED:
            raise Unfit(Reason.DAMAGED)
        if position + length > end:
            raise Unfit(Reason.INCOMPLETE)
        found.append((position, position + length))
        position += length


def _mark(walk: _Walk, position: int, end: int, syntax: Syntax) -> tuple[int, int, int]:
    """An item's or a sequence's mark: tag, length, and where it ends."""
    walk.left -= 1
    if walk.left < 0:
        raise Unfit(Reason.DICOM_TOO_MANY_ENTRIES)
    if end - position < 8:
        raise Unfit(Reason.INCOMPLETE)
    group, number, length = struct.unpack_from(syntax.order + "HHI", walk.content, position)
    return group << 16 | number, length, position + 8
