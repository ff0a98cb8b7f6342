"""RTF as a stream of tokens: groups, control words, signs in a code page, and text. Nothing is skipped in silence.

Source: Microsoft, Rich Text Format Specification 1.9.1, "Contents of an RTF File".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

# A control word's letters and its number; a space after it belongs to it. Numbers are 32 bits at most.
_TOKEN = re.compile(
    rb"(?P<open>\{)|(?P<close>\})"
    rb"|\\(?P<word>[A-Za-z]{1,32})(?P<number>-?[0-9]{1,10})?[ ]?"
    rb"|\\'(?P<hex>[0-9A-Fa-f]{2})"
    rb"|\\(?P<symbol>[^A-Za-z'])"
    rb"|(?P<text>[^\\{}\r\n]+)"
    rb"|[\r\n]+|(?P<stray>\\)",
    re.DOTALL,
)


class Sort(Enum):
    """What a token is."""

    OPEN = 1
    CLOSE = 2
    WORD = 3
    SYMBOL = 4
    BYTES = 5


@dataclass(frozen=True, slots=True)
class Token:
    """One token: a control word or symbol by `name` with its number if it has one, or `content` in a code page."""

    sort: Sort
    name: str = ""
    number: int | None = None
    content: bytes = b""


_OPEN, _CLOSE = Token(Sort.OPEN), Token(Sort.CLOSE)


def tokens(untrusted_rtf: bytes) -> Iterator[Token]:
    r"""Every token in order; `\binN` comes with its N bytes passed over, however many there are."""
    at = 0
    while (found := _TOKEN.match(untrusted_rtf, at)) is not None:
        at = found.end()
        kind = found.lastgroup
        if kind == "open":
            yield _OPEN
        elif kind == "close":
            yield _CLOSE
        elif kind == "text":
            yield Token(Sort.BYTES, content=found["text"])
        elif kind == "hex":
            yield Token(Sort.BYTES, content=bytes.fromhex(found["hex"].decode("ascii")))
        elif kind == "symbol":
            yield Token(Sort.SYMBOL, name=found["symbol"].decode("latin-1"))
        elif kind is not None and kind != "stray":
            number = None if found["number"] is None else int(found["number"])
            name = found["word"].decode("ascii")
            yield Token(Sort.WORD, name=name, number=number)
            if name == "bin" and number is not None:
                at += max(number, 0)
