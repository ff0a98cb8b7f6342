"""The marker segments of a JPEG (ITU-T T.81 annex B; JFIF, EXIF, ICC and MPF by their application markers)."""

import re

from vetrelay.inspection.outlines.outline import Content, Outline, check_size, number
from vetrelay.inspection.words import Note, Reason, Unfit

_START, _END, _SCAN, _COMMENT = 0xD8, 0xD9, 0xDA, 0xFE
_APP0, _APP14, _APP15 = 0xE0, 0xEE, 0xEF
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})
# In entropy-coded data FF is followed by 00, by a restart marker, or by more FF; anything else ends the scan.
_SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_JFIF_WITHOUT_THUMBNAIL_BYTES = 16

# The first bytes of an application segment, and what losing it is called.
_APPLICATIONS = (
    (0xE1, b"Exif\x00", None),  # told in detail by whoever reads the EXIF
    (0xE1, b"http://ns.adobe.com/", Note.EDITING_RECORD_REMOVED),
    (0xE2, b"MPF\x00", Note.EXTRA_PICTURES_REMOVED),
    (0xED, b"Photoshop", Note.EDITING_RECORD_REMOVED),
)


def read(content: Content) -> Outline:
    """Walks the segments up to the end of the first image. Raises Unfit."""
    position = 2
    size: tuple[int, int] | None = None
    notes: set[Note] = set()
    bare, scanned = True, False
    while True:
        marker, position = _marker(content, position)
        if marker == _END:
            break
        if marker in _STANDALONE:
            continue
        length = number(content, position, 2)
        if length < 2 or marker in {0x00, _START}:  # noqa: PLR2004 - a length counts its own two bytes
            raise Unfit(Reason.DAMAGED)
        if position + length > len(content):
            raise Unfit(Reason.INCOMPLETE)
        if marker in _FRAMES:
            if size is not None:
                raise Unfit(Reason.DAMAGED)
            size = number(content, position + 5, 2), number(content, position + 3, 2)
            check_size(*size)
        elif marker == _COMMENT or _APP0 <= marker <= _APP15:
            bare &= _needed_to_draw(marker, bytes(content[position + 2 : position + 7]), length)
            notes |= _loss(marker, bytes(content[position + 2 : position + 24]))
        position += length
        if marker == _SCAN:
            scanned = True
            position = _after_scan(content, position)
    if size is None or not scanned:
        raise Unfit(Reason.INCOMPLETE)
    if position < len(content) and Note.EXTRA_PICTURES_REMOVED not in notes:
        notes.add(Note.TRAILING_BYTES_REMOVED)
    return Outline(
        width_px=size[0], height_px=size[1], end_bytes=position, notes=frozenset(notes), bare=bare and not notes
    )


def _marker(content: Content, position: int) -> tuple[int, int]:
    if number(content, position, 1) != 0xFF:  # noqa: PLR2004 - every marker starts with FF
        raise Unfit(Reason.DAMAGED)
    while (marker := number(content, position + 1, 1)) == 0xFF:  # noqa: PLR2004 - fill bytes (B.1.1.2)
        position += 1
    return marker, position + 2


def _after_scan(content: Content, position: int) -> int:
    found = _SCAN_END.search(content, position)
    if found is None:
        raise Unfit(Reason.INCOMPLETE)
    return found.start()


def _needed_to_draw(marker: int, start: bytes, length: int) -> bool:
    if marker == _APP0:
        return start == b"JFIF\x00" and length == _JFIF_WITHOUT_THUMBNAIL_BYTES
    return marker == _APP14 and start == b"Adobe"


def _loss(marker: int, start: bytes) -> set[Note]:
    if marker == _COMMENT:
        return {Note.COMMENT_REMOVED}
    return {note for known, prefix, note in _APPLICATIONS if marker == known and start.startswith(prefix) and note}
