"""A file that can be read at any place: in memory, behind a descriptor, or sealed on a disk and opened piece by piece."""

import os
from dataclasses import dataclass
from typing import Protocol


class Source(Protocol):
    """Untrusted content of a known size."""

    @property
    def size_bytes(self) -> int:
        """How long it is."""

    def read(self, offset: int, size_bytes: int) -> bytes:
        """Exactly these bytes; fewer only where the content ends."""


@dataclass(frozen=True, slots=True)
class BytesSource:
    """Content that is in memory already."""

    content: bytes

    @property
    def size_bytes(self) -> int:
        """How long it is."""
        return len(self.content)

    def read(self, offset: int, size_bytes: int) -> bytes:
        """A slice."""
        return self.content[offset : offset + size_bytes]


@dataclass(frozen=True, slots=True)
class DescriptorSource:
    """Content behind a descriptor, which stays the caller's. Whoever shortens the file gets it judged as it is then."""

    descriptor: int

    @property
    def size_bytes(self) -> int:
        """How long it is now."""
        return os.fstat(self.descriptor).st_size

    def read(self, offset: int, size_bytes: int) -> bytes:
        """Reads until it has them all or the file ends. Raises OSError."""
        pieces: list[bytes] = []
        while size_bytes and (piece := os.pread(self.descriptor, size_bytes, offset)):
            pieces.append(piece)
            offset += len(piece)
            size_bytes -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
