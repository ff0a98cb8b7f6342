"""One member of a pack as the pack's list describes it, and what there may be of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from vetrelay.inspection.words import Reason, Unfit

_DOS_FOLDER = 0x10
_FILE_TYPE, _FOLDER, _PLAIN, _LINK = 0o170000, 0o040000, 0o100000, 0o120000
# Some writers deflate even the nothing that a folder holds.
_EMPTY_DEFLATED_BYTES = 2
# Small members may well be mostly blanks; what bursts is large.
_RATIO_COUNTS_FROM_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How much there may be: bytes of the pack, members, bytes of all of them unpacked, and unpacked bytes per packed one."""

    file_bytes: int
    most: int
    plain_bytes: int
    ratio: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One member: its name (a folder's ends with a slash), and where its packed bytes lie."""

    name: str
    method: int
    offset: int
    packed_bytes: int
    plain_bytes: int
    crc: int

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder, which has no content."""
        return self.name.endswith("/")


def check_type(entry: Entry, external: int) -> None:
    """Only files and folders: links and devices are refused, and so is what is a folder by one sign and not another.

    `external` is the attributes as the directory has them. Raises Unfit: PACK_LINK, PACK_DISAGREES.
    """
    kind = external >> 16 & _FILE_TYPE
    if kind == _LINK:
        raise Unfit(Reason.PACK_LINK)
    if kind not in {0, _PLAIN, _FOLDER}:
        raise Unfit(Reason.PACK_DISAGREES)
    said_folder = kind == _FOLDER or bool(external & _DOS_FOLDER)
    if said_folder and not entry.is_folder:
        raise Unfit(Reason.PACK_DISAGREES)
    if entry.is_folder and (
        entry.plain_bytes or entry.crc or kind == _PLAIN or entry.packed_bytes > _EMPTY_DEFLATED_BYTES
    ):
        raise Unfit(Reason.PACK_DISAGREES)


def check_room(entries: Sequence[Entry], size_bytes: int, *, room: Room) -> None:
    """Raises Unfit where a pack of this size has more than there may be: TOO_MANY_BYTES, PACK_TOO_MANY, UNPACKS_TOO_LARGE."""
    if size_bytes > room.file_bytes:
        raise Unfit(Reason.TOO_MANY_BYTES)
    if len(entries) > room.most:
        raise Unfit(Reason.PACK_TOO_MANY)
    plain_bytes = sum(entry.plain_bytes for entry in entries)
    if plain_bytes > min(room.plain_bytes, max(_RATIO_COUNTS_FROM_BYTES, room.ratio * size_bytes)):
        raise Unfit(Reason.UNPACKS_TOO_LARGE)
    for entry in entries:
        if entry.plain_bytes > max(_RATIO_COUNTS_FROM_BYTES, room.ratio * entry.packed_bytes):
            raise Unfit(Reason.UNPACKS_TOO_LARGE)
