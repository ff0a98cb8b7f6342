"""Tiny records for warming and for the self-test: every transfer syntax that can be shown here, every kind of colours.

Made on the spot, each frame by the encoder that stands beside its decoder.
"""

import importlib
import io
import struct
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Final, TypeAlias

import numpy as np
from PIL import Image

from vetrelay.inspection.formats.dicom_reading import DataSet, Element
from vetrelay.inspection.formats.dicom_syntax import EXPLICIT_LITTLE, SYNTAXES, Syntax
from vetrelay.inspection.formats.dicom_tags import PIXEL_DATA
from vetrelay.inspection.formats.dicom_writing import write

SIDE_PX: Final = 16
_FAMILY = "1.2.840.10008.1.2.4."
_RLE = "1.2.840.10008.1.2.5"
_ITEM, _END = struct.pack("<HHI", 0xFFFE, 0xE000, 0), struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)

Rows: TypeAlias = Mapping[int, tuple[bytes, bytes | int | tuple[int, ...]]]
"""Entries to be written: VR, and bytes or 16-bit numbers."""

_ABOUT: Rows = {
    0x00080005: (b"CS", b"\\ISO 2022 IR 87"),
    0x00080016: (b"UI", b"1.2.840.10008.5.1.4.1.1.7"),
    0x00080018: (b"UI", b"2.25.1"),
    0x00080020: (b"DA", b"20240102"),
    0x00080060: (b"CS", b"DX"),
    0x00090010: (b"LO", b"SAMPLE"),
    0x00091001: (b"LO", b"private"),
    0x00100010: (b"PN", b"Yamada^Pochi=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B"),
    0x00102201: (b"LO", b"Canine"),
    0x00185101: (b"CS", b"VD"),
    0x0020000D: (b"UI", b"2.25.2"),
    0x0020000E: (b"UI", b"2.25.3"),
    0x00200062: (b"CS", b"L"),
    0x00281050: (b"DS", b"2000"),
    0x00281051: (b"DS", b"4000"),
}
_DEEP = (np.arange(SIDE_PX * SIDE_PX, dtype=np.uint16) * 16).reshape(SIDE_PX, SIDE_PX)
_FLAT = (_DEEP >> 4).astype(np.uint8)
_COLOURED = np.stack([_FLAT, _FLAT[::-1], _FLAT.T], axis=-1)


def described(samples: np.ndarray[tuple[int, ...], np.dtype[np.generic]], colours: bytes) -> Rows:
    """The entries that say what a picture's numbers are."""
    bits = samples.dtype.itemsize * 8
    return {
        0x00280002: (b"US", 3 if samples.ndim == 3 else 1),
        0x00280004: (b"CS", colours),
        0x00280006: (b"US", 0),
        0x00280010: (b"US", samples.shape[0]),
        0x00280011: (b"US", samples.shape[1]),
        0x00280100: (b"US", bits),
        0x00280101: (b"US", bits),
        0x00280102: (b"US", bits - 1),
        0x00280103: (b"US", 0),
    }


def record(rows: Rows, pixels: bytes, syntax: Syntax = EXPLICIT_LITTLE) -> bytes:
    """A whole file of these entries and these pictures: one frame in one piece where the syntax has pieces."""
    blob = pixels
    if syntax.encapsulated:
        padded = pixels + bytes(len(pixels) & 1)
        blob = _ITEM + struct.pack("<HHI", 0xFFFE, 0xE000, len(padded)) + padded + _END
    elements = {tag: _element(tag, vr, value, syntax) for tag, (vr, value) in rows.items()}
    elements[PIXEL_DATA] = Element(
        tag=PIXEL_DATA, vr=b"OW", start=0, end=len(blob), fragments=() if syntax.encapsulated else None
    )
    return write(DataSet(content=blob, syntax=syntax, meta={}, elements=elements), elements)


def _element(tag: int, vr: bytes, value: bytes | int | tuple[int, ...], syntax: Syntax) -> Element:
    if not isinstance(value, bytes):
        numbers = (value,) if isinstance(value, int) else value
        value = struct.pack(f"{syntax.order}{len(numbers)}H", *numbers)
    return Element(tag=tag, vr=vr, start=0, end=0, value=value)


def make(shown: Collection[str]) -> tuple[bytes, ...]:
    """The samples in fixed order; of the compressed transfer syntaxes those in `shown`."""
    coded = [_coded(uid, encode) for uid, encode in _encoders(shown).items()]
    return (*_plain(), *_colours(), *_windows(), *coded)


def _plain() -> list[bytes]:
    """One deep grey picture in each way of writing without compression."""
    rows = {**_ABOUT, **described(_DEEP, b"MONOCHROME2")}
    return [
        record(rows, _DEEP.astype(f"{syntax.order}u2").tobytes(), syntax)
        for syntax in SYNTAXES.values()
        if not syntax.encapsulated
    ]


def _colours() -> list[bytes]:
    rows = {**_ABOUT, **described(_COLOURED, b"RGB")}
    palette: Rows = {
        **_ABOUT,
        **described(_FLAT, b"PALETTE COLOR"),
        **{0x00281101 + plane: (b"US", (256, 0, 16)) for plane in range(3)},
        **{0x00281201 + plane: (b"OW", tuple(range(0, 65536, 256))) for plane in range(3)},
    }
    halves = np.stack([_FLAT, np.full_like(_FLAT, 128)], axis=-1)
    return [
        record(rows, _COLOURED.tobytes()),
        record({**rows, 0x00280006: (b"US", 1)}, _COLOURED.transpose(2, 0, 1).tobytes()),
        record({**rows, 0x00280004: (b"CS", b"YBR_FULL")}, _COLOURED.tobytes()),
        record({**rows, 0x00280004: (b"CS", b"YBR_FULL_422")}, halves.tobytes()),
        record(palette, _FLAT.tobytes()),
    ]


def _windows() -> list[bytes]:
    rows = {**_ABOUT, **described(_FLAT, b"MONOCHROME1")}
    bits: Rows = {0x00280100: (b"US", 1), 0x00280101: (b"US", 1), 0x00280102: (b"US", 0)}
    bare = {tag: row for tag, row in rows.items() if tag not in {0x00281050, 0x00281051}}
    return [
        record({**rows, 0x00281056: (b"CS", b"SIGMOID"), 0x00281053: (b"DS", b"2")}, _FLAT.tobytes()),
        record({**bare, 0x00280120: (b"US", 0), 0x00280008: (b"IS", b"3")}, _FLAT.tobytes() * 3),
        record({**bare, **bits}, np.packbits(_FLAT > 99, bitorder="little").tobytes()),
        # A character set that nobody knows.
        record({**bare, 0x00080005: (b"CS", b"ISO_IR 999")}, _FLAT.tobytes()),
    ]


def _encoders(shown: Collection[str]) -> Mapping[str, Callable[[], tuple[np.ndarray, bytes, bytes]]]:
    """What makes a sample of each compressed syntax that can be shown: its numbers, their colours, and the frame."""
    codecs = importlib.import_module("imagecodecs") if f"{_FAMILY}70" in shown else None
    every: dict[str, Callable[[], tuple[np.ndarray, bytes, bytes]]] = {
        f"{_FAMILY}50": lambda: (_COLOURED, b"YBR_FULL_422", _saved(_COLOURED, "JPEG")),
        f"{_FAMILY}90": lambda: (_COLOURED, b"YBR_RCT", _saved(_COLOURED, "JPEG2000", no_jp2=True, mct=1)),
        f"{_FAMILY}91": lambda: (_DEEP, b"MONOCHROME2", _saved(_DEEP, "JPEG2000", no_jp2=True)),
        _RLE: lambda: (_DEEP, b"MONOCHROME2", _run_lengths()),
    }
    if codecs is not None:
        every |= {
            f"{_FAMILY}51": lambda: (_DEEP, b"MONOCHROME2", codecs.jpeg8_encode(_DEEP, bitspersample=12)),
            f"{_FAMILY}57": lambda: (_COLOURED, b"RGB", codecs.jpeg8_encode(_COLOURED, lossless=True)),
            f"{_FAMILY}70": lambda: (_DEEP, b"MONOCHROME2", codecs.jpeg8_encode(_DEEP, lossless=True)),
            f"{_FAMILY}80": lambda: (_DEEP, b"MONOCHROME2", codecs.jpegls_encode(_DEEP)),
            f"{_FAMILY}81": lambda: (_COLOURED, b"RGB", codecs.jpegls_encode(_COLOURED, level=2)),
        }
    return {uid: encode for uid, encode in every.items() if uid in shown}


def _coded(uid: str, encode: Callable[[], tuple[np.ndarray, bytes, bytes]]) -> bytes:
    samples, colours, frame = encode()
    return record({**_ABOUT, **described(samples, colours)}, frame, replace(SYNTAXES[uid]))


def _saved(samples: np.ndarray, format_name: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(samples).save(buffer, format_name, **options)
    return buffer.getvalue()


def _run_lengths() -> bytes:
    """RLE by PS3.5 annex G: a header of offsets, then one segment for each byte of a sample, high one first."""
    segments = []
    for shift in (8, 0):
        plane = ((_DEEP >> shift) & 0xFF).astype(np.uint8).tobytes()
        chunks = [plane[at : at + 128] for at in range(0, len(plane), 128)]
        segments.append(b"".join(bytes([len(chunk) - 1]) + chunk for chunk in chunks))
    offsets = (64, 64 + len(segments[0]))
    header = struct.pack("<16I", len(segments), *offsets, *[0] * 13)
    return header + b"".join(segments)
