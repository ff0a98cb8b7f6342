"""A letter taken apart at its boundaries: a tree of parts, each with its fields and the range of its body.

The standard library's own MIME parser nests as deep as the letter says and looks at each line once per level; here
depth, parts and fields are counted before anything is built (RFC 2045 and 2046 say what a boundary is).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from vetrelay.inspection.formats.letterfields import Fields, fields_of
from vetrelay.inspection.outlines.outline import Content
from vetrelay.inspection.words import Reason, Unfit

MAX_DEPTH = 20
# Lines that begin like a boundary and are none; a sound letter has next to none of them.
_MAX_MISSES = 10_000
_LONGEST_LINE_END_BYTES = 80
_REST_OF_BOUNDARY = re.compile(rb"(--)?[ \t]*(?:\r?\n|\r|\Z)")
_BOUNDARY_LINE = re.compile(rb"(?m)^--([!-~]{1,70})\r?$")
_TOP_BYTES = 2048
_FIELDS_OF_LETTERS = frozenset(
    {
        "from",
        "to",
        "cc",
        "subject",
        "date",
        "received",
        "message-id",
        "mime-version",
        "sender",
        "return-path",
        "reply-to",
    }
)
_LETTER = "message/rfc822"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part: its fields, where it, its body and its end stand in the letter, and the parts that it is made of.

    `outside`: what stands before the first of them and behind the last, which no program shows.
    """

    fields: Fields
    start: int
    begin: int
    end: int
    depth: int
    within: "list[Part]" = field(default_factory=list)
    outside: list[tuple[int, int]] = field(default_factory=list)

    @property
    def media_type(self) -> str:
        """Its declared type, in small letters; where none is declared text/plain, in a digest a letter."""
        return self.fields.media_type


def take_apart(content: Content, *, most_parts: int, most_depth: int = MAX_DEPTH) -> Part:
    """The letter as a tree. Raises Unfit: DAMAGED (its fields are endless), LETTER_TOO_DEEP, LETTER_TOO_MANY_PARTS."""
    whole = _part(content, 0, len(content), depth=0, default="text/plain")
    open_parts = [whole]
    count = 1
    while open_parts:
        part = open_parts.pop()
        boundary = _boundary(content, part)
        if boundary is None:
            continue
        for begin, end in _ranges(content, part, boundary):
            count += 1
            if count > most_parts:
                raise Unfit(Reason.LETTER_TOO_MANY_PARTS)
            if part.depth == most_depth:
                raise Unfit(Reason.LETTER_TOO_DEEP)
            default = _LETTER if part.media_type == "multipart/digest" else "text/plain"
            part.within.append(_part(content, begin, end, depth=part.depth + 1, default=default))
        open_parts.extend(part.within)
    return whole


def _part(content: Content, start: int, end: int, *, depth: int, default: str) -> Part:
    fields, begin = fields_of(content, start, end, default_type=default)
    if begin == end and not any(name.startswith("content-") or name in _FIELDS_OF_LETTERS for name in fields):
        fields, begin = Fields(default_type=default), start  # "Dose: 2 ml", from a program that knows no empty line
    return Part(fields=fields, start=start, begin=begin, end=end, depth=depth)


def _boundary(content: Content, part: Part) -> bytes | None:
    """What separates the parts of a part; None where it is not made of parts."""
    if not part.media_type.startswith("multipart/"):
        return None
    boundary = part.fields.parameter("boundary").rstrip()
    if not boundary:
        return _guessed_boundary(content, part)
    written = boundary.encode("utf-8", "replace")[:_LONGEST_LINE_END_BYTES]
    if not boundary.isascii() and content.find(b"--" + written, part.begin, part.end) < 0:
        return boundary.encode("cp1252", "replace")[:_LONGEST_LINE_END_BYTES]
    return written


def _guessed_boundary(content: Content, part: Part) -> bytes | None:
    """What must have been the boundary where none is said: a line near the top that an end is made of."""
    found = _BOUNDARY_LINE.search(bytes(content[part.begin : min(part.end, part.begin + _TOP_BYTES)]))
    if found is None or content.find(b"\n--" + found[1] + b"--", part.begin, part.end) < 0:
        return None
    return found[1]


def _ranges(content: Content, part: Part, boundary: bytes) -> Iterator[tuple[int, int]]:
    """Where the parts begin and end. The line end before a boundary belongs to it; a last one may be missing."""
    open_since: int | None = None
    for start, after, is_last in _boundaries(content, part, b"--" + boundary):
        if open_since is None:
            part.outside.append((part.begin, start))
        else:
            yield open_since, max(open_since, _without_line_end(content, start))
        open_since = after
        if is_last:
            part.outside.append((after, part.end))
            return
    if open_since is not None:
        yield open_since, part.end


def _boundaries(content: Content, part: Part, delimiter: bytes) -> Iterator[tuple[int, int, bool]]:
    misses = 0
    at = content.find(delimiter, part.begin, part.end)
    while at >= 0:
        after = at + len(delimiter)
        rest = _REST_OF_BOUNDARY.match(bytes(content[after : min(part.end, after + _LONGEST_LINE_END_BYTES)]))
        if rest is not None and (at == part.begin or content[at - 1 : at] in {b"\n", b"\r"}):
            yield at, after + rest.end(), rest[1] is not None
        else:
            misses += 1
            if misses > _MAX_MISSES:
                raise Unfit(Reason.LETTER_TOO_MANY_PARTS)
        at = content.find(delimiter, after, part.end)


def _without_line_end(content: Content, at: int) -> int:
    if content[at - 1 : at] == b"\n":
        at -= 1
    return at - 1 if content[at - 1 : at] == b"\r" else at
