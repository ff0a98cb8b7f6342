"""What a picture's EXIF (and for its place, its XMP) tells before it is dropped: which way is up, when it was taken, and what a rebuild removes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from PIL import ExifTags, Image

from vetrelay.inspection.notes import Note
from vetrelay.inspection.result import CaptureTime

_UPRIGHT = 1
_SERIAL_TAGS = frozenset({0xA431, 0xA435, 0xC62F})  # body, lens, camera serial number
_NAME_TAGS = frozenset({0x013B, 0x8298, 0xA430, 0x9C9D})  # artist, copyright, camera owner, Windows author
# Description, name of document and of page, comment, Windows captions.
_COMMENT_TAGS = frozenset({0x010E, 0x010D, 0x011D, 0x9286, 0x9C9B, 0x9C9C, 0x9C9E, 0x9C9F})
_EDITING_TAGS = frozenset({0x02BC, 0x83BB, 0x8649, 0x935C})  # XMP, IPTC, Photoshop's resources and its layers
_HARMLESS_TAGS = frozenset({0x0112, 0x8769, 0x8825, 0xA005, 0x011A, 0x011B, 0x0128})  # orientation, pointers, density
# What a TIFF needs to be drawn stands among its tags (TIFF 6.0, sections 3 to 23).
_DRAWING_TAGS = frozenset(
    {
        *range(0x00FE, 0x010C),  # kind of page, size, depth, packing, colours, thresholds
        *range(0x0111, 0x011D),  # strips, orientation, samples, density, planes
        *range(0x0122, 0x0126),  # the curve of greys, options of CCITT
        *(0x0129, 0x012D, 0x013D, 0x013E, 0x013F, 0x0140),  # page number, transfer, predictor, white point, palette
        *range(0x0142, 0x0146),  # tiles
        *(0x0152, 0x0153, 0x015B, 0x0211, 0x0212, 0x0213, 0x0214),  # extra samples, their form, JPEG tables, YCbCr
        0x8773,  # colour profile
    }
)
# Where a position is written in XMP instead.
_XMP_PLACE = b"GPSL"
_TIME = re.compile(r"(\d{4})[:-](\d{2})[:-](\d{2})[ T](\d{2}):(\d{2}):(\d{2})")
_OFFSET = re.compile(r"([+-])(\d{2}):(\d{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """`orientation` 1 to 8 (EXIF 2.32, tag 0112), the capture time, and the notes."""

    orientation: int = _UPRIGHT
    captured: CaptureTime | None = None
    notes: frozenset[Note] = frozenset()


def read(image: Image.Image, *, of_page: bool = False) -> Told:
    """Reads a loaded image's EXIF. Damaged EXIF tells nothing and refuses nothing: it is dropped in any case.

    `of_page`: it is one of a TIFF, where the next directory is the next page, and no thumbnail.
    """
    try:
        told = _read(image, of_page=of_page)
    except Exception:  # noqa: BLE001 - Pillow raises whatever a stranger's offsets lead it to
        told = Told()
    xmp = image.info.get("xmp")
    if isinstance(xmp, bytes) and _XMP_PLACE in xmp:
        told = replace(told, notes=told.notes | {Note.LOCATION_REMOVED})
    return told


def _read(image: Image.Image, *, of_page: bool) -> Told:
    exif = image.getexif()
    if not exif:
        return Told()
    details = exif.get_ifd(ExifTags.IFD.Exif)
    tags = set(exif) | set(details)
    notes = set()
    if exif.get_ifd(ExifTags.IFD.GPSInfo):
        notes.add(Note.LOCATION_REMOVED)
    if not of_page and exif.get_ifd(ExifTags.IFD.IFD1):
        notes.add(Note.THUMBNAIL_REMOVED)
    for known, note in (
        (_SERIAL_TAGS, Note.CAMERA_SERIAL_REMOVED),
        (_NAME_TAGS, Note.NAMES_REMOVED),
        (_COMMENT_TAGS, Note.COMMENT_REMOVED),
        (_EDITING_TAGS, Note.EDITING_RECORD_REMOVED),
    ):
        if tags & known:
            notes.add(note)
    if tags - _SERIAL_TAGS - _NAME_TAGS - _COMMENT_TAGS - _EDITING_TAGS - _HARMLESS_TAGS - _DRAWING_TAGS:
        notes.add(Note.CAMERA_DETAILS_REMOVED)
    orientation = exif.get(ExifTags.Base.Orientation, _UPRIGHT)
    return Told(
        orientation=orientation if isinstance(orientation, int) else _UPRIGHT,
        captured=_captured(exif, details),
        notes=frozenset(notes),
    )


def _captured(exif: Mapping[int, object], details: Mapping[int, object]) -> CaptureTime | None:
    taken = _TIME.match(str(details.get(ExifTags.Base.DateTimeOriginal) or exif.get(ExifTags.Base.DateTime) or ""))
    if taken is None:
        return None
    offset = _OFFSET.match(str(details.get(ExifTags.Base.OffsetTimeOriginal) or ""))
    year, month, day, hour, minute, second = (int(part) for part in taken.groups())
    candidate = CaptureTime(
        year=year,
        month=month,
        day=day,
        hour=hour,
        minute=minute,
        second=second,
        offset_minutes=None if offset is None else _minutes(offset),
    )
    try:
        candidate.text()
    except ValueError:  # cameras without a set clock write 0000:00:00
        return None
    return candidate


def _minutes(offset: re.Match[str]) -> int:
    sign = -1 if offset[1] == "-" else 1
    return sign * (int(offset[2]) * 60 + int(offset[3]))
