"""Writes a ZIP of stored members, piece by piece, so that a pack of any size passes through little memory.

What is written here passes our own reader (`archive`), and any other program's. Nothing tells when or where it was
made: every member has the same date, the first that the format knows.
"""

import hashlib
import io
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from vetrelay.inspection import zipforms
from vetrelay.inspection.zipforms import CENTRAL, CENTRAL_MARK, END, END_MARK, LOCAL, LOCAL_MARK, STORED, UTF8_NAMES

MAX_BYTES = zipforms.IN_64_BITS - 1
MAX_IN_MEMORY_BYTES = 256 << 20
MAX_MEMBERS = zipforms.COUNT_IN_64_BITS - 1
_VERSION = 20
_MADE_BY_UNIX = 3 << 8 | _VERSION
_FIRST_DAY = 1 << 5 | 1
_PLAIN_FILE = 0o100644 << 16


class PackTooLarge(Exception):
    """More members, or more bytes, than this form of the format can say."""


class Sink(Protocol):
    """Where a pack is written to, from its beginning to its end."""

    def write(self, piece: bytes, /) -> object:
        """The next bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    name: bytes
    flags: int
    crc: int
    size_bytes: int
    offset: int


@dataclass(slots=True)
class PackWriter:
    """One pack: `member` for each file whose content is at hand, `stream` for one that is not, `end` once at the end.

    Each gives the bytes that come next in the pack. Names must be checked before, and each may come only once.
    """

    _members: list[_Written] = field(default_factory=list)
    _position: int = 0

    def member(self, name: str, content: bytes) -> Iterator[bytes]:
        """A file, its checksum before its content. Raises PackTooLarge."""
        raw, crc = name.encode(), zlib.crc32(content)
        self._begin(raw, UTF8_NAMES, crc, len(content))
        yield LOCAL.pack(*self._local(UTF8_NAMES, crc, len(content)), len(raw), 0) + raw
        yield content

    def stream(self, name: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """A file whose size nobody knows yet: its checksum and size follow its content. Raises PackTooLarge."""
        raw, flags, offset = name.encode(), UTF8_NAMES | zipforms.DESCRIPTOR_FOLLOWS, self._position
        head = LOCAL.pack(*self._local(flags, 0, 0), len(raw), 0) + raw
        yield head
        crc = size_bytes = 0
        for piece in pieces:
            crc = zlib.crc32(piece, crc)
            size_bytes += len(piece)
            if offset + size_bytes > MAX_BYTES:
                raise PackTooLarge
            yield piece
        self._begin(raw, flags, crc, size_bytes)
        descriptor = zipforms.DESCRIPTOR_MARK + zipforms.SHORT_DESCRIPTOR.pack(crc, size_bytes, size_bytes)
        self._position += len(descriptor)
        yield descriptor

    def end(self) -> Iterator[bytes]:
        """The list of all that was written. Raises PackTooLarge."""
        directory_at = self._position
        for one in self._members:
            listed = CENTRAL.pack(
                CENTRAL_MARK,
                _MADE_BY_UNIX,
                _VERSION,
                one.flags,
                STORED,
                0,
                _FIRST_DAY,
                one.crc,
                one.size_bytes,
                one.size_bytes,
                len(one.name),
                0,
                0,
                0,
                0,
                _PLAIN_FILE,
                one.offset,
            )  # fmt: skip - the format's own order of fields
            self._position += len(listed) + len(one.name)
            yield listed + one.name
        if self._position > MAX_BYTES:
            raise PackTooLarge
        count = len(self._members)
        yield END.pack(END_MARK, 0, 0, count, count, self._position - directory_at, directory_at, 0)

    @staticmethod
    def _local(flags: int, crc: int, size_bytes: int) -> tuple[bytes, int, int, int, int, int, int, int, int]:
        return LOCAL_MARK, _VERSION, flags, STORED, 0, _FIRST_DAY, crc, size_bytes, size_bytes

    def _begin(self, name: bytes, flags: int, crc: int, size_bytes: int) -> None:
        after = self._position + LOCAL.size + len(name) + size_bytes
        if after > MAX_BYTES or len(self._members) == MAX_MEMBERS:
            raise PackTooLarge
        self._members.append(_Written(name=name, flags=flags, crc=crc, size_bytes=size_bytes, offset=self._position))
        self._position = after


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What went into a sink: how many bytes, and their SHA-256 as 64 small hexadecimal digits."""

    size_bytes: int
    sha256: str


class HashedSink:
    """Passes on what is written, and knows how much it was and its SHA-256.

    Without a sink it keeps it in memory, up to `MAX_IN_MEMORY_BYTES`; then it raises PackTooLarge.
    """

    def __init__(self, sink: Sink | None) -> None:
        self._in_memory = sink is None
        self._sink: Sink = io.BytesIO() if sink is None else sink
        self._hash = hashlib.sha256()
        self.size_bytes = 0

    def write(self, piece: bytes) -> None:
        """The next bytes."""
        if self.size_bytes + len(piece) > MAX_IN_MEMORY_BYTES and self._in_memory:
            raise PackTooLarge
        self._sink.write(piece)
        self._hash.update(piece)
        self.size_bytes += len(piece)

    def written(self) -> Written:
        """What was written so far."""
        return Written(size_bytes=self.size_bytes, sha256=self._hash.hexdigest())

    @property
    def content(self) -> bytes | None:
        """What was written, if it was kept in memory."""
        return self._sink.getvalue() if self._in_memory and isinstance(self._sink, io.BytesIO) else None
