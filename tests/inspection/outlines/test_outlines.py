"""The structure of pictures: sound ones are told right, and nothing but Unfit comes of the others."""

import struct
from collections.abc import Callable, Mapping
from importlib.util import find_spec

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hostile import images
from vetrelay.inspection.outlines import gif, heif, jpeg, png, webp
from vetrelay.inspection.outlines.outline import Content, Outline
from vetrelay.inspection.words import Note, Reason, Unfit

HAS_HEIC = find_spec("pillow_heif") is not None
READERS: Mapping[str, tuple[Callable[[Content], Outline], bytes]] = {
    "jpeg": (jpeg.read, images.jpeg(exif=images.camera_exif(), comment=b"c")),
    "progressive": (jpeg.read, images.jpeg(progressive=True)),
    "png": (png.read, images.everything_png()),
    "webp": (webp.read, images.webp(exif=images.camera_exif().tobytes())),
    "lossless webp": (webp.read, images.webp(lossless=True)),
    "gif": (gif.read, images.gif(3)),
    **({"heic": (heif.read, images.heic())} if HAS_HEIC else {}),
}


@pytest.mark.parametrize("name", [name for name in READERS if name != "gif"])
def test_a_sound_picture_tells_its_size(name: str) -> None:
    """Width and height as they stand in its own header, and where it ends."""
    read, content = READERS[name]
    outline = read(content)
    assert (160, 120) == (outline.width_px, outline.height_px)
    assert len(content.removesuffix(images.HIDDEN_ARCHIVE)) == outline.end_bytes


@given(name=st.sampled_from(list(READERS)), data=st.data())
def test_a_damaged_picture_is_an_outline_or_unfit(name: str, data: st.DataObject) -> None:
    """However it is cut and changed, reading it ends, and ends in one of two ways."""
    read, content = READERS[name]
    changed = bytearray(content[: data.draw(st.integers(13, len(content)))])
    for _ in range(data.draw(st.integers(0, 8))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        outline = read(changed)
    except Unfit:
        return
    assert outline.end_bytes <= len(changed)


@given(name=st.sampled_from(list(READERS)), tail=st.binary(max_size=300))
def test_any_bytes_behind_a_signature_are_an_outline_or_unfit(name: str, tail: bytes) -> None:
    """A signature opens no door."""
    read, content = READERS[name]
    try:
        read(content[:13] + tail)
    except Unfit:
        return


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (images.jpeg(), True),
        (images.saved(images.photo().convert("L"), "JPEG"), True),
        (images.jpeg(dpi=(300, 300)), True),
        (images.jpeg(exif=images.camera_exif()), False),
        (images.jpeg(comment=b"c"), False),
        (images.jpeg(icc_profile=b"p"), False),
        (images.jpeg(xmp=b"x"), False),
        (images.jpeg() + b"x", False),
        (images.jpeg_with_segment(0xEB, b"JUMBF"), False),
    ],
)
def test_a_bare_jpeg_is_told_from_one_that_carries_something(content: bytes, *, expected: bool) -> None:
    """An answer of the jail must be bare: this is what says so."""
    assert expected is jpeg.read(content).bare


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (images.png(), True),
        (images.saved(images.photo().quantize(5), "PNG", transparency=0), True),
        (images.png(dpi=(300, 300)), False),
        (images.png(exif=images.camera_exif()), False),
        (images.png(icc_profile=b"p"), False),
        (images.png() + b"x", False),
        (images.png_with(images.chunk(b"vpAg", b"x")), False),
    ],
)
def test_a_bare_png_is_told_from_one_that_carries_something(content: bytes, *, expected: bool) -> None:
    """As above, for PNG."""
    assert expected is png.read(content).bare


def test_several_frames_are_seen_without_decoding_any() -> None:
    """Moving pictures are told by their structure."""
    assert webp.read(images.moving_webp()).moving
    assert png.read(images.moving_png()).moving
    assert gif.read(images.gif(2)).moving
    assert not gif.read(images.gif(1)).moving


def test_a_second_picture_is_not_mistaken_for_junk() -> None:
    """A camera that says that there are several pictures gets the right note."""
    assert frozenset({Note.EXTRA_PICTURES_REMOVED}) == jpeg.read(images.several_jpegs()).notes
    assert frozenset({Note.TRAILING_BYTES_REMOVED}) == jpeg.read(images.jpeg() + images.jpeg()).notes


@pytest.mark.skipif(not HAS_HEIC, reason="pillow-heif is not installed: the extra [heif] brings it")
class TestHeic:
    """The boxes that libheif takes on trust."""

    def test_an_extent_beyond_the_file_is_incomplete(self) -> None:
        """The last byte of the last item must be there."""
        content = images.heic()
        with pytest.raises(Unfit) as refused:
            heif.read(content[:-1])
        assert Reason.INCOMPLETE is refused.value.reason

    def test_an_extent_that_points_beyond_the_file_is_incomplete(self) -> None:
        """Also where every box is whole: the table of places is checked against the file."""
        content = bytearray(images.heic())
        size = len(content)
        at = content.index(b"iloc")
        table = content[at : at + 60]
        # Every 32-bit number of the table that lies within the file is a place or a length; push one past the end.
        for offset in range(8, 56):
            (number,) = struct.unpack_from(">I", table, offset)
            if size // 2 < number < size:
                struct.pack_into(">I", content, at + offset, size + 1)
                break
        with pytest.raises(Unfit) as refused:
            heif.read(content)
        assert Reason.INCOMPLETE is refused.value.reason

    def test_every_picture_inside_is_measured(self) -> None:
        """One part of absurd size is enough to refuse the file."""
        with pytest.raises(Unfit) as refused:
            heif.read(images.heic_with_size(20_000, 10))
        assert Reason.SIDE_TOO_LONG is refused.value.reason

    def test_its_own_transparency_is_not_an_extra_picture(self) -> None:
        """An alpha channel is stored as a second picture, and is drawn."""
        picture = images.photo().convert("RGBA")
        picture.putalpha(100)
        assert frozenset() == heif.read(images.heic(picture)).notes
