"""One frame of a record, from its bytes to numbers: by the one decoder that its transfer syntax names.

Each decoder is optional where its library is: without it a record goes on sealed, with no preview. JPEG and RLE need
nothing but Pillow and numpy's neighbour; JPEG 2000 takes openjpeg; lossless JPEG, 12-bit JPEG and JPEG-LS take
imagecodecs (libjpeg-turbo and CharLS, both under BSD licences; the GPL's libjpeg is not used).
"""

import importlib
import io
import struct
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
from PIL.JpegImagePlugin import JpegImageFile

from vetrelay.inspection.formats.dicom_pixels import Geometry
from vetrelay.inspection.words import Reason, Unfit

Samples: TypeAlias = np.ndarray[Any, np.dtype[Any]]
"""Rows × columns, or rows × columns × samples."""

FrameDecoder: TypeAlias = Callable[[bytes, Geometry], tuple[Samples, str]]
"""Gives the samples and their photometric interpretation, which a decoder may have changed to RGB."""

_JPEG = "1.2.840.10008.1.2.4."
_RLE = "1.2.840.10008.1.2.5"
_AS_STORED = {"colorspace": "rgb", "outcolorspace": "rgb"}
_J2K_START = b"\xff\x4f\xff\x51"
# Frames that hold a picture's size: all but DHT, JPG and DAC (ITU-T T.81 table B.1), and JPEG-LS's own (T.87).
_SIZE_MARKERS = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})
_NO_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})


def _optional(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def decoders() -> Mapping[str, FrameDecoder]:
    """The decoders of this machine, by transfer syntax. Loads their libraries: in the zygote only."""
    found: dict[str, FrameDecoder] = {f"{_JPEG}50": _jpeg}
    rle, openjpeg, imagecodecs = (_optional(name) for name in ("rle", "openjpeg", "imagecodecs"))
    if rle is not None:
        found[_RLE] = _rle_with(rle)
    if openjpeg is not None:
        found |= dict.fromkeys((f"{_JPEG}{number}" for number in (90, 91, 201, 202, 203)), _j2k_with(openjpeg))
    if imagecodecs is not None:
        lossless, near = imagecodecs.jpeg8_decode, imagecodecs.jpegls_decode  # named here: each loads when it is named
        found[f"{_JPEG}51"] = _jpeg_with(lossless)
        # Lossless JPEG is never turned into other colours; libjpeg would try, by the marks of a photo.
        found |= dict.fromkeys((f"{_JPEG}{number}" for number in (57, 70)), _jpeg_with(lossless, **_AS_STORED))
        found |= dict.fromkeys((f"{_JPEG}{number}" for number in (80, 81)), _jpeg_with(near))
    return found


def native(raw: bytes, geometry: Geometry, *, order: str, skipped_bits: int, step: int = 1) -> Samples:
    """A frame without compression, of each side every `step`-th pixel, so that a huge one is not copied whole.

    `skipped_bits` of the first byte belong to the frame before (one bit per pixel).
    """
    shape = (geometry.rows, geometry.columns)
    if geometry.bits_allocated == 1:
        bits = np.unpackbits(np.frombuffer(raw, np.uint8), bitorder="little")
        return bits[skipped_bits : skipped_bits + geometry.rows * geometry.columns].reshape(shape)[::step, ::step]
    letter = "f" if geometry.real else "i" if geometry.signed else "u"
    samples = np.frombuffer(raw, np.dtype(f"{order}{letter}{geometry.bits_allocated // 8}"))
    shaped: Samples
    if geometry.colours == "YBR_FULL_422":
        shaped = _without_sharing(samples, shape)
    elif geometry.samples == 1:
        shaped = samples.reshape(shape)
    elif geometry.planar:
        shaped = samples.reshape(geometry.samples, *shape).transpose(1, 2, 0)
    else:
        shaped = samples.reshape(*shape, geometry.samples)
    return _own_bits(shaped[::step, ::step], geometry)


def _own_bits(samples: Samples, geometry: Geometry) -> Samples:
    """The numbers without the bits that are not theirs (overlays once stood there), with the sign that is theirs."""
    bits = samples.dtype.itemsize * 8
    if samples.dtype.kind == "f" or geometry.bits_stored == bits:
        return samples
    numbers = samples.astype(samples.dtype.newbyteorder("="))
    return (numbers << (bits - 1 - geometry.high_bit)) >> (bits - geometry.bits_stored)


def _without_sharing(samples: Samples, shape: tuple[int, int]) -> Samples:
    """4:2:2 as it is stored without compression: Y Y Cb Cr for each two neighbours."""
    pairs = samples.reshape(shape[0], shape[1] // 2, 4)
    full = np.empty((shape[0], shape[1] // 2, 2, 3), samples.dtype)
    full[..., 0] = pairs[..., :2]
    full[..., 1] = pairs[..., 2:3]
    full[..., 2] = pairs[..., 3:4]
    return full.reshape(*shape, 3)


def _jpeg(raw: bytes, geometry: Geometry) -> tuple[Samples, str]:
    """8-bit JPEG by Pillow, which turns YCbCr into RGB unless the file says that it was none."""
    check_coded_size(raw, geometry)
    image = JpegImageFile(io.BytesIO(raw))
    if geometry.samples == 3 and geometry.colours == "RGB" and not {"adobe", "jfif"} & image.info.keys():
        # No mark in the file says YCbCr, and the record says RGB: the numbers are colours already.
        image.draft("YCbCr", image.size)
    image.load()
    samples = np.asarray(image)
    return samples, "RGB" if samples.ndim == 3 else geometry.colours


def _jpeg_with(decode: Callable[..., Samples], **for_colours: str) -> FrameDecoder:
    """JPEG that Pillow cannot do. Its numbers come as they are stored, whatever their colours."""

    def decoded(raw: bytes, geometry: Geometry) -> tuple[Samples, str]:
        bits = check_coded_size(raw, geometry)
        if bits == 8 and geometry.samples == 3 and raw.find(b"\xff\xc1", 0, 4096) >= 0:
            return _jpeg(raw, geometry)
        samples = decode(raw, **for_colours) if geometry.samples == 3 else decode(raw)
        return _signed(samples, geometry, bits), geometry.colours

    return decoded


def _rle_with(library: ModuleType) -> FrameDecoder:
    def decoded(raw: bytes, geometry: Geometry) -> tuple[Samples, str]:
        _check_segments(raw, geometry)
        samples = library.utils.decode_frame(raw, geometry.rows * geometry.columns, geometry.bits_allocated, "<")
        letter = "i" if geometry.signed else "u"
        planes = _own_bits(np.frombuffer(samples, f"<{letter}{geometry.bits_allocated // 8}"), geometry)
        planes = planes.reshape(-1, geometry.rows, geometry.columns)
        shaped = planes[0] if geometry.samples == 1 else planes.transpose(1, 2, 0)
        return shaped, geometry.colours

    return decoded


def _check_segments(raw: bytes, geometry: Geometry) -> None:
    """RLE's header must name one segment for each byte of a sample (PS3.5 annex G.5)."""
    if len(raw) < 64 or int.from_bytes(raw[:4], "little") != geometry.samples * geometry.bits_allocated // 8:
        raise Unfit(Reason.DAMAGED)


def _j2k_with(library: ModuleType) -> FrameDecoder:
    def decoded(raw: bytes, geometry: Geometry) -> tuple[Samples, str]:
        bits, is_signed = _check_j2k(raw, geometry)
        packed = library.decode_pixel_data(raw, version=2)
        width = 1 if bits <= 8 else 2 if bits <= 16 else 4
        samples = np.frombuffer(packed, f"<{'i' if is_signed else 'u'}{width}")
        shape = (geometry.rows, geometry.columns, geometry.samples)
        shaped = samples.reshape(shape if geometry.samples > 1 else shape[:2])
        if geometry.signed and not is_signed:
            shaped = _signed(shaped, geometry, bits)
        return shaped, "RGB" if geometry.colours in {"YBR_ICT", "YBR_RCT"} else geometry.colours

    return decoded


def _signed(samples: Samples, geometry: Geometry, bits: int) -> Samples:
    """Numbers of so many bits that a decoder knows only without sign, with the sign that the record gives them."""
    shift = samples.dtype.itemsize * 8 - bits
    if not geometry.signed or samples.dtype.kind != "u" or shift < 0:
        return samples
    return (samples << shift).view(np.dtype(f"i{samples.dtype.itemsize}")) >> shift


def check_coded_size(raw: bytes, geometry: Geometry) -> int:
    """The bits of a sample, for a JPEG or JPEG-LS frame of the record's own size. Raises Unfit(DAMAGED, INCOMPLETE)."""
    position = 2
    while position + 9 < len(raw):
        if raw[position] != 0xFF:
            break
        marker = raw[position + 1]
        if marker == 0xFF or marker in _NO_LENGTH:
            position += 1 if marker == 0xFF else 2
            continue
        if marker in _SIZE_MARKERS:
            bits, rows, columns, samples = struct.unpack_from(">BHHB", raw, position + 4)
            if (rows, columns, samples) != (geometry.rows, geometry.columns, geometry.samples):
                break
            return int(bits)
        position += 2 + int.from_bytes(raw[position + 2 : position + 4], "big")
    raise Unfit(Reason.DAMAGED)


def _check_j2k(raw: bytes, geometry: Geometry) -> tuple[int, bool]:
    """The bits of a sample and whether it has a sign, for a JPEG 2000 frame of the record's own size (T.800 A.5.1)."""
    start = raw.find(_J2K_START, 0, 4096)
    if start < 0 or start + 43 > len(raw):
        raise Unfit(Reason.DAMAGED)
    right, bottom, left, top = struct.unpack_from(">4I", raw, start + 8)
    (samples, depth) = struct.unpack_from(">HB", raw, start + 40)
    if (bottom - top, right - left, samples) != (geometry.rows, geometry.columns, geometry.samples):
        raise Unfit(Reason.DAMAGED)
    return (depth & 0x7F) + 1, depth >> 7 == 1
