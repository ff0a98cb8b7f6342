"""Plain files in a person's folder: complete or not there at all, under a name that was free, overwriting nothing."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from vetrelay.client.transfer import PIECE_BYTES
from vetrelay.errors import Refusal
from vetrelay.protocol.ids import Hash, b64
from vetrelay.protocol.unseal import PayloadOpener


def names_for(folder: Path, name: str) -> Iterator[Path]:
    """NAME, `NAME (2)` and so on."""
    yield folder / name
    count = 2
    while True:
        yield folder / f"{Path(name).stem} ({count}){Path(name).suffix}"
        count += 1


def free_path(folder: Path, name: str) -> Path:
    """The first of these names that nothing has yet."""
    return next(path for path in names_for(folder, name) if not path.exists() and not path.is_symlink())


def find_saved(folder: Path, name: str, *, sha256: Hash, size_bytes: int) -> Path | None:
    """The file with this very content that an earlier run saved under this name, if there is one."""
    for path in names_for(folder, name):
        if not path.exists() and not path.is_symlink():
            return None
        with suppress(OSError):
            if path.is_file() and path.stat().st_size == size_bytes and hash_file(path) == sha256:
                return path
    return None


def hash_file(path: Path) -> Hash:
    """SHA-256 of a file of any size."""
    with path.open("rb") as file:
        return b64(hashlib.file_digest(file, "sha256").digest())


def open_into(
    payload: Path,
    folder: Path,
    name: str,
    key: bytes,
    *,
    plain_sha256: Hash,
    check: Callable[[int], None] | None = None,
) -> Path:
    """Opens a payload, already checked as a whole, into a new file of the folder; where it is.

    `check` looks at the descriptor of the whole plaintext before it gets its name. Raises Refusal `cannot_open` or
    `binding_differs` (the plaintext is not what its sender signed), what `check` raises, OSError. Then nothing of it is left in the folder; nor after a kill, where the file system knows files without a name.
    """
    descriptor, partial = _new_file(folder)
    try:
        with os.fdopen(descriptor, "wb") as out:
            if _write_opened(payload, out, key) != plain_sha256:
                raise Refusal("binding_differs")
            out.flush()
            if check is not None:
                check(descriptor)
            return _named(descriptor, partial, folder, name)
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)


def _write_opened(payload: Path, out: BinaryIO, key: bytes) -> Hash:
    opener, digest = PayloadOpener(key), hashlib.sha256()

    def write(chunks: list[bytes]) -> None:
        for plain in chunks:
            digest.update(plain)
            out.write(plain)

    with payload.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            write(opener.update(piece))
    write(opener.finish())
    return b64(digest.digest())


def _new_file(folder: Path) -> tuple[int, Path | None]:
    """A file without a name; where the file system has no such, one with a hidden name."""
    with suppress(OSError):
        return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o666), None
    descriptor, path = tempfile.mkstemp(dir=folder, prefix=".vetrelay-", suffix=".part")
    return descriptor, Path(path)


def _named(descriptor: int, partial: Path | None, folder: Path, name: str) -> Path:
    for path in names_for(folder, name):
        with suppress(FileExistsError):
            if partial is None:
                # `src_dir_fd` means nothing for an absolute path, but makes this a linkat, which alone follows the link.
                os.link(f"/proc/self/fd/{descriptor}", path, src_dir_fd=descriptor, follow_symlinks=True)
            else:
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC))  # the name is ours
                partial.replace(path)
            return path
    raise AssertionError("names never end")
