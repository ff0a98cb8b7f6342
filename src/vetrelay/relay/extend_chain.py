"""Extend a chain: one more statement of a party, in the same transaction in each of its open cases (section 5)."""

from collections.abc import Mapping
from dataclasses import dataclass

from vetrelay.errors import Refusal
from vetrelay.protocol.ids import EntryId, Hash, PartyId
from vetrelay.protocol.party import Newer, parse_statement
from vetrelay.protocol.partystate import check_rotation_rate, extend_party
from vetrelay.protocol.signature import Signed
from vetrelay.relay.append import Step, append_statements
from vetrelay.relay.chains import check_boxes, check_machines, check_new_devices, extending
from vetrelay.relay.ports import AskingDevice, RelayServices, Store
from vetrelay.relay.tables import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Extended:
    """Where the chain ends now, and whether this statement is new."""

    seq: int
    head: EntryId
    is_new: bool


async def extend_chain(
    relay: RelayServices, asker: AskingDevice, party: PartyId, *, untrusted: Signed, boxes: Mapping[Hash, bytes]
) -> Extended:
    """Append a statement to the asker's own chain; a repeat of the same statement gets the same answer.

    Raises Refusal `not_found` for another's chain, `chain_moved`, `bad_boxes`, `newer_version`, `party_unknown` for a
    machine that has not enrolled, `device_added_twice`, or the rule that the statement breaks.
    """
    if asker.party != party:
        raise Refusal("not_found")
    statement = parse_statement(untrusted.content())
    if isinstance(statement, Newer):
        raise Refusal("newer_version")  # what a relay cannot judge, it does not append
    check_boxes([untrusted], boxes)
    return await relay.writer.run(lambda store: _extended(relay, store, party, untrusted, statement.seq, boxes))


def _extended(
    relay: RelayServices, store: Store, party: PartyId, signed: Signed, seq: int, boxes: Mapping[Hash, bytes]
) -> Extended:
    entry = signed.entry_id()
    if store.parties.entry_at(party, seq) == entry:
        return Extended(seq=seq, head=entry, is_new=False)
    before = store.parties.state(party)
    time_ms = relay.now_ms()
    after = extend_party(before, signed, time_ms=time_ms)
    assert before is not None  # the asker's device stands in this chain
    check_rotation_rate(before, after)
    check_machines(store, signed)
    check_new_devices(store, after.devices.keys() - before.devices.keys())
    cases = [_planned(store, store.cases.standing(case), signed) for case in store.cases.open_of(party)]
    store.parties.extend(after, signed, boxes=boxes, time_ms=time_ms)
    for standing, steps in cases:
        append_statements(relay, store, standing, steps)
    revoked = [device.id for device in before.active if not after.devices[device.id].active]
    if revoked:
        store.sessions.end(revoked)  # their bearers are refused from the commit on
    return Extended(seq=after.seq, head=after.head, is_new=True)


def _planned(store: Store, standing: Standing | None, signed: Signed) -> tuple[Standing, list[Step]]:
    assert standing is not None  # its id came from the table of cases
    return standing, extending(store, standing, signed)
