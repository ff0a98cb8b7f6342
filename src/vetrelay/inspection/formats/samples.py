"""Tiny pictures of every kind and path: for warming, and for the self-test through the real jail.

All but one are made on the spot. The HEIC is kept as text, because making one takes an encoder that not every
pillow-heif has, and that would start threads in the zygote: 48×32 px, left half red, right half blue, written by
pillow-heif 1.8.1 at quality 20.
"""

import base64
import io
import struct

from PIL import ExifTags, Image, ImageCms

from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.policy import NORMALIZED_SIDE_PX

_SIZE_PX = (48, 32)
_LONG_PX = (NORMALIZED_SIDE_PX + 40, 40)  # long enough to be resized
_TURNED_CLOCKWISE = 6
_HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAX1tZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAACJpbG9jAAAA"
    "AERAAAEAAQAAAAABoQABAAAAAAAAACcAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRtAAAAAAABAAAA/WlwcnAAAADd"
    "aXBjbwAAAHZodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQAqQgEBA3AAAAMAkAAAAwAA"
    "AwAeoCCBBZbq5Ka5uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFzwIkAAAATY29scm5jbHgAAQANAAaAAAAAFGlzcGUAAAAAAAAAQAAAAEAAAAAoY2xh"
    "cAAAADAAAAABAAAAIAAAAAH////wAAAAAv///+AAAAACAAAAEHBpeGkAAAAAAwgICAAAABhpcG1hAAAAAAAAAAEAAQWBAgMFhAAAAC9tZGF0AAAA"
    "IygBrwtg+tKBv+ddcuIGS8Sd8Smoqcs0UNhSewg6JXfjAh7g"
)


def by_kind() -> tuple[tuple[Kind, bytes], ...]:
    """The samples in fixed order, each with its kind: whatever a picture of that kind may make a decoder do."""
    colours = Image.new("RGB", _SIZE_PX, (200, 30, 30))
    colours.paste((30, 30, 200), (_SIZE_PX[0] // 2, 0, *_SIZE_PX))
    other = colours.transpose(Image.Transpose.ROTATE_180)
    drawing = colours.convert("RGBA")
    drawing.putalpha(Image.linear_gradient("L").resize(_SIZE_PX))
    deep = Image.linear_gradient("L").resize(_SIZE_PX).convert("I;16")
    moving = {"save_all": True, "append_images": [other], "duration": 120}
    return (
        (Kind.JPEG, _saved(colours.resize(_LONG_PX), "JPEG", exif=_exif(), icc_profile=_profile())),
        (Kind.JPEG, _saved(colours.convert("CMYK"), "JPEG")),
        (Kind.PNG, _saved(drawing, "PNG")),
        (Kind.PNG, _saved(deep, "PNG")),
        (Kind.PNG, _saved(colours, "PNG", **moving)),
        (Kind.WEBP, _saved(colours, "WEBP")),
        (Kind.WEBP, _saved(drawing, "WEBP", **moving)),
        (Kind.GIF, _saved(colours, "GIF", comment="sample", **moving)),
        (Kind.GIF, _saved(drawing, "GIF")),
        (Kind.BMP, _saved(colours, "BMP")),
        (Kind.BMP, _packed_bmp()),
        (Kind.AVIF, _saved(drawing, "AVIF", speed=10, max_threads=1, exif=_exif(), icc_profile=_profile())),
        (Kind.TIFF, _saved(deep, "TIFF", exif=_exif())),
        (Kind.TIFF, _saved(colours, "TIFF", compression="tiff_lzw", save_all=True, append_images=[other])),
        (Kind.TIFF, _saved(colours, "TIFF", compression="jpeg", icc_profile=_profile())),
        (Kind.TIFF, _saved(colours.convert("1"), "TIFF", compression="group4")),
        (Kind.TIFF, _saved(colours.convert("CMYK"), "TIFF", compression="tiff_adobe_deflate")),
        (Kind.TIFF, _saved(deep.convert("F"), "TIFF", compression="packbits")),
        (Kind.HEIC, _HEIC),
    )


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = _TURNED_CLOCKWISE
    exif[ExifTags.Base.Make] = "sample"
    exif[ExifTags.Base.DateTime] = "2024:01:02 03:04:05"
    return exif


def _profile() -> bytes:
    """Under its own name sRGB would be left alone; renamed, it takes the way of a wide-gamut phone's profile."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes().replace(b"\0s\0R\0G", b"\0w\0R\0G")


def _packed_bmp() -> bytes:
    """A BMP of run lengths: two rows of four pixels, each one run."""
    rows = b"\x04\x01\x00\x00" + b"\x04\x00\x00\x01"
    palette = bytes(4) + b"\xff\xff\xff\x00"
    pixels_at = 54 + len(palette)
    size = pixels_at + len(rows)
    header = struct.pack("<2sIIIIiiHHIIiiII", b"BM", size, 0, pixels_at, 40, 4, 2, 1, 8, 1, len(rows), 0, 0, 2, 0)
    return header + palette + rows


def _saved(picture: Image.Image, format_name: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format=format_name, **options)
    return buffer.getvalue()
