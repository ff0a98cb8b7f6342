"""The fields of a letter's head, split apart and not understood; bounded, and linear in the head's size.

Lines end in CRLF, LF or CR: the parsers that read a letter after us take each of them for a line's end, and a field that
one of them sees and we do not would be a hole.
"""

import re
from dataclasses import dataclass
from typing import Final

HEAD_BYTES: Final = 256 * 1024
"""The longest head that is looked at: everything up to the first empty line."""
HEAD_FIELDS: Final = 1000
FIELD_BYTES: Final = 32 * 1024
HEAD_LINES: Final = 10_000
"""Folded ones count each: dkimpy puts a field together in quadratic time of its lines."""
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field: its name in lower case, and its value as it stands, unfolded. Both are untrusted."""

    name: str
    value: bytes


def split_fields(untrusted: bytes) -> tuple[Field, ...] | None:
    """The fields of a head in their order; None where the head is over one of the limits.

    A line that is neither a field nor part of one is passed over, and what follows it counts all the same.
    """
    ends = untrusted.count(b"\n") + untrusted.count(b"\r") - untrusted.count(b"\r\n")
    if len(untrusted) > HEAD_BYTES or ends > HEAD_LINES:
        return None
    grouped: list[list[bytes]] = []
    for line in _LINE_END.split(untrusted):
        if line[:1] in (b" ", b"\t"):
            if grouped:
                grouped[-1].append(line)
        elif b":" in line:
            grouped.append([line])
            if len(grouped) > HEAD_FIELDS:
                return None
    whole = [b"".join(lines) for lines in grouped]
    if any(len(field) > FIELD_BYTES for field in whole):
        return None
    return tuple(_field(field) for field in whole)


def _field(whole: bytes) -> Field:
    name, _, value = whole.partition(b":")
    return Field(name=name.strip().lower().decode("ascii", "replace"), value=value.strip())
