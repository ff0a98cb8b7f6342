"""A document that is a ZIP of parts: its parts by name, inflated one by one, and never more of them than there may be."""

import zlib
from collections.abc import Iterator

from vetrelay.inspection.archive import read_archive
from vetrelay.inspection.entries import Entry, Room
from vetrelay.inspection.policy import MiB
from vetrelay.inspection.source import BytesSource
from vetrelay.inspection.words import Reason, Unfit
from vetrelay.inspection.zipforms import STORED

MAX_PLAIN_BYTES = 200 * MiB
# Sheets of equal numbers pack by a hundred; what packs by a thousand was made to burst.
MOST_RATIO = 200
DEFAULT_MOST_PARTS = 2000

# What is said of packs in general, said of documents.
_OF_DOCUMENTS = {
    Reason.PACK_DISAGREES: Reason.PACKED_AMBIGUOUSLY,
    Reason.PACK_NAME_UNSAFE: Reason.PACKED_AMBIGUOUSLY,
    Reason.PACK_NAMES_TWICE: Reason.PACKED_AMBIGUOUSLY,
    Reason.PACK_LINK: Reason.PACKED_AMBIGUOUSLY,
    Reason.PACK_TOO_DEEP: Reason.PACKED_AMBIGUOUSLY,
    Reason.PACK_METHOD_UNKNOWN: Reason.PACKED_AMBIGUOUSLY,
    Reason.PACK_TOO_MANY: Reason.TOO_MANY_PARTS_INSIDE,
    Reason.PACK_LOCKED: Reason.DOCUMENT_LOCKED,
}


class Package:
    """The parts of one document. Reading counts: what is inflated in all stays below `MAX_PLAIN_BYTES`."""

    def __init__(self, content: bytes, *, most: int) -> None:
        """Reads the table of contents by the rules of `archive`. Raises Unfit."""
        room = Room(
            file_bytes=len(content),  # the policy's cap stands before the jail
            most=most or DEFAULT_MOST_PARTS,
            plain_bytes=MAX_PLAIN_BYTES,
            ratio=MOST_RATIO,
        )
        try:
            entries = read_archive(BytesSource(content), room=room)
        except Unfit as unfit:
            raise Unfit(_OF_DOCUMENTS.get(unfit.reason, unfit.reason)) from None
        self._content = content
        self._entries: dict[str, Entry] = {entry.name: entry for entry in entries if not entry.is_folder}
        self._plain_bytes = 0

    def __iter__(self) -> Iterator[str]:
        """The names of the parts, in the order of the ZIP."""
        return iter(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def size_bytes(self, name: str) -> int:
        """How long a part says it is."""
        return self._entries[name].plain_bytes

    def read(self, name: str) -> bytes:
        """A part's content. Raises Unfit: DAMAGED where it is missing, broken, or not as long as it says."""
        entry = self._entries.get(name)
        if entry is None:
            raise Unfit(Reason.DAMAGED)
        self._plain_bytes += entry.plain_bytes
        if self._plain_bytes > MAX_PLAIN_BYTES:
            raise Unfit(Reason.UNPACKS_TOO_LARGE)
        packed = self._content[entry.offset : entry.offset + entry.packed_bytes]
        plain = packed if entry.method == STORED else _inflated(packed, entry.plain_bytes)
        if len(plain) != entry.plain_bytes or zlib.crc32(plain) != entry.crc:
            raise Unfit(Reason.DAMAGED)
        return plain


def _inflated(packed: bytes, plain_bytes: int) -> bytes:
    """One byte more than it may have is asked for, so that a part which lies about its length is caught in the act."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        plain = inflater.decompress(packed, plain_bytes + 1)
    except zlib.error:
        raise Unfit(Reason.DAMAGED) from None
    if not inflater.eof or inflater.unused_data:
        raise Unfit(Reason.DAMAGED)
    return plain
