"""One payload while it arrives: a file that grows, and its SHA-256 so far (architecture.md, crash table U1 to U5).

The file's own length is how far the upload is. So bytes that a checksum must still vouch for are held back in a
second file, and join the first when it did: a crash at any moment leaves nothing in the file that was refused.
"""

import errno
import hashlib
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from vetrelay.errors import Fault
from vetrelay.protocol.ids import Hash, b64
from vetrelay.relay.payloads import Hasher

COPY_BYTES: Final = 1024 * 1024
MAX_PIECES: Final = 512  # of one gathered write; Linux takes 1,024


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """What a store does for its partials: runs their work, remembers durable progress, names what is whole."""

    run: Callable[[Callable[[], Any]], Awaitable[Any]]
    remember: Callable[["Progress"], None]
    place: Callable[[Path, Hash], None]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an incoming file is durable, and the hash of that much."""

    offset_bytes: int
    hasher: Hasher


@dataclass(slots=True)
class _Held:
    """What arrived but is not vouched for yet."""

    file: int
    offset_bytes: int
    hasher: Hasher


class FilePartial:
    """An incoming file, open. Nothing here is durable before `sync`; its methods never run at the same time."""

    def __init__(self, path: Path, file: int, progress: Progress, *, home: Home) -> None:
        self._path = path
        self._file = file
        self._offset_bytes = self._durable_bytes = progress.offset_bytes
        self._hasher = progress.hasher
        self._held: _Held | None = None
        self._home = home

    @classmethod
    def open(cls, path: Path, *, known: Progress | None, home: Home) -> Self:
        """Open or make the file (blocking). What is not known of it is read, hashed and made durable, once."""
        with disk_faults():
            try:
                file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                file = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_CREAT | os.O_EXCL, 0o600)
                sync_folder(path.parent)  # durable before acknowledged: the name, here; the bytes, in `sync`
            try:
                size_bytes = os.fstat(file).st_size
                if known is None or known.offset_bytes != size_bytes:
                    known = Progress(size_bytes, _hash_file(file))
                    os.fdatasync(file)
                    home.remember(known)
            except BaseException:
                os.close(file)
                raise
        return cls(path, file, Progress(size_bytes, known.hasher.copy()), home=home)

    @property
    def offset_bytes(self) -> int:
        """How far the file is, counting what is held back."""
        return self._offset_bytes if self._held is None else self._held.offset_bytes

    @property
    def p(self) -> Hash:
        """The hash of the file as far as it is, not counting what is held back."""
        return b64(self._hasher.digest())

    async def append(self, pieces: Sequence[bytes], *, also: Hasher | None = None) -> None:
        """Write these bytes and hash them, off the loop; `also` hashes them too. All of them count, or none.

        Raises Fault `storage_full`, `storage_failed`.
        """
        await self._home.run(lambda: self._append(pieces, also))

    async def sync(self) -> None:
        """Make what was appended durable. Only what was made so may be acknowledged."""
        await self._home.run(self._sync)

    async def hold(self) -> None:
        """From here on, hold back what is appended until `release` or `discard`."""
        await self._home.run(self._hold)

    async def release(self) -> None:
        """What was held back is vouched for: it joins the file."""
        await self._home.run(self._release)

    async def discard(self) -> None:
        """Forget what was held back, if anything was."""
        await self._home.run(self._discard)

    async def keep(self) -> Hash:
        """What is whole and synced becomes a blob, named by its hash, durable when this returns; this stays too."""
        p = self.p
        await self._home.run(lambda: self._home.place(self._path, p))
        return p

    async def close(self) -> None:
        """Let go of the file; what was appended stays, what was held back does not."""
        await self._home.run(self._close)

    def _append(self, pieces: Sequence[bytes], also: Hasher | None) -> None:
        held = self._held
        file, start = (self._file, self._offset_bytes) if held is None else (held.file, held.offset_bytes)
        base = 0 if held is None else self._offset_bytes
        with disk_faults():
            try:
                _write_all(file, pieces, start - base)
            except OSError:
                with suppress(OSError):  # the disk is the problem already; hashing anew on reopening mends the rest
                    os.ftruncate(file, start - base)
                raise
        hasher = self._hasher if held is None else held.hasher
        for piece in pieces:
            hasher.update(piece)
            if also is not None:
                also.update(piece)
        if held is None:
            self._offset_bytes += sum(map(len, pieces))
        else:
            held.offset_bytes += sum(map(len, pieces))

    def _sync(self) -> None:
        with disk_faults():
            try:
                os.fdatasync(self._file)
            except OSError:
                # A second fdatasync would report success for pages that were lost: only what was durable before counts.
                with suppress(OSError):
                    os.ftruncate(self._file, self._durable_bytes)
                raise
        self._durable_bytes = self._offset_bytes
        self._home.remember(Progress(self._offset_bytes, self._hasher.copy()))

    def _hold(self) -> None:
        with disk_faults():
            file = os.open(self._path.with_suffix(".chunk"), os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        self._held = _Held(file, self._offset_bytes, self._hasher.copy())

    def _release(self) -> None:
        held = self._held
        assert held is not None, "released without having held"
        size_bytes = held.offset_bytes - self._offset_bytes
        with disk_faults():
            try:
                _copy_all(held.file, self._file, size_bytes, self._offset_bytes)
            except OSError:
                with suppress(OSError):
                    os.ftruncate(self._file, self._offset_bytes)
                raise
        self._offset_bytes, self._hasher = held.offset_bytes, held.hasher
        self._discard()

    def _discard(self) -> None:
        if self._held is not None:
            os.close(self._held.file)
            self._held = None
            self._path.with_suffix(".chunk").unlink(missing_ok=True)

    def _close(self) -> None:
        self._discard()
        os.close(self._file)


@contextmanager
def disk_faults() -> Iterator[None]:
    """What the system says about the disk, as our faults: `storage_full` (it passes), `storage_failed`."""
    try:
        yield
    except OSError as problem:
        full = problem.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
        raise Fault("storage_full" if full else "storage_failed") from problem


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _hash_file(file: int) -> Hasher:
    with open(file, "rb", buffering=0, closefd=False) as reader:
        return hashlib.file_digest(reader, "sha256")


def _write_all(file: int, pieces: Sequence[bytes], at: int) -> None:
    for first in range(0, len(pieces), MAX_PIECES):
        left: list[bytes | memoryview] = list(pieces[first : first + MAX_PIECES])
        while left:
            written = os.pwritev(file, left, at)
            at += written
            while left and written >= len(left[0]):
                written -= len(left.pop(0))
            if left and written:
                left[0] = memoryview(left[0])[written:]


def _copy_all(source: int, target: int, size_bytes: int, at: int) -> None:
    copied = 0
    while copied < size_bytes:
        piece = os.pread(source, min(COPY_BYTES, size_bytes - copied), copied)
        if not piece:
            raise OSError(errno.EIO, "a held file is shorter than what was written to it")
        _write_all(target, [piece], at + copied)
        copied += len(piece)
