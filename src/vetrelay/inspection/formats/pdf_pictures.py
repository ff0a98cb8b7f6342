"""A PDF whose pages are pictures, with their words unseen above them: what is left is pixels and text.

The words stand in a font without glyphs, each word where the page has it, stretched to its width; a code is its
letter's number in Unicode, so that every language can be searched and copied.
"""

import ctypes
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pikepdf
import pypdfium2
import pypdfium2.raw as pdfium_c

from vetrelay.inspection.formats import pdf_pages
from vetrelay.inspection.formats.pdf_rebuild import saved

DOTS_PER_INCH = 150
_LONGEST_SIDE_PX = 8000
_QUALITY = 70  # 500 pages full of writing stay below what a job may answer
# A page of A1 at full sharpness; a larger one is drawn coarser.
_MOST_PIXELS = 24_000_000
_MOST_LETTERS = 50_000
_MOST_WORD_LETTERS = 500
_LEAST_EXTENT = 0.05
_LETTER_WIDTH = 500  # of a thousand; any width does, words are stretched
_LAST_CODE = 0xFFFF
_SPACE = 0x20
_TO_UNICODE = b"""/CIDInit /ProcSet findresource begin
12 dict begin
begincmap
/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def
/CMapName /Adobe-Identity-UCS def
/CMapType 2 def
1 begincodespacerange
<0000> <FFFF>
endcodespacerange
1 beginbfrange
<0000> <FFFF> <0000>
endbfrange
endcmap
CMapName currentdict /CMap defineresource pop
end
end"""


def flattened(document: pypdfium2.PdfDocument) -> bytes:
    """The file of pictures. Raises PdfiumError, MemoryError."""
    with pikepdf.new() as made:
        font = _font(made)
        for position in range(len(document)):
            with closing(document[position]) as page:
                made.pages.append(pikepdf.Page(_pictured(made, page, font)))
        return saved(made)


def _pictured(made: pikepdf.Pdf, page: pypdfium2.PdfPage, font: pikepdf.Object) -> pikepdf.Dictionary:
    turned = page.get_rotation()
    page.set_rotation(0)  # so that words and picture have the same axes; the new page is turned as a whole
    width, height = (max(side, 1.0) for side in page.get_size())
    sharpness = min(DOTS_PER_INCH / pdf_pages.POINTS_PER_INCH, (_MOST_PIXELS / (width * height)) ** 0.5)
    drawn = pdf_pages.drawn(page, longest_side_px=_LONGEST_SIDE_PX, most_scale=sharpness, quality=_QUALITY)
    picture = made.make_stream(
        drawn.content,
        Type=pikepdf.Name.XObject,
        Subtype=pikepdf.Name.Image,
        Width=drawn.width_px,
        Height=drawn.height_px,
        ColorSpace=pikepdf.Name.DeviceRGB,
        BitsPerComponent=8,
        Filter=pikepdf.Name.DCTDecode,
    )
    drawing = f"q {width:.3f} 0 0 {height:.3f} 0 0 cm /Page Do Q\n".encode() + _unseen_words(page)
    pictured = pikepdf.Dictionary(
        Type=pikepdf.Name.Page,
        MediaBox=pikepdf.Array([0, 0, round(width, 3), round(height, 3)]),
        Resources=pikepdf.Dictionary(XObject=pikepdf.Dictionary(Page=picture), Font=pikepdf.Dictionary(Words=font)),
        Contents=made.make_stream(drawing),
    )
    if turned:
        pictured.Rotate = turned
    return pictured


def _unseen_words(page: pypdfium2.PdfPage) -> bytes:
    left_edge, bottom_edge, _, _ = page.get_bbox()
    shown = [b"BT 3 Tr"]
    with closing(page.get_textpage()) as text:
        for word in _words(text):
            stretch = 100_000 * (word.right - word.left) / (len(word.codes) * word.height * _LETTER_WIDTH)
            place = f"1 0 0 1 {word.left - left_edge:.2f} {word.bottom - bottom_edge:.2f} Tm"
            # The space lies beyond the word's end, where a reader that copies a line looks for it.
            hexadecimal = "".join(f"{code:04x}" for code in (*word.codes, _SPACE))
            shown.append(f"/Words {word.height:.2f} Tf {stretch:.2f} Tz {place} <{hexadecimal}> Tj".encode())
    return b"\n".join((*shown, b"ET"))


@dataclass(slots=True)
class _Word:
    """Letters without a space between them, and the box around them in the page's units."""

    codes: list[int]
    left: float
    right: float
    bottom: float
    top: float

    @property
    def height(self) -> float:
        return self.top - self.bottom


def _words(text: pypdfium2.PdfTextPage) -> Iterator[_Word]:
    """The words that have an extent, in the order of the text."""
    sides = [ctypes.c_double() for _ in range(4)]
    word: _Word | None = None
    for index in range(min(text.count_chars(), _MOST_LETTERS)):
        code = pdfium_c.FPDFText_GetUnicode(text, index)
        seen = code <= _LAST_CODE and chr(code).isprintable() and code != _SPACE
        if seen and pdfium_c.FPDFText_GetCharBox(text, index, *sides):
            left, right, bottom, top = (side.value for side in sides)
            if word is None or len(word.codes) == _MOST_WORD_LETTERS:
                if word is not None and _has_extent(word):
                    yield word
                word = _Word([], left, right, bottom, top)
            word.codes.append(code)
            word.left, word.right = min(word.left, left), max(word.right, right)
            word.bottom, word.top = min(word.bottom, bottom), max(word.top, top)
        elif word is not None:
            if _has_extent(word):
                yield word
            word = None
    if word is not None and _has_extent(word):
        yield word


def _has_extent(word: _Word) -> bool:
    return word.right - word.left > _LEAST_EXTENT and word.height > _LEAST_EXTENT


def _font(made: pikepdf.Pdf) -> pikepdf.Object:
    described: dict[str, Any] = {
        "FontName": pikepdf.Name.Unseen, "Flags": 4, "FontBBox": [0, 0, _LETTER_WIDTH, 1000], "ItalicAngle": 0,
        "Ascent": 1000, "Descent": 0, "CapHeight": 1000, "StemV": 80,
    }  # fmt: skip
    descendant = pikepdf.Dictionary(
        Type=pikepdf.Name.Font,
        Subtype=pikepdf.Name.CIDFontType2,
        BaseFont=pikepdf.Name.Unseen,
        CIDSystemInfo=pikepdf.Dictionary(Registry="Adobe", Ordering="Identity", Supplement=0),
        CIDToGIDMap=pikepdf.Name.Identity,
        DW=_LETTER_WIDTH,
        FontDescriptor=made.make_indirect(pikepdf.Dictionary(Type=pikepdf.Name.FontDescriptor, **described)),
    )
    return made.make_indirect(
        pikepdf.Dictionary(
            Type=pikepdf.Name.Font,
            Subtype=pikepdf.Name.Type0,
            BaseFont=pikepdf.Name.Unseen,
            Encoding=pikepdf.Name("/Identity-H"),
            DescendantFonts=pikepdf.Array([made.make_indirect(descendant)]),
            ToUnicode=made.make_stream(_TO_UNICODE),
        )
    )
