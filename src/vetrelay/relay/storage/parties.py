"""Parties, their chains, devices and boxes, and the one-time codes that let clinics and machines in."""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import bindparam, func, insert, select, update

from vetrelay.protocol.ids import DeviceId, EntryId, Hash, PartyId
from vetrelay.protocol.partystate import Device, Party, extend_party
from vetrelay.protocol.signature import Signed, parse_wire, wire
from vetrelay.relay.storage.batch import Batch
from vetrelay.relay.storage.schema import boxes, codes, devices, parties, party_entries
from vetrelay.relay.tables import Code, StoredDevice

_KIND: Final = select(parties.c.kind).where(parties.c.id == bindparam("party"))
_COUNT: Final = select(func.count()).select_from(parties).where(parties.c.kind == bindparam("of_kind"))
_CHAIN: Final = (
    select(party_entries.c.signed, party_entries.c.time_ms)
    .where(party_entries.c.party == bindparam("of_party"), party_entries.c.seq > bindparam("after_seq"))
    .order_by(party_entries.c.seq)
)
_ENTRY: Final = select(party_entries.c.entry).where(
    party_entries.c.party == bindparam("of_party"), party_entries.c.seq == bindparam("at_seq")
)
_DEVICE: Final = select(devices).where(devices.c.id == bindparam("device"))
_BOX: Final = select(boxes.c.content).where(boxes.c.party == bindparam("of_party"), boxes.c.sha256 == bindparam("hash"))
_KEEP_BOX: Final = insert(boxes).prefix_with("OR IGNORE", dialect="sqlite")
_CODE: Final = select(codes).where(codes.c.hash == bindparam("of_hash"))
_USE_CODE: Final = update(codes).where(codes.c.hash == bindparam("of_hash")).values(used_by=bindparam("party"))


class SqlParties:
    """The tables of parties."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    def kind(self, party: PartyId) -> str | None:
        """What a party is, or None where it never enrolled here."""
        row = self._batch.row(_KIND, {"party": party})
        return None if row is None else row.kind

    def chain(self, party: PartyId, *, after_seq: int = -1) -> Sequence[Signed]:
        """The statements of a party's chain, in order."""
        return [parse_wire(row.signed) for row in self._batch.rows(_CHAIN, {"of_party": party, "after_seq": after_seq})]

    def state(self, party: PartyId) -> Party | None:
        """What a party's chain adds up to, with the times at which its statements were accepted."""
        state: Party | None = None
        for row in self._batch.rows(_CHAIN, {"of_party": party, "after_seq": -1}):
            state = extend_party(state, parse_wire(row.signed), time_ms=row.time_ms)
        return state

    def enrol(self, party: Party, chain: Sequence[Signed], *, boxes: Mapping[Hash, bytes], time_ms: int) -> None:
        """Take a new party in, whole."""
        self._batch.insert(parties, {"id": party.id, "kind": party.kind, "created_ms": time_ms})
        for seq, signed in enumerate(chain):
            self._add_entry(party.id, seq, signed, time_ms=time_ms)
        for device in party.devices.values():
            self._add_device(party.id, device)
        self._add_boxes(party.id, boxes)

    def extend(self, after: Party, signed: Signed, *, boxes: Mapping[Hash, bytes], time_ms: int) -> None:
        """Take one more statement in; `after` is the party with it."""
        self._add_entry(after.id, after.seq, signed, time_ms=time_ms)
        for device in after.devices.values():
            known = self.device(device.id)
            if known is None:
                self._add_device(after.id, device)
            elif (known.role, known.active) != (device.role, device.active):
                self._batch.set_later(devices, device.id, {"role": device.role, "active": device.active})
        self._add_boxes(after.id, boxes)

    def entry_at(self, party: PartyId, seq: int) -> EntryId | None:
        """The entry id at a place of a chain."""
        row = self._batch.row(_ENTRY, {"of_party": party, "at_seq": seq})
        return None if row is None else row.entry

    def device(self, device: DeviceId) -> StoredDevice | None:
        """A device that some chain named, active or not."""
        row = self._batch.row(_DEVICE, {"device": device})
        if row is None:
            return None
        return StoredDevice(id=row.id, party=row.party, sign=row.sign, role=row.role, active=row.active)

    def box(self, party: PartyId, sha256: Hash) -> bytes | None:
        """A box of a party, by hash."""
        row = self._batch.row(_BOX, {"of_party": party, "hash": sha256})
        return None if row is None else row.content

    def code(self, code_hash: Hash) -> Code | None:
        """A one-time code, used or not."""
        row = self._batch.row(_CODE, {"of_hash": code_hash})
        return None if row is None else Code(hash=row.hash, kind=row.kind, used_by=row.used_by)

    def add_code(self, code_hash: Hash, *, kind: str, time_ms: int) -> None:
        """Keep a fresh code's hash."""
        self._batch.insert(codes, {"hash": code_hash, "kind": kind, "used_by": None, "created_ms": time_ms})

    def use_code(self, code_hash: Hash, party: PartyId) -> None:
        """Say whom a code let in."""
        self._batch.write(_USE_CODE, {"of_hash": code_hash, "party": party})

    def count(self, kind: str) -> int:
        """How many parties of a kind there are."""
        found: int = self._batch.rows(_COUNT, {"of_kind": kind})[0][0]
        return found

    def _add_entry(self, party: PartyId, seq: int, signed: Signed, *, time_ms: int) -> None:
        values = {"party": party, "seq": seq, "entry": signed.entry_id(), "time_ms": time_ms, "signed": wire(signed)}
        self._batch.insert(party_entries, values)

    def _add_device(self, party: PartyId, device: Device) -> None:
        values = {
            "id": device.id,
            "party": party,
            "sign": device.sign,
            "role": device.role,
            "active": device.active,
            "acked_seq": 0,
        }
        self._batch.insert(devices, values)

    def _add_boxes(self, party: PartyId, kept: Mapping[Hash, bytes]) -> None:
        if kept:
            rows = [{"party": party, "sha256": sha256, "content": content} for sha256, content in kept.items()]
            self._batch.write(_KEEP_BOX, rows)
