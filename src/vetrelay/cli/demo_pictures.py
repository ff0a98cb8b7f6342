"""Three photos made on the spot for the demo, with what phones put into photos: a place, a serial number, a turned sensor."""

import io
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import ExifTags, Image, ImageDraw, ImageFilter

UPRIGHT_PX: Final = (900, 1200)
ORIENTATION_TURNED: Final = 6
LATITUDE: Final = (52.0, 31.0, 12.0)
LONGITUDE: Final = (13.0, 24.0, 18.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """Words planted where phones plant them; the demo searches for them afterwards."""

    maker: str
    serial: str
    artist: str
    comment: str


def draw_paw(seed: int) -> Image.Image:
    """An upright picture of a paw with a sore spot, different for every seed."""
    dice = random.Random(seed)  # noqa: S311  # a drawing, not a secret
    width, height = UPRIGHT_PX
    image = Image.effect_noise((width, height), 18).convert("RGB")
    shade = Image.new("RGB", (width, height), (168 + 8 * seed, 178, 162))
    image = Image.blend(shade, image, 0.18)
    pen = ImageDraw.Draw(image)
    fur = (98 - 6 * seed, 72, 54)
    for x, y, rx, ry in ((290, 330, 85, 120), (450, 270, 85, 125), (610, 270, 85, 125), (760, 360, 80, 115)):
        pen.ellipse((x - rx, y - ry, x + rx, y + ry), fill=fur)
    pen.ellipse((270, 520, 720, 900), fill=fur)
    x, y = 430 + dice.randrange(140), 640 + dice.randrange(120)
    pen.ellipse((x - 60, y - 45, x + 60, y + 45), fill=(176, 52, 48))
    pen.ellipse((x - 30, y - 22, x + 25, y + 20), fill=(214, 96, 86))
    image = image.filter(ImageFilter.GaussianBlur(3))
    pen = ImageDraw.Draw(image)
    for at in range(0, 500, 50):  # a ruler, as people are asked to lay beside a wound
        pen.line((200 + at, 1080, 200 + at, 1040 if at % 100 else 1020), fill=(20, 20, 20), width=4)
    pen.line((190, 1082, 710, 1082), fill=(20, 20, 20), width=5)
    return image


def photo_bytes(seed: int, secrets: Secrets) -> bytes:
    """A JPEG as a phone held sideways writes it: turned pixels, orientation 6, GPS, serial number, comment."""
    sensor = draw_paw(seed).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = ORIENTATION_TURNED
    exif[ExifTags.Base.Make] = secrets.maker
    exif[ExifTags.Base.Artist] = secrets.artist
    details = exif.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.BodySerialNumber] = secrets.serial
    details[ExifTags.Base.DateTimeOriginal] = "2026:05:04 18:30:00"
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLatitude] = "N", LATITUDE
    gps[ExifTags.GPS.GPSLongitudeRef], gps[ExifTags.GPS.GPSLongitude] = "E", LONGITUDE
    out = io.BytesIO()
    sensor.save(out, "JPEG", quality=90, exif=exif, comment=secrets.comment)
    return out.getvalue()


def make_photos(folder: Path, names: tuple[str, ...], secrets: Secrets) -> list[Path]:
    """Writes one photo per name."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for seed, name in enumerate(names):
        path = folder / name
        path.write_bytes(photo_bytes(seed, secrets))
        paths.append(path)
    return paths


def metadata_left(path: Path) -> list[str]:
    """What a picture still says about where and with what it was taken (nothing, after the file check)."""
    with Image.open(path) as image:
        exif = image.getexif()
        left = [ExifTags.TAGS.get(tag, str(tag)) for tag in exif]
        left += [f"GPS {tag}" for tag in exif.get_ifd(ExifTags.IFD.GPSInfo)]
        return left + [name for name in ("comment", "icc_profile", "xmp") if image.info.get(name)]
