"""The structure of pictures: sound ones are told right, and nothing but Unfit comes of the others."""

import struct
from collections.abc import Callable, Mapping
from importlib.util import find_spec

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hostile import images, picture_types
from vetrelay.inspection.notes import Note
from vetrelay.inspection.outlines import bmp, gif, heif, jpeg, png, webp
from vetrelay.inspection.outlines.outline import Content, Outline
from vetrelay.inspection.words import Reason, Unfit

HAS_HEIC = find_spec("pillow_heif") is not None
READERS: Mapping[str, tuple[Callable[[Content], Outline], bytes]] = {
    "jpeg": (jpeg.read, images.jpeg(exif=images.camera_exif(), comment=b"c")),
    "progressive": (jpeg.read, images.jpeg(progressive=True)),
    "png": (png.read, images.everything_png()),
    "webp": (webp.read, images.webp(exif=images.camera_exif().tobytes())),
    "lossless webp": (webp.read, images.webp(lossless=True)),
    "moving webp": (webp.read, images.moving_webp()),
    "moving png": (png.read, images.moving_png()),
    "gif": (gif.read, images.saved(images.photo(), "GIF")),
    "gif with everything": (gif.read, picture_types.everything_gif()),
    "bmp": (bmp.read, images.saved(images.photo(), "BMP")),
    "bmp in runs": (bmp.read, picture_types.packed_bmp()),
    "avif": (heif.read, picture_types.avif(exif=images.camera_exif())),
    **({"heic": (heif.read, images.heic())} if HAS_HEIC else {}),
}


@pytest.mark.parametrize("name", [name for name in READERS if name not in {"gif with everything", "bmp in runs"}])
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
    for outline in (
        webp.read(images.moving_webp()),
        png.read(images.moving_png()),
        gif.read(picture_types.gif_of(100, 100)),
    ):
        assert (True, (100, 100)) == (outline.moving, outline.frames_ms)
    assert not gif.read(images.gif(1)).moving
    assert not png.read(images.png()).moving
    assert not webp.read(images.webp()).moving


def test_each_frame_of_a_gif_has_its_own_time() -> None:
    """A frame that names no time does not take the one before it."""
    assert (100, 250, 400) == gif.read(picture_types.gif_of(100, 250, 400)).frames_ms
    whole = picture_types.gif_of(100, 250)
    at = whole.rindex(b"\x21\xf9\x04")
    assert (100, 0) == gif.read(whole[:at] + whole[at + 8 :]).frames_ms


def test_a_gif_is_as_large_as_all_its_frames_together() -> None:
    """Pillow makes the picture larger for a frame outside it: so it is measured with it."""
    outline = gif.read(picture_types.gif_that_grows(300))
    assert (301, 1) == (outline.width_px, outline.height_px)


def test_a_png_that_says_too_late_that_it_moves_is_a_still_picture() -> None:
    """As the specification has it: what stands behind the picture changes nothing of it."""
    whole = images.moving_png()
    control = whole[33 : 33 + 20]
    assert b"acTL" == control[4:8]
    assert not png.read(whole[:33] + whole[53:-12] + control + whole[-12:]).moving


def _animation(**options: object) -> bytes:
    return images.webp(save_all=True, append_images=[images.photo(seed=2)], duration=100, **options)


def _patched(content: bytes, at: int, byte: int) -> bytes:
    return content[:at] + bytes([byte]) + content[at + 1 :]


def _with_chunk(content: bytes, chunk: bytes) -> bytes:
    whole = content + chunk
    return whole[:4] + struct.pack("<I", len(whole) - 8) + whole[8:]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (images.webp(), True),
        (images.webp(lossless=True), True),
        (_animation(), True),
        (_animation(lossless=True), True),
        (_animation(exif=images.camera_exif()), False),
        (_animation(xmp=b"x"), False),
        (_animation(icc_profile=b"p"), False),
        (_animation() + b"xx", False),
        (_with_chunk(_animation(), b"JUNK\x02\0\0\0ab"), False),
        (_with_chunk(_animation(), b"ANIM\x06\0\0\0abcdef"), False),
        (_patched(_animation(), 20, 0x0A), False),  # announces EXIF
        (_patched(_animation(), 21, 0x01), False),  # something in a reserved byte
    ],
)
def test_a_bare_webp_is_told_from_one_that_carries_something(content: bytes, *, expected: bool) -> None:
    """As above, for what an animation becomes: whatever it could hide something in."""
    assert expected is webp.read(content).bare


def test_a_chunk_inside_a_frame_is_looked_at_too() -> None:
    """A frame is a file of its own, with room of its own to hide in."""
    whole = _animation()
    at = whole.index(b"ANMF")
    (length,) = struct.unpack_from("<I", whole, at + 4)
    hidden = b"EXIF\x02\0\0\0ab"
    grown = (
        whole[: at + 4]
        + struct.pack("<I", length + len(hidden))
        + whole[at + 8 : at + 8 + length]
        + hidden
        + whole[at + 8 + length :]
    )
    assert not webp.read(_with_chunk(grown, b"")).bare


def test_a_frame_outside_its_animation_is_damage() -> None:
    """Every frame lies within the size that was checked."""
    whole = _animation()
    at = whole.index(b"ANMF") + 8
    with pytest.raises(Unfit) as refused:
        webp.read(_patched(whole, at, 1))
    assert Reason.DAMAGED is refused.value.reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (picture_types.bmp(header=41), Reason.PACKED_UNUSUALLY),
        (picture_types.bmp(packing=5), Reason.PACKED_UNUSUALLY),
        (picture_types.bmp(depth=7), Reason.PACKED_UNUSUALLY),
        (_patched(picture_types.bmp(), 10, 3)[:10] + bytes(4) + picture_types.bmp()[14:], Reason.DAMAGED),
        (picture_types.packed_bmp(b"\x10\x30"), Reason.INCOMPLETE),
        (picture_types.packed_bmp(b"\0\x05abcde"), Reason.INCOMPLETE),
        (picture_types.packed_bmp(b"\0\x02"), Reason.INCOMPLETE),
    ],
)
def test_a_bmp_that_no_program_writes_is_unfit(content: bytes, reason: Reason) -> None:
    """Its headers and its runs are checked before the decoder, which is content with less."""
    with pytest.raises(Unfit) as refused:
        bmp.read(content)
    assert reason is refused.value.reason


def test_an_old_bmp_has_a_short_header() -> None:
    """OS/2's: sizes of 16 bits, and no packing."""
    header = struct.pack("<2sIIIIHHHH", b"BM", 26 + 6 + 8, 0, 32, 12, 4, 2, 1, 8)
    outline = bmp.read(header + bytes(6) + bytes(8))
    assert (4, 2, 40) == (outline.width_px, outline.height_px, outline.end_bytes)
    assert frozenset() == outline.notes


def test_a_bmp_may_be_filled_up_to_a_word_and_no_further() -> None:
    """Some programs do so; more than that, or anything else than nothing, is something behind it."""
    assert frozenset() == bmp.read(picture_types.bmp() + bytes(3)).notes
    for tail in (bytes(4), b"abc"):
        assert frozenset({Note.TRAILING_BYTES_REMOVED}) == bmp.read(picture_types.bmp() + tail).notes


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
