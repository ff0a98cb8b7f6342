"""The terminal, and the rules by which this program speaks. Every command keeps them.

- Standard output carries the answer and nothing else. With `--json` it is exactly one JSON document, in ASCII.
- Everything else goes to standard error: progress, what a person should know, errors. A pipe never sees it.
- Progress is drawn only where standard error is a terminal, and leaves nothing behind.
- Colour only helps: what it says, the words say too. It is off in a pipe, with NO_COLOR, and on a dumb terminal.
- What other people wrote (texts, names, titles) cannot move the cursor or turn letters around: control signs are shown
  as signs.
- A question is asked only of a person at a terminal, and every question has a setting that answers it beforehand.
- There is one form of error: what happened, what is safe, what to do, the code. A code never changes its meaning.
- The exit code says what kind of end it was; see `Exit`.
"""

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, Literal

import click

from vetrelay.errors import Fault, VetRelayError

Style = Literal["", "title", "quiet", "good", "warn", "bad"]
_RICH_STYLES: Final[Mapping[Style, str]] = {
    "": "",
    "title": "bold",
    "quiet": "dim",
    "good": "green",
    "warn": "yellow",
    "bad": "bold red",
}


class Exit(IntEnum):
    """How a command ends."""

    OK = 0
    FAULT = 1
    USAGE = 2
    REFUSAL = 3
    NOTHING = 4
    INTERRUPTED = 130


NOTHING_THERE: Final = frozenset(
    {
        "not_found",
        "no_such_case",
        "no_such_correspondent",
        "no_such_envelope",
        "no_such_letter",
        "no_such_party",
        "no_identity",
        "no_files",
        "nobody_waits",
    }
)
"""Refusals that only say that what was asked for is not there."""

_DISHONEST: Final = frozenset({"log_forked", "log_shortened", "entry_differs", "time_backwards"})
_SAFE_DISHONEST: Final = "nothing more is sent in this case; what came before is kept here, with the evidence"
_SAFE_REFUSAL: Final = "what was accepted before stands; what was refused now was not taken over"
_SAFE_FAULT: Final = "nothing that was accepted is lost, and repeating the command cannot send anything twice"

# C0 and DEL as their pictures; C1, and the marks that turn the reading direction, as the replacement sign.
_SHOWN: Final[Mapping[int, str]] = {
    **{code: chr(0x2400 + code) for code in range(0x20)},
    0x7F: "\u2421",
    **dict.fromkeys((*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029), "\ufffd"),
}
_SHOWN_IN_LINES: Final = {code: sign for code, sign in _SHOWN.items() if code not in (0x09, 0x0A)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A paragraph of an answer. In a terminal it is wrapped within its indent; in a pipe it stays one line."""

    text: str = ""
    style: Style = ""
    indent: int = 0


def printable(untrusted_text: str, *, lines: bool = False) -> str:
    """A text that cannot steer the terminal; `lines` keeps its line ends and tabs."""
    return untrusted_text.translate(_SHOWN_IN_LINES if lines else _SHOWN)


def answer(text: str) -> None:
    """One line of the answer."""
    click.echo(text)


def answer_json(document: object) -> None:
    """The answer as one JSON document."""
    click.echo(json.dumps(document, indent=2))


def answer_lines(lines: Iterable[Line]) -> None:
    """The answer for a person: laid out in a terminal, bare in a pipe."""
    if not sys.stdout.isatty():
        click.echo("\n".join((" " * line.indent + line.text) if line.text else "" for line in lines))
        return
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console = Console(highlight=False, markup=False, emoji=False)
    for line in lines:
        console.print(Padding(Text(line.text, _RICH_STYLES[line.style]), (0, 0, 0, line.indent), expand=False))


def note(text: str) -> None:
    """Something a person should know that is not the answer."""
    click.echo(text, err=True)


def may_ask() -> bool:
    """Whether a person sits at the other end of standard input."""
    return sys.stdin.isatty()


def exit_of(error: VetRelayError) -> Exit:
    """The exit code of an error."""
    if isinstance(error, Fault):
        return Exit.FAULT
    return Exit.NOTHING if error.code in NOTHING_THERE else Exit.REFUSAL


def safe_of(error: VetRelayError) -> str:
    """What an error left untouched."""
    if error.code in _DISHONEST:
        return _SAFE_DISHONEST
    if error.code in NOTHING_THERE:
        return "nothing was changed"
    return _SAFE_FAULT if isinstance(error, Fault) else _SAFE_REFUSAL


def tell_error(error: VetRelayError) -> None:
    """An error in the one form; its sentence is what happened and, after the semicolon, what to do."""
    happened, _, mend = error.sentence.partition("; ")
    facts = ", ".join(
        f"{name} {printable(str(value))}" for name, value in error.facts.items() if value not in ("", None)
    )
    tell_trouble(
        happened.rstrip("."),
        safe=safe_of(error),
        mend=mend.rstrip(".") or "try again",
        code=f"{error.code} ({facts})" if facts else error.code,
    )


def tell_trouble(happened: str, *, safe: str, mend: str, code: str) -> None:
    """The one form of error, whatever it was."""
    note(f"vetrelay: {printable(happened)}\n  safe   {safe}\n  to do  {printable(mend)}\n  code   {code}")


def as_table(rows: Iterable[tuple[str, ...]], *, gap: int = 2) -> list[str]:
    """Rows as lines with aligned columns (by characters; the last column is not padded)."""
    table: list[Any] = list(rows)
    widths = [max((len(cell) for cell in column), default=0) for column in zip(*table, strict=True)]
    return [
        (" " * gap).join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table
    ]
