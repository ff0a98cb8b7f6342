"""The few facts of a letter's head that its screening needs. Pure, and linear in the head's size.

Nothing that says how a letter was checked on its way is read: whatever `Authentication-Results` claims, in our name or
in another's (RFC 8601 section 5), only our own checks count.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from vetrelay.bridge.proving.author import authors
from vetrelay.bridge.proving.headfields import Field, split_fields

LOOP_FIELD: Final = "X-VetRelay-Loop"
"""The field that carries our own mark (`loops.loop_mark`)."""
MESSAGE_ID_BYTES: Final = 998
_WORD: Final = re.compile(rb"[a-z0-9_-]{1,40}", re.ASCII)
_AUTOREPLY: Final = frozenset({"x-autoreply", "x-autorespond", "x-auto-reply"})
_BULK: Final = frozenset({"bulk", "junk", "auto_reply"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Letterhead:
    """What a head says of its letter. Untrusted, but for `oversized`.

    `author` is the one address in the one From field, lower-case; None where there is not exactly one that can be read
    for certain. `auto_submitted` is the first word of RFC 3834's field, None if it says "no" or is absent. Of a head
    that is `oversized` nothing else is said.
    """

    oversized: bool = False
    author: str | None = None
    message_id: str | None = None
    auto_submitted: str | None = None
    precedence: str | None = None
    autoreply: bool = False
    from_list: bool = False
    received: int = 0
    loop_marks: tuple[str, ...] = ()
    content_type: str = "text/plain"

    @property
    def automatic(self) -> bool:
        """Whether no person wrote it just now: an answering machine, a bulk letter, a report (RFC 3834, RFC 6522)."""
        marked = self.auto_submitted is not None or self.autoreply or self.precedence in _BULK
        return marked or self.content_type == "multipart/report"


def read_letterhead(untrusted: bytes) -> Letterhead:
    """The facts of a head: everything before the first empty line. Raises nothing."""
    fields = split_fields(untrusted)
    if fields is None:
        return Letterhead(oversized=True)
    names = [field.name for field in fields]
    return Letterhead(
        author=_author(_all(fields, "from")),
        message_id=_message_id(_all(fields, "message-id")),
        auto_submitted=next((word for word in _words(fields, "auto-submitted") if word != "no"), None),
        precedence=next(iter(_words(fields, "precedence")), None),
        autoreply=any(name in _AUTOREPLY for name in names),
        from_list="list-id" in names,
        received=names.count("received"),
        loop_marks=tuple(each.decode("ascii", "replace") for each in _all(fields, LOOP_FIELD.lower())),
        content_type=_content_type(_all(fields, "content-type")),
    )


def _all(fields: Sequence[Field], name: str) -> list[bytes]:
    return [field.value for field in fields if field.name == name]


def _author(values: list[bytes]) -> str | None:
    named = authors(values[0]) if len(values) == 1 else None
    return named[0] if named is not None and len(named) == 1 else None


def _message_id(values: list[bytes]) -> str | None:
    if not values or not values[0] or len(values[0]) > MESSAGE_ID_BYTES:
        return None
    return values[0].decode("utf-8", "replace")


def _words(fields: Sequence[Field], name: str) -> list[str]:
    """The first word of each such field; a field without one says "unreadable", which is not "no"."""
    found = [_WORD.match(value.lower()) for value in _all(fields, name)]
    return [match[0].decode("ascii") if match else "unreadable" for match in found]


def _content_type(values: list[bytes]) -> str:
    if not values:
        return "text/plain"  # RFC 2045 5.2
    return values[0].partition(b";")[0].strip().lower()[:100].decode("ascii", "replace")
