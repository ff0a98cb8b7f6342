"""Hostile and awkward pictures, made on the spot: the image rows of the checklist in attachments.md, section 7.

Nothing here is kept as bytes: each file is built from its parts, so that a reader sees what is wrong with it.
"""

import io
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from PIL import ExifTags, Image, ImageCms, ImageDraw, PngImagePlugin

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MiB = 1 << 20
HIDDEN_ARCHIVE = b"PK\x03\x04 a hidden archive"


# --- good pictures ------------------------------------------------------------------------------------------------------


def photo(width: int = 160, height: int = 120, *, seed: int = 1) -> Image.Image:
    """A picture with structure, colours and noise: no two sides alike, so that turning it shows."""
    noise = Image.frombytes("RGB", (width, height), random.Random(seed).randbytes(width * height * 3))
    shapes = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    draw = ImageDraw.Draw(shapes)
    draw.rectangle((0, 0, width // 3, height // 3), fill=(220, 30, 30))
    draw.ellipse((width // 2, height // 2, width - 5, height - 5), fill=(20, 60, 200))
    return Image.blend(shapes, noise, 0.05)


def saved(image: Image.Image, format_name: str, **options: object) -> bytes:
    """The picture as a file of this format."""
    buffer = io.BytesIO()
    image.save(buffer, format=format_name, **options)
    return buffer.getvalue()


def jpeg(**options: object) -> bytes:
    """A sound JPEG."""
    return saved(photo(), "JPEG", **options)


def png(**options: object) -> bytes:
    """A sound PNG of many colours."""
    return saved(photo(), "PNG", **options)


def webp(**options: object) -> bytes:
    """A sound WebP."""
    return saved(photo(), "WEBP", **options)


def heic(image: Image.Image | None = None, **options: object) -> bytes:
    """A sound HEIC. Raises ImportError where pillow-heif is not installed."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    return saved(image or photo(), "HEIF", **options)


def camera_exif(*, orientation: int = 1) -> Image.Exif:
    """What a phone writes: place, serial number, owner, maker, time, and which way is up."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Make] = "Prying Optics"
    exif[ExifTags.Base.Artist] = "Rex Miller"
    exif[ExifTags.Base.ImageDescription] = "at home, Elm Street 5"
    details = exif.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.DateTimeOriginal] = "2024:05:06 07:08:09"
    details[ExifTags.Base.OffsetTimeOriginal] = "+02:00"
    details[ExifTags.Base.BodySerialNumber] = "SERIAL-4711"
    place = exif.get_ifd(ExifTags.IFD.GPSInfo)
    place[ExifTags.GPS.GPSLatitudeRef] = "N"
    place[ExifTags.GPS.GPSLatitude] = (52.0, 31.0, 12.0)
    return exif


# --- their parts ----------------------------------------------------------------------------------------------------------


def chunk(kind: bytes, content: bytes) -> bytes:
    """One PNG chunk with its checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_header(width: int, height: int, *, depth: int = 8, colour: int = 2) -> bytes:
    """Signature and IHDR."""
    return SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))


def bitmap_png(width: int, height: int) -> bytes:
    """A whole black 1-bit PNG of any size, packed to a two-hundredth."""
    packer = zlib.compressobj(1)
    row = bytes(1 + (width + 7) // 8)
    block = row * max(1, MiB // len(row))
    packed = []
    left = len(row) * height
    while left:
        packed.append(packer.compress(block[:left]))
        left -= min(left, len(block))
    packed.append(packer.flush())
    return png_header(width, height, depth=1, colour=0) + chunk(b"IDAT", b"".join(packed)) + chunk(b"IEND", b"")


def png_with(*extra: bytes) -> bytes:
    """A sound PNG with these chunks right after its header."""
    whole = png()
    at = len(SIGNATURE) + 25
    return whole[:at] + b"".join(extra) + whole[at:]


def jpeg_with_size(width: int, height: int) -> bytes:
    """A JPEG whose frame header claims another size."""
    whole = bytearray(jpeg())
    at = whole.index(b"\xff\xc0")
    whole[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(whole)


def jpeg_with_segment(marker: int, content: bytes) -> bytes:
    """A JPEG with one more segment right after its start."""
    return b"\xff\xd8\xff" + bytes([marker]) + struct.pack(">H", len(content) + 2) + content + jpeg()[2:]


def heic_with_size(width: int, height: int) -> bytes:
    """A HEIC whose picture claims another size."""
    whole = bytearray(heic())
    at = whole.index(b"ispe")
    while at >= 0:
        whole[at + 8 : at + 16] = struct.pack(">II", width, height)
        at = whole.find(b"ispe", at + 4)
    return bytes(whole)


def gif(frames: int) -> bytes:
    """A GIF of 1×1 pixel frames."""
    frame = b"\x21\xf9\x04\x00\x05\x00\x00\x00" + b"\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00" + b"\x02\x02\x44\x01\x00"
    return b"GIF89a\x01\x00\x01\x00\x80\x00\x00" + b"\x00\x00\x00\xff\xff\xff" + frame * frames + b"\x3b"


def several_jpegs() -> bytes:
    """An MPO: one file, two pictures, as some cameras write."""
    return saved(photo(seed=1), "MPO", save_all=True, append_images=[photo(seed=2)])


def moving_webp() -> bytes:
    """An animated WebP."""
    return webp(save_all=True, append_images=[photo(seed=2)], duration=100)


def moving_png() -> bytes:
    """An animated PNG."""
    return png(save_all=True, append_images=[photo(seed=2)], duration=100)


def dicom_in_a_jpeg() -> bytes:
    """A DICOM file whose preamble starts like a JPEG."""
    return (jpeg()[:100] + bytes(128))[:128] + b"DICM" + bytes(300)


def cmyk_jpeg() -> bytes:
    """A JPEG for print."""
    return saved(photo().convert("CMYK"), "JPEG")


def deep_png(*values: int) -> bytes:
    """A 16-bit grey PNG of one row of these values, each 8 pixels wide and high."""
    rows = b"".join(struct.pack(">H", value) * 8 for value in values)
    packed = zlib.compress((b"\0" + rows) * 8)
    header = png_header(8 * len(values), 8, depth=16, colour=0)
    return header + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def wide_gamut_profile() -> bytes:
    """A profile that says that it is not sRGB."""
    plain = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return plain.replace(b"\0s\0R\0G\0B", b"\0w\0i\0d\0e")


def everything_jpeg() -> bytes:
    """A JPEG that carries everything a picture can carry along."""
    info = jpeg(
        exif=camera_exif(orientation=6),
        icc_profile=wide_gamut_profile(),
        comment=b"<?php evil(); ?>",
        xmp=b"<x:xmpmeta/>",
    )
    with_more = info[:2] + b"\xff\xed\x00\x10Photoshop 3.0\0" + info[2:]
    return with_more + HIDDEN_ARCHIVE


def everything_png() -> bytes:
    """A PNG that carries everything a picture can carry along."""
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", "a <script> in a picture")
    texts.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta/>")
    texts.add_text("Raw", "packed", zip=True)
    whole = png(pnginfo=texts, exif=camera_exif(orientation=8), icc_profile=wide_gamut_profile(), dpi=(300, 300))
    return whole + HIDDEN_ARCHIVE


# --- the checklist --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the checklist: a file, its name, and what must be found."""

    row: str
    name: str
    make: Callable[[], bytes]
    verdict: str
    reason: str | None = None
    notes: tuple[str, ...] = ()
    saved_as: str | None = None
    needs_heic: bool = False


def _refused(row: str, name: str, make: Callable[[], bytes], reason: str, *, needs_heic: bool = False) -> Row:
    return Row(row=row, name=name, make=make, verdict="refused", reason=reason, needs_heic=needs_heic)


def _held(row: str, name: str, make: Callable[[], bytes], reason: str) -> Row:
    return Row(row=row, name=name, make=make, verdict="held", reason=reason)


def _zip_tail() -> bytes:
    return png() + b"PK\x03\x04" + bytes(500) + b"PK\x05\x06"


def _bad_checksum() -> bytes:
    whole = bytearray(png())
    at = whole.index(b"IDAT") + 50
    whole[at] ^= 0xFF
    return bytes(whole)


def _bomb() -> bytes:
    return zlib.compress(bytes(20 * MiB), 1)


def _polyglot() -> bytes:
    return b"GIF89a/*" + bytes(20) + b"*/=1;alert(document.domain)//"


ROWS: tuple[Row, ...] = (
    _refused("1: 30000 × 30000 pixels in few bytes", "a.png", lambda: bitmap_png(30_000, 30_000), "side_too_long"),
    _refused("2: one pixel wide, two billion high", "a.png", lambda: png_header(1, 2_000_000_000), "side_too_long"),
    _refused("3: a header of 65500 × 65500", "a.jpg", lambda: jpeg_with_size(65_500, 65_500), "side_too_long"),
    _refused("3: within the side, beyond the pixels", "a.jpg", lambda: jpeg_with_size(16_000, 16_000), "too_many_pixels"),
    Row(row="4: 49 million pixels", name="a.png", make=lambda: bitmap_png(7_000, 7_000), verdict="clean",
        notes=("resized to 2560 px",)),
    _refused("5: a text bomb", "a.png", lambda: png_with(chunk(b"zTXt", b"k\0\0" + _bomb())), "unpacks_too_large"),
    _refused("5: an international text bomb", "a.png",
             lambda: png_with(chunk(b"iTXt", b"k\0\1\0\0\0" + _bomb())), "unpacks_too_large"),
    _refused("6: a profile bomb", "a.png", lambda: png_with(chunk(b"iCCP", b"k\0\0" + _bomb())), "unpacks_too_large"),
    _refused("7: a JPEG cut short", "a.jpg", lambda: jpeg()[:-400], "incomplete"),
    _refused("7: a PNG cut short", "a.png", lambda: png()[:-400], "incomplete"),
    _refused("7: a WebP cut short", "a.webp", lambda: webp()[:-40], "incomplete"),
    _refused("8: a wrong checksum", "a.png", _bad_checksum, "damaged"),
    _refused("9: a PNG without width", "a.png", lambda: png_header(0, 9) + chunk(b"IDAT", b""), "no_pixels"),
    _refused("9: a JPEG without width", "a.jpg", lambda: jpeg_with_size(0, 100), "no_pixels"),
    _refused("9: a JPEG without height", "a.jpg", lambda: jpeg_with_size(100, 0), "no_pixels"),
    _refused("10: nothing", "a.jpg", lambda: b"", "empty"),
    _refused("10: one byte", "a.jpg", lambda: b"\xff", "empty"),
    _refused("10: a start and nothing else", "a.jpg", lambda: b"\xff\xd8", "empty"),
    Row(row="11: a JPEG named .png", name="paw.png", make=jpeg, verdict="clean", saved_as="paw.jpg",
        notes=("renamed to match its content",)),
    _refused("12: a web page named .jpg", "a.jpg", lambda: b"<!DOCTYPE html><script>evil()</script>",
             "content_differs_from_name"),
    _refused("13: a GIF that is a script", "a.gif", _polyglot, "damaged"),
    Row(row="14: an archive behind a PNG", name="a.png", make=_zip_tail, verdict="converted",
        notes=("bytes after the picture removed", "converted to JPEG")),
    Row(row="15: a script in a comment", name="a.jpg", make=lambda: jpeg(comment=b"<script>evil()</script>"),
        verdict="clean", notes=("comment removed",)),
    Row(row="15: PHP in a comment", name="a.jpg", make=lambda: jpeg(comment=b"<?php evil(); ?>"), verdict="clean",
        notes=("comment removed",)),
    Row(row="16: on its side, with its place", name="a.jpg", make=lambda: jpeg(exif=camera_exif(orientation=6)),
        verdict="clean",
        notes=("location removed", "camera serial removed", "names removed", "camera details removed",
               "comment removed", "turned upright")),
    Row(row="18: for print", name="a.jpg", make=cmyk_jpeg, verdict="clean", notes=("colours converted to sRGB",)),
    _refused("22: EPS named .jpg", "a.jpg", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
             "content_differs_from_name"),
    _refused("22: EPS", "a.eps", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "type_not_taken"),
    _refused("23: SVG with an external entity", "a.svg",
             lambda: b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>',
             "type_not_taken"),
    Row(row="24: 3000 frames", name="a.gif", make=lambda: gif(3_000), verdict="converted", saved_as="a.png",
        notes=("converted to PNG", "movement removed, the first of 3000 pictures kept")),
    Row(row="24: a moving WebP", name="a.webp", make=moving_webp, verdict="converted", saved_as="a.jpg",
        notes=("converted to JPEG", "movement removed, the first of 2 pictures kept")),
    Row(row="24: a moving PNG", name="a.png", make=moving_png, verdict="converted", saved_as="a.jpg",
        notes=("converted to JPEG", "movement removed, the first of 2 pictures kept")),
    _refused("25: a HEIC of 200 megapixels", "a.heic", lambda: heic_with_size(16_000, 12_500), "too_many_pixels",
             needs_heic=True),
    _refused("26: a HEIC cut short", "a.heic", lambda: heic()[:-100], "incomplete", needs_heic=True),
    Row(row="27: two pictures in one file", name="a.jpg", make=several_jpegs, verdict="clean",
        notes=("extra pictures removed",)),
    _refused("44: a DICOM file that starts like a JPEG, and is named like one", "a.jpg", dicom_in_a_jpeg, "content_differs_from_name"),
    Row(row="a HEIC", name="a.heic", make=lambda: heic(exif=camera_exif()), verdict="converted", needs_heic=True,
        saved_as="a.jpg",
        notes=("location removed", "camera serial removed", "names removed", "camera details removed",
               "comment removed", "converted to JPEG")),
    Row(row="a WebP", name="a.webp", make=webp, verdict="converted", notes=("converted to JPEG",), saved_as="a.jpg"),
    _refused("two frame headers", "a.jpg", lambda: jpeg()[:2] + _frame_header() + jpeg()[2:], "damaged"),
    _refused("junk between segments", "a.jpg", lambda: jpeg()[:20] + b"junk" + jpeg()[20:], "damaged"),
    _refused("two PNG headers", "a.png", lambda: png()[:33] + png()[8:], "damaged"),
    _refused("a PNG of nothing but its end", "a.png", lambda: png_header(9, 9) + chunk(b"IEND", b""), "incomplete"),
    _refused("an unknown file named .jpg", "a.jpg", lambda: bytes(range(1, 200)) * 9, "content_differs_from_name"),
    _held("an unknown file", "a.xyz", lambda: bytes(range(1, 200)) * 9, "held_type_unknown"),
)  # fmt: skip


def _frame_header() -> bytes:
    whole = jpeg()
    at = whole.index(b"\xff\xc0")
    return whole[at : at + 2 + int.from_bytes(whole[at + 2 : at + 4], "big")]


def sound(*, with_heic: bool) -> Iterator[tuple[str, bytes]]:
    """(name, content) of one sound picture of each opened kind, for cutting and damaging."""
    yield "a.jpg", jpeg(exif=camera_exif())
    yield "progressive.jpg", jpeg(progressive=True)
    yield "a.png", everything_png().removesuffix(HIDDEN_ARCHIVE)
    yield "a.webp", webp(exif=camera_exif().tobytes())
    yield "lossless.webp", webp(lossless=True)
    if with_heic:
        yield "a.heic", heic(exif=camera_exif().tobytes())
