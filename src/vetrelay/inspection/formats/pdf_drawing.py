"""The allow-list of what draws a page: everything that is not named here is taken out of what a page refers to.

One flat list of keys suffices, because none of them can say what to do, where to go, or what else the file holds;
the order of ISO 32000's clauses. Resources name their fonts, pictures and colours freely: there the names are the
file's, and only what they stand for is looked at.
"""

from collections import Counter
from collections.abc import Iterator
from enum import Enum, auto
from typing import Any

import pikepdf

from vetrelay.inspection.notes import Note

_STREAMS = (
    "Length Filter DecodeParms Predictor Colors BitsPerComponent Columns EarlyChange K EndOfLine EncodedByteAlign \
Rows EndOfBlock BlackIs1 DamagedRowsBeforeError JBIG2Globals ColorTransform"
)
_FUNCTIONS = "FunctionType Domain Range Size BitsPerSample Order Encode Decode C0 C1 N Functions Bounds"
_COLOURS = "WhitePoint BlackPoint Gamma Matrix Alternate Subtype Process Colorants MixingHints ColorSpace Components \
Solidities PrintingOrder DotGain"
_STATES = "Type LW LC LJ ML D RI OP op OPM Font FL SM SA BM SMask CA ca AIS TK TR TR2 S G BC"
_PATTERNS = "PatternType PaintType TilingType BBox XStep YStep Resources Shading ExtGState ShadingType Background \
AntiAlias Coords Function Extend BitsPerCoordinate BitsPerFlag VerticesPerRow"
_PICTURES = "Width Height Intent ImageMask Mask Interpolate SMaskInData Matte"
_FORMS = "FormType Group I CS"
_FONTS = "BaseFont FirstChar LastChar Widths FontDescriptor Encoding ToUnicode Name DescendantFonts CIDSystemInfo W DW W2 \
DW2 CIDToGIDMap FontBBox FontMatrix CharProcs BaseEncoding Differences FontName FontFamily FontStretch FontWeight Flags \
ItalicAngle Ascent Descent Leading CapHeight XHeight StemV StemH AvgWidth MaxWidth MissingWidth FontFile FontFile2 \
FontFile3 CharSet Style Lang FD CIDSet CMapName WMode UseCMap Registry Ordering Supplement Panose Length1 Length2 Length3"
_LAYERS = "OC OCGs P VE ON OFF BaseState"
_GLYPH_WORDS = "ActualText Alt E MCID"
_KEYS = frozenset(
    f"/{key}"
    for row in (
        _STREAMS, _FUNCTIONS, _COLOURS, _STATES, _PATTERNS, _PICTURES, _FORMS, _FONTS, _LAYERS, _GLYPH_WORDS,
    )
    for key in row.split()
)  # fmt: skip
_RESOURCES = frozenset({"/Font", "/XObject", "/ExtGState", "/ColorSpace", "/Pattern", "/Shading", "/Properties"})
# Names that the file gives freely to things that draw.
_NAMED_FREELY = frozenset({"/CharProcs", "/Colorants", "/Solidities", "/DotGain"})
_FILTERS = frozenset(
    (
        "/FlateDecode", "/LZWDecode", "/ASCII85Decode", "/ASCIIHexDecode", "/RunLengthDecode", "/CCITTFaxDecode",
        "/JBIG2Decode", "/DCTDecode", "/JPXDecode", "/Fl", "/LZW", "/A85", "/AHx", "/RL", "/CCF", "/DCT",
    )
)  # fmt: skip
_TOLD: dict[str, Note] = {
    "/Metadata": Note.DOCUMENT_DETAILS_REMOVED,
    "/PieceInfo": Note.EDITING_RECORD_REMOVED,
    "/LastModified": Note.EDITING_RECORD_REMOVED,
    "/Thumb": Note.THUMBNAIL_REMOVED,
    "/F": Note.OUTSIDE_REFERENCES_REMOVED,
    "/Ref": Note.OUTSIDE_REFERENCES_REMOVED,
    "/OPI": Note.OUTSIDE_REFERENCES_REMOVED,
}

_Reached = tuple[Any, "_As"]


class _As(Enum):
    """What a dictionary is read as."""

    DRAWING = auto()
    RESOURCES = auto()
    NAMED_FREELY = auto()


class Pruning:
    """One PDF's way through `prune`: what was seen, so that nothing is walked twice; and what was found to draw."""

    def __init__(self) -> None:
        self._seen: set[tuple[tuple[int, int], _As]] = set()
        self.notes: Counter[Note] = Counter()
        self.streams: dict[tuple[int, int], Any] = {}

    def prune_resources(self, resources: Any) -> None:
        """Takes out of a page's resources, and of all they refer to, what does not draw."""
        self._prune([(resources, _As.RESOURCES)])

    def prune_drawing(self, drawing: Any) -> None:
        """The same for a content stream, a transparency group, or any other thing that draws."""
        self._prune([(drawing, _As.DRAWING)])

    def _prune(self, reached: list[_Reached]) -> None:
        # A stack of its own: a stranger's file may refer as deep as it is long.
        while reached:
            holder, read_as = reached.pop()
            if isinstance(holder, pikepdf.Array):
                reached += self._of_array(holder, read_as)
                continue
            if holder.is_indirect:
                mark = (holder.objgen, read_as)
                if mark in self._seen:
                    continue
                self._seen.add(mark)
            if isinstance(holder, pikepdf.Stream):
                self.streams[holder.objgen] = holder
            reached += self._of_dictionary(holder, read_as)

    def _of_array(self, array: Any, read_as: _As) -> Iterator[_Reached]:
        if array.is_indirect:
            if (array.objgen, read_as) in self._seen:
                return
            self._seen.add((array.objgen, read_as))
        for position, item in enumerate(array):
            if isinstance(item, pikepdf.Stream) and not _may_draw(item):
                array[position] = None
            elif isinstance(item, pikepdf.Dictionary | pikepdf.Stream | pikepdf.Array):
                yield item, _As.DRAWING

    def _of_dictionary(self, holder: Any, read_as: _As) -> Iterator[_Reached]:
        for key, value in list(holder.items()):
            if not self._stays(key, value, read_as):
                if key in _TOLD and read_as is _As.DRAWING:
                    self.notes[_TOLD[key]] += 1
                del holder[key]
            elif isinstance(value, pikepdf.Dictionary):
                yield value, _child(key, read_as)
            elif isinstance(value, pikepdf.Stream | pikepdf.Array):
                yield value, _As.DRAWING

    def _stays(self, key: str, value: Any, read_as: _As) -> bool:
        if isinstance(value, pikepdf.Stream) and not _may_draw(value):
            return False
        if read_as is _As.DRAWING:
            return key in _KEYS
        composed = isinstance(value, pikepdf.Dictionary | pikepdf.Stream | pikepdf.Array)
        if read_as is _As.RESOURCES:
            return key in _RESOURCES and isinstance(value, pikepdf.Dictionary)
        return composed or isinstance(value, pikepdf.Name)


def _child(key: str, read_as: _As) -> _As:
    if read_as is _As.RESOURCES:
        return _As.NAMED_FREELY
    if read_as is _As.DRAWING and key == "/Resources":
        return _As.RESOURCES
    return _As.NAMED_FREELY if read_as is _As.DRAWING and key in _NAMED_FREELY else _As.DRAWING


def filters(stream: Any) -> list[str]:
    """The names of a stream's filters, in the order in which they are undone."""
    named = stream.get("/Filter")
    if named is None:
        return []
    return [str(name) for name in named] if isinstance(named, pikepdf.Array) else [str(named)]


def _may_draw(stream: Any) -> bool:
    # PostScript in a page is for printers that are long gone; a decryption of its own (Crypt) would undo ours.
    return _FILTERS.issuperset(filters(stream)) and "/PS" not in {
        str(stream.get("/Subtype")),
        str(stream.get("/Subtype2")),
    }
