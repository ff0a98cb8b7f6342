"""One tiny picture per opened kind: for warming, and for the self-test through the real jail.

All but one are made on the spot. The HEIC is kept as text, because making one takes an encoder that not every
pillow-heif has, and that would start threads in the zygote: 48×32 px, left half red, right half blue, written by
pillow-heif 1.8.1 at quality 20.
"""

import base64
import io

from PIL import ExifTags, Image, ImageCms

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


def make(*, heic: bool) -> tuple[bytes, ...]:
    """The samples in fixed order.

    A long JPEG with EXIF, ICC profile and orientation, a CMYK JPEG, a PNG with alpha, a 16-bit PNG, a WebP, and a HEIC
    if it can be opened.
    """
    colours = Image.new("RGB", _SIZE_PX, (200, 30, 30))
    colours.paste((30, 30, 200), (_SIZE_PX[0] // 2, 0, *_SIZE_PX))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = _TURNED_CLOCKWISE
    exif[ExifTags.Base.Make] = "sample"
    exif[ExifTags.Base.DateTime] = "2024:01:02 03:04:05"
    # Under its own name sRGB would be left alone; renamed, it takes the way of a wide-gamut phone's profile.
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes().replace(b"\0s\0R\0G", b"\0w\0R\0G")
    drawing = colours.convert("RGBA")
    drawing.putalpha(Image.linear_gradient("L").resize(_SIZE_PX))
    deep = Image.linear_gradient("L").resize(_SIZE_PX).convert("I;16")
    made = [
        _saved(colours.resize(_LONG_PX), "JPEG", exif=exif, icc_profile=profile),
        _saved(colours.convert("CMYK"), "JPEG"),
        _saved(drawing, "PNG"),
        _saved(deep, "PNG"),
        _saved(colours, "WEBP"),
    ]
    return (*made, _HEIC) if heic else tuple(made)


def _saved(picture: Image.Image, format_name: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format=format_name, **options)
    return buffer.getvalue()
