"""Which party statements must stand in a case's log before a statement that refers to their party (section 5).

A chain enters a log whole, before whatever names its party: the joiner's at `party.add`, a machine's before the clinic
designates it. While a party is concerned its later statements follow as they are made; when it comes back, or a closed
case opens again, what was missed is brought first.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from vetrelay.errors import Refusal
from vetrelay.protocol.case import PartyAdd, parse_case_statement
from vetrelay.protocol.ids import DeviceId, Hash, PartyId, b64, sha256
from vetrelay.protocol.log import Kind
from vetrelay.protocol.party import Machines, parse_statement
from vetrelay.protocol.partystate import required_boxes
from vetrelay.protocol.signature import Signed
from vetrelay.relay.append import Step, step
from vetrelay.relay.policy import concerned
from vetrelay.relay.ports import Store
from vetrelay.relay.tables import Standing

MAX_BOX_BYTES: Final = 8 * 1024  # a seed sealed to one device is about 1.8 KiB


def with_chains(store: Store, standing: Standing, signed: Signed, *, arriving: Sequence[Signed] = ()) -> list[Step]:
    """A case statement, preceded by every party statement that has to stand before it.

    `arriving` is the joiner's chain where this relay does not have it yet. Raises Refusal `party_unknown`; nothing is written here.
    """
    statement = parse_case_statement(signed.content())
    joining = [statement.party] if isinstance(statement, PartyAdd) and not arriving else []
    steps = _missing(store, standing, [*concerned(standing.roster), *joining])
    steps += [step(Kind.PARTY, one) for one in arriving]
    return [*steps, step(Kind.CASE, signed)]


def opening(store: Store, standing: Standing, signed: Signed, *, by: PartyId) -> list[Step]:
    """`case.open`, preceded by its opener's chain and those of the machines this one designates."""
    return [*_missing(store, standing, [by]), step(Kind.CASE, signed)]


def catching_up(store: Store, standing: Standing) -> list[Step]:
    """The party statements that a case has missed while it was closed."""
    return _missing(store, standing, concerned(standing.roster))


def extending(store: Store, standing: Standing, signed: Signed) -> list[Step]:
    """A party statement, preceded by the chains of the machines that it designates."""
    return [*_missing(store, standing, designated(signed) or []), step(Kind.PARTY, signed)]


def designated(signed: Signed) -> list[PartyId] | None:
    """The machines that a `machines` statement designates; None for any other statement."""
    statement = parse_statement(signed.content())
    return _named(*statement.intakes, statement.bridge) if isinstance(statement, Machines) else None


def check_boxes(chain: Iterable[Signed], boxes: Mapping[Hash, bytes]) -> None:
    """All boxes that these statements name came along, and no others. Raises Refusal `bad_boxes` (N27, N47)."""
    if boxes.keys() != frozenset[Hash]().union(*(required_boxes(signed) for signed in chain)):
        raise Refusal("bad_boxes")
    if any(b64(sha256(content)) != name or len(content) > MAX_BOX_BYTES for name, content in boxes.items()):
        raise Refusal("bad_boxes")


def check_machines(store: Store, signed: Signed) -> None:
    """A clinic designates machines that have enrolled here. Raises Refusal `party_unknown`."""
    if any(store.parties.kind(machine) != "machine" for machine in designated(signed) or ()):
        raise Refusal("party_unknown")


def check_new_devices(store: Store, devices: Iterable[DeviceId]) -> None:
    """(N22) One device id is added once, anywhere. Raises Refusal `device_added_twice`."""
    if any(store.parties.device(device) is not None for device in devices):
        raise Refusal("device_added_twice")


def _missing(store: Store, standing: Standing, parties: Iterable[PartyId]) -> list[Step]:
    """What the log lacks of these parties' chains, and of those of the machines they designate, each party once."""
    known = standing.roster.parties
    asked = frozenset(parties)
    named = set(asked)
    waiting, steps = sorted(asked), list[Step]()
    while waiting:
        party = waiting.pop(0)
        rest = store.parties.chain(party, after_seq=known[party].seq if party in known else -1)
        # A machine whose chain is not here is not in force (roster.py); everybody else must have one.
        if not rest and party not in known and party in asked:
            raise Refusal("party_unknown")
        steps += [step(Kind.PARTY, signed) for signed in rest]
        now = _named(*known[party].intakes, known[party].bridge) if party in known else []
        for signed in rest:
            now = now if (changed := designated(signed)) is None else changed
        more = [machine for machine in now if machine not in named]
        named.update(more)
        waiting += more
    return steps


def _named(*machines: PartyId | None) -> list[PartyId]:
    return [machine for machine in machines if machine is not None]
