"""What a picture's structure says before any decoder runs: pure Python over bytes, without a library.

Nothing is allocated by a stranger's number. Every reader here takes the content and gives an `Outline`, or raises
`Unfit`. They run in the jail over what came in, and in the parent over what came out (an answer must be bare, whole,
and of the stated size).
"""

from dataclasses import dataclass
from mmap import mmap
from typing import TypeAlias

from vetrelay.inspection.notes import Note
from vetrelay.inspection.policy import MAX_PIXELS, MAX_SIDE_PX
from vetrelay.inspection.words import Reason, Unfit

Content: TypeAlias = bytes | bytearray | mmap


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """A picture's frame size and what else is in the file.

    `end_bytes` is where the picture ends; `notes` what a rebuild will remove; `bare` that nothing but what is needed
    to draw it is there; `frames_ms` how long each of several frames is shown, as the file says it; `moving` that there
    are several to be shown in turn; `turned` that the container itself (not EXIF) rotates or mirrors it.
    """

    width_px: int
    height_px: int
    end_bytes: int
    notes: frozenset[Note] = frozenset()
    bare: bool = False
    frames_ms: tuple[int, ...] = ()
    moving: bool = False
    turned: bool = False


def number(content: Content, position: int, size: int) -> int:
    """A big-endian unsigned integer. Raises Unfit(INCOMPLETE) where the content ends before it does."""
    taken = content[position : position + size]
    if len(taken) != size:
        raise Unfit(Reason.INCOMPLETE)
    return int.from_bytes(taken, "big")


def little(content: Content, position: int, size: int) -> int:
    """A little-endian unsigned integer. Raises Unfit(INCOMPLETE) where the content ends before it does."""
    taken = content[position : position + size]
    if len(taken) != size:
        raise Unfit(Reason.INCOMPLETE)
    return int.from_bytes(taken, "little")


def check_size(untrusted_width_px: int, untrusted_height_px: int) -> None:
    """Refuses a frame without pixels, and one beyond the policy table. Raises Unfit."""
    if untrusted_width_px < 1 or untrusted_height_px < 1:
        raise Unfit(Reason.NO_PIXELS)
    if untrusted_width_px > MAX_SIDE_PX or untrusted_height_px > MAX_SIDE_PX:
        raise Unfit(Reason.SIDE_TOO_LONG)
    if untrusted_width_px * untrusted_height_px > MAX_PIXELS:
        raise Unfit(Reason.TOO_MANY_PIXELS)
