"""What reception and every letter that comes in work with."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from vetrelay.bridge.ports import DepartureId, Reply
from vetrelay.bridge.proving.authentication import Authentication
from vetrelay.bridge.receiving import smtp_replies as say
from vetrelay.bridge.store.addresses import Addresses
from vetrelay.bridge.store.arrivals import Arrivals
from vetrelay.bridge.store.events import Events
from vetrelay.bridge.store.groupcommit import GroupCommit
from vetrelay.bridge.store.sealing import Seals
from vetrelay.bridge.store.spool import Spool, no_checkpoint
from vetrelay.config import BridgeConfig
from vetrelay.errors import Fault
from vetrelay.protocol.bymail import EventWord
from vetrelay.protocol.ids import CaseId
from vetrelay.telemetry import event_log, place_of

DAY_MS: Final = 24 * 60 * 60 * 1000
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailroom:
    """The parts, and what reception is told by others.

    `knows_departure` says whether we still know such a letter of ours; `front_door_open` whether staff let letters in
    that belong to no case; `arrived` is called when a letter is durable. `checkpoint` is a test's.
    """

    config: BridgeConfig
    spool: Spool
    arrivals: Arrivals
    addresses: Addresses
    events: Events
    commits: GroupCommit
    seals: Seals
    authentication: Authentication
    now_ms: Callable[[], int]
    random_bytes: Callable[[int], bytes]
    knows_departure: Callable[[DepartureId], bool]
    front_door_open: Callable[[], bool]
    arrived: Callable[[], None]
    checkpoint: Callable[[str], None] = no_checkpoint

    async def ask(self, question: Callable[[], T]) -> T:
        """The answer of a table. From PostgreSQL it comes over a wire, and is awaited in a thread; SQLite's is there at once."""
        if self.config.database is None:
            return question()
        return await asyncio.to_thread(question)

    def check_room(self) -> None:
        """Raises Fault `storage_full` when the spool is over its cap, or the disk nearly full."""
        self.check_cap()
        if self.spool.free_share() * 100 < self.config.limits.min_free_percent:
            raise Fault("storage_full")

    def check_cap(self) -> None:
        """Half of `check_room`, the half that costs nothing: raises Fault `storage_full` when the spool is over its cap."""
        if self.spool.used_bytes > self.config.limits.spool_bytes:
            raise Fault("storage_full")

    async def tell(self, what: EventWord, case: CaseId, domain: str) -> None:
        """Has something told in a case, once a day for each domain. Durable when it returns."""
        once_key = f"{what} {case} {domain} {self.now_ms() // DAY_MS}"
        await self.commits.run(
            lambda connection: self.events.add_within(connection, case, what, domain, once_key=once_key)
        )

    def failed(self, error: BaseException) -> Reply:
        """The answer to a fault of ours: try again. What it was stands in the log alone, under the number in the answer."""
        if isinstance(error, Fault) and error.code == "storage_full":
            return say.NO_ROOM
        incident = self.random_bytes(4).hex()
        name = error.code if isinstance(error, Fault) else type(error).__name__
        event_log()("reception.failed", code=incident, error=name, where=place_of(error))
        return say.failed(incident)
