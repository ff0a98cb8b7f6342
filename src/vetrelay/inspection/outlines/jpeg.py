"""The marker segments of a JPEG (ITU-T T.81 annex B; JFIF, EXIF, ICC and MPF by their application markers)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from vetrelay.inspection.notes import Note
from vetrelay.inspection.outlines.outline import Content, Outline, check_size, number
from vetrelay.inspection.words import Reason, Unfit

_START, _END, _SCAN, _COMMENT = 0xD8, 0xD9, 0xDA, 0xFE
_APP0, _APP2, _APP14, _APP15 = 0xE0, 0xE2, 0xEE, 0xEF
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})
# In entropy-coded data FF is followed by 00, by a restart marker, or by more FF; anything else ends the scan.
_SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_JFIF_WITHOUT_THUMBNAIL_BYTES = 16

# The first bytes of an application segment, and what losing it is called. EXIF is told in detail by its reader.
_LOSSES = (
    (0xE1, b"http://ns.adobe.com/", Note.EDITING_RECORD_REMOVED),
    (0xED, b"Photoshop", Note.EDITING_RECORD_REMOVED),
    (_COMMENT, b"", Note.COMMENT_REMOVED),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One segment: its marker, and where its parameters (after the length) start and end."""

    marker: int
    start: int
    end: int


def segments(content: Content) -> Iterator[Segment]:
    """The segments up to and with the end of the first image. Raises Unfit."""
    position = 2
    while True:
        if number(content, position, 1) != 0xFF:
            raise Unfit(Reason.DAMAGED)
        while (marker := number(content, position + 1, 1)) == 0xFF:  # fill bytes (B.1.1.2)
            position += 1
        position += 2
        if marker in _STANDALONE:
            continue
        if marker == _END:
            yield Segment(marker=marker, start=position, end=position)
            return
        length = number(content, position, 2)
        if length < 2 or marker in {0x00, _START}:
            raise Unfit(Reason.DAMAGED)
        if position + length > len(content):
            raise Unfit(Reason.INCOMPLETE)
        yield Segment(marker=marker, start=position + 2, end=position + length)
        position += length
        if marker == _SCAN:
            position = _after_scan(content, position)


def read(content: Content) -> Outline:
    """Walks the segments of the first image. Raises Unfit."""
    size: tuple[int, int] | None = None
    notes: set[Note] = set()
    bare, scanned, several, end = True, False, False, 0
    for segment in segments(content):
        if segment.marker in _FRAMES:
            if size is not None:
                raise Unfit(Reason.DAMAGED)
            size = number(content, segment.start + 3, 2), number(content, segment.start + 1, 2)
            check_size(*size)
        elif segment.marker == _COMMENT or _APP0 <= segment.marker <= _APP15:
            bare &= _needed_to_draw(content, segment)
            notes |= _loss(content, segment)
            several |= segment.marker == _APP2 and content[segment.start : segment.start + 4] == b"MPF\x00"
        scanned |= segment.marker == _SCAN
        end = segment.end
    if size is None or not scanned:
        raise Unfit(Reason.INCOMPLETE)
    if end < len(content):
        bare = False
        notes.add(Note.EXTRA_PICTURES_REMOVED if several else Note.TRAILING_BYTES_REMOVED)
    return Outline(width_px=size[0], height_px=size[1], end_bytes=end, notes=frozenset(notes), bare=bare)


def _after_scan(content: Content, position: int) -> int:
    found = _SCAN_END.search(content, position)
    if found is None:
        raise Unfit(Reason.INCOMPLETE)
    return found.start()


def _needed_to_draw(content: Content, segment: Segment) -> bool:
    start = bytes(content[segment.start : segment.start + 5])
    if segment.marker == _APP0:
        return start == b"JFIF\x00" and segment.end - segment.start == _JFIF_WITHOUT_THUMBNAIL_BYTES - 2
    return segment.marker == _APP14 and start == b"Adobe"


def _loss(content: Content, segment: Segment) -> set[Note]:
    start = bytes(content[segment.start : min(segment.start + 24, segment.end)])
    return {note for marker, prefix, note in _LOSSES if marker == segment.marker and start.startswith(prefix)}
