"""The elements of a WebM or Matroska file (RFC 8794, RFC 9559): whether it is whole, and whether it is locked.

A browser that records writes clusters of unknown size; those are walked block by block.
"""

from vetrelay.inspection.notes import Note
from vetrelay.inspection.outlines.outline import Content
from vetrelay.inspection.words import Reason, Unfit

_MAX_ELEMENTS = 2_000_000
_HEADER, _SEGMENT, _CLUSTER, _TRACKS = 0x1A45DFA3, 0x18538067, 0x1F43B675, 0x1654AE6B
# Track, its encodings, one encoding: the way to an encryption.
_TO_ENCRYPTION = (0xAE, 0x6D80, 0x6240)
_ENCRYPTION = 0x5035
_ID_BYTES, _SIZE_BYTES = 4, 8


def check(content: Content) -> frozenset[Note]:
    """Walks segment and clusters. Raises Unfit."""
    position, end = 0, len(content)
    seen: set[int] = set()
    for _ in range(_MAX_ELEMENTS):
        if position >= end:
            break
        identifier, size, start = _element(content, position)
        seen.add(identifier)
        if identifier == _SEGMENT and size is not None:
            if start + size > len(content):
                raise Unfit(Reason.INCOMPLETE)
            end = start + size
        if identifier == _SEGMENT or (identifier == _CLUSTER and size is None):
            position = start
            continue
        if size is None:
            raise Unfit(Reason.DAMAGED)
        if start + size > end:
            raise Unfit(Reason.INCOMPLETE)
        if identifier == _TRACKS and _is_locked(content, start, start + size, _TO_ENCRYPTION):
            raise Unfit(Reason.RECORDING_LOCKED)
        position = start + size
    else:
        raise Unfit(Reason.DAMAGED)
    if not seen >= {_HEADER, _SEGMENT, _TRACKS, _CLUSTER}:
        raise Unfit(Reason.INCOMPLETE)
    return frozenset({Note.TRAILING_BYTES_REMOVED} if end < len(content) else ())


def _element(content: Content, position: int) -> tuple[int, int | None, int]:
    """Its identifier (with the length bits), its size (None: unknown), and where its content starts."""
    id_bytes = _length(content, position, _ID_BYTES)
    identifier = int.from_bytes(content[position : position + id_bytes], "big")
    position += id_bytes
    size_bytes = _length(content, position, _SIZE_BYTES)
    size = int.from_bytes(content[position : position + size_bytes], "big") & ((1 << 7 * size_bytes) - 1)
    unknown = size == (1 << 7 * size_bytes) - 1
    return identifier, None if unknown else size, position + size_bytes


def _length(content: Content, position: int, most_bytes: int) -> int:
    if position >= len(content):
        raise Unfit(Reason.INCOMPLETE)
    length = 9 - content[position].bit_length()
    if length > most_bytes:
        raise Unfit(Reason.DAMAGED)
    if position + length > len(content):
        raise Unfit(Reason.INCOMPLETE)
    return length


def _is_locked(content: Content, start: int, end: int, path: tuple[int, ...]) -> bool:
    position = start
    while position < end:
        identifier, size, inside = _element(content, position)
        if size is None or inside + size > end:
            raise Unfit(Reason.DAMAGED)
        if not path and identifier == _ENCRYPTION:
            return True
        if path and identifier == path[0] and _is_locked(content, inside, inside + size, path[1:]):
            return True
        position = inside + size
    return False
