"""A DICOM file written anew: an empty preamble, a new meta header, and the entries that were kept.

The pixel data's bytes go from the content into the file as they are, in the one copy that joins all parts. Source: PS3.5
section 7, PS3.10 section 7.1.
"""

import contextlib
import struct
import zlib
from typing import Final, TypeAlias

from vetrelay.inspection.formats.dicom_reading import PREAMBLE_BYTES, DataSet, Element, Elements
from vetrelay.inspection.formats.dicom_syntax import (
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    LONG_VRS,
    UNDEFINED,
    Syntax,
)
from vetrelay.inspection.formats.dicom_tags import SOP_CLASS, SOP_INSTANCE
from vetrelay.inspection.outlines.outline import Content

# Names this program, as the meta header must; the number is a random UUID's (PS3.5 section B.2).
IMPLEMENTATION_UID: Final = b"2.25.216812399410243157925370823749262217281"
_IMPLEMENTATION_NAME = b"VETRELAY"
# A short VR holds no more; a longer value is written as UN, as PS3.5 section 6.2.2 asks.
_SHORT_BYTES = 0xFFFE
_ITEM, _META_VERSION = (0xFFFE, 0xE000), b"\0\1"

Part: TypeAlias = bytes | tuple[int, int]
"""Bytes of ours, or a place in the content."""


def write(data_set: DataSet, elements: Elements) -> bytes:
    """The whole file, of these entries of a data set."""
    head = _head(data_set, elements)
    parts, _ = _data_set(elements, data_set.syntax)
    if data_set.syntax.deflated:
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        packed = packer.compress(_joined([], parts, data_set.content)) + packer.flush()
        return head + packed + bytes(len(packed) & 1)
    return _joined([head], parts, data_set.content)


def _joined(before: list[bytes], parts: list[Part], content: Content) -> bytes:
    """All parts in one copy. The views are given back in any case: a mapping that is looked at cannot be closed."""
    with contextlib.ExitStack() as views:
        whole = views.enter_context(memoryview(content))
        places = [part if isinstance(part, bytes) else views.enter_context(whole[slice(*part)]) for part in parts]
        return b"".join([*before, *places])


def _head(data_set: DataSet, elements: Elements) -> bytes:
    """Preamble and meta header. What a file says of itself there must agree with its data set, so it is taken from it."""
    stated = {
        0x00020001: (b"OB", _META_VERSION),
        0x00020002: (b"UI", data_set.value(elements.get(SOP_CLASS)) or data_set.meta.get(0x00020002, b"")),
        0x00020003: (b"UI", data_set.value(elements.get(SOP_INSTANCE))),
        0x00020010: (b"UI", data_set.syntax.uid.encode()),
        0x00020012: (b"UI", IMPLEMENTATION_UID),
        0x00020013: (b"SH", _IMPLEMENTATION_NAME),
    }
    header = b"".join(
        b"".join(part for part in _with_value(tag, vr, value, EXPLICIT_LITTLE) if isinstance(part, bytes))
        for tag, (vr, value) in stated.items()
        if value
    )
    length = _with_value(0x00020000, b"UL", struct.pack("<I", len(header)), EXPLICIT_LITTLE)
    return bytes(PREAMBLE_BYTES) + b"DICM" + b"".join(part for part in length if isinstance(part, bytes)) + header


def _data_set(elements: Elements, syntax: Syntax) -> tuple[list[Part], int]:
    """The parts of a data set, in the order of its tags, and how many bytes they are."""
    parts: list[Part] = []
    size = 0
    for tag in sorted(elements):
        for part in _element(elements[tag], syntax):
            parts.append(part)
            size += len(part) if isinstance(part, bytes) else part[1] - part[0]
    return parts, size


def _element(element: Element, syntax: Syntax) -> list[Part]:
    if element.items is not None:
        inner = IMPLICIT_LITTLE if element.implicit else syntax
        parts: list[Part] = []
        size = 0
        for item in element.items:
            item_parts, item_bytes = _data_set(item, inner)
            parts += [struct.pack(inner.order + "HHI", *_ITEM, item_bytes), *item_parts]
            size += 8 + item_bytes
        vr = b"UN" if element.implicit else b"SQ"
        return [_header(element.tag, vr, size, syntax), *parts]
    if element.value is not None:
        return _with_value(element.tag, element.vr, element.value, syntax)
    size = element.end - element.start
    length = UNDEFINED if element.fragments is not None else size
    return [_header(element.tag, element.vr, length, syntax), (element.start, element.end)]


def _with_value(tag: int, vr: bytes, value: bytes, syntax: Syntax) -> list[Part]:
    """A value of ours, made even: UIDs end in a NUL, texts in a space."""
    if len(value) % 2:
        value += b"\0" if vr in {b"UI", b"OB"} else b" "
    return [_header(tag, vr, len(value), syntax), value]


def _header(tag: int, vr: bytes, length: int, syntax: Syntax) -> bytes:
    group, number = tag >> 16, tag & 0xFFFF
    if not syntax.explicit:
        return struct.pack(syntax.order + "HHI", group, number, length)
    if vr not in LONG_VRS and length > _SHORT_BYTES:
        vr = b"UN"
    if vr in LONG_VRS:
        return struct.pack(syntax.order + "HH2s2xI", group, number, vr, length)
    return struct.pack(syntax.order + "HH2sH", group, number, vr, length)
