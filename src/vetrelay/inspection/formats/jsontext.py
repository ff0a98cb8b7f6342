"""JSON, checked by a scanner of our own: iterative, so that depth costs nothing, and strict where parsers differ.

The text itself goes on as it is. Python's own reader raises RecursionError at depth, ValueError at long integers, and
takes the last of two equal keys in silence while others take the first (attachments.md section 7, row 61).
"""

import json
import re

from vetrelay.inspection.words import Reason, Unfit

MOST_DEEP = 64
# Python's own limit (sys.int_info.default_max_str_digits): a longer integer costs quadratic time in many readers.
MOST_DIGITS = 4300

_SPACE = re.compile(r"[ \t\n\r]*+")
_STRING = re.compile(
    r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+"',
)
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*+)((?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?)")
_WORD = re.compile(r"true|false|null")


class NotJson(Exception):
    """The text is not JSON by RFC 8259."""


class _Scanner:
    """Where in the text the scan stands, and what is open around it: an object's keys so far, or None for a list."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._open: list[set[str] | None] = []
        self.keys_repeat = False

    def scan(self) -> None:
        """Walks the whole text. Raises NotJson, or Unfit for what is nested too deep or too long a number."""
        while True:
            self._value()
            while self._open and not self._more():
                self._open.pop()
            if not self._open:
                break
        self._skip()
        if self._at != len(self._text):
            raise NotJson

    def _value(self) -> None:
        """One value; of a list or an object everything up to its first inner value that is neither."""
        while (sign := self._peek()) in {"{", "["}:
            if len(self._open) >= MOST_DEEP:
                raise Unfit(Reason.NESTED_TOO_DEEP)
            self._at += 1
            if self._takes("}" if sign == "{" else "]"):
                return
            self._open.append(set() if sign == "{" else None)
            if sign == "{":
                self._key()
        if sign == '"':
            self._match(_STRING)
        elif sign in {"t", "f", "n"}:
            self._match(_WORD)
        else:
            number = self._match(_NUMBER)
            if not number[2] and len(number[1]) > MOST_DIGITS:
                raise Unfit(Reason.NUMBER_TOO_LONG)

    def _more(self) -> bool:
        """Whether another value follows in the innermost list or object; else its end is taken."""
        keys = self._open[-1]
        if self._takes("]" if keys is None else "}"):
            return False
        if not self._takes(","):
            raise NotJson
        if keys is not None:
            self._key()
        return True

    def _key(self) -> None:
        self._skip()
        written = self._match(_STRING)[0]
        key = json.loads(written) if "\\" in written else written[1:-1]
        keys = self._open[-1]
        if keys is None or key in keys:
            self.keys_repeat = True
        else:
            keys.add(key)
        if not self._takes(":"):
            raise NotJson

    def _skip(self) -> None:
        space = _SPACE.match(self._text, self._at)
        self._at = self._at if space is None else space.end()

    def _peek(self) -> str:
        self._skip()
        return self._text[self._at : self._at + 1]

    def _takes(self, sign: str) -> bool:
        found = self._peek() == sign
        self._at += found
        return found

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise NotJson
        self._at = found.end()
        return found


def check(text: str) -> None:
    """Whether the text is JSON that every reader reads alike.

    Raises NotJson for what is none, and Unfit for depth over 64 and integers over 4300 digits (refused), and for an
    object with two equal keys (held: a person must say which one counts).
    """
    scanner = _Scanner(text)
    scanner.scan()
    if scanner.keys_repeat:
        raise Unfit(Reason.KEYS_REPEAT)
