"""What the process remembers of committed rows, so that most submits read nothing.

How cases stand, recent heads, the ends of inboxes, bearers. Bounded; only ever filled with what is durable; shared by
the writer, the readers and the event loop.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Final, Generic, TypeVar

from vetrelay.protocol.ids import CaseId, DeviceId, Hash, RelayId
from vetrelay.relay.ports import AskingDevice
from vetrelay.relay.tables import Standing

CASES: Final = 2048
HEADS: Final = 65_536
INBOXES: Final = 65_536
BEARERS: Final = 16_384

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """A map that forgets what was not used for longest; safe between threads."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[K, V] = OrderedDict()
        self._lock = Lock()

    def get(self, key: K) -> V | None:
        """What is remembered, or None."""
        with self._lock:
            value = self._kept.get(key)
            if value is not None:
                self._kept.move_to_end(key)
            return value

    def put(self, key: K, value: V) -> None:
        """Remember; the oldest goes when there is no room."""
        with self._lock:
            self._kept[key] = value
            self._kept.move_to_end(key)
            if len(self._kept) > self._size:
                self._kept.popitem(last=False)

    def forget(self, key: K) -> None:
        """Remember no longer."""
        with self._lock:
            self._kept.pop(key, None)

    def clear(self) -> None:
        """Remember nothing."""
        with self._lock:
            self._kept.clear()

    def forget_where(self, unwanted: Callable[[V], bool]) -> None:
        """Remember no longer what this is true of."""
        with self._lock:
            for key in [key for key, value in self._kept.items() if unwanted(value)]:
                del self._kept[key]

    def put_newer(self, key: K, value: V, *, order: Callable[[V], int]) -> None:
        """Remember, unless what is remembered stands later: readers finish after the writer has gone on."""
        with self._lock:
            kept = self._kept.get(key)
        if kept is None or order(kept) <= order(value):
            self.put(key, value)


class Memory:
    """The process's memory of committed rows. A miss costs a read, never an error."""

    def __init__(self, relay: RelayId) -> None:
        self.relay = relay
        self.standings: Recent[CaseId, Standing] = Recent(CASES)
        self.heads: Recent[tuple[CaseId, int], Hash] = Recent(HEADS)
        self.last_seqs: Recent[DeviceId, int] = Recent(INBOXES)
        self.bearers: Recent[Hash, tuple[AskingDevice, int]] = Recent(BEARERS)
        self._ended: set[DeviceId] = set()

    def forget_cases(self) -> None:
        """Forget everything that a new row is computed from: somebody else wrote, or a transaction went wrong."""
        for part in (self.standings, self.heads, self.last_seqs):
            part.clear()

    def bearer(self, bearer_hash: Hash) -> tuple[AskingDevice, int] | None:
        """The device a bearer stands for and until when, if that is at hand."""
        known = self.bearers.get(bearer_hash)
        # A reader that looked before a revocation may have remembered the bearer after it.
        return None if known is None or known[0].device in self._ended else known

    def end(self, devices: frozenset[DeviceId]) -> None:
        """These devices were revoked, for good: none of their bearers counts from here on."""
        self._ended |= devices
        self.bearers.forget_where(lambda known: known[0].device in devices)
