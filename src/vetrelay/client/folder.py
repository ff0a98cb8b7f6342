"""A folder as one attachment: its files packed into a ZIP as it is sealed, streamed from the disk, never in memory.

Nested folders stay; what is hidden and what is a link is left out, because nobody who names a folder means what they
point at. The files are stored, not compressed: the file check can then read each where it lies.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vetrelay.client.end import End
from vetrelay.client.transfer import PIECE_BYTES, SealedFile, seal_pieces
from vetrelay.errors import Refusal
from vetrelay.inspection.entrynames import MAX_DEPTH
from vetrelay.inspection.naming import safe_name
from vetrelay.inspection.pack import PackTooLarge, PackWriter

MAX_FILES: Final = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderFile:
    """One file of a folder: where it is, what it is called in the pack, and how it was when it was listed."""

    path: Path
    name: str
    size_bytes: int
    changed_ns: int


def folder_name(folder: Path) -> str:
    """What a folder's pack is called: like the folder, also where it is named by `.`."""
    return f"{safe_name(folder.resolve().name, '')}.zip"


def files_of(folder: Path) -> tuple[FolderFile, ...]:
    """The files that will be sent, sorted. Raises Refusal `folder_empty`, `folder_too_full`, `file_unreadable`."""
    found: list[FolderFile] = []
    taken: set[str] = set()
    try:
        for path in _walked(folder):
            facts = path.stat(follow_symlinks=False)
            name = _free_name(path.relative_to(folder).parts, taken)
            found.append(FolderFile(path=path, name=name, size_bytes=facts.st_size, changed_ns=facts.st_mtime_ns))
            if len(found) > MAX_FILES:
                raise Refusal("folder_too_full")
    except OSError as wrong:
        raise Refusal("file_unreadable") from wrong
    if not found:
        raise Refusal("folder_empty")
    return tuple(found)


def _walked(folder: Path) -> Iterator[Path]:
    """Every plain file in it, however deep, in a fixed order; a folder that is a link is not entered."""
    with os.scandir(folder) as listing:
        entries = sorted(listing, key=lambda entry: entry.name)
    for entry in entries:
        if entry.name.startswith(".") or entry.is_symlink():
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walked(Path(entry.path))
        elif entry.is_file(follow_symlinks=False):
            yield Path(entry.path)


def _free_name(parts: tuple[str, ...], taken: set[str]) -> str:
    """A name that every system can write, once: folders beyond the eighth become part of the file's own name."""
    folders = [safe_name(part, "") for part in parts[:-1]]
    last = "_".join([*folders[MAX_DEPTH:], safe_name(parts[-1], "")])
    place = "/".join([*folders[:MAX_DEPTH], safe_name(last, "")])
    stem, dot, ending = place.rpartition(".")
    if "/" in ending or not dot:
        stem, dot, ending = place, "", ""
    numbered, count = place, 2
    while numbered.casefold() in taken:
        numbered, count = f"{stem} ({count}){dot}{ending}", count + 1
    taken.add(numbered.casefold())
    return numbered


def seal_folder(end: End, folder: Path, *, label: str) -> SealedFile:
    """Seals a folder's files into the spool as one ZIP; a half-made spool file is removed.

    Raises Refusal `folder_empty`, `folder_too_full`, `file_unreadable`, `too_large`.
    """
    files = files_of(folder)
    try:
        with end.progress(f"sealing {label}", sum(file.size_bytes for file in files)) as step:
            return seal_pieces(end, _packed(files), step)
    except OSError as wrong:
        raise Refusal("file_unreadable") from wrong
    except PackTooLarge:
        raise Refusal("too_large") from None


def packed(folder: Path) -> Iterator[bytes]:
    """A folder's files as one ZIP, piece by piece. Raises as `seal_folder` does, PackTooLarge and OSError."""
    return _packed(files_of(folder))


def _packed(files: tuple[FolderFile, ...]) -> Iterator[bytes]:
    writer = PackWriter()
    for file in files:
        yield from writer.stream(file.name, _read(file.path))
    yield from writer.end()


def _read(path: Path) -> Iterator[bytes]:
    # Opened without following: what was a file when it was listed must not have become a link since.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece
