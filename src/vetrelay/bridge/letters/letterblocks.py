"""What a letter says, as blocks: the plain text and the HTML are both made from them, so that they never differ."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_COLUMNS: Final = 72


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """The first line: what the letter is."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """Sentences of ours."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An address to open. `main` is the one thing that most people came for."""

    label: str
    url: str
    main: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a person wrote, its line ends kept; `by` names the person and their role."""

    by: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """Names under a sentence, such as the files of a letter."""

    sentence: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Small:
    """What stands at the foot."""

    text: str
    url: str | None = None


Block = Heading | Paragraph | Link | Said | Listed | Small


def as_text(blocks: Sequence[Block]) -> str:
    """The plain text: our own sentences wrapped at 72 columns, addresses whole on a line of their own."""
    pieces: list[str] = []
    foot = False
    for block in blocks:
        if isinstance(block, Small) and not foot:
            foot = True
            # "-- " is the mark under which a mail program folds the foot away.
            pieces.append("-- \n" + _piece(block))
        else:
            pieces.append(_piece(block))
    return "\n\n".join(pieces) + "\n"


def _piece(block: Block) -> str:
    match block:
        case Heading(text=text) | Paragraph(text=text):
            return _wrapped(text)
        case Link(label=label, url=url):
            return f"{_wrapped(label + ':')}\n{url}"
        case Said(by=by, text=text):
            return f"{_wrapped(by)}\n\n{text}"
        case Listed(sentence=sentence, names=names):
            return "\n".join([_wrapped(sentence), *(f"  - {name}" for name in names)])
        case Small(text=text, url=url):
            return _wrapped(text) + (f"\n{url}" if url else "")


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _COLUMNS, break_long_words=False, break_on_hyphens=False)
