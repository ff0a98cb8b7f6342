"""JPEG, PNG and WebP: opened by the one decoder that their kind names, and by no other."""

import io
import warnings

from PIL import Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from vetrelay.inspection.formats import exif
from vetrelay.inspection.formats.render import render
from vetrelay.inspection.frames import Result
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.outlines.outline import Content, Outline
from vetrelay.inspection.policy import MAX_PIXELS
from vetrelay.inspection.words import Note, Reason, Unfit

_DECODERS = {Kind.JPEG: "JPEG", Kind.PNG: "PNG", Kind.WEBP: "WEBP", Kind.HEIC: "HEIF"}
_PLUGINS = (JpegImagePlugin, PngImagePlugin, WebPImagePlugin)
# Where a position is written in XMP instead of EXIF.
_XMP_PLACE = b"GPSL"


def prepare() -> None:
    """Sets Pillow's limits, once, before the first file: beyond them it raises instead of warning."""
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    warnings.simplefilter("ignore")
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    Image.preinit()  # inside the jail nothing can be imported any more


def normalize(content: Content, *, kind: Kind, outline: Outline, longest_side_px: int) -> Result:
    """Rebuilds one picture whose outline was found sound. Raises Unfit, MemoryError."""
    try:
        return _normalize(content, kind=kind, outline=outline, longest_side_px=longest_side_px)
    except (Unfit, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Unfit(Reason.TOO_MANY_PIXELS) from None
    except Exception as error:  # noqa: BLE001 - a decoder raises anything at a stranger's file
        # "truncated" is the one case with a remedy of its own.
        incomplete = isinstance(error, OSError) and "truncated" in str(error)
        raise Unfit(Reason.INCOMPLETE if incomplete else Reason.DAMAGED) from None


def _normalize(content: Content, *, kind: Kind, outline: Outline, longest_side_px: int) -> Result:
    # An mmap reads like a file already: the content is not copied.
    readable = io.BytesIO(content) if isinstance(content, bytes | bytearray) else content
    image = Image.open(readable, formats=(_DECODERS[kind],))  # type: ignore[arg-type]  # IO[bytes] asks for more
    original_px = image.size
    if kind is Kind.JPEG:
        # libjpeg scales by powers of two while it decodes: less work, and still at least the wanted size.
        image.draft(None, (longest_side_px, longest_side_px))
    image.load()
    told = exif.read(image)
    notes = outline.notes | told.notes
    if _XMP_PLACE in _xmp(image):
        notes |= {Note.LOCATION_REMOVED}
    if outline.turned:
        notes |= {Note.TURNED_UPRIGHT}
    rendered = render(image, kind=kind, orientation=told.orientation, longest_side_px=longest_side_px)
    return Result(
        kind=kind,
        notes=notes | rendered.notes,
        width_px=original_px[0],
        height_px=original_px[1],
        captured=told.captured,
        outputs=rendered.outputs,
    )


def _xmp(image: Image.Image) -> bytes:
    xmp = image.info.get("xmp") or b""
    return xmp if isinstance(xmp, bytes) else str(xmp).encode("utf-8", "replace")
