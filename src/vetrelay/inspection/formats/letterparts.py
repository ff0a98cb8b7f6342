"""A letter taken apart at its boundaries: a tree of parts, each with its fields and the range of its body.

The standard library's own MIME parser nests as deep as the letter says and looks at each line once per level; here
depth, parts and fields are counted before anything is built (RFC 2045 and 2046 say what a boundary is). Its header
parser reads the fields, of which no more than 64 KiB are handed to it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesHeaderParser

from vetrelay.inspection.outlines.outline import Content
from vetrelay.inspection.words import Reason, Unfit

MAX_DEPTH = 20
MAX_FIELDS_BYTES = 256 * 1024
MAX_FIELDS = 1000
# Lines that begin like a boundary and are none; a sound letter has next to none of them.
_MAX_MISSES = 10_000
_LONGEST_LINE_END_BYTES = 80
_BLANK_LINE = re.compile(rb"\r?\n\r?\n|\A\r?\n")
_REST_OF_BOUNDARY = re.compile(rb"(--)?[ \t]*(?:\r?\n|\r|\Z)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part: its fields, where its body begins and ends in the letter, and the parts in it if it is made of parts."""

    fields: "Message[str, str]"
    begin: int
    end: int
    depth: int
    within: "list[Part]" = field(default_factory=list)

    @property
    def media_type(self) -> str:
        """Its declared type, in small letters; text/plain where none is declared."""
        return self.fields.get_content_type()


def take_apart(content: Content, *, most_parts: int) -> Part:
    """The letter as a tree. Raises Unfit: DAMAGED (its fields are endless), LETTER_TOO_DEEP, LETTER_TOO_MANY_PARTS."""
    whole = _part(content, 0, len(content), 0)
    open_parts = [whole]
    count = 1
    while open_parts:
        part = open_parts.pop()
        boundary = _boundary(part)
        if boundary is None:
            continue
        for begin, end in _ranges(content, part, boundary):
            count += 1
            if count > most_parts:
                raise Unfit(Reason.LETTER_TOO_MANY_PARTS)
            if part.depth == MAX_DEPTH:
                raise Unfit(Reason.LETTER_TOO_DEEP)
            part.within.append(_part(content, begin, end, part.depth + 1))
        open_parts.extend(part.within)
    return whole


def _part(content: Content, begin: int, end: int, depth: int) -> Part:
    head = bytes(content[begin : min(end, begin + MAX_FIELDS_BYTES)])
    blank = _BLANK_LINE.search(head)
    if blank is None and end - begin > len(head):
        raise Unfit(Reason.DAMAGED)
    raw_fields = head if blank is None else head[: blank.start()]
    if raw_fields.count(b"\n") > MAX_FIELDS:
        raise Unfit(Reason.DAMAGED)
    body = end if blank is None else begin + blank.end()
    return Part(fields=BytesHeaderParser().parsebytes(raw_fields + b"\n\n"), begin=body, end=end, depth=depth)


def _boundary(part: Part) -> bytes | None:
    """What separates the parts of a part; None where it is not made of parts."""
    if part.fields.get_content_maintype() != "multipart":
        return None
    boundary = part.fields.get_boundary()
    return None if not boundary else boundary.encode("ascii", "surrogateescape")[:_LONGEST_LINE_END_BYTES]


def _ranges(content: Content, part: Part, boundary: bytes) -> Iterator[tuple[int, int]]:
    """Where the parts begin and end. The line end before a boundary belongs to it; a last one may be missing."""
    open_since: int | None = None
    for start, after, is_last in _boundaries(content, part, b"--" + boundary):
        if open_since is not None:
            yield open_since, max(open_since, _without_line_end(content, start))
        open_since = after
        if is_last:
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
