"""The streams that stay: none may unpack beyond measure, and what stands beside their pictures goes.

qpdf passes a packed stream on as it is, so here each is unpacked once, counted and thrown away; bytes that stand after
the end of the packed ones are cut off. Photos keep their pixels bit by bit; their EXIF, XMP and comments go.
"""

import zlib
from typing import Any

import pikepdf

from vetrelay.inspection.formats import pdf_drawing
from vetrelay.inspection.policy import MiB
from vetrelay.inspection.words import Reason, Unfit

# What a page's writing, fonts and colours may unpack to, all together; and its pictures, which are unpacked row by row.
MOST_WRITING_BYTES = 192 * MiB
MOST_PICTURE_BYTES = 1024 * MiB
_STEP_BYTES = MiB
_FLATE = frozenset({"/FlateDecode", "/Fl"})
_JPEG = frozenset({"/DCTDecode", "/DCT"})
_RUN_LENGTH = frozenset({"/RunLengthDecode", "/RL"})

_START, _SCAN, _ADOBE, _JFIF = 0xD8, 0xDA, 0xEE, 0xE0
_PLAIN_JFIF_BYTES = 18  # without a small picture in it
_BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xD8)})
# The boxes of a JPEG 2000 file that its picture needs.
_PICTURE_BOXES = frozenset({b"jP  ", b"ftyp", b"rreq", b"jp2h", b"jp2c", b"jpch", b"jplh"})
_LONG_BOX, _TO_THE_END, _HEAD_BYTES, _LONG_HEAD_BYTES = 1, 0, 8, 16


class Unpacking:
    """How much may still be unpacked. Raises Unfit(UNPACKS_TOO_LARGE) when it is used up."""

    def __init__(self) -> None:
        self._left_bytes = {True: MOST_PICTURE_BYTES, False: MOST_WRITING_BYTES}
        self.sizes_bytes: dict[tuple[int, int], int] = {}
        self.pictures_stripped = 0

    def spend(self, size_bytes: int, *, picture: bool) -> None:
        """Takes so many bytes off. Raises Unfit."""
        self._left_bytes[picture] -= size_bytes
        if self._left_bytes[picture] < 0:
            raise Unfit(Reason.UNPACKS_TOO_LARGE)

    def settle(self, stream: Any) -> None:
        """One stream: counted, cut to its packed bytes, its picture stripped. Raises Unfit."""
        packing = pdf_drawing.filters(stream)
        picture = stream.get("/Subtype") == pikepdf.Name.Image
        if packing and _FLATE.issuperset(packing[:-1]) and packing[-1] in _FLATE:
            self._settle_flate(stream, len(packing), picture=picture)
        elif packing and packing[-1] in _JPEG and len(packing) == 1:
            self._strip(stream, bare_jpeg)
        elif packing == ["/JPXDecode"]:
            self._strip(stream, bare_jpeg2000)
        else:
            self._count(stream, packing, picture=picture)

    def _settle_flate(self, stream: Any, times: int, *, picture: bool) -> None:
        packed = stream.read_raw_bytes()
        before_bytes = self._left_bytes[picture]
        end = self._unpack(packed, times, picture=picture)
        self.sizes_bytes[stream.objgen] = before_bytes - self._left_bytes[picture]
        if end < len(packed) and packed[end:].strip(b"\r\n"):
            stream.write(packed[:end], filter=stream.Filter, decode_parms=stream.get("/DecodeParms"))

    def _unpack(self, packed: bytes, times: int, *, picture: bool) -> int:
        """Counts what `times` unpackings give; where the packed bytes end."""
        stages = [zlib.decompressobj() for _ in range(times)]
        for at in range(0, len(packed), _STEP_BYTES):
            try:
                self._pour(packed[at : at + _STEP_BYTES], stages, picture=picture)
            except zlib.error:
                # Readers show what came before the damage, so it is shown.
                return len(packed)
            if stages[0].eof:
                return min(at + _STEP_BYTES, len(packed)) - len(stages[0].unused_data)
        return len(packed)

    def _pour(self, portion: bytes, stages: list[Any], *, picture: bool) -> None:
        stage, *further = stages
        while portion and not stage.eof:
            made = stage.decompress(portion, _STEP_BYTES)
            portion = stage.unconsumed_tail
            self.spend(len(made), picture=picture)
            if further and made:
                self._pour(made, further, picture=picture)

    def _strip(self, stream: Any, bare: Any) -> None:
        whole = stream.read_raw_bytes()
        stripped = bare(whole)
        if len(stripped) < len(whole):
            self.pictures_stripped += 1
            stream.write(stripped, filter=stream.Filter, decode_parms=stream.get("/DecodeParms"))

    def _count(self, stream: Any, packing: list[str], *, picture: bool) -> None:
        """Whatever is packed in the old ways is unpacked whole, under the jail's limit on memory."""
        # Beyond the level that it calls general, pikepdf would start another program for JBIG2.
        runs = not _RUN_LENGTH.isdisjoint(packing) and "/JBIG2Decode" not in packing
        level = pikepdf.StreamDecodeLevel.specialized if runs else pikepdf.StreamDecodeLevel.generalized
        try:
            size_bytes = len(stream.read_bytes(level) if packing else stream.read_raw_bytes())
        except (pikepdf.PdfError, RuntimeError):  # a picture's own packing, or damage: readers make of it what they can
            size_bytes = len(stream.read_raw_bytes())
        self.spend(size_bytes, picture=picture)
        self.sizes_bytes[stream.objgen] = size_bytes


def bare_jpeg(whole: bytes) -> bytes:
    """A JPEG without the segments that tell of it instead of drawing it; unchanged where it cannot be walked.

    Adobe's own segment stays: it says how the colours are written; and JFIF's, which says the picture's proportions.
    """
    kept = [whole[:2]]
    at = 2
    while at + 4 <= len(whole) and whole[at] == 0xFF:
        marker = whole[at + 1]
        if marker == 0xFF or marker in _BARE_MARKERS:
            at += 1 if marker == 0xFF else 2
            continue
        if marker == _SCAN:
            return b"".join((*kept, whole[at:])) if whole[1:2] == bytes([_START]) else whole
        end = at + 2 + int.from_bytes(whole[at + 2 : at + 4], "big")
        plain = marker == _ADOBE or (marker == _JFIF and end - at == _PLAIN_JFIF_BYTES)
        tells = marker == 0xFE or (0xE0 <= marker <= 0xEF and not plain)
        if not tells:
            kept.append(whole[at:end])
        at = end
    return whole


def bare_jpeg2000(whole: bytes) -> bytes:
    """A JPEG 2000 file without the boxes that its picture does not need; unchanged where it cannot be walked."""
    if whole[4:8] != b"jP  ":
        return whole  # a bare codestream
    kept = []
    at = 0
    while at + _HEAD_BYTES <= len(whole):
        size_bytes, name = int.from_bytes(whole[at : at + 4], "big"), whole[at + 4 : at + 8]
        if size_bytes == _LONG_BOX:
            size_bytes = int.from_bytes(whole[at + 8 : at + _LONG_HEAD_BYTES], "big")
        elif size_bytes == _TO_THE_END:
            size_bytes = len(whole) - at
        if size_bytes < _HEAD_BYTES:
            return whole
        if name in _PICTURE_BOXES:
            kept.append(whole[at : at + size_bytes])
        at += size_bytes
    return b"".join(kept)
