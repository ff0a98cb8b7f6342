"""The desk behind the pages, on the bridge's own tables, spool and shelf."""

import asyncio
import hmac
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Engine

from vetrelay.bridge.addressing import CaseAddress, parse_recipient
from vetrelay.bridge.letters.letter import short_name
from vetrelay.bridge.pages.desk import (
    Admitted,
    Notices,
    OpenFile,
    Place,
    SealedPage,
    Shelf,
    TooMany,
    Upload,
    Wrong,
)
from vetrelay.bridge.pages.senders import Sender
from vetrelay.bridge.pages.tries import Tries
from vetrelay.bridge.pages.upload_table import UploadTable
from vetrelay.bridge.pages.uploads import Uploads
from vetrelay.bridge.store.addresses import Addresses, Correspondence
from vetrelay.bridge.store.arrivals import Arrivals
from vetrelay.bridge.store.events import Events
from vetrelay.bridge.store.sealing import Seals
from vetrelay.bridge.store.spool import Spool
from vetrelay.config import BridgeConfig
from vetrelay.errors import Refusal
from vetrelay.inspection.naming import safe_name

SESSION_SECONDS: Final = 60 * 60
CODE_SIGNS: Final = 8
UNSUBSCRIBED: Final = "unsubscribed"
SUBSCRIBED: Final = "subscribed"
_TOKEN: Final = re.compile(r"[a-z2-7]{26}", re.ASCII)
_SESSION: Final = re.compile(r"([0-9]{1,12})\.([a-z2-7]{26})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """What the counter works on, all of one bridge."""

    engine: Engine
    seals: Seals
    spool: Spool
    arrivals: Arrivals
    addresses: Addresses
    events: Events
    shelf: Shelf


class Counter:
    """Implements desk.Desk. `arrived` is called after each file that was accepted."""

    def __init__(
        self,
        stores: Stores,
        config: BridgeConfig,
        *,
        now_ms: Callable[[], int],
        random_bytes: Callable[[int], bytes],
        arrived: Callable[[], None],
    ) -> None:
        self._stores = stores
        self._config = config
        self._now_ms = now_ms
        self._table = UploadTable(stores.engine, stores.seals, now_ms)
        self._tries = Tries(stores.engine, stores.seals, now_ms)
        self._uploads = Uploads(
            self._table,
            stores.spool,
            stores.arrivals,
            limits=config.limits,
            now_ms=now_ms,
            random_bytes=random_bytes,
            arrived=arrived,
        )

    # --- uploads ---

    @property
    def most_bytes(self) -> int:
        """As in Desk."""
        return self._config.limits.upload_bytes

    async def place(self, untrusted_token: str) -> Place | None:
        """As in Desk."""
        sender = await self._sender(untrusted_token)
        return self._place(untrusted_token.lower(), sender) if sender is not None else None

    async def place_of_address(self, untrusted_address: str) -> Place | None:
        """As in Desk."""
        found = parse_recipient(
            untrusted_address.strip().strip("<>"), domain=self._config.domain, front_door=self._config.front_door
        )
        if not isinstance(found, CaseAddress):
            return None
        place = await self.place(found.token)
        return place if place is not None and place.waits else None

    async def begin(self, place: Place, *, untrusted_name: str, size_bytes: int) -> Upload:
        """As in Desk."""
        await self._open_sender(place)
        return await self._uploads.begin(place.token, name=safe_name(untrusted_name, ""), size_bytes=size_bytes)

    async def look(self, place: Place, untrusted_upload: str) -> Upload:
        """As in Desk."""
        return await self._uploads.look(place.token, untrusted_upload)

    async def append(
        self, place: Place, untrusted_upload: str, *, offset_bytes: int, pieces: AsyncIterator[bytes]
    ) -> Upload:
        """As in Desk."""
        sender = await self._open_sender(place)
        return await self._uploads.append(
            sender, place.token, untrusted_upload, offset_bytes=offset_bytes, pieces=pieces
        )

    async def forget(self, place: Place, untrusted_upload: str) -> None:
        """As in Desk."""
        await self._uploads.forget(place.token, untrusted_upload)

    async def take(self, place: Place, *, untrusted_name: str, pieces: AsyncIterator[bytes]) -> Upload:
        """As in Desk."""
        sender = await self._open_sender(place)
        return await self._uploads.take(sender, name=safe_name(untrusted_name, ""), pieces=pieces)

    def spools(self) -> frozenset[str]:
        """The spool files of uploads under way: a sweep of the spool must leave them, as it leaves those of arrivals."""
        return self._table.spools()

    async def recover(self) -> None:
        """At the start and once a day: accepts what a crash left whole, gives up what is past its time. Raises Fault."""
        for standing in await asyncio.to_thread(self._table.whole):
            sender = await self._sender(standing.token)
            if sender is not None and _is_open(sender):
                await self._uploads.finish(sender, standing)
        for standing in await asyncio.to_thread(self._table.given_up):
            await asyncio.to_thread(self._uploads.remove, standing)

    # --- sealed pages ---

    async def check_code(self, untrusted_link: str, untrusted_code: str) -> Admitted | Wrong | TooMany:
        """As in Desk."""
        known = await self._reader(untrusted_link)
        wait_seconds = await asyncio.to_thread(self._tries.count, untrusted_link, is_known=known is not None)
        if wait_seconds is not None:
            return TooMany(wait_seconds=wait_seconds)
        digits = re.sub(r"[\s-]", "", untrusted_code).encode("utf-8", "replace")
        # A page that is not there is compared too, with what no code can be.
        right = hmac.compare_digest(digits, known.code.encode() if known is not None else b"-" * CODE_SIGNS)
        if known is None or not right:
            return Wrong()
        await asyncio.to_thread(self._tries.forgive, untrusted_link)
        until = self._now_ms() // 1000 + SESSION_SECONDS
        return Admitted(session=f"{until}.{self._session_mac(known, until)}", seconds=SESSION_SECONDS)

    async def sealed_page(self, untrusted_link: str, untrusted_session: str) -> SealedPage | None:
        """As in Desk."""
        reader = await self._admitted(untrusted_link, untrusted_session)
        if reader is None:
            return None
        return SealedPage(
            short=short_name(reader.token),
            days=self._config.page_days,
            upload_token=reader.upload_token,
            messages=await self._stores.shelf.messages(reader),
        )

    def sealed_file(
        self, untrusted_link: str, untrusted_session: str, *, message: str, number: int
    ) -> AbstractAsyncContextManager[OpenFile | None]:
        """As in Desk."""

        @asynccontextmanager
        async def opened() -> AsyncIterator[OpenFile | None]:
            reader = await self._admitted(untrusted_link, untrusted_session)
            if reader is None:
                yield None
                return
            async with self._stores.shelf.file(reader, message, number) as file:
                yield file

        return opened()

    # --- notices ---

    async def notices(self, untrusted_token: str) -> Notices | None:
        """As in Desk."""
        one = await self._reader(untrusted_token)
        return Notices(short=short_name(one.token), wanted=not one.unsubscribed) if one is not None else None

    async def set_notices(self, untrusted_token: str, *, wanted: bool) -> Notices | None:
        """As in Desk."""
        one = await self._reader(untrusted_token)
        if one is None:
            return None
        self._switch(one.token, wanted=wanted)
        return Notices(short=short_name(one.token), wanted=wanted)

    def _switch(self, token: str, *, wanted: bool) -> None:
        """Runs on the loop, without a pause between reading and writing: so it cannot take back a revocation."""
        one = self._stores.addresses.by_token(token)
        if one is None or one.unsubscribed is not wanted:
            return
        what = SUBSCRIBED if wanted else UNSUBSCRIBED
        # Told before it is done: a crash between the two leaves a request that fails, and is made again.
        once = f"notices {token} {what} {self._now_ms()}"
        self._stores.events.add(one.case, what, one.address.rpartition("@")[2], once_key=once)
        self._stores.addresses.put(replace(one, unsubscribed=not wanted))

    # --- who it is ---

    async def _sender(self, untrusted_token: str) -> Sender | None:
        token = untrusted_token.lower()
        if not _TOKEN.fullmatch(token):
            return None
        by_link = await asyncio.to_thread(self._stores.addresses.by_upload_token, token)
        if by_link is not None:
            return Sender(correspondence=by_link, waits=False)
        by_address = await asyncio.to_thread(self._stores.addresses.by_token, token)
        return Sender(correspondence=by_address, waits=True) if by_address is not None else None

    async def _open_sender(self, place: Place) -> Sender:
        sender = await self._sender(place.token)
        if sender is None or not _is_open(sender):
            raise Refusal("place_closed")
        return sender

    def _place(self, token: str, sender: Sender) -> Place:
        return Place(
            token=token,
            short=short_name(sender.correspondence.token),
            waits=sender.waits,
            is_open=_is_open(sender),
            file_bytes=self._config.limits.upload_bytes,
        )

    async def _reader(self, untrusted_link: str) -> Correspondence | None:
        """Whose link this is; None for what is none, or is revoked. A closed case may still be read."""
        if not _TOKEN.fullmatch(untrusted_link):
            return None
        found = await asyncio.to_thread(self._stores.addresses.by_upload_token, untrusted_link)
        return found if found is not None and not found.revoked else None

    async def _admitted(self, untrusted_link: str, untrusted_session: str) -> Correspondence | None:
        reader, session = await self._reader(untrusted_link), _SESSION.fullmatch(untrusted_session)
        if reader is None or session is None:
            return None
        until = int(session[1])
        good = hmac.compare_digest(self._session_mac(reader, until), session[2])
        return reader if good and until > self._now_ms() // 1000 else None

    def _session_mac(self, reader: Correspondence, until: int) -> str:
        # With the code in it, a new code ends the sessions of the old one.
        parts = reader.upload_token.encode(), reader.code.encode(), str(until).encode()
        return self._stores.seals.mac("page session", *parts)


def _is_open(sender: Sender) -> bool:
    return not (sender.correspondence.revoked or sender.correspondence.closed)
