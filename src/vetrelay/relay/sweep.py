"""The sweep: removes what is past its time, found by join and by age, never by counters (relay.md, Blobs).

    uploads past their day, and incoming files of 36 hours without a row  ·  payloads of 24 hours in no envelope
    originals withheld for 30 days after their verdict, unless the case is on hold  ·  files no row names  ·  old bearers  ·  leases that are over
Of a swept original its envelope, header, size and verdict stay: that is its tombstone. Every step may be repeated.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from vetrelay.protocol.ids import CaseId, Hash
from vetrelay.relay.ports import RelayServices, Store

HOUR_MS: Final = 60 * 60 * 1000
UNREFERENCED_MS: Final = 24 * HOUR_MS
INCOMING_MS: Final = 36 * HOUR_MS  # more than an upload's life: what has a row is never taken for what has none
WITHHELD_MS: Final = 30 * 24 * HOUR_MS
ROWS_AT_ONCE: Final = 100  # of one write: others wait no longer than for that


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """How much went."""

    uploads: int
    incoming: int
    payloads: int
    files: int
    bearers: int
    leases: int


async def sweep(relay: RelayServices) -> Swept:
    """Remove what is past its time now. Raises the Faults of storage; what was swept before one stays swept."""
    now_ms = relay.now_ms()
    uploads = await _sweep_uploads(relay, now_ms)
    incoming = await _sweep_incoming(relay, now_ms)
    payloads = await _sweep_payloads(relay, now_ms)
    files = await _sweep_files(relay, now_ms)
    bearers = await relay.writer.run(lambda store: store.payloads.end_sessions(before_ms=now_ms))
    leases = await relay.writer.run(lambda store: store.leases.sweep(before_ms=now_ms))
    return Swept(uploads=uploads, incoming=incoming, payloads=payloads, files=files, bearers=bearers, leases=leases)


async def _sweep_uploads(relay: RelayServices, now_ms: int) -> int:
    expired = await relay.reader.run(lambda store: store.uploads.expired(now_ms=now_ms))
    for start in range(0, len(expired), ROWS_AT_ONCE):
        some = expired[start : start + ROWS_AT_ONCE]
        await relay.writer.run(partial(_remove_uploads, some))
        for url_hash in some:
            await relay.blobs.drop(url_hash)
    return len(expired)


def _remove_uploads(some: Sequence[Hash], store: Store) -> None:
    for url_hash in some:
        store.uploads.remove(url_hash)


async def _sweep_incoming(relay: RelayServices, now_ms: int) -> int:
    old = await relay.blobs.received_before(now_ms - INCOMING_MS)
    known = await relay.reader.run(lambda store: store.uploads.known(old))
    for url_hash in (nameless := [url_hash for url_hash in old if url_hash not in known]):
        await relay.blobs.drop(url_hash)
    return len(nameless)


async def _sweep_payloads(relay: RelayServices, now_ms: int) -> int:
    """Rows first: the files follow when no row names them."""
    unreferenced_before_ms, withheld_before_ms = now_ms - UNREFERENCED_MS, now_ms - WITHHELD_MS

    def found(store: Store) -> list[tuple[CaseId, Hash]]:
        withheld = store.payloads.withheld(before_ms=withheld_before_ms)
        held = {case for case in {case for case, _ in withheld} if _on_hold(store, case)}
        return [
            *store.payloads.unreferenced(before_ms=unreferenced_before_ms),
            *(place for place in withheld if place[0] not in held),
        ]

    def forget(some: Sequence[tuple[CaseId, Hash]], store: Store) -> int:
        return sum(
            store.payloads.forget(
                case, p, unreferenced_before_ms=unreferenced_before_ms, withheld_before_ms=withheld_before_ms
            )
            for case, p in some
        )

    places, gone = await relay.reader.run(found), 0
    for start in range(0, len(places), ROWS_AT_ONCE):
        some = places[start : start + ROWS_AT_ONCE]
        gone += await relay.writer.run(partial(forget, some))
    return gone


def _on_hold(store: Store, case: CaseId) -> bool:
    standing = store.cases.standing(case)
    return standing is None or standing.roster.hold


def _in_use(payloads: Sequence[Hash], store: Store) -> frozenset[Hash]:
    return store.payloads.in_use(payloads)


async def _sweep_files(relay: RelayServices, now_ms: int) -> int:
    """A payload that is named anew meanwhile is young again, and stays."""
    before_ms, gone = now_ms - UNREFERENCED_MS, 0
    async for payloads in relay.blobs.named_before(before_ms):
        in_use = await relay.reader.run(partial(_in_use, payloads))
        for p in payloads:
            if p not in in_use:
                gone += await relay.blobs.remove(p, before_ms=before_ms)
    return gone
