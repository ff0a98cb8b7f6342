"""Streams counted, cut to their end, and their pictures stripped."""

import io
import zlib

import pikepdf
import pytest
from PIL import Image, ImageChops

from tests.hostile import pdfs
from vetrelay.inspection.formats.pdf_streams import MOST_WRITING_BYTES, Unpacking, bare_jpeg, bare_jpeg2000
from vetrelay.inspection.words import Reason, Unfit

TOLD = b"told by the camera"


def settled(content: bytes, packing: pikepdf.Name | pikepdf.Array | None = None) -> bytes:
    """What a stream holds, packed, after it was settled."""
    with pikepdf.new() as pdf:
        stream = pdf.make_stream(content)
        if packing is not None:
            stream.write(content, filter=packing)
        Unpacking().settle(stream)
        return stream.read_raw_bytes()


def opened(content: bytes) -> Image.Image:
    """A picture, decoded."""
    return Image.open(io.BytesIO(content)).convert("RGB")


def test_bytes_after_the_packed_ones_are_cut_off() -> None:
    """However many packings there are; line ends, which many programs leave there, are not worth a change."""
    packed = zlib.compress(b"words")
    assert packed == settled(packed + b"more", pikepdf.Name.FlateDecode)
    assert packed + b"\r\n" == settled(packed + b"\r\n", pikepdf.Name.FlateDecode)
    twice = pikepdf.Array([pikepdf.Name.FlateDecode] * 2)
    assert zlib.compress(packed) == settled(zlib.compress(packed) + b"more", twice)


def test_damaged_packing_is_left_to_the_readers() -> None:
    """They show what came before the damage, so it is neither refused nor changed."""
    damaged = zlib.compress(b"words" * 1000)[:-10] + b"0123456789"
    assert damaged == settled(damaged, pikepdf.Name.FlateDecode)


@pytest.mark.parametrize("times", [1, 2, 3])
def test_what_unpacks_beyond_measure_is_refused(times: int) -> None:
    """Once, twice, three times packed: it is counted step by step and never held whole."""
    packed = pdfs.packed(bytes(1 << 20), 1 + (MOST_WRITING_BYTES >> 20))
    for _ in range(times - 1):
        packed = zlib.compress(packed)
    with pytest.raises(Unfit) as refused:
        settled(packed, pikepdf.Array([pikepdf.Name.FlateDecode] * times))
    assert Reason.UNPACKS_TOO_LARGE is refused.value.reason


@pytest.mark.parametrize(
    ("packing", "content", "size_bytes"),
    [
        ("RunLengthDecode", b"\x81a\x80", 128),
        ("ASCIIHexDecode", b"6162>", 2),
        ("ASCII85Decode", b"87cUR~>", 4),
        ("LZWDecode", b"\x80\x0b\x60\x50\x22\x0c\x0c\x85\x01", 10),
        ("CCITTFaxDecode", b"as it stands", 12),
        ("JBIG2Decode", b"as it stands", 12),
    ],
)
def test_the_old_packings_are_counted_too(packing: str, content: bytes, size_bytes: int) -> None:
    """And a picture's own as it stands: its reader unpacks it row by row."""
    with pikepdf.new() as pdf:
        stream = pdf.make_stream(b"")
        stream.write(content, filter=pikepdf.Name(f"/{packing}"))
        unpacking = Unpacking()
        unpacking.settle(stream)
        assert size_bytes == unpacking.sizes_bytes[stream.objgen]


def test_a_photo_keeps_its_pixels_and_loses_the_rest() -> None:
    """EXIF, comment and profile are gone, not one pixel changes."""
    whole = pdfs.photo(exif=b"Exif\0\0" + TOLD, comment=TOLD, icc_profile=TOLD, dpi=(300, 300))
    bare = bare_jpeg(whole)
    assert (3, 0) == (whole.count(TOLD), bare.count(TOLD))
    assert ImageChops.difference(opened(whole), opened(bare)).getbbox() is None
    assert bare == bare_jpeg(bare)


def test_adobe_s_word_on_the_colours_stays() -> None:
    """Without it a CMYK photo would be shown in wrong colours."""
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((16, 16)).convert("CMYK").save(buffer, format="JPEG")
    assert b"Adobe" in bare_jpeg(buffer.getvalue())


def test_a_jpeg_2000_keeps_its_pixels_and_loses_the_rest() -> None:
    """Boxes of words are gone, wherever they stand."""
    whole = pdfs.photo("JPEG2000") + (8 + len(TOLD)).to_bytes(4, "big") + b"xml " + TOLD
    bare = bare_jpeg2000(whole)
    assert TOLD not in bare
    assert ImageChops.difference(opened(whole), opened(bare)).getbbox() is None


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xd8", b"\xff\xd8\xff", b"\xff\xd8\xff\xe1\x00", b"\0\0\0\x01jP  ", b"no"]
)
def test_what_is_no_picture_is_left_as_it_is(content: bytes) -> None:
    """Its decoder will say so."""
    assert (content, content) == (bare_jpeg(content), bare_jpeg2000(content))
