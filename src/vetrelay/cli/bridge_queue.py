"""`bridge queue` and `bridge retry`: what comes in and goes out, by state and count; never whose it is."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from vetrelay.cli.by_email import MODES
from vetrelay.cli.home import now_ms
from vetrelay.cli.run import EndCommand
from vetrelay.cli.settings import bridge_config
from vetrelay.cli.terminal import Line, answer, answer_json, answer_lines, as_table, note
from vetrelay.cli.words import amount, count, local
from vetrelay.errors import Refusal

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from vetrelay.bridge.sending.look import QueueSeen, StateSeen

SETTINGS_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
SHORTEST_LETTER: Final = 6
OUT: Final[Mapping[str, str]] = {
    "queued": "wait to leave",
    "sending": "are being sent",
    "handed": "were taken by the other server",
    "delivered": "were delivered, by the other server's word",
    "failed": "failed",
}
IN: Final[Mapping[str, str]] = {
    "received": "are safe here and not looked at yet",
    "waiting": "wait for staff",
    "unfiled": "wait to be filed",
    "taken": "are on their way into their case",
    "done": "are in their case",
    "denied": "were turned away",
    "broken": "could not be read and are kept aside: look at the log",
}


def _queue_of(config: Path) -> "Engine":
    """The tables of a bridge, running or not."""
    from vetrelay.bridge.sending.look import open_queue

    engine = open_queue(bridge_config(config))
    if engine is None:
        raise click.UsageError("The email bridge has not been started here yet.")
    return engine


@click.command("queue", cls=EndCommand)
@click.option("--config", type=SETTINGS_FILE, required=True, help="Its settings file (`up` writes DIR/bridge.toml).")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def queue(config: Path, *, as_json: bool) -> None:
    """Show what comes in and goes out: states, counts, times. It tells nothing of whose it is.

    \b
    Example:
      vetrelay bridge queue --config /srv/vetrelay/bridge.toml
    """
    from vetrelay.bridge.sending.look import look_at_queue

    with closing(_Disposed(_queue_of(config))) as opened:
        seen = look_at_queue(opened.engine)
    if as_json:
        answer_json(asdict(seen))
    else:
        answer_lines(_lines(seen))


@click.command("retry", cls=EndCommand)
@click.argument("letter", required=False)
@click.option("--all", "every", is_flag=True, help="Every letter that waits.")
@click.option("--config", type=SETTINGS_FILE, required=True, help="Its settings file (`up` writes DIR/bridge.toml).")
def retry(letter: str | None, *, every: bool, config: Path) -> None:
    """Try letters that wait to leave again now, one or all.

    One is named by the number that `queue` shows. A running bridge takes them up by itself.

    \b
    Examples:
      vetrelay bridge retry k3v7qd --config /srv/vetrelay/bridge.toml
      vetrelay bridge retry --all --config /srv/vetrelay/bridge.toml
    """
    if (letter is None) != every:
        raise click.UsageError("Name one letter, or say --all.")
    from vetrelay.bridge.sending.look import retry_now

    if letter is not None and len(letter) < SHORTEST_LETTER:
        raise click.UsageError("A letter is named by at least six characters of its number.")
    with closing(_Disposed(_queue_of(config))) as opened:
        due = retry_now(opened.engine, beginning=letter and letter.lower(), now_ms=now_ms())
    if letter is not None and not due:
        raise Refusal("no_such_letter")
    answer(count(due, "letter is due now", "letters are due now"))
    if not due:
        note("none waits to leave")


class _Disposed:
    """An engine that is closed like a file."""

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine

    def close(self) -> None:
        """Gives its connections back."""
        self.engine.dispose()


def _lines(seen: "QueueSeen") -> Iterator[Line]:
    yield Line(text="letters that leave", style="title")
    yield from _state_lines(seen.departures, OUT)
    rows = [
        (
            letter.id[:12],
            letter.state,
            MODES.get(letter.mode, letter.mode).partition(",")[0],
            count(letter.attempts, "try", "tries"),
            f"since {local(letter.created_ms)}",
            f"next {local(letter.due_ms)}",
            letter.reason or "",
        )
        for letter in seen.letters
    ]
    for row in as_table(rows):
        yield Line(text=row, style="quiet", indent=4)
    yield Line()
    yield Line(text="letters that came", style="title")
    yield from _state_lines(seen.arrivals, IN)
    if seen.untold:
        yield Line()
        words = count(seen.untold, "word is still to be told", "words are still to be told")
        yield Line(text=f"{words} in the cases about letters that left", style="warn")


def _state_lines(states: "tuple[StateSeen, ...]", words: Mapping[str, str]) -> Iterator[Line]:
    for one in states:
        size = f", {amount(one.size_bytes)}" if one.size_bytes is not None else ""
        oldest = f", the oldest of {local(one.oldest_ms)}" if one.oldest_ms is not None else ""
        bad = one.state in {"failed", "broken"}
        yield Line(text=f"{one.count} {words[one.state]}{size}{oldest}", style="warn" if bad else "", indent=2)
    if not states:
        yield Line(text="none", style="quiet", indent=2)
