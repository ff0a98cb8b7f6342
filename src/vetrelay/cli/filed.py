"""Which files stand in a watched folder already: kept in the folder, so that what a program took away stays away."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final, Self

from vetrelay.errors import Refusal

FILED_NAME: Final = ".vetrelay-filed"


class Filed:
    """The marks of what was filed, one line each. Opened by `Filed.kept_in`, by one process at a time."""

    def __init__(self, folder: Path, file: BinaryIO) -> None:
        self._folder, self._file = folder, file
        text = file.read()
        if text and not text.endswith(b"\n"):  # the machine stopped in the middle of a line: no other may be lost in it
            file.write(b"\n")
        self._marks = set(text.decode("ascii", "replace").split())

    @classmethod
    @contextmanager
    def kept_in(cls, folder: Path) -> Iterator[Self]:
        """The marks of this folder, which is made if it is not there. Raises Refusal `already_running`, OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / FILED_NAME).open("a+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as held:
                raise Refusal("already_running") from held
            file.seek(0)
            yield cls(folder, file)

    def __contains__(self, mark: str) -> bool:
        return mark in self._marks

    def add(self, mark: str, path: Path) -> None:
        """Remembers a file that stands there now, for good: first the file is made durable, then the mark.

        A kill between the two files it again, unless it still stands there: rather twice than never. Raises OSError.
        """
        for place in (path, *path.parents):
            with suppress(FileNotFoundError):  # it was taken away already
                _make_durable(place)
            if place == self._folder:
                break
        self._file.write(mark.encode("ascii") + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._marks.add(mark)


def _make_durable(place: Path) -> None:
    descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
