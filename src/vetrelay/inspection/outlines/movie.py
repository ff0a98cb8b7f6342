"""The boxes of an MP4, QuickTime or M4A file (ISO/IEC 14496-12): what a demuxer does not check.

A demuxer reads what it finds of a file that broke off. Here every box, and every chunk that a track points to, must be
in the file. Locked (DRM) tracks and tracks whose sound or pictures lie in another file are found before any decoder runs.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from vetrelay.inspection.notes import Note
from vetrelay.inspection.outlines.outline import Content, number
from vetrelay.inspection.words import Reason, Unfit

_MAX_BOXES = 200_000  # a fragmented film has two for each fragment
_LARGE_SIZE, _TO_THE_END = 1, 0
_TOP = frozenset(
    {b"ftyp", b"moov", b"mdat", b"moof", b"mfra", b"sidx", b"styp", b"free", b"skip", b"wide", b"uuid", b"meta", b"udta",
     b"pnot", b"PICT", b"ssix", b"prft", b"emsg", b"pdin"}
)  # fmt: skip
_LOCKED = frozenset({b"encv", b"enca", b"enct", b"encs", b"drms", b"drmi", b"sinf"})
_PATH_TO_SAMPLES = (b"mdia", b"minf")
_OFFSET_BYTES = {b"stco": 4, b"co64": 8}
_SELF_CONTAINED = 1


@dataclass(frozen=True, slots=True)
class _Box:
    kind: bytes
    start: int
    end: int


def check(content: Content) -> frozenset[Note]:
    """Walks the file down to its sample tables and tells what lies beside the film. Raises Unfit."""
    seen: set[bytes] = set()
    notes: set[Note] = set()
    films: list[_Box] = []
    for box in _top(content, notes, seen):
        seen.add(box.kind)
        if box.kind == b"moov":
            films.append(box)
        if box.kind == b"uuid":
            notes.add(Note.EDITING_RECORD_REMOVED)  # Adobe's XMP, and makers' own records
    if len(films) != 1:
        # The index is written last: without it the recording, or the upload, broke off.
        raise Unfit(Reason.DAMAGED if films else Reason.INCOMPLETE)
    if not seen & {b"mdat", b"moof"}:
        raise Unfit(Reason.INCOMPLETE)
    tracks = [box for box in _boxes(content, films[0].start, films[0].end) if box.kind == b"trak"]
    for track in tracks:
        _check_track(content, track)
    return frozenset(notes)


def _top(content: Content, notes: set[Note], seen: set[bytes]) -> Iterator[_Box]:
    """The boxes of the file; what follows film and index and is no known box is a tail, not a fault."""
    position = 0
    for _ in range(_MAX_BOXES):
        if position == len(content):
            return
        whole = b"moov" in seen and bool(seen & {b"mdat", b"moof"})
        if whole and bytes(content[position + 4 : position + 8]) not in _TOP:
            notes.add(Note.TRAILING_BYTES_REMOVED)
            return
        box = _box(content, position, len(content))
        yield box
        position = box.end
    raise Unfit(Reason.DAMAGED)


def _boxes(content: Content, start: int, end: int) -> Iterator[_Box]:
    position = start
    for _ in range(_MAX_BOXES):
        # QuickTime closes a list with four zero bytes.
        if position + 8 > end:
            return
        box = _box(content, position, end)
        yield box
        position = box.end
    raise Unfit(Reason.DAMAGED)


def _box(content: Content, position: int, end: int) -> _Box:
    size = number(content, position, 4)
    kind = bytes(content[position + 4 : position + 8])
    header = 8
    if size == _LARGE_SIZE:
        size = number(content, position + 8, 8)
        header = 16
    elif size == _TO_THE_END:
        size = end - position
    if size < header:
        raise Unfit(Reason.DAMAGED)
    if position + size > end:
        raise Unfit(Reason.INCOMPLETE if end == len(content) else Reason.DAMAGED)
    return _Box(kind, position + header, position + size)


def _check_track(content: Content, track: _Box) -> None:
    box = track
    for kind in _PATH_TO_SAMPLES:
        inner = [inside for inside in _boxes(content, box.start, box.end) if inside.kind == kind]
        if len(inner) != 1:
            raise Unfit(Reason.DAMAGED)
        box = inner[0]
    for inside in _boxes(content, box.start, box.end):
        if inside.kind == b"dinf":
            _check_references(content, inside)
        elif inside.kind == b"stbl":
            _check_samples(content, inside)


def _check_references(content: Content, dinf: _Box) -> None:
    """The media must be in this file, not in one that it names (14496-12, 8.7.2)."""
    for dref in _boxes(content, dinf.start, dinf.end):
        for entry in _boxes(content, dref.start + 8, dref.end):
            if dref.kind == b"dref" and not number(content, entry.start, 4) & _SELF_CONTAINED:
                raise Unfit(Reason.INCOMPLETE)


def _check_samples(content: Content, stbl: _Box) -> None:
    for box in _boxes(content, stbl.start, stbl.end):
        if box.kind == b"stsd" and any(e.kind in _LOCKED for e in _boxes(content, box.start + 8, box.end)):
            raise Unfit(Reason.RECORDING_LOCKED)
        if box.kind in _OFFSET_BYTES:
            size = _OFFSET_BYTES[box.kind]
            count = min(number(content, box.start + 4, 4), (box.end - box.start - 8) // size)
            table = bytes(content[box.start + 8 : box.start + 8 + count * size])
            offsets = (int.from_bytes(table[at : at + size], "big") for at in range(0, len(table), size))
            if max(offsets, default=0) >= len(content):
                raise Unfit(Reason.INCOMPLETE)
