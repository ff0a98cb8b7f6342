"""Each decoder gives the numbers that its encoder was given, and refuses a frame of another size."""

import importlib
import io
import struct
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

from vetrelay.inspection.formats import dicom_samples
from vetrelay.inspection.formats.dicom_decoding import decoders
from vetrelay.inspection.formats.dicom_pixels import frame_bytes, geometry_of, pixels_of
from vetrelay.inspection.formats.dicom_reading import DataSet, read
from vetrelay.inspection.formats.dicom_syntax import SYNTAXES
from vetrelay.inspection.words import Reason, Unfit

DECODERS = decoders()
FAMILY = "1.2.840.10008.1.2.4."
LOSSLESS = [f"{FAMILY}{number}" for number in (57, 70, 80, 90, 91)] + ["1.2.840.10008.1.2.5"]
NEEDS_IMAGECODECS = pytest.mark.skipif(find_spec("imagecodecs") is None, reason="the extra [dicom] brings imagecodecs")


def sample(uid: str) -> tuple[DataSet, np.ndarray[tuple[int, ...], np.dtype[np.generic]], str]:
    """A sample of a transfer syntax, decoded."""
    every = [read(content) for content in dicom_samples.make(DECODERS.keys())]
    made = next(found for found in every if found is not None and found.syntax.uid == uid)
    pixels = pixels_of(made)
    assert pixels is not None
    geometry = geometry_of(made, pixels)
    samples, colours = DECODERS[uid](frame_bytes(made, geometry, pixels, 0), geometry)
    return made, samples, colours


@NEEDS_IMAGECODECS
def test_every_syntax_with_a_decoder_can_be_shown() -> None:
    """With the whole extra installed: everything but films and JPEG XL."""
    films = {syntax.uid for syntax in SYNTAXES.values() if syntax.film}
    encapsulated = {syntax.uid for syntax in SYNTAXES.values() if syntax.encapsulated}
    assert encapsulated - films - {f"{FAMILY}{number}" for number in (110, 111, 112)} == DECODERS.keys()


@NEEDS_IMAGECODECS
@pytest.mark.parametrize("uid", LOSSLESS)
def test_lossless_frames_come_back_exactly(uid: str) -> None:
    """Bit for bit what was encoded: a wrong sign or shift would show."""
    _, samples, _ = sample(uid)
    expected = dicom_samples._COLOURED if samples.ndim == 3 else dicom_samples._DEEP
    assert np.array_equal(expected, samples)


@NEEDS_IMAGECODECS
@pytest.mark.parametrize("number", [50, 51, 81])
def test_lossy_frames_come_back_nearly(number: int) -> None:
    """Within what the encoder was allowed to lose."""
    _, samples, _ = sample(f"{FAMILY}{number}")
    expected = dicom_samples._COLOURED if samples.ndim == 3 else dicom_samples._DEEP
    assert np.abs(expected.astype(int) - samples.astype(int)).mean() < (60 if number == 50 else 20)


@pytest.mark.parametrize("uid", sorted(DECODERS.keys() - {f"{FAMILY}{number}" for number in (201, 202, 203)}))
def test_a_frame_of_another_size_is_damaged(uid: str) -> None:
    """A small record cannot carry a frame that unpacks to a gigabyte."""
    made, _, _ = sample(uid)
    pixels = pixels_of(made)
    assert pixels is not None
    geometry = geometry_of(made, pixels)
    raw = bytearray(frame_bytes(made, geometry, pixels, 0))
    sixteen = struct.pack(">H", dicom_samples.SIDE_PX)
    # JPEG-LS is written with another header in front, which no reader goes by.
    at = 2 if uid.endswith("1.2.5") else raw.index(sixteen, max(4, raw.find(b"\xff\xf7")))
    raw[at : at + 2] = b"\xff\xff"
    with pytest.raises(Unfit) as refusal:
        DECODERS[uid](bytes(raw), geometry)
    assert Reason.DAMAGED is refusal.value.reason


def test_a_jpeg_without_a_mark_keeps_the_colours_that_the_record_names() -> None:
    """RGB that was never YCbCr must not be turned into colours twice."""
    red = Image.new("RGB", (16, 16), (200, 30, 30))
    buffer = io.BytesIO()
    red.save(buffer, "JPEG", quality=95, keep_rgb=True)
    rows = {**dicom_samples._ABOUT, **dicom_samples.described(np.asarray(red), b"RGB")}
    made = read(dicom_samples.record(rows, buffer.getvalue(), SYNTAXES[f"{FAMILY}50"]))
    assert made is not None
    pixels = pixels_of(made)
    assert pixels is not None
    geometry = geometry_of(made, pixels)
    samples, colours = DECODERS[f"{FAMILY}50"](frame_bytes(made, geometry, pixels, 0), geometry)
    assert "RGB" == colours
    assert np.abs(np.asarray(red).astype(int) - samples).max() < 12


@NEEDS_IMAGECODECS
def test_lossless_colours_are_taken_as_stored_whatever_marks_the_frame_bears() -> None:
    """Some encoders write a photo's mark, by which libjpeg would turn RGB into something else."""
    imagecodecs = importlib.import_module("imagecodecs")
    coloured = dicom_samples._COLOURED
    frame = imagecodecs.jpeg8_encode(coloured, lossless=True)
    mark = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
    unmarked = frame[:2] + frame[frame.index(b"\xff\xc3") :]
    for made in (frame, unmarked, unmarked[:2] + mark + unmarked[2:]):
        rows = {**dicom_samples._ABOUT, **dicom_samples.described(coloured, b"RGB")}
        found = read(dicom_samples.record(rows, made, SYNTAXES[f"{FAMILY}70"]))
        assert found is not None
        pixels = pixels_of(found)
        assert pixels is not None
        geometry = geometry_of(found, pixels)
        samples, _ = DECODERS[f"{FAMILY}70"](frame_bytes(found, geometry, pixels, 0), geometry)
        assert np.array_equal(coloured, samples)
