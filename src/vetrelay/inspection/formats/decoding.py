"""The one decoder that each kind names, and what becomes of everything that it may raise."""

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping
from typing import IO

from PIL import Image, ImageFile
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.outlines.outline import Content
from vetrelay.inspection.words import Reason, Unfit

Decoder = Callable[[IO[bytes]], ImageFile.ImageFile]

# The classes themselves: Image.open would turn a JPEG with several pictures into another format, whose plugin it
# imports only then, and inside the jail nothing can be imported.
DECODERS: Mapping[Kind, Decoder] = {
    Kind.JPEG: JpegImageFile,
    Kind.PNG: PngImageFile,
    Kind.WEBP: WebPImageFile,
    Kind.GIF: GifImageFile,
    Kind.TIFF: TiffImageFile,
    Kind.BMP: BmpImageFile,
    Kind.AVIF: AvifImageFile,
}


def opened(content: Content, decoder: Decoder) -> ImageFile.ImageFile:
    """The picture, its header read and its pixels not yet."""
    # An mmap reads like a file already: the content is not copied.
    readable = io.BytesIO(content) if isinstance(content, bytes | bytearray) else content
    return decoder(readable)  # type: ignore[arg-type]  # IO[bytes] asks for more than a decoder does


@contextlib.contextmanager
def decoding() -> Iterator[None]:
    """Turns whatever a decoder raises into Unfit; MemoryError is let through. No library text leaves."""
    try:
        yield
    except (Unfit, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Unfit(Reason.TOO_MANY_PIXELS) from None
    except Exception as error:  # noqa: BLE001 - a decoder raises anything at a stranger's file
        said = str(error) if isinstance(error, OSError) else ""
        if "out of memory" in said:
            raise MemoryError from None
        # "truncated" is the one case with a remedy of its own.
        raise Unfit(Reason.INCOMPLETE if "truncated" in said else Reason.DAMAGED) from None
