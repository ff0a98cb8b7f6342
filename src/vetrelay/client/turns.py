"""Turns between the processes of one home folder: a lock ends with its process, however that ends (flock)."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

POLL_SECONDS: Final = 0.05
PRESENCE: Final = "present"


@contextmanager
def _lock_file(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)  # and with it the lock, as at any other end of the process


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Presence:
    """Who is at work in a home folder. While `alone` holds, whoever comes waits at the door; `share` lets them in."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.alone = _taken(descriptor)
        if not self.alone:
            fcntl.flock(descriptor, fcntl.LOCK_SH)

    def share(self) -> None:
        """Ends being alone."""
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)
        self.alone = False


@contextmanager
def presence(home: Path) -> Iterator[Presence]:
    """Marks this process as being at work in the home folder."""
    with _lock_file(home / PRESENCE) as descriptor:
        yield Presence(descriptor)


@contextmanager
def tried_turn(folder: Path, name: str) -> Iterator[bool]:
    """The turn that has this name, if nobody else has it now; whether it was had."""
    folder.mkdir(mode=0o700, exist_ok=True)
    with _lock_file(folder / name) as descriptor:
        yield _taken(descriptor)


@asynccontextmanager
async def turn(folder: Path, name: str) -> AsyncIterator[None]:
    """The turn that has this name, however long somebody else needs it before."""
    folder.mkdir(mode=0o700, exist_ok=True)
    with _lock_file(folder / name) as descriptor:
        while not _taken(descriptor):  # noqa: ASYNC110  # there is no event between processes
            await asyncio.sleep(POLL_SECONDS)
        yield
