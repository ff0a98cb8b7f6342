"""Files that come by a link: piece by piece into the spool, then one whole file and its row, and only then accepted.

    begin → append … append (each durable when it returns) → joined into one spool file → arrival row → number

A piece is never written twice and never changed; of two requests that bring the same bytes, the first to be durable counts.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Final, TypeVar
from weakref import WeakValueDictionary

from vetrelay.bridge.pages.desk import Upload
from vetrelay.bridge.pages.joining import joined, same_file
from vetrelay.bridge.pages.senders import Sender, arrival_of, number_of
from vetrelay.bridge.pages.upload_table import Piece, Standing, UploadTable
from vetrelay.bridge.ports import Arrival, MiB
from vetrelay.bridge.store.arrivals import Arrivals
from vetrelay.bridge.store.sealing import new_id
from vetrelay.bridge.store.spool import Spool
from vetrelay.bridge.store.spoolfile import SpoolFile
from vetrelay.config import BridgeLimits
from vetrelay.errors import Fault, Refusal

LEAST_PIECE_BYTES: Final = 64 * 1024
"""A piece that is neither this long nor the last is not kept: it would cost more than it brings."""
MOST_AT_ONCE: Final = 4
"""Requests that bring bytes to one place at the same time."""
SHARE_FOR_UPLOADS: Final = 0.75
"""Of the room in the spool; the rest stays for letters, which cannot wait at their sender's for long."""
LOOK_BYTES: Final = 8 * MiB
_LOST: Final = {"upload_cut", "too_slow"}

T = TypeVar("T")


class Uploads:
    """The uploads of all places. `arrived` is called after each file that was accepted."""

    def __init__(
        self,
        table: UploadTable,
        spool: Spool,
        arrivals: Arrivals,
        *,
        limits: BridgeLimits,
        now_ms: Callable[[], int],
        random_bytes: Callable[[int], bytes],
        arrived: Callable[[], None],
    ) -> None:
        self._table = table
        self._spool = spool
        self._arrivals = arrivals
        self._limits = limits
        self._now_ms = now_ms
        self._random_bytes = random_bytes
        self._arrived = arrived
        self._at_once: Counter[str] = Counter()
        self._under_way: set[asyncio.Task[Any]] = set()
        self._finishing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def begin(self, token: str, *, name: str, size_bytes: int) -> Upload:
        """A new upload. Raises Refusal `upload_too_large`, `place_full`; Fault `storage_full`."""
        if size_bytes > self._limits.upload_bytes:
            raise Refusal("upload_too_large")
        self._check_room(2 * size_bytes)  # its pieces, and the one file they become
        id_ = new_id(self._random_bytes)
        if not await asyncio.to_thread(self._table.add, id_, token=token, name=name, size_bytes=size_bytes):
            raise Refusal("place_full")
        return Upload(id=id_, size_bytes=size_bytes, offset_bytes=0, number=None)

    async def look(self, token: str, id_: str) -> Upload:
        """How far it is. Raises Refusal `upload_unknown`."""
        return _shown(await self._standing(token, id_))

    async def append(
        self, sender: Sender, token: str, id_: str, *, offset_bytes: int, pieces: AsyncIterator[bytes]
    ) -> Upload:
        """More bytes. Raises as Desk.append does."""
        standing = await self._standing(token, id_)
        if offset_bytes != standing.offset_bytes:
            raise Refusal("wrong_offset")
        if standing.arrival is None and offset_bytes < standing.size_bytes:
            await self._receive(standing, pieces)
            standing = await self._standing(token, id_)
        if standing.arrival is None and standing.offset_bytes == standing.size_bytes:
            standing = await self.finish(sender, standing)
        return _shown(standing)

    async def take(self, sender: Sender, *, name: str, pieces: AsyncIterator[bytes]) -> Upload:
        """A whole file in one go. Raises Refusal `upload_too_large`, `upload_cut`, `place_full`; Fault `storage_full`."""
        self._check_room(0)
        file, content = self._spool.begin(), hashlib.sha256()
        try:
            most_bytes = self._limits.upload_bytes
            await self._written(file, pieces, most_bytes=most_bytes, beyond="upload_too_large", hashed=content.update)
        except BaseException:
            file.abort()
            raise
        # From here on the file is the thread's, whoever waits for it.
        id_ = await self._see_through(asyncio.to_thread(self._accept_whole, sender, name, file, content.digest()))
        self._arrived()
        size_bytes = file.size_bytes
        return Upload(id=file.id, size_bytes=size_bytes, offset_bytes=size_bytes, number=number_of(id_))

    async def forget(self, token: str, id_: str) -> None:
        """Ends one. Raises Refusal `upload_unknown`, also where it is accepted already."""
        standing = await self._standing(token, id_)
        if standing.arrival is not None:
            raise Refusal("upload_unknown")
        await asyncio.to_thread(self.remove, standing)

    async def finish(self, sender: Sender, standing: Standing) -> Standing:
        """Makes a whole upload an arrival, once, whoever waits for it. Raises Refusal `upload_unknown`, Fault."""
        return await self._see_through(self._finish(sender, standing))

    def remove(self, standing: Standing) -> None:
        """Forgets an upload and destroys its pieces."""
        for spool in self._table.remove(standing):
            self._spool.destroy(spool)

    def _see_through(self, work: Coroutine[None, None, T]) -> "asyncio.Future[T]":
        """Work that goes on to its end, whoever waits for it may go away."""
        task = asyncio.ensure_future(work)
        self._under_way.add(task)
        task.add_done_callback(self._seen_through)
        return asyncio.shield(task)

    def _seen_through(self, task: "asyncio.Task[Any]") -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # asked for, so that the loop does not complain where nobody waited any more

    async def _standing(self, token: str, id_: str) -> Standing:
        standing = await asyncio.to_thread(self._table.get, id_, token=token)
        if standing is None:
            raise Refusal("upload_unknown")
        return standing

    async def _receive(self, standing: Standing, pieces: AsyncIterator[bytes]) -> None:
        """Keeps what comes; what came before a cut too, if it is worth it."""
        if self._at_once[standing.token] >= MOST_AT_ONCE:
            raise Refusal("upload_locked")
        self._check_room(0)
        file = self._spool.begin()
        self._at_once[standing.token] += 1
        try:
            cut = await self._piece(standing, file, pieces)
        except asyncio.CancelledError:
            # The connection is gone, and with it whoever would have waited. What came is kept all the same.
            if file.size_bytes < LEAST_PIECE_BYTES:
                file.abort()
            else:
                self._see_through(asyncio.to_thread(self._keep, standing, file))
            raise
        except BaseException:
            file.abort()
            raise
        finally:
            self._at_once[standing.token] -= 1
            if not self._at_once[standing.token]:
                del self._at_once[standing.token]
        # From here on the file is the thread's, whoever waits for it.
        is_next = await self._see_through(asyncio.to_thread(self._keep, standing, file))
        if cut is not None or not is_next:
            raise cut or Refusal("wrong_offset")

    async def _piece(self, standing: Standing, file: SpoolFile, pieces: AsyncIterator[bytes]) -> Refusal | None:
        """Writes a piece that is worth keeping; what cut it off, if something did. Raises Refusal otherwise."""
        room_bytes = standing.size_bytes - standing.offset_bytes
        cut: Refusal | None = None
        try:
            await self._written(file, pieces, most_bytes=room_bytes, beyond="upload_overflow")
        except Refusal as refusal:
            if refusal.code not in _LOST:
                raise
            cut = refusal
        if file.size_bytes < min(LEAST_PIECE_BYTES, room_bytes):
            raise cut or Refusal("bad_upload")
        return cut

    async def _written(
        self,
        file: SpoolFile,
        pieces: AsyncIterator[bytes],
        *,
        most_bytes: int,
        beyond: str,
        hashed: Callable[[bytes], None] | None = None,
    ) -> None:
        looked_bytes = 0
        async for piece in pieces:
            if file.size_bytes + len(piece) > most_bytes:
                raise Refusal(beyond)
            file.write(piece)
            if hashed is not None:
                hashed(piece)
            if file.size_bytes - looked_bytes >= LOOK_BYTES:
                looked_bytes = file.size_bytes
                self._check_room(0)

    def _keep(self, standing: Standing, file: SpoolFile) -> bool:
        """Makes a piece durable: the file first, then its row. False when another request was first; it is gone then."""
        piece = Piece(offset_bytes=standing.offset_bytes, size_bytes=file.size_bytes, spool=file.id)
        is_next = False
        try:
            file.finish()
            is_next = self._table.add_piece(standing, piece)
        finally:
            if not is_next:
                file.abort()
        return is_next

    async def _finish(self, sender: Sender, standing: Standing) -> Standing:
        lock = self._finishing.setdefault(standing.id, asyncio.Lock())
        async with lock:
            standing = await self._standing(standing.token, standing.id)
            if standing.arrival is None:
                await asyncio.to_thread(self._accept, sender, standing)
                self._arrived()
        return await self._standing(standing.token, standing.id)

    def _accept_whole(self, sender: Sender, name: str, file: SpoolFile, content: bytes) -> str:
        id_ = ""
        try:
            file.finish()
            arrival = self._arrival(sender, name=name, spool=file.id, size_bytes=file.size_bytes)
            id_ = self._table.accept_whole(arrival, self._arrivals, dedup=same_file(name, content))
        finally:
            if not id_ or id_ != arrival.id:  # it failed, or the same file came before
                file.abort()
        return id_

    def _accept(self, sender: Sender, standing: Standing) -> None:
        try:
            spool, content = joined(self._spool, standing.pieces)
        except Fault as fault:
            if fault.code != "spool_damaged":
                raise
            self.remove(standing)  # never acknowledged as a whole: its sender begins anew
            raise Refusal("upload_unknown") from fault
        arrival = self._arrival(sender, name=standing.name, spool=spool, size_bytes=standing.size_bytes)
        dedup = same_file(standing.name, content)
        id_ = self._table.accept(standing, arrival, self._arrivals, dedup=dedup)
        # Accepted at this instant. A crash from here on leaves files that no row names, and a sweep takes them.
        pieces = {piece.spool for piece in standing.pieces}
        if id_ is None:
            useless = {spool} - pieces
        elif id_ == arrival.id:
            useless = pieces - {spool}
        else:  # the same file came before
            useless = pieces | {spool}
        for name in useless:
            self._spool.destroy(name)

    def _arrival(self, sender: Sender, *, name: str, spool: str, size_bytes: int) -> Arrival:
        id_ = new_id(self._random_bytes)
        return arrival_of(sender, id_, name=name, spool=spool, size_bytes=size_bytes, now_ms=self._now_ms())

    def _check_room(self, more_bytes: int) -> None:
        """Raises Refusal `place_full` where the spool holds too much, Fault `storage_full` where the disk does."""
        if self._spool.free_share() * 100 < self._limits.min_free_percent:
            raise Fault("storage_full")
        if self._spool.used_bytes + more_bytes > SHARE_FOR_UPLOADS * self._limits.spool_bytes:
            raise Refusal("place_full")


def _shown(standing: Standing) -> Upload:
    return Upload(
        id=standing.id,
        size_bytes=standing.size_bytes,
        offset_bytes=standing.offset_bytes,
        number=number_of(standing.arrival) if standing.arrival else None,
    )
