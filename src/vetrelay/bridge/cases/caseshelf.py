"""The sealed page's content, from the shelf; its files from the relay, opened piece by piece as they are handed out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from vetrelay.bridge.cases.bridge import Bridge
from vetrelay.bridge.cases.files import plain_pieces
from vetrelay.bridge.cases.shelf import Shelved, shelved, waiting_file
from vetrelay.bridge.pages.desk import OpenFile, PageFile, PageMessage
from vetrelay.bridge.store.addresses import Correspondence


class CaseShelf:
    """Implements pages.desk.Shelf on the bridge's notes and the relay's objects."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge

    async def messages(self, correspondence: Correspondence) -> tuple[PageMessage, ...]:
        """What is open to this correspondent now, oldest first."""
        return tuple(_shown(one) for one in await asyncio.to_thread(self._shelved, correspondence))

    @asynccontextmanager
    async def file(self, correspondence: Correspondence, message: str, number: int) -> AsyncIterator[OpenFile | None]:
        """A file of such a message; None where there is none. Raises Fault while the relay is away."""
        kept = waiting_file(await asyncio.to_thread(self._shelved, correspondence), message, number)
        if kept is None:
            yield None
            return
        file = PageFile(untrusted_name=kept.name, size_bytes=kept.size)
        pieces = plain_pieces(self._bridge.end, kept)
        try:
            yield OpenFile(file=file, pieces=pieces)
        finally:
            await pieces.aclose()

    def _shelved(self, correspondence: Correspondence) -> tuple[Shelved, ...]:
        bridge = self._bridge
        return shelved(bridge.notes, correspondence.token, now_ms=bridge.end.now_ms(), days=bridge.config.page_days)


def _shown(one: Shelved) -> PageMessage:
    files = tuple(PageFile(untrusted_name=kept.name, size_bytes=kept.size) for kept in one.files)
    return PageMessage(
        id=one.entry,
        author=one.author,
        role=one.role,
        said_ms=one.said_ms,
        text=one.text,
        files=files,
        unready=one.unready,
    )
