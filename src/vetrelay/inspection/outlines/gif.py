"""The blocks of a GIF (GIF89a specification), walked to the trailer: a file that only starts like a GIF is none."""

from vetrelay.inspection.outlines.outline import Content, Outline, number
from vetrelay.inspection.words import Reason, Unfit

_SCREEN_END = 13
_IMAGE, _EXTENSION, _TRAILER = 0x2C, 0x21, 0x3B
_TABLE_FLAG, _TABLE_SIZE = 0x80, 0x07
_IMAGE_DESCRIPTOR_BYTES = 10


def read(content: Content) -> Outline:
    """Raises Unfit(DAMAGED) for a block that is none, INCOMPLETE where the trailer is missing."""
    position = _SCREEN_END + _table_bytes(number(content, 10, 1))
    frames = 0
    while (block := number(content, position, 1)) != _TRAILER:
        if block == _EXTENSION:
            position += 2
        elif block == _IMAGE:
            frames += 1
            position += _IMAGE_DESCRIPTOR_BYTES + _table_bytes(number(content, position + 9, 1)) + 1
        else:
            raise Unfit(Reason.DAMAGED)
        while length := number(content, position, 1):
            position += 1 + length
        position += 1
    if not frames:
        raise Unfit(Reason.INCOMPLETE)
    width_px = int.from_bytes(content[6:8], "little")
    height_px = int.from_bytes(content[8:10], "little")
    return Outline(width_px=width_px, height_px=height_px, end_bytes=position + 1, moving=frames > 1)


def _table_bytes(flags: int) -> int:
    return 3 << (flags & _TABLE_SIZE) + 1 if flags & _TABLE_FLAG else 0
