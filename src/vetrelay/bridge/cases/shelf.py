"""The shelf: what each correspondent finds on its sealed page, for as long as the page is open to it.

The bridge keeps it itself, sealed under its own key: the party keys that opened it are forgotten every week.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from vetrelay.bridge.cases.files import FileKept
from vetrelay.bridge.store.notes import Notes
from vetrelay.protocol.ids import EntryId, Milliseconds
from vetrelay.protocol.statement import Body

MOST_MESSAGES = 200
"""On one page; the oldest go first."""


class Shelved(Body, frozen=True):
    """One message on a sealed page. `put_ms` is when it came there; its days count from then."""

    entry: EntryId
    author: str
    role: str
    said_ms: Milliseconds
    put_ms: Milliseconds
    text: Annotated[str, Meta(max_length=200_000)]
    files: tuple[FileKept, ...]
    unready: int


class _Shelf(msgspec.Struct, frozen=True):
    messages: tuple[Shelved, ...] = ()


def shelved(notes: Notes, token: str, *, now_ms: int, days: int) -> tuple[Shelved, ...]:
    """What stands on a correspondent's page now, oldest first. Raises Fault `spool_damaged`."""
    kept = notes.get(f"shelf {token}")
    if kept is None:
        return ()
    since_ms = now_ms - days * 24 * 60 * 60 * 1000
    return tuple(one for one in msgspec.json.decode(kept, type=_Shelf).messages if one.put_ms >= since_ms)


def put_on_shelf(notes: Notes, token: str, message: Shelved, *, days: int) -> None:
    """Puts a message there, in the place of what stood there of the same entry. Durable when it returns."""
    others = [one for one in shelved(notes, token, now_ms=message.put_ms, days=days) if one.entry != message.entry]
    kept = tuple(sorted([*others, message], key=lambda one: one.said_ms))[-MOST_MESSAGES:]
    notes.put(f"shelf {token}", msgspec.json.encode(_Shelf(messages=kept)))


def take_off_shelf(notes: Notes, token: str) -> None:
    """Nothing of this correspondent's is kept any more."""
    notes.delete(f"shelf {token}")


def waiting_file(messages: tuple[Shelved, ...], entry: EntryId, number: int) -> FileKept | None:
    """A file of a message on the page, by its number; None where there is none."""
    for one in messages:
        if one.entry == entry and 0 <= number < len(one.files):
            return one.files[number]
    return None
