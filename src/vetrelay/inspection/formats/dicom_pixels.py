"""What a record's pictures are, checked against the bytes that are really there, and where each frame stands.

Nothing is allocated by a number of the file before the file was found to hold that much. Source: PS3.3 section C.7.6.3,
PS3.5 sections 8 and A.4.
"""

import struct
from dataclasses import dataclass
from typing import Final

from pydicom._uid_dict import UID_dictionary

from vetrelay.inspection.formats.dicom_facts import word
from vetrelay.inspection.formats.dicom_reading import DataSet, Element
from vetrelay.inspection.formats.dicom_tags import PIXEL_DATA, PIXEL_TAGS, SOP_CLASS
from vetrelay.inspection.policy import MAX_SIDE_PX, GiB
from vetrelay.inspection.words import Reason, Unfit

UNPACKED_BYTES: Final = 2 * GiB
ROWS, COLUMNS = 0x00280010, 0x00280011
IMAGE_CLASSES: Final = frozenset(uid for uid, (name, *_) in UID_dictionary.items() if "Image Storage" in name)
"""What a record is that must have pictures: without them it was cut off, wherever that was."""

_META_SOP_CLASS = 0x00020002
_OFFSETS_BYTES = 4
# A picture that stands elsewhere: its record has the size of a picture and none.
_ELSEWHERE = 0x00287FE0
_BITS = frozenset({1, 8, 16, 32, 64})


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """The pictures of a record: how many, how large, and how their numbers are stored.

    `colours` is the photometric interpretation; `planar`: all reds first, then all greens; `real`: floating-point.
    """

    rows: int
    columns: int
    frames: int
    samples: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    planar: bool
    colours: str
    real: bool

    @property
    def frame_bits(self) -> int:
        """One frame without compression. Of two neighbours 4:2:2 shares the colour (PS3.3 C.7.6.3.1.2)."""
        samples = 2 if self.colours == "YBR_FULL_422" else self.samples
        return self.rows * self.columns * samples * self.bits_allocated


def number(data_set: DataSet, tag: int, missing: int = 0) -> int:
    """An unsigned 16-bit entry. Raises Unfit(DAMAGED) where it has another size."""
    element = data_set.elements.get(tag)
    if element is None or element.end == element.start:
        return missing
    raw = data_set.value(element)
    if len(raw) != 2:
        raise Unfit(Reason.DAMAGED)
    return int(struct.unpack(data_set.syntax.order + "H", raw)[0])


def pixels_of(data_set: DataSet) -> Element | None:
    """The entry that holds the pictures. Raises Unfit(INCOMPLETE) for a record of a picture that lost it."""
    found = [element for tag, element in data_set.elements.items() if tag in PIXEL_TAGS]
    sop_class = data_set.value(data_set.elements.get(SOP_CLASS)) or data_set.meta.get(_META_SOP_CLASS, b"")
    is_picture = {ROWS, COLUMNS} <= data_set.elements.keys() or sop_class.rstrip(b"\0 ").decode(
        "ascii", "replace"
    ) in IMAGE_CLASSES
    if not found and (not data_set.elements or is_picture) and _ELSEWHERE not in data_set.elements:
        raise Unfit(Reason.INCOMPLETE)
    if len(found) > 1:
        raise Unfit(Reason.DAMAGED)
    return found[0] if found else None


def geometry_of(data_set: DataSet, pixels: Element) -> Geometry:
    """The pictures as the record describes them. Raises Unfit where they break a rule or cannot be what they say."""
    rows, columns = number(data_set, ROWS), number(data_set, COLUMNS)
    if not rows or not columns:
        raise Unfit(Reason.NO_PIXELS)
    if max(rows, columns) > MAX_SIDE_PX:
        raise Unfit(Reason.SIDE_TOO_LONG)
    bits_allocated = number(data_set, 0x00280100)
    if bits_allocated not in _BITS:
        raise Unfit(Reason.DICOM_CODING_UNKNOWN)
    samples = number(data_set, 0x00280002, 1)
    if samples not in {1, 3, 4}:
        raise Unfit(Reason.DAMAGED)
    bits_stored = number(data_set, 0x00280101, bits_allocated)
    high_bit = number(data_set, 0x00280102, bits_stored - 1)
    if not 0 < bits_stored <= bits_allocated or not bits_stored - 1 <= high_bit < bits_allocated:
        raise Unfit(Reason.DAMAGED)
    geometry = Geometry(
        rows=rows,
        columns=columns,
        frames=_frames(data_set),
        samples=samples,
        bits_allocated=bits_allocated,
        bits_stored=bits_stored,
        high_bit=high_bit,
        signed=number(data_set, 0x00280103) == 1,
        planar=number(data_set, 0x00280006) == 1,
        colours=word(data_set, 0x00280004),
        real=pixels.tag != PIXEL_DATA,
    )
    if geometry.frames * geometry.frame_bits > 8 * UNPACKED_BYTES:
        raise Unfit(Reason.UNPACKS_TOO_LARGE)
    if data_set.syntax.encapsulated != (pixels.fragments is not None):
        raise Unfit(Reason.DAMAGED)
    if not data_set.syntax.film:
        _check_length(geometry, pixels)
    return geometry


def _frames(data_set: DataSet) -> int:
    text = data_set.value(data_set.elements.get(0x00280008))[:32].strip(b"\0 ")
    if not text:
        return 1
    if not text.isdigit() or int(text) < 1:
        raise Unfit(Reason.DAMAGED)
    return int(text)


def _check_length(geometry: Geometry, pixels: Element) -> None:
    """Whether as much is there as is described, before anything is made of it."""
    if pixels.fragments is not None:
        # The first piece is a table of offsets; each frame has at least one of its own.
        if len(pixels.fragments) - 1 < geometry.frames:
            raise Unfit(Reason.INCOMPLETE)
        return
    wanted_bytes = (geometry.frames * geometry.frame_bits + 7) // 8
    there_bytes = pixels.end - pixels.start
    if there_bytes < wanted_bytes:
        raise Unfit(Reason.INCOMPLETE)
    if there_bytes > wanted_bytes + (wanted_bytes & 1):
        raise Unfit(Reason.DICOM_PIXELS_OVERLONG)


def key_frames(frames: int) -> tuple[int, ...]:
    """Which frames are shown: the first, the middle and the last."""
    return tuple(sorted({0, frames // 2, frames - 1}))


def frame_bytes(data_set: DataSet, geometry: Geometry, pixels: Element, frame: int) -> bytes:
    """One frame as it is stored. Raises Unfit(DAMAGED) where it cannot be told which pieces are its own."""
    if pixels.fragments is not None:
        return b"".join(
            bytes(data_set.content[start:end]) for start, end in _pieces(data_set, geometry, pixels.fragments, frame)
        )
    start_bit = frame * geometry.frame_bits
    start, end = start_bit // 8, (start_bit + geometry.frame_bits + 7) // 8
    return bytes(data_set.content[pixels.start + start : pixels.start + end])


def _pieces(
    data_set: DataSet, geometry: Geometry, fragments: tuple[tuple[int, int], ...], frame: int
) -> tuple[tuple[int, int], ...]:
    table, pieces = fragments[0], fragments[1:]
    if geometry.frames == 1:
        return pieces
    if len(pieces) == geometry.frames:
        return (pieces[frame],)
    # Several pieces make a frame: the table says at which offset each frame's first one begins (PS3.5 A.4).
    if table[1] - table[0] != _OFFSETS_BYTES * geometry.frames:
        raise Unfit(Reason.DICOM_CODING_UNKNOWN)
    first = pieces[0][0]
    offsets = struct.unpack(f"<{geometry.frames}I", data_set.content[table[0] : table[1]])
    begins = [first + offset for offset in offsets] + [pieces[-1][1] + 1]
    found = tuple(piece for piece in pieces if begins[frame] <= piece[0] < begins[frame + 1])
    if not found or found[0][0] != begins[frame]:
        raise Unfit(Reason.DAMAGED)
    return found
