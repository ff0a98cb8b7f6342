"""The relay's word on where a log stands: receipts, and the heads that end every page (protocol.md section 5)."""

from collections import OrderedDict
from typing import Final

from vetrelay.protocol.ids import CaseId, EntryId, RelayId
from vetrelay.protocol.log import sign_head
from vetrelay.protocol.signature import Signer, wire
from vetrelay.relay.tables import Standing

FRESH_MS: Final = 1000
KEPT: Final = 4096


class Heads:
    """Signs heads, and gives readers of one case the same page head for up to a second."""

    def __init__(self, relay: RelayId, signer: Signer) -> None:
        self._relay = relay
        self._signer = signer
        self._pages: OrderedDict[CaseId, tuple[int, int, bytes]] = OrderedDict()

    def receipt(self, standing: Standing, entry: EntryId) -> bytes:
        """The signed head with this entry, accepted at the tail's time, in wire form."""
        return self._signed(standing, time_ms=standing.tail.time_ms, entry=entry)

    def page(self, standing: Standing, *, now_ms: int) -> bytes:
        """The signed head of a page read now, in wire form. Only ever asked on the event loop."""
        n, made_ms, kept = self._pages.get(standing.case, (-1, 0, b""))
        if n == standing.tail.n and made_ms <= now_ms < made_ms + FRESH_MS:
            return kept
        head = self._signed(standing, time_ms=max(now_ms, standing.tail.time_ms), entry=None)
        self._pages[standing.case] = (standing.tail.n, now_ms, head)
        self._pages.move_to_end(standing.case)
        if len(self._pages) > KEPT:
            self._pages.popitem(last=False)
        return head

    def _signed(self, standing: Standing, *, time_ms: int, entry: EntryId | None) -> bytes:
        head = sign_head(
            standing.tail,
            self._signer,
            relay=self._relay,
            case=standing.case,
            epoch=standing.epoch,
            time_ms=time_ms,
            entry=entry,
            backed_up_n=standing.backed_up_n,
        )
        return wire(head)
