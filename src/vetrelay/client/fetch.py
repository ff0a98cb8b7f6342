"""Saving a file: fetch its payload, check it whole, open it under a safe name, overwrite nothing."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from vetrelay.client.end import End
from vetrelay.client.opening import file_key_of
from vetrelay.client.thread import AttachmentView, EntryView, ObjectView
from vetrelay.client.transfer import download, open_file
from vetrelay.errors import Refusal
from vetrelay.protocol.ids import unb64

READY = frozenset({"clean", "converted"})


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


def free_path(folder: Path, name: str) -> Path:
    """A path in the folder that does not exist yet: NAME, `NAME (2)` and so on."""
    path = folder / name
    count = 2
    while path.exists() or path.is_symlink():
        path = folder / f"{Path(name).stem} ({count}){Path(name).suffix}"
        count += 1
    return path


async def save_object(end: End, view: ObjectView, folder: Path) -> Saved:
    """Fetches one object into the folder. An original is written as NAME.unsafe."""
    key = file_key_of(end, view.ref)
    payload = end.journal.spool / f"{unb64(view.ref.h0).hex()}.fetched"
    if not payload.exists():
        await download(
            end,
            view.ref.h0,
            view.ref.p,
            size_bytes=view.ref.size,
            target=payload,
            label=view.name,
            unsafe=view.unsafe,
        )
    folder.mkdir(parents=True, exist_ok=True)
    target = free_path(folder, view.name + ".unsafe" if view.unsafe else view.name)
    await asyncio.to_thread(open_file, payload, target, key, plain_sha256=view.sha256)
    payload.unlink()
    return Saved(path=target, role=view.role, sha256=view.sha256)


def _wanted(attachment: AttachmentView, *, original: bool) -> tuple[ObjectView, ...]:
    if original:
        return tuple(view for view in attachment.objects if view.role == "original")
    if attachment.verdict not in READY:
        raise Refusal("not_ready" if attachment.verdict == "pending" else "needs_original")
    return tuple(view for view in attachment.objects if view.role == "normalized")


async def save_attachments(
    end: End, entry: EntryView, folder: Path, *, original: bool
) -> tuple[list[Saved], list[NotSaved]]:
    """Every attachment of an entry: the normalized copies, or the originals on explicit wish. One refusal stops no other."""
    saved: list[Saved] = []
    missed: list[NotSaved] = []
    for attachment in entry.attachments:
        try:
            saved.extend([await save_object(end, view, folder) for view in _wanted(attachment, original=original)])
        except Refusal as refused:
            missed.append(NotSaved(name=attachment.name, code=refused.code))
    return saved, missed
