"""A PDF's pages looked at, by pdfium: the first one as a picture, and the words of the first few.

pdfium sees only files that were rebuilt here. It is told of no folder of fonts, so that a page looks the same on every
machine, and that nothing has to be opened in the jail.
"""

import ctypes
import io
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

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


def words_of(page: pypdfium2.PdfPage) -> str:
    """The text of a page, its beginning."""
    with closing(page.get_textpage()) as text:
        letters = min(text.count_chars(), _MOST_LETTERS)
        return str(text.get_text_range(0, letters)) if letters > 0 else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A page drawn: a JPEG file and its size."""

    content: bytes
    width_px: int
    height_px: int


def drawn(page: pypdfium2.PdfPage, *, longest_side_px: int, most_scale: float, quality: int = _QUALITY) -> Drawn:
    """A page on white paper; no side longer than asked, none without a pixel, nothing larger than the scale says."""
    longest = max(*page.get_size(), 1.0)
    # Four bytes for a pixel, in Pillow's order: so the picture is encoded where pdfium drew it, without a copy.
    bitmap = page.render(
        scale=min(longest_side_px / longest, most_scale), may_draw_forms=False, rev_byteorder=True, prefer_bgrx=True
    )
    with closing(bitmap):
        picture: Image.Image = bitmap.to_pil()
        # pdfium rounds up: a side that should be 800.0001 pixels long is 801.
        width_px, height_px = (min(side, longest_side_px) for side in picture.size)
        if (width_px, height_px) != picture.size:
            picture = picture.crop((0, 0, width_px, height_px))
        buffer = io.BytesIO()
        picture.save(buffer, format="JPEG", quality=quality)
    return Drawn(content=buffer.getvalue(), width_px=width_px, height_px=height_px)


def preview(page: pypdfium2.PdfPage) -> RawOutput:
    """The first page, small."""
    made = drawn(page, longest_side_px=PAGE_PREVIEW_SIDE_PX, most_scale=_MOST_SCALE)
    return RawOutput(
        role=Role.PREVIEW, kind=Kind.JPEG, content=made.content, width_px=made.width_px, height_px=made.height_px
    )
