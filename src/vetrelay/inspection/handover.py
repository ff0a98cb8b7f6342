"""Content for the jail: an anonymous, sealed piece of memory that is passed by descriptor and never touches a disk.

Sealed means that nobody can change or shrink it any more, so the jail may map it. A caller that already holds the
plaintext in such a descriptor (`memory()`, written, then `seal()`) hands it over without a copy.
"""

import contextlib
import fcntl
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from threading import Event

from vetrelay.inspection.source import DescriptorSource, Source
from vetrelay.inspection.threads import until_stopped

_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
_UNCHANGING = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK
_COPY_STEP_BYTES = 1 << 20
# A photo is copied in less time than a thread takes to begin; what is decrypted meanwhile takes ten times as long.
_AT_ONCE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """A descriptor to map in the jail, and the true size of the file, of which it may hold only the head."""

    descriptor: int
    size_bytes: int


def memory() -> int:
    """A new anonymous memory file to write content into; give it to `seal` before handing it over."""
    return os.memfd_create("content", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)


def seal(descriptor: int) -> int:
    """Makes a memory file unchangeable, for good, and gives it back. Raises OSError for any other file."""
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    return descriptor


def is_sealed(descriptor: int) -> bool:
    """Whether nobody can change or shrink what is behind this descriptor."""
    try:
        return fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & _UNCHANGING == _UNCHANGING
    except OSError:
        return False


@contextlib.asynccontextmanager
async def handed_over(source: Source, *, most_bytes: int, head_bytes: int) -> AsyncIterator[Handover]:
    """Content as the jail takes it. Of a file above `most_bytes` only `head_bytes` are copied: it is sniffed, not opened.

    What is behind a sealed descriptor already is passed on as it is. More than a mebibyte is copied in a thread; whoever
    cancels that waits for one step of it, so that the source may be closed then. Raises OSError.
    """
    size_bytes = source.size_bytes
    wanted_bytes = size_bytes if size_bytes <= most_bytes else min(size_bytes, head_bytes)
    if isinstance(source, DescriptorSource) and wanted_bytes == size_bytes and is_sealed(source.descriptor):
        yield Handover(descriptor=source.descriptor, size_bytes=size_bytes)
        return
    copy = memory()
    try:
        if wanted_bytes <= _AT_ONCE_BYTES:
            copied_bytes = _copy(source, copy, wanted_bytes, Event())
        else:
            copied_bytes = await until_stopped(partial(_copy, source, copy, wanted_bytes))
        # Whoever shortens the file while it is copied gets it judged as it was then.
        size_bytes = size_bytes if copied_bytes == wanted_bytes else copied_bytes
        yield Handover(descriptor=seal(copy), size_bytes=size_bytes)
    finally:
        os.close(copy)


def _copy(source: Source, target: int, wanted_bytes: int, stop: Event) -> int:
    position = 0
    while position < wanted_bytes and not stop.is_set():
        step = source.read(position, min(_COPY_STEP_BYTES, wanted_bytes - position))
        if not step:
            break
        _write_all(target, memoryview(step))
        position += len(step)
    return position


def _write_all(descriptor: int, content: memoryview) -> None:
    while content:
        content = content[os.write(descriptor, content) :]
