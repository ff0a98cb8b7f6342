"""Checking one's own files before they are sealed: how files go where the ends inspect.

The sender's program opens each file in the same sandbox as a clinic's file check would, seals the copies that it made,
and vouches for them in the message itself (docs/protocol.md, chapter 11). What would be refused or held is not sent.
"""

import asyncio
import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final

from msgspec import structs

from vetrelay.client.copies import Copied, copied, fitting, records_for_each, wishes_of
from vetrelay.client.drafts import DraftObject, as_object, media_type_of, sendable_name
from vetrelay.client.end import End
from vetrelay.client.folder import packed
from vetrelay.client.transfer import PIECE_BYTES, SealedFile, Sealing, seal_pieces
from vetrelay.errors import Refusal
from vetrelay.inspection.finding import Finding
from vetrelay.inspection.inspect import Inspector, Settings
from vetrelay.inspection.pack import PackTooLarge
from vetrelay.inspection.wishes import Wishes
from vetrelay.inspection.words import Verdict
from vetrelay.protocol.finding import CheckedFile, CheckedFiles, SentCode
from vetrelay.protocol.manifest import Hints

_SENT: Final[dict[Verdict, SentCode]] = {
    Verdict.CLEAN: "clean",
    Verdict.CONVERTED: "converted",
    Verdict.KEPT_SEALED: "kept-sealed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouched(Copied[CheckedFile]):
    """What this program says of one file, the sealed copies, and the original where it goes with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsent:
    """A file that is not sent, and the reason's key."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A message's words and files, ready to be promised."""

    content: CheckedFiles
    objects: tuple[DraftObject, ...]
    sealed: tuple[SealedFile, ...]


async def check_and_seal(
    end: End, text: str, files: Sequence[Path], *, hints: Hints, keep_original: bool, readers: int
) -> Checked:
    """Inspects the files on this machine and seals what may go; `readers` is how many it will be sealed to.

    Raises Refusal `file_not_sent` (facts: `files`, each name with its reason's key), `file_unreadable`, `folder_empty`,
    `folder_too_full`, `too_large`; Fault `no_sandbox` where nothing can be confined here. Then nothing stays behind.
    """
    wishes = replace(wishes_of(hints), most_records=records_for_each(len(files), readers=readers))
    async with Inspector.start(Settings()) as inspector:
        outcomes = await asyncio.gather(
            *(_checked(end, inspector, path, wishes=wishes, keep_original=keep_original) for path in files),
            return_exceptions=True,  # what was sealed of the others has to be removed
        )
    made = [one for one in outcomes if isinstance(one, Vouched)]
    try:
        _raise_first(outcomes)
    except BaseException:
        _drop(copy for one in made for copy in one.sealed)
        raise
    kept = fitting(made, readers=readers)
    sealed = tuple(copy for one in kept for copy in one.sealed)
    _drop(copy for one in made for copy in one.sealed if copy not in sealed)
    return Checked(
        content=CheckedFiles(text=text, files=tuple(one.finding for one in kept)),
        objects=tuple(part for one in kept for part in one.objects),
        sealed=sealed,
    )


def _raise_first(outcomes: Sequence[Vouched | Unsent | BaseException]) -> None:
    for one in outcomes:
        if isinstance(one, BaseException):
            raise one
    unsent = {one.name: one.reason for one in outcomes if isinstance(one, Unsent)}
    if unsent:
        raise Refusal("file_not_sent", files=unsent)


async def _checked(
    end: End, inspector: Inspector, path: Path, *, wishes: Wishes, keep_original: bool
) -> Vouched | Unsent:
    name = sendable_name(path)
    packing = Sealing(end)
    try:
        with await asyncio.to_thread(_opened, end, path) as file:
            finding = await inspector.inspect(
                file.fileno(), name, declared=media_type_of(name), wishes=wishes, sink=packing
            )
            if finding.verdict not in _SENT:
                return Unsent(name=name, reason=finding.reason.key if finding.reason else finding.verdict.value)
            return await asyncio.to_thread(_sealed, end, finding, file, name, packing, keep_original=keep_original)
    except OSError as wrong:
        raise Refusal("file_unreadable") from wrong
    except PackTooLarge:
        raise Refusal("too_large") from None
    finally:
        packing.discard()


def _opened(end: End, path: Path) -> BinaryIO:
    """A file, or a folder's pack in a file without a name: it is as plain as the folder, and gone when it is closed."""
    if not path.is_dir():
        return path.open("rb")
    pack = tempfile.TemporaryFile(dir=end.journal.spool)  # noqa: SIM115 - whoever asked for it closes it
    try:
        for piece in packed(path):
            pack.write(piece)
        pack.flush()
    except BaseException:
        pack.close()
        raise
    return pack


def _sealed(end: End, finding: Finding, file: BinaryIO, name: str, packing: Sealing, *, keep_original: bool) -> Vouched:
    made = copied(end, finding, packing=packing)
    objects, sealed, original = made.objects, made.sealed, None
    if keep_original or finding.keep_original:
        try:
            whole = _seal_whole(end, file, name)
        except BaseException:
            _drop(made.sealed)
            raise
        kept = as_object(whole, media=media_type_of(name), name=name, keep_original=True)
        objects, sealed, original = (*objects, kept), (*sealed, whole), whole.p
    checked = CheckedFile(
        name=name,
        size=os.fstat(file.fileno()).st_size,
        code=_SENT[finding.verdict],
        original=original,
        **structs.asdict(made.finding),
    )
    return Vouched(finding=checked, objects=objects, sealed=sealed)


def _seal_whole(end: End, file: BinaryIO, name: str) -> SealedFile:
    file.seek(0)
    with end.progress(f"sealing {name}", os.fstat(file.fileno()).st_size) as step:
        return seal_pieces(end, iter(lambda: file.read(PIECE_BYTES), b""), step)


def _drop(sealed: Iterable[SealedFile]) -> None:
    for copy in sealed:
        copy.spool.unlink(missing_ok=True)
