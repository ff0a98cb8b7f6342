"""The fields of a letter or of a part of it: counted and measured first, then read line by line (RFC 5322, 2.2).

What is no field ends them, as an empty line does: a body that begins without one is still a body, and nothing of it is
lost. Bytes that are not ASCII are taken for UTF-8 where they are, else for Windows-1252.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import getaddresses, parsedate_tz

from vetrelay.inspection.formats import lettertext
from vetrelay.inspection.formats.parameters import value_and_parameters
from vetrelay.inspection.formats.tally import Tally
from vetrelay.inspection.letterread import MAX_WRITTEN_MS
from vetrelay.inspection.outlines.outline import Content
from vetrelay.inspection.words import Reason, Unfit

MAX_FIELDS_BYTES = 256 * 1024
MAX_FIELDS = 1000
MAX_FIELD_BYTES = 32 * 1024
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\n|\r|\Z)")
_FIELD = re.compile(rb"([!-9;-~]{1,200})[ \t]*:")
_ENVELOPE = re.compile(rb">?From ")
_LONGEST_DATE_CHARS = 200
_HOURS_OF_A_ZONE = 24
_ID = re.compile(r"<[!-;=?-~]{1,996}>")


class Fields:
    """Fields in their order, found by name in whatever letters; of several of a name the first counts."""

    def __init__(self, *, default_type: str = "text/plain") -> None:
        self._first: dict[str, str] = {}
        self._default_type = default_type
        self._parsed: dict[str, tuple[str, dict[str, str]]] = {}

    def add(self, name: str, value: str) -> None:
        """One more field, on one line."""
        self._first.setdefault(name.lower(), value)

    def get(self, name: str) -> str:
        """The field's value; empty where there is none."""
        return self._first.get(name.lower(), "")

    def __iter__(self) -> Iterator[str]:
        return iter(self._first)

    def __len__(self) -> int:
        return len(self._first)

    def _of(self, name: str) -> tuple[str, dict[str, str]]:
        if name not in self._parsed:
            self._parsed[name] = value_and_parameters(self.get(name))
        return self._parsed[name]

    @property
    def media_type(self) -> str:
        """The declared type in small letters, the default where none is."""
        said, _ = self._of("content-type")
        if said.count("/") == 1:
            return said
        return "text/plain" if said else self._default_type

    @property
    def disposition(self) -> str:
        """Content-Disposition: "inline", "attachment" or what else it says."""
        return self._of("content-disposition")[0]

    @property
    def file_name(self) -> str:
        """The name of a file as it is declared, its encoded words not decoded yet."""
        return self._of("content-disposition")[1].get("filename") or self.parameter("name")

    def parameter(self, name: str) -> str:
        """A parameter of Content-Type."""
        return self._of("content-type")[1].get(name, "")


def fields_of(content: Content, start: int, end: int, *, default_type: str = "text/plain") -> tuple[Fields, int]:
    """The fields that begin at `start`, and where the body behind them begins.

    Raises Unfit(DAMAGED): more than 1000 lines, more than 256 KiB, or one of more than 32 KiB.
    """
    fields = Fields(default_type=default_type)
    head = bytes(content[start : min(end, start + MAX_FIELDS_BYTES)])
    name, value = "", bytearray()
    position = lines = 0
    while position < len(head):
        line = _line_at(head, position)
        after = position + len(line)
        said = line.rstrip(b"\r\n")
        lines += 1
        if lines > MAX_FIELDS:
            raise Unfit(Reason.DAMAGED)
        if not said:
            position = after
            break
        if said[:1] in {b" ", b"\t"} and (name or not said.strip()):
            value += b"\n" + said
        elif found := _FIELD.match(said):
            _add(fields, name, bytes(value))
            name, value = found[1].decode("ascii"), bytearray(said[found.end() :])
        elif not (position == 0 and _ENVELOPE.match(said)):
            break
        if len(value) > MAX_FIELD_BYTES:
            raise Unfit(Reason.DAMAGED)
        position = after
    else:
        if end - start > len(head):
            raise Unfit(Reason.DAMAGED)
    _add(fields, name, bytes(value))
    return fields, start + position


def _line_at(head: bytes, position: int) -> bytes:
    found = _LINE.match(head, position)
    assert found is not None  # it matches nothing, at least
    return found[0]


def _add(fields: Fields, name: str, value: bytes) -> None:
    if name:
        fields.add(name, " ".join(_decoded(value).replace("\r", "\n").split("\n")).strip())


def _decoded(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return lettertext.body_text(value, "cp1252", Tally())


def sender(fields: Fields) -> tuple[str, str]:
    """Name and address of the first in From, as they are told there; empty where nothing can be made of it."""
    raw = fields.get("From")[: lettertext.MAX_FIELD_CHARS]
    try:
        found = getaddresses([raw])
    except (ValueError, IndexError, RecursionError):
        found = []
    name, address = next((pair for pair in found if "@" in pair[1]), found[0] if found else ("", ""))
    if "@" not in address:
        # Without a sign of an address, all of it is a name.
        return lettertext.field_text(raw), ""
    return lettertext.field_text(name), lettertext.field_text(address)


def written_ms(fields: Fields) -> int | None:
    """The Date in milliseconds since 1970, of the years 1970 to 9999; None where it is not one."""
    try:
        parsed = parsedate_tz(fields.get("Date")[:_LONGEST_DATE_CHARS])
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    if parsed is None:
        return None
    *when, offset = (*parsed[:6], parsed[9])
    if offset is not None and abs(offset) >= _HOURS_OF_A_ZONE * 3600:
        offset = 0
    try:
        year, month, day, hour, minute, second = (int(part or 0) for part in when)
        moment = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    at_ms = (int(moment.timestamp()) - int(offset or 0)) * 1000
    return at_ms if 0 <= at_ms <= MAX_WRITTEN_MS else None


def first_id(fields: Fields, name: str) -> str:
    """The first id in a field, with its angle brackets; empty where there is none."""
    found = _ID.search(fields.get(name))
    return found[0] if found else ""


def last_id(fields: Fields, name: str) -> str:
    """The last one: of References, the letter that is answered."""
    found = _ID.findall(fields.get(name))
    return str(found[-1]) if found else ""
