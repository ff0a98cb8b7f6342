"""What the pages need to know and to do: values, and the port `Desk`; the pages themselves know no table and no key.

A page is found by the token in its address, and shows or takes something only by that; what a person says who they are
is shown, never believed.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from vetrelay.bridge.store.addresses import Correspondence


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where files may be left. `short` is the case's short name in letters (K7Q2); `waits`: staff look at them first.

    `token` stands in the page's address: an upload link's, or the one of a case's address, and then `waits` is True.
    """

    token: str
    short: str
    waits: bool
    is_open: bool
    file_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One file on its way in: how far it is, and once it is accepted its `number`, eight signs that staff can look up."""

    id: str
    size_bytes: int
    offset_bytes: int
    number: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFile:
    """A file of a message. `untrusted_name` is what its sender called it."""

    untrusted_name: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PageMessage:
    """A message on a sealed page. `unready` counts files that are still being checked."""

    id: str
    author: str
    role: str
    said_ms: int
    text: str
    files: tuple[PageFile, ...]
    unready: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedPage:
    """What a correspondent may read after the code, oldest message first; each stays for `days` days."""

    short: str
    days: int
    upload_token: str
    messages: tuple[PageMessage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFile:
    """A file that is being handed out: what it is, and its plaintext piece by piece, each authenticated before it is given."""

    file: PageFile
    pieces: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """The code was right. `session` is what the browser shows for the next `seconds` seconds."""

    session: str
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """The code was wrong, or there is no such page: which of the two is not said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TooMany:
    """Too many codes were tried; the next is looked at after `wait_seconds`."""

    wait_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Notices:
    """Whether notices of a case go to a correspondent."""

    short: str
    wanted: bool


class Shelf(Protocol):
    """What stands on the sealed pages: the case's side keeps it, the pages only show it."""

    async def messages(self, correspondence: Correspondence) -> tuple[PageMessage, ...]:
        """What was told to this correspondent by notice and is still open to it, oldest first."""
        ...

    def file(
        self, correspondence: Correspondence, message: str, number: int
    ) -> AbstractAsyncContextManager[OpenFile | None]:
        """A file of such a message, by its place in `files`; None where there is none. Raises Fault while the relay is away."""
        ...


class Desk(Protocol):
    """All that the pages do. Tokens, names and codes are untrusted; nothing here tells an unknown token from a wrong one."""

    @property
    def most_bytes(self) -> int:
        """The largest file that is taken."""
        ...

    async def place(self, untrusted_token: str) -> Place | None:
        """The upload page of a link or of a case's address; None where there is none."""
        ...

    async def place_of_address(self, untrusted_address: str) -> Place | None:
        """The upload page for whoever knows only the address a letter was written to; it waits for staff."""
        ...

    async def begin(self, place: Place, *, untrusted_name: str, size_bytes: int) -> Upload:
        """A new upload. Raises Refusal `upload_too_large`, `place_closed`, `place_full`; Fault `storage_full`."""
        ...

    async def look(self, place: Place, untrusted_upload: str) -> Upload:
        """How far an upload is. Raises Refusal `upload_unknown`."""
        ...

    async def append(
        self, place: Place, untrusted_upload: str, *, offset_bytes: int, pieces: AsyncIterator[bytes]
    ) -> Upload:
        """More bytes, durable when it returns; with the last of them the file is accepted and has its number.

        Raises Refusal `upload_unknown`, `wrong_offset`, `upload_overflow`, `place_closed`, and `upload_cut` where `pieces`
        did: what came before is kept. Fault `storage_full`, `storage_failed`.
        """
        ...

    async def forget(self, place: Place, untrusted_upload: str) -> None:
        """Ends an upload that is not accepted yet, and frees its room. Raises Refusal `upload_unknown`."""
        ...

    async def take(self, place: Place, *, untrusted_name: str, pieces: AsyncIterator[bytes]) -> Upload:
        """A whole file whose size nobody announced; accepted when it returns, or nothing of it stays.

        Raises as `begin` and `append` do.
        """
        ...

    async def check_code(self, untrusted_link: str, untrusted_code: str) -> Admitted | Wrong | TooMany:
        """The code for a sealed page; every try counts before it is looked at."""
        ...

    async def sealed_page(self, untrusted_link: str, untrusted_session: str) -> SealedPage | None:
        """What stands on a sealed page; None without a session that is still good."""
        ...

    def sealed_file(
        self, untrusted_link: str, untrusted_session: str, *, message: str, number: int
    ) -> AbstractAsyncContextManager[OpenFile | None]:
        """A file on a sealed page; None without a good session, or where there is none. Raises Fault while it is away."""
        ...

    async def notices(self, untrusted_token: str) -> Notices | None:
        """Whether notices go to whoever has this link; None where there is no such link."""
        ...

    async def set_notices(self, untrusted_token: str, *, wanted: bool) -> Notices | None:
        """Ends them, or has them again. Durable when it returns."""
        ...
