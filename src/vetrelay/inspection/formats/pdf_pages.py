"""A PDF's pages looked at, by pdfium: the first one as a picture, and the words of the first few.

pdfium sees only files that were rebuilt here. It is told of no folder of fonts, so that a page looks the same on every
machine, and that nothing has to be opened in the jail.
"""

import ctypes
import io
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pypdfium2
import pypdfium2.raw as pdfium_c
from PIL import Image

from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.policy import PAGE_PREVIEW_SIDE_PX
from vetrelay.inspection.result import RawOutput, Role

POINTS_PER_INCH = 72
# A label of a few points is not blown up beyond what can be read.
_MOST_SCALE = 8.0
_QUALITY = 85
_FIRST_PAGES = 3
_MOST_LETTERS = 20_000
_CONFIG_WITH_FONT_PATHS = 2


def prepare() -> None:
    """Starts pdfium anew without any folder of fonts. Once, before the first file."""
    pdfium_c.FPDF_DestroyLibrary()
    no_folders = (ctypes.POINTER(ctypes.c_char) * 1)()
    config = pdfium_c.FPDF_LIBRARY_CONFIG(version=_CONFIG_WITH_FONT_PATHS, m_pUserFontPaths=no_folders)
    pdfium_c.FPDF_InitLibraryWithConfig(config)
    Image.preinit()  # save() would, later


@contextmanager
def looked_at(content: bytes) -> Iterator[pypdfium2.PdfDocument]:
    """A rebuilt file, open. Raises PdfiumError."""
    with closing(pypdfium2.PdfDocument(content)) as document:
        yield document


def first_words(document: pypdfium2.PdfDocument) -> str:
    """The text of the first pages, its beginning; empty where it cannot be read."""
    read = []
    for position in range(min(_FIRST_PAGES, len(document))):
        with closing(document[position]) as page, closing(page.get_textpage()) as text:
            letters = min(text.count_chars(), _MOST_LETTERS)
            read.append(text.get_text_range(0, letters) if letters > 0 else "")
    return "\n".join(read)


def picture(page: pypdfium2.PdfPage, *, longest_side_px: int, most_scale: float) -> Image.Image:
    """A page on white paper; no side longer than asked, none without a pixel, nothing larger than the scale says."""
    longest = max(*page.get_size(), 1.0)
    bitmap = page.render(scale=min(longest_side_px / longest, most_scale), may_draw_forms=False, rev_byteorder=True)
    with closing(bitmap):
        drawn: Image.Image = bitmap.to_pil().convert("RGB")
    return drawn


def as_jpeg(drawn: Image.Image) -> bytes:
    """A drawn page as a file."""
    buffer = io.BytesIO()
    drawn.info = {}
    drawn.save(buffer, format="JPEG", quality=_QUALITY)
    return buffer.getvalue()


def preview(document: pypdfium2.PdfDocument) -> RawOutput:
    """The first page, small."""
    with closing(document[0]) as page:
        # pdfium rounds up, and a side that should be 800.0001 pixels long would be 801.
        drawn = picture(page, longest_side_px=PAGE_PREVIEW_SIDE_PX, most_scale=_MOST_SCALE)
    if max(drawn.size) > PAGE_PREVIEW_SIDE_PX:
        drawn = drawn.crop((0, 0, min(drawn.width, PAGE_PREVIEW_SIDE_PX), min(drawn.height, PAGE_PREVIEW_SIDE_PX)))
    return RawOutput(
        role=Role.PREVIEW, kind=Kind.JPEG, content=as_jpeg(drawn), width_px=drawn.width, height_px=drawn.height
    )
