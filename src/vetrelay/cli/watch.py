"""`watch`: files the checked copies of arriving records by patient, for a PACS or a practice program to pick up."""

import asyncio
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from vetrelay.cli.filed import Filed
from vetrelay.cli.home import current_run, end_of, own_keyring
from vetrelay.cli.outbox_words import tell_refusals
from vetrelay.cli.receive import AWAY_SECONDS, until_stopped, wait_for_news
from vetrelay.cli.run import EndCommand, Run
from vetrelay.cli.terminal import Exit, answer, note, printable
from vetrelay.cli.words import VERDICTS, reason_sentence
from vetrelay.client.api import PASSING
from vetrelay.client.attachments import AttachmentView, ObjectView
from vetrelay.client.end import End
from vetrelay.client.fetch import COPIES, save_object
from vetrelay.client.follow import AWAY
from vetrelay.client.news import receive as receive_news
from vetrelay.client.thread import EntryView, Thread, read_thread
from vetrelay.errors import Refusal, VetRelayError
from vetrelay.inspection.naming import safe_name
from vetrelay.protocol.ids import CaseId, b64

LOOK_SECONDS: Final = 20.0
_SHORT_ID: Final = 6
_TRY_AGAIN: Final = AWAY | PASSING


@dataclass(frozen=True, kw_only=True)
class _Watching:
    """One run. `read_upto` says how far each case was filed, `left` what was told and is not tried again by this run."""

    end: End
    folder: Path
    filed: Filed
    read_upto: dict[CaseId, int] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)


@click.command(cls=EndCommand)
@click.option(
    "--save-to",
    "folder",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder: in it one for each patient, and in that one for each day.",
)
@click.option("--once", is_flag=True, help="File what is there now, and end.")
def watch(*, folder: Path, once: bool) -> int:
    """File arriving records by patient into a folder, until it is stopped.

    Takes the checked copies of what others sent in every case, each once, also when a program moves them away: the
    folder's hidden file .vetrelay-filed remembers them, and must stay. What waits for staff, or may not be sent, is told
    and not filed. With --once, code 3 says that something that was ready could not be filed.

    \b
    Example:
      vetrelay watch --save-to /srv/pacs/incoming
    """
    return asyncio.run(until_stopped(_watch(current_run(), folder, once=once)))


async def _watch(run: Run, folder: Path, *, once: bool) -> int:
    keyring = own_keyring(run)
    with Filed.kept_in(folder) as filed:
        async with end_of(run, keyring) as end:
            watching = _Watching(end=end, folder=folder, filed=filed)
            if once:
                await _file_all(watching)
                return Exit.REFUSAL if watching.lost else Exit.OK
            away = False
            while True:
                away = await _file_and_wait(watching, was_away=away)


async def _file_and_wait(watching: _Watching, *, was_away: bool) -> bool:
    """Files what there is and waits for more; whether the message server could not be asked, which is told once."""
    try:
        await _file_all(watching)
        await wait_for_news(watching.end, LOOK_SECONDS)
    except VetRelayError as error:
        if error.code not in _TRY_AGAIN:
            raise
        if not was_away:
            note(f"vetrelay: {error.sentence} Trying again until it works.")
        await asyncio.sleep(AWAY_SECONDS)
        return True
    return False


async def _file_all(watching: _Watching) -> None:
    """Everything up to now. What arose in the middle leaves its case to be read again."""
    end = watching.end
    try:
        await receive_news(end, wait_seconds=0)
    finally:
        tell_refusals(end)
    for row in end.journal.cases():
        # Another command of this person may have fetched the news; what counts is what was filed.
        if row.tail.n > watching.read_upto.get(row.id, 0):
            thread = read_thread(end, row.id)
            for entry in thread.entries:
                if not entry.problem and entry.author.party != end.keyring.party:
                    await _file_entry(watching, thread, entry)
            watching.read_upto[row.id] = thread.followed.tail.n


async def _file_entry(watching: _Watching, thread: Thread, entry: EntryView) -> None:
    for position, view in enumerate(entry.attachments):
        copies = [one for one in view.objects if one.role in COPIES]
        if view.verdict != "pending" and not copies:
            _leave(watching, f"{entry.entry} {position}", view, _why(view))
        for copy in copies:
            await _file_copy(watching, thread, entry, view, copy, mark=_mark(entry, position, copy))


async def _file_copy(
    watching: _Watching, thread: Thread, entry: EntryView, view: AttachmentView, copy: ObjectView, *, mark: str
) -> None:
    if mark in watching.filed or mark in watching.left:
        return
    try:
        saved = await save_object(watching.end, copy, watching.folder.joinpath(*_place(thread, entry)))
    except Refusal as refused:
        if refused.code in _TRY_AGAIN:
            raise
        watching.lost.add(mark)
        _leave(watching, mark, view, f"{refused.sentence} [{refused.code}]")
    else:
        watching.filed.add(mark, saved.path)
        answer(printable(str(saved.path)))


def _mark(entry: EntryView, position: int, copy: ObjectView) -> str:
    """Names one copy of one file of one message; a later verdict that brings the same copy names the same."""
    said = "\n".join((entry.entry, str(position), copy.role, copy.sha256, copy.name))
    return b64(hashlib.sha256(said.encode()).digest())


def _place(thread: Thread, entry: EntryView) -> Iterator[str]:
    """The folders of one message: the patient with the start of the case's id, and the day here when it was accepted."""
    patient = thread.patient.name if thread.patient is not None and thread.patient.name else thread.title
    one_part = patient.replace("/", " ").replace("\\", " ")  # a name, not a path: all of it is kept
    yield f"{safe_name(one_part, '')} ({thread.case[:_SHORT_ID]})"
    yield datetime.fromtimestamp(entry.accepted_at_ms / 1000, tz=UTC).astimezone().date().isoformat()


def _why(view: AttachmentView) -> str:
    words = VERDICTS[view.verdict][0]
    reason = reason_sentence(view.reason)
    return f"{words}: {reason}" if reason else words


def _leave(watching: _Watching, key: str, view: AttachmentView, why: str) -> None:
    """Tells once that a file is not filed."""
    if key not in watching.left:
        watching.left.add(key)
        note(f"not filed: {printable(view.name)}: {printable(why)}")
