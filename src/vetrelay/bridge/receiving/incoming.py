"""One letter on its way in: from its first byte in the spool to the 250 that says it is safe (email.md, 7.2).

    bytes → spool file (encrypted as they come), hashes → dot → look → file durable → rows committed → 250

A crash leaves an orphan in tmp/, or a whole file without a row, both swept; or file and rows, and then the letter is
accepted whether the peer heard it or not: what it sends again is found to be the same.
"""

import asyncio

from vetrelay.bridge.ports import Arrival, Arriving, MiB, Reply
from vetrelay.bridge.proving.firstpass import FirstPass
from vetrelay.bridge.proving.screening import ASK_AGAIN
from vetrelay.bridge.receiving import smtp_replies as say
from vetrelay.bridge.receiving.judging import judge
from vetrelay.bridge.receiving.mailroom import Mailroom
from vetrelay.bridge.receiving.sameletter import SameLetter
from vetrelay.bridge.store.arrivals import Adding
from vetrelay.errors import Fault


class Letter:
    """Implements ports.Incoming: a letter that streams into the spool, and what is learned of it on the way."""

    def __init__(self, room: Mailroom, arriving: Arriving, under_way: set["asyncio.Task[Reply]"]) -> None:
        """Raises Fault `storage_full`, `storage_failed`."""
        self.size_bytes = 0
        self._room = room
        self._arriving = arriving
        self._under_way = under_way
        self._first = FirstPass()
        self._same = SameLetter(self._first)
        self._file = room.spool.begin()
        self._has_file = True

    def write(self, chunk: bytes) -> None:
        """Takes the next bytes; nothing beyond the limit is kept. Raises Fault `storage_full`, `storage_failed`."""
        before_bytes, self.size_bytes = self.size_bytes, self.size_bytes + len(chunk)
        if self.size_bytes > self._room.config.limits.letter_bytes:
            return
        if before_bytes // MiB != self.size_bytes // MiB:
            self._room.check_room()
        else:
            self._room.check_cap()
        self._file.write(chunk)
        self._same.feed(chunk)
        self._room.checkpoint("data.middle" if before_bytes else "data.first_byte")

    async def commit(self) -> Reply:
        """See ports.Incoming: once begun it ends, whatever becomes of whoever waits for it."""
        self._room.checkpoint("data.whole")
        task = asyncio.create_task(self._committed())
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    def abort(self) -> None:
        """Nothing of it stays."""
        if self._has_file:
            self._has_file = False
            self._file.abort()

    async def _committed(self) -> Reply:
        room = self._room
        if self.size_bytes > room.config.limits.letter_bytes:
            self.abort()
            return say.too_large(room.config.limits.letter_bytes, room.config.web_url)
        try:
            self._first.finish()
            async with asyncio.timeout(room.config.limits.hook_seconds):
                judged = await judge(room, self._arriving, self._first, spool=self._file.id, size_bytes=self.size_bytes)
            return judged if isinstance(judged, Reply) else await self._accepted(judged)
        except TimeoutError:
            return ASK_AGAIN
        except Exception as error:  # noqa: BLE001  # whatever it is: the peer keeps the letter and tries again
            return room.failed(error)
        finally:
            self.abort()  # unless it was accepted

    async def _accepted(self, arrivals: tuple[Arrival, ...]) -> Reply:
        """Durable, then yes. What was seen before adds nothing, and has the answer that it had then."""
        room, dedup = self._room, self._same.digest().hex()
        # From here on the file is the commit's: if this task is cancelled, a row may name it all the same.
        self._has_file = False
        try:
            adding = Adding(table=room.arrivals, arrivals=arrivals, dedup=dedup)
            ids = await room.commits.run(adding, files=[self._file], together=room.arrivals.add_all)
        except Exception as error:
            # After a lost connection to the database nobody knows whether it committed: then only a sweep may decide.
            unknown = self._file.is_renamed and not (isinstance(error, Fault) and error.code == "storage_full")
            self._has_file = not unknown
            raise
        # Accepted at this instant: file, folder and rows are on the disk.
        self._has_file = {arrival.id for arrival in arrivals}.isdisjoint(ids)
        room.arrived()
        room.checkpoint("before_250")
        return Reply(code=250, enhanced="2.0.0", text=ids[0])
