"""The blocks of a GIF (GIF89a specification), walked to the trailer: a file that only starts like a GIF is none."""

from vetrelay.inspection.notes import Note
from vetrelay.inspection.outlines.outline import Content, Outline, check_size, little, number
from vetrelay.inspection.words import Reason, Unfit

_SCREEN_END = 13
_IMAGE, _EXTENSION, _TRAILER = 0x2C, 0x21, 0x3B
_CONTROL, _COMMENT, _APPLICATION = 0xF9, 0xFE, 0xFF
_TABLE_FLAG, _TABLE_SIZE = 0x80, 0x07
_IMAGE_DESCRIPTOR_BYTES = 10
_UNIT_MS = 10


def read(content: Content) -> Outline:
    """Raises Unfit(DAMAGED) for a block that is none, INCOMPLETE where the trailer is missing, and for its size.

    A frame may reach beyond the screen that the header names: the picture is as large as all of them together.
    """
    position = _SCREEN_END + _table_bytes(number(content, 10, 1))
    width_px, height_px = little(content, 6, 2), little(content, 8, 2)
    frames_ms: list[int] = []
    notes: set[Note] = set()
    shown_ms = 0
    while (block := number(content, position, 1)) != _TRAILER:
        if block == _EXTENSION:
            label = number(content, position + 1, 1)
            if label == _CONTROL:
                shown_ms = little(content, position + 4, 2) * _UNIT_MS
            notes |= _loss(content, position, label)
            position += 2
        elif block == _IMAGE:
            width_px = max(width_px, little(content, position + 1, 2) + little(content, position + 5, 2))
            height_px = max(height_px, little(content, position + 3, 2) + little(content, position + 7, 2))
            frames_ms.append(shown_ms)
            shown_ms = 0
            position += _IMAGE_DESCRIPTOR_BYTES + _table_bytes(number(content, position + 9, 1)) + 1
        else:
            raise Unfit(Reason.DAMAGED)
        while length := number(content, position, 1):
            position += 1 + length
        position += 1
    if not frames_ms:
        raise Unfit(Reason.INCOMPLETE)
    check_size(width_px, height_px)
    if position + 1 < len(content):
        notes.add(Note.TRAILING_BYTES_REMOVED)
    return Outline(
        width_px=width_px,
        height_px=height_px,
        end_bytes=position + 1,
        notes=frozenset(notes),
        frames_ms=tuple(frames_ms),
        moving=len(frames_ms) > 1,
    )


def _loss(content: Content, position: int, label: int) -> set[Note]:
    if label == _COMMENT:
        return {Note.COMMENT_REMOVED}
    if label == _APPLICATION and content[position + 3 : position + 11] == b"XMP Data":
        return {Note.EDITING_RECORD_REMOVED}
    return set()


def _table_bytes(flags: int) -> int:
    return 3 << (flags & _TABLE_SIZE) + 1 if flags & _TABLE_FLAG else 0
