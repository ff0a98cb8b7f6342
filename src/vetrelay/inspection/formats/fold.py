"""Which lines of a letter repeat an older one or are a signature: a hint for a screen that may show them folded.

A hint can be wrong, so it errs on the side of showing: "From: 20 kg / To: 25 kg / Give 2 ml" looks like the head of an
older letter to those who only look for the words. A head must name an address, or an hour among three fields. What programs of many
languages write above a quote is known to mail-parser-reply; its expressions alone are used, since its way of taking a
letter apart loses lines. They are slow on lines made for it: they see a few short lines at a time, and not many.
"""

import re
from dataclasses import dataclass

from mailparser_reply.constants import GENERIC_MAIL_SEPARATOR, MAIL_LANGUAGES

from vetrelay.inspection.letterread import MAX_FOLDS

MAX_LOOKED_AT_CHARS = 64 * 1024
_LONGEST_LINE_CHARS = 160
_WINDOW_LINES = 6
_MOST_WINDOWS = 600
_LONGEST_SIGNATURE_LINES = 15
_QUOTE = re.compile(r"[ \t]{0,3}(>|\|[ ]|[A-Z]{1,3}>)")
_SIGNATURE = re.compile(r"--[ ]?")
_ADDRESS_OR_HOUR = re.compile(r"@|\b[0-2]?[0-9][:.h][0-5][0-9]\b")
_FEWEST_FIELDS = 3
_LONGEST_SENTENCE_LINES = 3


def _expressions() -> "tuple[re.Pattern[str], re.Pattern[str]]":
    """What stands above a quote in one sentence, and what stands there as a list of fields."""
    sentences = [said["wrote_header"] for said in MAIL_LANGUAGES.values() if "wrote_header" in said]
    lists = [said["from_header"] for name, said in MAIL_LANGUAGES.items() if "from_header" in said and name != "david"]
    flags = re.MULTILINE | re.IGNORECASE
    return (
        re.compile("|".join(f"(?:{one})" for one in sentences), flags),
        re.compile("|".join((*(f"(?:{one})" for one in lists), f"(?:{GENERIC_MAIL_SEPARATOR})")), flags),
    )


_SENTENCE, _LIST = _expressions()


def folds(text: str) -> tuple[tuple[int, int], ...]:
    """Ranges of characters of whole lines, in order and apart; none where less than one line would be left."""
    looked_at = text[:MAX_LOOKED_AT_CHARS]
    lines = looked_at.split("\n")
    if len(looked_at) < len(text):
        lines = lines[:-1]  # cut somewhere
    page = _Page(lines=lines, folded=[False] * len(lines))
    page.mark_quotes()
    page.mark_older_letter()
    page.mark_signature(is_whole=len(looked_at) == len(text))
    left = "".join(line for line, is_folded in zip(lines, page.folded, strict=True) if not is_folded)
    return _ranges(lines, page.folded, len(text)) if left.strip() or text[len(looked_at) :].strip() else ()


@dataclass(slots=True, kw_only=True)
class _Page:
    """The lines of a text, and which of them are marked. `windows` is how often an expression was tried."""

    lines: list[str]
    folded: list[bool]
    windows: int = 0

    def mark_quotes(self) -> None:
        """Lines that begin with a mark of quoting, and the sentence above them that says whose they are."""
        for number, line in enumerate(self.lines):
            if _QUOTE.match(line):
                if number and not self.folded[number - 1]:
                    self._mark_sentence_above(number)
                self.folded[number] = True

    def _mark_sentence_above(self, quote: int) -> None:
        end = quote if self.lines[quote - 1].strip() else quote - 1
        for begin in range(end - 1, max(-1, end - 1 - _LONGEST_SENTENCE_LINES), -1):
            if self.folded[begin] or not self.lines[begin].strip() or self._is_spent():
                return
            window = _window(self.lines[begin:end])
            if _ADDRESS_OR_HOUR.search(window) and _SENTENCE.match(window):
                self._mark(begin, quote)
                return

    def mark_older_letter(self) -> None:
        """From the head of an older letter to the end, where it stands below without marks (Outlook's way)."""
        for number, line in enumerate(self.lines):
            if self.folded[number] or not line.strip():
                continue
            if self._is_spent():
                return
            window = _window(self.lines[number : number + _WINDOW_LINES])
            sentence, fields = _SENTENCE.match(window), _LIST.match(window)
            if (sentence and _ADDRESS_OR_HOUR.search(sentence[0])) or (fields and _is_head(fields[0])):
                self._mark(number, len(self.lines))
                return

    def mark_signature(self, *, is_whole: bool) -> None:
        """What stands below "-- ", up to a quote or the end, if it is as short as signatures are (RFC 3676, 4.3)."""
        for number in range(len(self.lines) - 1, -1, -1):
            if self.folded[number] or not _SIGNATURE.fullmatch(self.lines[number]):
                continue
            end = number + 1
            while end < len(self.lines) and not self.folded[end]:
                end += 1
            if end - number <= _LONGEST_SIGNATURE_LINES and (is_whole or end < len(self.lines)):
                self._mark(number, end)
            return

    def _mark(self, begin: int, end: int) -> None:
        self.folded[begin:end] = [True] * (end - begin)

    def _is_spent(self) -> bool:
        self.windows += 1
        return self.windows > _MOST_WINDOWS


def _is_head(fields: str) -> bool:
    lines = sum(1 for line in fields.split("\n") if ":" in line)
    return "@" in fields or (lines >= _FEWEST_FIELDS and _ADDRESS_OR_HOUR.search(fields) is not None)


def _window(lines: list[str]) -> str:
    return "\n".join(line.strip() if len(line) <= _LONGEST_LINE_CHARS else "" for line in lines)


def _ranges(lines: list[str], folded: list[bool], length: int) -> tuple[tuple[int, int], ...]:
    """The marked lines as ranges of characters, with their line ends."""
    ranges: list[tuple[int, int]] = []
    position = 0
    begin: int | None = None
    for line, is_folded in zip(lines, folded, strict=True):
        if is_folded and begin is None:
            begin = position
        if not is_folded and begin is not None:
            ranges.append((begin, position))
            begin = None
        position += len(line) + 1
    if begin is not None:
        ranges.append((begin, min(position, length)))
    return tuple(one for one in ranges if one[0] < one[1])[:MAX_FOLDS]
