"""Saving a file: fetch its payload, check it whole, open it under a safe name, overwrite nothing."""

import asyncio
import mmap
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from vetrelay.client.attachments import AttachmentView, ObjectView
from vetrelay.client.download import fetch_payload, payload_turn
from vetrelay.client.end import End
from vetrelay.client.opening import file_key_of
from vetrelay.client.plainfile import find_saved, free_path, open_into
from vetrelay.client.thread import EntryView
from vetrelay.errors import Fault, Refusal
from vetrelay.inspection.outputs import is_sound_copy

__all__ = ["NotSaved", "Saved", "free_path", "save_attachments", "save_object"]

READY = frozenset({"clean", "converted"})
COPIES = frozenset({"record", "viewing", "text"})
"""What is saved of a file that was checked: previews and strips are for the screen."""
SMALL_PICTURES = frozenset({"preview", "strip"})
"""What is saved beside them on wish."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A file that was written."""

    path: Path
    role: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSaved:
    """A file that was not, and the code that says why."""

    name: str
    code: str


async def save_object(end: End, view: ObjectView, folder: Path) -> Saved:
    """Fetches one object into the folder. An original is written as NAME.unsafe.

    Asked again after a kill, what is there already is not written a second time. Raises Fault `home_failed` where the
    disk is full or the folder cannot be written, Refusal `copy_differs` for a copy that is not what its sender says.
    """
    name = view.name + ".unsafe" if view.unsafe else view.name
    try:
        async with payload_turn(end, view.ref):
            path = await asyncio.to_thread(find_saved, folder, name, sha256=view.sha256, size_bytes=view.size_bytes)
            if path is None:
                folder.mkdir(parents=True, exist_ok=True)
                path = await _fetched(end, view, folder, name)
    except OSError as wrong:
        raise Fault("home_failed") from wrong
    return Saved(path=path, role=view.role, sha256=view.sha256)


async def _fetched(end: End, view: ObjectView, folder: Path, name: str) -> Path:
    key = file_key_of(end, view.ref)
    payload = await fetch_payload(end, view.ref, label=view.name, unsafe=view.unsafe)
    try:
        check = partial(_check_copy, view) if view.vouched else None
        return await asyncio.to_thread(open_into, payload, folder, name, key, plain_sha256=view.sha256, check=check)
    finally:
        payload.unlink(missing_ok=True)


def _check_copy(view: ObjectView, descriptor: int) -> None:
    """What can be checked of a copy that only its sender vouches for. Raises Refusal `copy_differs`."""
    if os.fstat(descriptor).st_size:
        with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as content:
            if is_sound_copy(content, view.name, view.media_type, width_px=view.width or 0, height_px=view.height or 0):
                return
    raise Refusal("copy_differs")


def _wanted(attachment: AttachmentView, *, original: bool, previews: bool) -> tuple[ObjectView, ...]:
    if original:
        return tuple(view for view in attachment.objects if view.role == "original")
    copies = tuple(view for view in attachment.objects if view.role in COPIES)
    if attachment.verdict not in READY and not copies:
        raise Refusal("not_ready" if attachment.verdict == "pending" else "needs_original")
    if not copies:  # the file check says that it is ready, and brings nothing
        raise Refusal("verdict_differs")
    small = tuple(view for view in attachment.objects if view.role in SMALL_PICTURES) if previews else ()
    return (*copies, *small)


async def save_attachments(
    end: End, entry: EntryView, folder: Path, *, original: bool, previews: bool = False
) -> tuple[list[Saved], list[NotSaved]]:
    """Every attachment of an entry: the checked copies, with the small pictures too, or the originals on explicit wish.

    One refusal stops no other.
    """
    saved: list[Saved] = []
    missed: list[NotSaved] = []
    for attachment in entry.attachments:
        try:
            wanted = _wanted(attachment, original=original, previews=previews)
            saved.extend([await save_object(end, view, folder) for view in wanted])
        except Refusal as refused:
            missed.append(NotSaved(name=attachment.name, code=refused.code))
    return saved, missed
