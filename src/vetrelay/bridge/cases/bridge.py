"""What the bridge works with, in one value that its verbs are given."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from vetrelay.bridge.sending.departures import Departures
from vetrelay.bridge.store.addresses import Addresses
from vetrelay.bridge.store.arrivals import Arrivals
from vetrelay.bridge.store.events import Events
from vetrelay.bridge.store.notes import Notes
from vetrelay.bridge.store.sealing import Seals
from vetrelay.bridge.store.spool import Spool
from vetrelay.client.end import End
from vetrelay.client.follow import Followed, recall
from vetrelay.client.followed import RecentCases
from vetrelay.config import BridgeConfig
from vetrelay.inspection.inspect import Inspector
from vetrelay.protocol.ids import CaseId

Checkpoint = Callable[[str], None]
"""Told the name of each step that has just been taken; a test ends the process there."""


@dataclass(kw_only=True)
class Bridge:
    """A bridge at work. `end` is replaced when its key rotates; the events wake its loops.

    `unfinished` names the spool files of uploads that are not whole yet.
    """

    config: BridgeConfig
    end: End
    inspector: Inspector
    spool: Spool
    seals: Seals
    arrivals: Arrivals
    addresses: Addresses
    departures: Departures
    events: Events
    notes: Notes
    checkpoint: Checkpoint
    unfinished: Callable[[], frozenset[str]] = frozenset
    known: RecentCases = field(default_factory=RecentCases)
    read_to_the_end_ms: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    said: asyncio.Event = field(default_factory=asyncio.Event)
    leaving: asyncio.Event = field(default_factory=asyncio.Event)

    def followed(self, case: CaseId) -> Followed:
        """A case as far as the journal has it."""
        if case not in self.known:
            self.known[case] = recall(self.end, case)
        return self.known[case]

    @property
    def pages_url(self) -> str:
        """Where the pages for clinics are, without a slash at its end."""
        return self.config.web_url.rstrip("/")
