"""One file of the spool: how it is written, made durable, and read (its form stands in spool.py)."""

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from nacl.bindings import (
    crypto_secretstream_xchacha20poly1305_ABYTES,
    crypto_secretstream_xchacha20poly1305_HEADERBYTES,
    crypto_secretstream_xchacha20poly1305_init_pull,
    crypto_secretstream_xchacha20poly1305_init_push,
    crypto_secretstream_xchacha20poly1305_KEYBYTES,
    crypto_secretstream_xchacha20poly1305_pull,
    crypto_secretstream_xchacha20poly1305_push,
    crypto_secretstream_xchacha20poly1305_state,
    crypto_secretstream_xchacha20poly1305_TAG_FINAL,
    crypto_secretstream_xchacha20poly1305_TAG_MESSAGE,
)
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from vetrelay.errors import Fault

MAGIC: Final = b"VetRelay spool 1\n"
CHUNK_BYTES: Final = 64 * 1024
SEALED_CHUNK_BYTES: Final = CHUNK_BYTES + crypto_secretstream_xchacha20poly1305_ABYTES
_WRAPPED_BYTES: Final = SecretBox.NONCE_SIZE + SecretBox.MACBYTES + crypto_secretstream_xchacha20poly1305_KEYBYTES
HEAD_BYTES: Final = len(MAGIC) + _WRAPPED_BYTES + crypto_secretstream_xchacha20poly1305_HEADERBYTES
START_SYNC_BYTES: Final = 256 * 1024
_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def disk_faults() -> Iterator[None]:
    """Turns the disk's errors into Faults `storage_full` and `storage_failed`."""
    try:
        yield
    except OSError as error:
        raise Fault("storage_full" if error.errno in _FULL else "storage_failed") from error


class SpoolFile:
    """A file that is being written. It counts for nothing until `finish` has returned.

    While it is open its file is locked (flock), which is how a sweep knows that somebody writes it; the kernel drops the
    lock with the process.
    """

    __slots__ = (
        "_ad",
        "_buffer",
        "_checkpoint",
        "_descriptor",
        "_final",
        "_grown",
        "_partial",
        "_pending",
        "_sealed_bytes",
        "_state",
        "_unsynced_bytes",
        "id",
        "is_renamed",
        "size_bytes",
    )

    def __init__(
        self,
        name: str,
        partial: Path,
        final: Path,
        *,
        box: SecretBox,
        random_bytes: Callable[[int], bytes],
        checkpoint: Callable[[str], None],
        grown: Callable[[int], None],
    ) -> None:
        """Creates the file `partial`. Raises Fault `storage_full`, `storage_failed`."""
        self.id = name
        self.size_bytes = 0
        self.is_renamed = False
        self._ad = name.encode()
        self._partial, self._final = partial, final
        self._checkpoint, self._grown = checkpoint, grown
        self._buffer = bytearray()
        self._sealed_bytes = self._unsynced_bytes = 0
        key = random_bytes(crypto_secretstream_xchacha20poly1305_KEYBYTES)
        self._state: crypto_secretstream_xchacha20poly1305_state | None = crypto_secretstream_xchacha20poly1305_state()
        wrapped = bytes(box.encrypt(key, random_bytes(SecretBox.NONCE_SIZE)))
        # Kept back until the first chunk: a small letter is one write.
        self._pending = MAGIC + wrapped + crypto_secretstream_xchacha20poly1305_init_push(self._state, key)
        with disk_faults():
            self._descriptor = _created(partial)

    def write(self, piece: bytes) -> None:
        """The next bytes of the content. Raises Fault `storage_full`, `storage_failed`."""
        self.size_bytes += len(piece)
        self._buffer += piece
        while len(self._buffer) > CHUNK_BYTES:  # the last chunk, however full, waits for its tag
            with memoryview(self._buffer) as view:
                chunk = bytes(view[:CHUNK_BYTES])
            del self._buffer[:CHUNK_BYTES]
            self._push(chunk, crypto_secretstream_xchacha20poly1305_TAG_MESSAGE)

    def seal(self) -> None:
        """The content is whole: writes its last chunk. Raises Fault `storage_full`, `storage_failed`."""
        if self._state is not None:
            self._push(bytes(self._buffer), crypto_secretstream_xchacha20poly1305_TAG_FINAL)
            self._buffer.clear()
            self._state = None

    def start_sync(self) -> None:
        """Asks the kernel to begin writing to the disk; does not wait for it."""
        with disk_faults():
            os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def sync(self) -> None:
        """Waits until the content is on the disk. Raises Fault `storage_full`, `storage_failed`."""
        with disk_faults():
            os.fsync(self._descriptor)
        self._checkpoint("spool.synced")

    def rename(self) -> None:
        """Moves the file to where whole files stand. Raises Fault `storage_full`, `storage_failed`."""
        with disk_faults():
            self._partial.rename(self._final)
        self.is_renamed = True
        self._checkpoint("spool.renamed")

    def close(self) -> None:
        """Lets go of the file, as the last step of `finish`."""
        self._checkpoint("spool.folder_synced")
        os.close(self._descriptor)
        self._descriptor = -1

    def finish(self) -> None:
        """All of the steps for one file: when it returns, the file is whole and durable. Blocks; call it in a thread.

        Raises Fault `storage_full`, `storage_failed`; then `abort` it.
        """
        self.seal()
        self.sync()
        self.rename()
        with disk_faults():
            folder = os.open(self._final.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        self.close()

    def abort(self) -> None:
        """Nothing of the file stays, however far it came. May be called twice, and after `finish`."""
        path = self._final if self.is_renamed else self._partial
        if self._sealed_bytes >= 0:
            path.unlink(missing_ok=True)
            self._grown(-self._sealed_bytes)
            self._sealed_bytes = -1
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def changed_ns(self) -> int:
        """When the file changed last, by the disk's clock."""
        return os.fstat(self._descriptor).st_mtime_ns

    @staticmethod
    def is_being_written(path: Path) -> bool:
        """Whether some process has this file open to write it."""
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return True  # ended meanwhile
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def _push(self, chunk: bytes, tag: int) -> None:
        assert self._state is not None, "a sealed file takes no more"
        sealed = self._pending + crypto_secretstream_xchacha20poly1305_push(self._state, chunk, self._ad, tag)
        self._pending = b""
        with disk_faults():
            view = memoryview(sealed)
            while view:
                written = os.write(self._descriptor, view)
                self._sealed_bytes += written
                self._grown(written)
                view = view[written:]
            self._unsynced_bytes += len(sealed)
            if self._unsynced_bytes >= START_SYNC_BYTES:
                # A large letter goes to the disk while the rest of it still comes: its sync then has little to wait for.
                self._unsynced_bytes = 0
                self.start_sync()


def _created(path: Path) -> int:
    """A new, locked file's descriptor."""
    while True:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # a sweep in another process looks at it, and will remove it: nobody wrote it
            path.unlink(missing_ok=True)
            os.close(descriptor)
            continue
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # swept between the two lines above


class _Reading:
    """A file that is being read."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def chunks(self, box: SecretBox, name: str) -> Iterator[bytes]:
        """The verified chunks. Raises Fault `spool_damaged`."""
        state = crypto_secretstream_xchacha20poly1305_state()
        head = self._read(HEAD_BYTES)
        if len(head) != HEAD_BYTES or not head.startswith(MAGIC):
            raise Fault("spool_damaged")
        wrapped, header = head[len(MAGIC) : len(MAGIC) + _WRAPPED_BYTES], head[len(MAGIC) + _WRAPPED_BYTES :]
        is_last = False
        sealed = self._read(SEALED_CHUNK_BYTES)
        try:
            crypto_secretstream_xchacha20poly1305_init_pull(state, header, box.decrypt(wrapped))
            while sealed:
                # A chunk after the last one, or a missing last one, is as wrong as a changed one.
                following = self._read(SEALED_CHUNK_BYTES)
                chunk, tag = crypto_secretstream_xchacha20poly1305_pull(state, sealed, name.encode())
                is_last = tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL
                if is_last == bool(following):
                    raise Fault("spool_damaged")
                yield chunk
                sealed = following
        except (CryptoError, RuntimeError, ValueError) as wrong:
            raise Fault("spool_damaged") from wrong
        if not is_last:
            raise Fault("spool_damaged")

    def _read(self, size_bytes: int) -> bytes:
        """So many bytes, fewer only at the end of the file."""
        pieces: list[bytes] = []
        while size_bytes:
            piece = os.read(self._descriptor, size_bytes)
            if not piece:
                break
            pieces.append(piece)
            size_bytes -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


@contextmanager
def opened(path: Path) -> Iterator[_Reading]:
    """The file, to read it. Raises Fault `spool_damaged` when there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError as gone:
        raise Fault("spool_damaged") from gone
    try:
        yield _Reading(descriptor)
    finally:
        os.close(descriptor)
