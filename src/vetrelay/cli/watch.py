"""`watch`: files the checked copies of arriving records by patient, for a PACS or a practice program to pick up."""

import asyncio
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from vetrelay.cli.home import current_run, end_of, own_keyring
from vetrelay.cli.receive import until_stopped, wait_for_news
from vetrelay.cli.run import EndCommand, Run
from vetrelay.cli.terminal import Exit, answer, note, printable
from vetrelay.cli.words import VERDICTS
from vetrelay.client.attachments import AttachmentView
from vetrelay.client.end import End
from vetrelay.client.fetch import COPIES, save_object
from vetrelay.client.follow import AWAY
from vetrelay.client.news import receive as receive_news
from vetrelay.client.thread import EntryView, Thread, read_thread
from vetrelay.errors import SENTENCES, Fault, Refusal
from vetrelay.inspection.naming import safe_name

DONE_FILE: Final = ".vetrelay-filed"
LOOK_SECONDS: Final = 20.0
_SHORT_ID: Final = 6


class Filed:
    """Which files stand in the folder already, kept in it: a program may take them away, and they do not come again."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / DONE_FILE
        self._done = set(self._path.read_text(encoding="ascii").split()) if self._path.exists() else set[str]()

    def __contains__(self, key: str) -> bool:
        return key in self._done

    def add(self, key: str) -> None:
        """Remembers a file, durably: called when it stands in the folder."""
        with self._path.open("a", encoding="ascii") as file:
            file.write(key + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._done.add(key)


@click.command(cls=EndCommand)
@click.option(
    "--save-to",
    "folder",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder: one folder in it for each patient and day.",
)
@click.option("--once", is_flag=True, help="File what is there now, and end.")
def watch(*, folder: Path, once: bool) -> int:
    """File arriving records by patient into a folder, until it is stopped.

    Takes the checked copies of what others sent in every case, each once, also when a program moves them away. What
    waits for staff or was refused is told, not filed.

    \b
    Example:
      vetrelay watch --save-to /srv/pacs/incoming
    """
    return asyncio.run(until_stopped(_watch(current_run(), folder, once=once)))


async def _watch(run: Run, folder: Path, *, once: bool) -> int:
    filed = Filed(folder)
    told = set[str]()
    async with end_of(run, own_keyring(run)) as end:
        while True:
            try:
                await receive_news(end, wait_seconds=0)
            except Fault as fault:
                if once or fault.code not in AWAY:
                    raise
            missed = 0
            for row in end.journal.cases():
                missed += await _file_case(end, read_thread(end, row.id), folder, filed, told)
            if once:
                return Exit.REFUSAL if missed else Exit.OK
            await wait_for_news(end, LOOK_SECONDS)


async def _file_case(end: End, thread: Thread, folder: Path, filed: Filed, told: set[str]) -> int:
    """Files what is new in one case; how many files could not be fetched now (they are tried again)."""
    missed = 0
    for entry in thread.entries:
        if entry.problem or entry.author.party == end.keyring.party:
            continue
        for view in entry.attachments:
            key = f"{entry.entry}:{view.sha256}"
            if key in filed or view.verdict == "pending":
                continue
            copies = [one for one in view.objects if one.role in COPIES]
            if not copies:
                _tell_once(told, key, view, VERDICTS[view.verdict][0])
                continue
            try:
                for copy in copies:
                    saved = await save_object(end, copy, folder.joinpath(*_place(thread, entry)))
                    answer(printable(str(saved.path)))
            except Refusal as refused:
                _tell_once(told, key, view, SENTENCES[refused.code])
                missed += 1
            else:
                filed.add(key)  # only now: after a kill the same content is found in the folder and not written again
    return missed


def _place(thread: Thread, entry: EntryView) -> Iterator[str]:
    """The folders of one message: the patient with the start of the case's id, and the day it was accepted."""
    patient = thread.patient.name if thread.patient is not None and thread.patient.name else thread.title
    yield f"{safe_name(patient, '')} ({thread.case[:_SHORT_ID]})"
    yield datetime.fromtimestamp(entry.accepted_at_ms / 1000, tz=UTC).date().isoformat()


def _tell_once(told: set[str], key: str, view: AttachmentView, why: str) -> None:
    if key not in told:
        told.add(key)
        note(f"not filed: {printable(view.name)}: {why}")
