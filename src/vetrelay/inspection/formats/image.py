"""JPEG, PNG and WebP: opened by the one decoder that their kind names, and by no other."""

import io
import warnings
from collections.abc import Callable, Mapping
from typing import IO

from PIL import Image, ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from vetrelay.inspection.formats import exif
from vetrelay.inspection.formats.render import render
from vetrelay.inspection.frames import Result
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.outlines.outline import Content, Outline, check_size
from vetrelay.inspection.policy import MAX_PIXELS
from vetrelay.inspection.words import Note, Reason, Unfit

Decoder = Callable[[IO[bytes]], ImageFile.ImageFile]

# The classes themselves: Image.open would turn a JPEG with several pictures into another format, whose plugin it
# imports only then, and inside the jail nothing can be imported.
DECODERS: Mapping[Kind, Decoder] = {Kind.JPEG: JpegImageFile, Kind.PNG: PngImageFile, Kind.WEBP: WebPImageFile}

# Where a position is written in XMP instead of EXIF.
_XMP_PLACE = b"GPSL"


def prepare() -> None:
    """Sets Pillow's limits, once, before the first file: beyond them it raises instead of warning."""
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    warnings.simplefilter("ignore")
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    Image.preinit()  # save() would, later


def normalize(content: Content, *, kind: Kind, outline: Outline, decoder: Decoder, longest_side_px: int) -> Result:
    """Rebuilds one picture whose outline was found sound. Raises Unfit, MemoryError."""
    # An mmap reads like a file already: the content is not copied.
    readable = io.BytesIO(content) if isinstance(content, bytes | bytearray) else content
    try:
        image = decoder(readable)  # type: ignore[arg-type]  # IO[bytes] asks for more than a decoder does
        check_size(*image.size)
        original_px = image.size
        if kind is Kind.JPEG:
            # libjpeg scales by powers of two while it decodes: less work, and still at least the wanted size.
            image.draft(None, (longest_side_px, longest_side_px))
        image.load()
        told = exif.read(image)
        noticed = _noticed(image, outline)
        rendered = render(image, kind=kind, orientation=told.orientation, longest_side_px=longest_side_px)
    except (Unfit, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Unfit(Reason.TOO_MANY_PIXELS) from None
    except Exception as error:  # noqa: BLE001 - a decoder raises anything at a stranger's file
        # "truncated" is the one case with a remedy of its own.
        incomplete = isinstance(error, OSError) and "truncated" in str(error)
        raise Unfit(Reason.INCOMPLETE if incomplete else Reason.DAMAGED) from None
    return Result(
        kind=kind,
        notes=outline.notes | told.notes | rendered.notes | noticed,
        width_px=original_px[0],
        height_px=original_px[1],
        captured=told.captured,
        outputs=rendered.outputs,
    )


def _noticed(image: Image.Image, outline: Outline) -> set[Note]:
    xmp = image.info.get("xmp") or b""
    notes = {Note.LOCATION_REMOVED} if isinstance(xmp, bytes) and _XMP_PLACE in xmp else set()
    return notes | ({Note.TURNED_UPRIGHT} if outline.turned else set())
