"""Inbox: the one way out. A case's log from a cursor on, a device's merged inbox, and waiting for either.

Whoever waits listens before looking, so that nothing slips between. Reading is not acknowledging.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from vetrelay.errors import Refusal
from vetrelay.protocol.ids import CaseId, unb64
from vetrelay.protocol.log import Kind, Link
from vetrelay.relay.policy import may_read
from vetrelay.relay.ports import AskingDevice, RelayServices, Store, case_topic, device_topic
from vetrelay.relay.tables import Delivery, Entry, Standing, StoredObject

INTAKE: Final = "intake"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One position of a log for one reader: `signed` is None for an envelope that is not for them."""

    entry: Entry
    signed: bytes | None
    objects: Sequence[StoredObject]


@dataclass(frozen=True, slots=True, kw_only=True)
class CasePage:
    """Positions of a log in order, and how the case stood when they were read."""

    items: Sequence[Item]
    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """Links in order, the entries they point at where those were asked for, and how the case stood."""

    links: Sequence[Link]
    entries: Sequence[bytes | None] | None
    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePage:
    """Places of a device's inbox in order, how the cases they point into stand, and whether these were all."""

    items: Sequence[Delivery]
    standings: Mapping[CaseId, Standing]
    caught_up: bool


async def read_case(
    relay: RelayServices, asker: AskingDevice, case: CaseId, *, after: int, limit: int, wait_seconds: float
) -> CasePage:
    """A case's log from the position after `after`; waits for something to be there. Raises Refusal `not_a_member`."""

    def look(store: Store) -> CasePage:
        return _case_page(store, asker, case, after=after, limit=limit, max_bytes=relay.limits.page_bytes)

    with relay.bells.listen(case_topic(case)) as listening:
        page = await relay.reader.run(look)
        if page.items or not await listening.heard(wait_seconds):
            return page
        return await relay.reader.run(look)


async def read_device(
    relay: RelayServices, asker: AskingDevice, *, after: int, limit: int, wait_seconds: float
) -> DevicePage:
    """A device's inbox from the place after `after`; waits for something to be there."""

    def look(store: Store) -> DevicePage:
        return _device_page(store, asker, after=after, limit=limit)

    with relay.bells.listen(device_topic(asker.device)) as listening:
        page = await relay.reader.run(look)
        if page.items or not await listening.heard(wait_seconds):
            return page
        return await relay.reader.run(look)


async def acknowledge(relay: RelayServices, asker: AskingDevice, *, upto: int) -> int:
    """Remember how far a device has taken its inbox over; it never goes back. Returns how far."""
    return await relay.writer.run(lambda store: store.deliveries.acknowledge(asker.device, upto))


async def read_log(
    relay: RelayServices, asker: AskingDevice, case: CaseId, *, after: int, limit: int, is_with_bodies: bool
) -> LogPage:
    """A log's links, alone or with what the asker may see of the entries. Raises Refusal `not_a_member`."""

    def look(store: Store) -> LogPage:
        role = _role(store, asker, case)
        standing = _standing(store, case)
        if not is_with_bodies:
            links = store.cases.links(case, after=after, limit=min(limit, max(0, standing.tail.n - after)))
            return LogPage(links=links, entries=None, standing=standing)
        page = list(_bounded(store.cases.page(case, after=after, limit=limit), standing, relay.limits.page_bytes))
        shown = [entry.signed if _visible(entry, asker, role) else None for entry in page]
        links = [Link(time_ms=entry.time_ms, kind=entry.kind, entry=entry.entry) for entry in page]
        return LogPage(links=links, entries=shown, standing=standing)

    return await relay.reader.run(look)


def _role(store: Store, asker: AskingDevice, case: CaseId) -> str:
    """How the case concerns the asker now; a revoked device that still waited is turned away like anybody else."""
    role = store.cases.role(case, asker.party)
    device = store.parties.device(asker.device)
    if role is None or device is None or not device.active:
        raise Refusal("not_a_member")
    return role


def _standing(store: Store, case: CaseId) -> Standing:
    standing = store.cases.standing(case)
    assert standing is not None  # it concerns somebody
    return standing


def _bounded(entries: Iterable[Entry], standing: Standing, max_bytes: int) -> Iterator[Entry]:
    """Entries up to the page's size, at least one; none beyond the head that the page will end in."""
    size_bytes = 0
    for entry in entries:
        size_bytes += len(entry.signed)
        if entry.n > standing.tail.n or (size_bytes > max_bytes and size_bytes > len(entry.signed)):
            return
        yield entry


def _case_page(store: Store, asker: AskingDevice, case: CaseId, *, after: int, limit: int, max_bytes: int) -> CasePage:
    role = _role(store, asker, case)
    standing = _standing(store, case)
    page = list(_bounded(store.cases.page(case, after=after, limit=limit), standing, max_bytes))
    visible = {entry.n: _visible(entry, asker, role) for entry in page}
    named = [entry.n for entry in page if entry.kind is Kind.ENVELOPE and visible[entry.n]]
    page = _cut(page, store.envelopes.object_bytes(case, named) if named else {}, max_bytes)
    kept = [n for n in named if n <= page[-1].n]
    objects = store.envelopes.objects(case, kept) if kept else {}
    items = [
        Item(
            entry=entry,
            signed=entry.signed if visible[entry.n] else None,
            objects=_shown(objects.get(entry.n, ()), is_intake=role == INTAKE),
        )
        for entry in page
    ]
    return CasePage(items=items, standing=standing)


def _cut(page: Sequence[Entry], object_bytes: Mapping[int, int], max_bytes: int) -> list[Entry]:
    """As much of a page as fits with its objects, at least one entry."""
    size_bytes, cut = 0, list[Entry]()
    for entry in page:
        size_bytes += len(entry.signed) + object_bytes.get(entry.n, 0)
        if cut and size_bytes > max_bytes:
            break
        cut.append(entry)
    return cut


def _shown(objects: Iterable[StoredObject], *, is_intake: bool) -> list[StoredObject]:
    """What of an envelope's objects a page carries: the slip for the intake alone, the manifest for the others.

    The intake reads its own verdicts' manifests; a message's manifest is not sealed to it, and is not given to it.
    """
    objects = list(objects)
    hidden_roles = set() if is_intake else {"slip"}
    if is_intake and any(one.role == "slip" for one in objects):
        hidden_roles.add("manifest")
    return [one for one in objects if one.role not in hidden_roles and one.header]


class _Unit(msgspec.Struct):
    party: str


class _Named(msgspec.Struct):
    role: str


class _Addressed(msgspec.Struct):
    """Of an accepted envelope, only who may see it: the rest was checked when it came."""

    recipients: list[_Unit]
    objects: list[_Named]


class _Wire(msgspec.Struct):
    body: str


_WIRE: Final = msgspec.json.Decoder(_Wire)
_ADDRESSED: Final = msgspec.json.Decoder(_Addressed)


def _visible(entry: Entry, asker: AskingDevice, role: str) -> bool:
    """Whether a reader is shown an entry's content: statements always, envelopes when they are for them."""
    if entry.kind is not Kind.ENVELOPE:
        return True
    envelope = _ADDRESSED.decode(unb64(_WIRE.decode(entry.signed).body))
    has_slip = any(named.role == "slip" for named in envelope.objects)
    return may_read(
        asker.party,
        recipients=(unit.party for unit in envelope.recipients),
        slip_for=asker.party if has_slip and role == INTAKE else None,
    )


def _device_page(store: Store, asker: AskingDevice, *, after: int, limit: int) -> DevicePage:
    device = store.parties.device(asker.device)
    if device is None or not device.active:
        raise Refusal("no_session")
    items = store.deliveries.page(asker.device, after=after, limit=limit)
    cases = dict.fromkeys(item.case for item in items)
    standings = {case: _standing(store, case) for case in cases if store.cases.role(case, asker.party) is not None}
    last = items[-1].seq if items else after
    return DevicePage(items=items, standings=standings, caught_up=last >= store.deliveries.last_seq(asker.device))
