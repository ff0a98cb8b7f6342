"""`receive`: what is new since the last time it was told, each thing once."""

import asyncio
import signal
import time
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, Final

import click

from vetrelay.cli.find import name_of, waiting
from vetrelay.cli.home import current_run, end_of, own_keyring
from vetrelay.cli.outbox_words import tell_refusals
from vetrelay.cli.reading import attachment_json, attachment_lines, entry_json, entry_lines, heading
from vetrelay.cli.run import EndCommand, Run
from vetrelay.cli.terminal import Exit, Line, answer_json, answer_lines, note, printable
from vetrelay.client.end import End
from vetrelay.client.follow import AWAY
from vetrelay.client.news import receive as receive_news
from vetrelay.client.thread import EntryView, Thread, read_thread
from vetrelay.errors import Fault
from vetrelay.protocol.envelope import parse_envelope
from vetrelay.protocol.ids import CaseId
from vetrelay.protocol.log import Kind
from vetrelay.protocol.signature import parse_wire

LONG_POLL_SECONDS: Final = 20
AWAY_SECONDS: Final = 1.0
STOP_AGAIN_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What is new in one case: what others said, and files whose check has ended."""

    thread: Thread
    entries: tuple[EntryView, ...]
    checked: tuple[EntryView, ...]
    upto_n: int


@click.command(cls=EndCommand)
@click.option(
    "--wait",
    "wait_seconds",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="SECONDS",
    help="Wait so long for news.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def receive(*, wait_seconds: float, as_json: bool) -> int:
    """Fetch what is new in all cases, and tell it once.

    New is what others have said, and files whose check has ended. Ends with code 4 when nothing new came.

    \b
    Example:
      vetrelay receive --wait 60
    """
    run = current_run()
    return asyncio.run(until_stopped(_receive(run, wait_seconds, as_json=as_json)))


async def until_stopped(work: Coroutine[Any, Any, int]) -> int:
    """The work's exit code. Ctrl-C ends it also where a library loses a cancellation, or sleeps while the signal comes."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stopped.set)
    working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stopped.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not working.done():
        while not working.done():
            working.cancel()
            await asyncio.wait({working}, timeout=STOP_AGAIN_SECONDS)
        raise KeyboardInterrupt
    return working.result()


async def _receive(run: Run, wait_seconds: float, *, as_json: bool) -> int:
    deadline = time.monotonic() + wait_seconds
    async with end_of(run, own_keyring(run)) as end:
        while True:
            found = await _fetch(end, deadline)
            left = deadline - time.monotonic()
            if found or left <= 0:
                break
            await wait_for_news(end, left)
        if as_json:
            answer_json({"cases": [_news_json(news) for news in found]})
        elif found:
            answer_lines(line for news in found for line in _news_lines(news))
        else:
            note("nothing new")
        for news in found:
            end.journal.save_told_n(news.thread.case, news.upto_n)
    return Exit.OK if found else Exit.NOTHING


async def _fetch(end: End, deadline: float) -> list[News]:
    """Everything up to now, and what of it is news. While there is time to wait, an absent relay is waited for."""
    try:
        touched = await receive_news(end, wait_seconds=0)
    except Fault as fault:
        if fault.code not in AWAY or time.monotonic() >= deadline:
            raise
        return []
    finally:
        tell_refusals(end)
    for followed in touched.values():
        thread = read_thread(end, followed.case, followed)
        for member in waiting(thread):
            note(f"{printable(name_of(thread, member.party))} waits to be let in: vetrelay case approve {thread.case}")
    return [news for row in end.journal.cases() if (news := _news(end, row.id, row.tail.n)) is not None]


async def wait_for_news(end: End, left_seconds: float) -> None:
    """Returns when something is new at the relay, or after about this time."""
    try:
        await end.api.inbox(after=end.journal.cursor(), wait_seconds=max(1, int(min(left_seconds, LONG_POLL_SECONDS))))
    except Fault as fault:
        if fault.code not in AWAY:
            raise
        await asyncio.sleep(min(AWAY_SECONDS, left_seconds))


def _news(end: End, case: CaseId, n: int) -> News | None:
    told_n = end.journal.told_n(case)
    if n <= told_n:
        return None
    thread = read_thread(end, case)
    own = end.keyring.person
    fresh = tuple(entry for entry in thread.entries if entry.n > told_n and entry.author.person != own)
    answered = _answered_after(end, case, told_n)
    checked = tuple(entry for entry in thread.entries if entry.entry in answered and entry not in fresh)
    if not fresh and not checked:
        end.journal.save_told_n(case, n)  # names and the like: nothing to tell, and nothing to look at again
        return None
    return News(thread=thread, entries=fresh, checked=checked, upto_n=n)


def _answered_after(end: End, case: CaseId, told_n: int) -> set[str]:
    """The messages on whose files a verdict came after a position."""
    envelopes = (
        parse_envelope(parse_wire(row.signed))
        for row in end.journal.log(case, after=told_n)
        if row.link.kind is Kind.ENVELOPE and row.signed is not None and row.fault is None
    )
    return {envelope.derived_from for envelope in envelopes if envelope.derived_from is not None}


def _news_json(news: News) -> dict[str, Any]:
    return {
        "case": news.thread.case,
        "title": news.thread.title,
        "entries": [entry_json(entry) for entry in news.entries],
        "checked": [
            {
                "n": entry.n,
                "envelope": entry.envelope,
                "attachments": [attachment_json(view) for view in entry.attachments],
            }
            for entry in news.checked
        ],
    }


def _news_lines(news: News) -> Iterator[Line]:
    yield from heading(news.thread)
    for entry in news.entries:
        yield from entry_lines(entry)
    for entry in news.checked:
        yield Line()
        yield Line(text=f"files of message {entry.envelope}, by {printable(entry.author.name)}", style="title")
        for view in entry.attachments:
            yield from attachment_lines(view)
    yield Line()
