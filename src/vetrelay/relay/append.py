"""The one way into a log: link, roster, receipt, deliveries, in the order of the protocol (section 5).

Everything here happens inside one transaction of the writer; it is durable, and the bells ring, only after its COMMIT.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from vetrelay.protocol.authority import apply_entry
from vetrelay.protocol.ids import CaseId, EntryId, PartyId
from vetrelay.protocol.log import Kind, Link, extend
from vetrelay.protocol.roster import Roster
from vetrelay.protocol.signature import Signed, wire
from vetrelay.relay.policy import concerned, devices_of
from vetrelay.relay.ports import RelayServices, Store
from vetrelay.relay.tables import Entry, Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A statement on its way into a log."""

    kind: Kind
    signed: Signed
    entry: EntryId


def step(kind: Kind, signed: Signed) -> Step:
    """A statement with its entry id."""
    return Step(kind=kind, signed=signed, entry=signed.entry_id())


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The stored receipt, as bytes that never change, and whether it is for the first time."""

    receipt: bytes
    is_new: bool


def linked(
    relay: RelayServices, standing: Standing, step: Step, *, roster: Roster | None, more_bytes: int = 0
) -> tuple[Standing, Entry]:
    """The next entry of a log with its receipt, and the case after it; `roster` is given where the entry changes it."""
    entry = step.entry
    time_ms = log_time(relay, standing)
    tail = extend(standing.tail, Link(time_ms=time_ms, kind=step.kind, entry=entry))
    after = standing.after(tail, roster, more_bytes=more_bytes)
    added = Entry(
        n=tail.n,
        time_ms=time_ms,
        kind=step.kind,
        entry=entry,
        signed=wire(step.signed),
        receipt=relay.heads.receipt(after, entry),
    )
    return after, added


def log_time(relay: RelayServices, standing: Standing) -> int:
    """The next entry's time: now, but never before the last one's (N52), whatever the machine's clock does."""
    return max(relay.now_ms(), standing.tail.time_ms)


def append_statements(relay: RelayServices, store: Store, standing: Standing, steps: Sequence[Step]) -> bytes:
    """Append statements of parties and of the case, and deliver them to everybody concerned after them.

    Returns the last one's receipt. Raises Refusal with the broken rule's code, before anything is written.
    """
    entries: list[Entry] = []
    after = standing
    for step in steps:
        n, time_ms = after.tail.n + 1, log_time(relay, after)
        roster = apply_entry(after.roster, step.signed, kind=step.kind, n=n, time_ms=time_ms)
        after, entry = linked(relay, after, step, roster=roster)
        entries.append(entry)
    parties = concerned(after.roster)
    store.cases.append(after, entries, parties=parties)
    _deliver(store, after.case, entries, after.roster, parties=list(parties))
    return entries[-1].receipt


def rehearse(relay: RelayServices, standing: Standing, steps: Sequence[Step]) -> None:
    """Raises what `append_statements` would raise, for whoever has something else to write before it."""
    roster, time_ms = standing.roster, log_time(relay, standing)
    for n, step in enumerate(steps, start=standing.tail.n + 1):
        roster = apply_entry(roster, step.signed, kind=step.kind, n=n, time_ms=time_ms)


def append_envelope(
    relay: RelayServices,
    store: Store,
    standing: Standing,
    envelope: Step,
    *,
    parties: Sequence[PartyId],
    used_bytes: int,
) -> Entry:
    """Append an envelope and deliver it to these parties; `used_bytes` is what it adds to the case."""
    after, entry = linked(relay, standing, envelope, roster=None, more_bytes=used_bytes)
    store.cases.append(after, [entry], parties=None)
    _deliver(store, after.case, [entry], after.roster, parties=parties)
    return entry


def _deliver(
    store: Store, case: CaseId, entries: Sequence[Entry], roster: Roster, *, parties: Sequence[PartyId]
) -> None:
    store.deliveries.deliver(devices_of(roster, parties), case, [(entry.n, entry.kind) for entry in entries])
