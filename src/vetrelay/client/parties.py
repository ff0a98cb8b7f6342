"""Becoming a party: keys, genesis, enrolment; and adopting a machine by its own word (protocol.md sections 3, 8)."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from vetrelay.client.api import RelayApi
from vetrelay.client.end import End
from vetrelay.client.keyring import Keyring, StoredKey
from vetrelay.client.names import check_name
from vetrelay.errors import Refusal
from vetrelay.protocol.age.identities import HybridIdentity
from vetrelay.protocol.identity import DeviceIdentity, PartyKey
from vetrelay.protocol.ids import PartyId, RelayId, b64, fingerprint, sha256
from vetrelay.protocol.party import MAX_INTAKES, Box, DeviceEntry, DeviceRole, KeyStep, Machines, PartyKind, genesis_by
from vetrelay.protocol.partystate import Party, read_chain
from vetrelay.protocol.seal import seal_bytes
from vetrelay.protocol.signature import Signed, sign
from vetrelay.protocol.statement import VERSION, Body, render

RandomBytes = Callable[[int], bytes]
ROLE_OF_KIND: dict[PartyKind, DeviceRole] = {"household": "owner", "clinic": "veterinarian", "machine": "service"}


class MachineOffer(Body, frozen=True):
    """What a machine says of itself, in a file on its own disk: a clinic adopts it by this, never by a relay's word."""

    v: int
    offer: Literal["vetrelay-machine"]
    role: Literal["intake", "bridge"]
    party: PartyId
    relay: RelayId
    relay_url: str
    fingerprint: str


@dataclass(frozen=True, kw_only=True)
class NewParty:
    """A party made here: its keyring, its first statement, the box of its first key."""

    keyring: Keyring
    chain: tuple[Signed, ...]
    boxes: dict[str, str]

    def enrolment(self, code: str | None) -> bytes:
        """The body of `POST /v1/parties`."""
        return render({"chain": list(self.chain), "boxes": self.boxes, "code": code})


def new_party(  # every field is a fact of the new party
    kind: PartyKind,
    *,
    party_name: str,
    person_name: str,
    relay: RelayId,
    relay_url: str,
    random_bytes: RandomBytes,
) -> NewParty:
    """Makes a party with one admin device. Nothing has left this machine yet. Raises Refusal `name_too_long`."""
    for name in (party_name, person_name):
        check_name(name)
    device = DeviceIdentity(sign_seed=random_bytes(32), seal_seed=random_bytes(32))
    key = PartyKey(gen=0, seed=random_bytes(32))
    step, boxes = boxed(kind, key, device, random_bytes)
    person = b64(random_bytes(16))
    role = ROLE_OF_KIND[kind]
    entry = DeviceEntry(sign=device.sign, seal=device.seal, person=person, role=role, admin=True, inspects=True)
    genesis = genesis_by(entry, device.signer, kind=kind, nonce=b64(random_bytes(16)), keys=step, operator=None)
    keyring = Keyring(
        relay_url=relay_url,
        relay=relay,
        kind=kind,
        party=genesis.entry_id(),
        party_name=party_name,
        person=person,
        person_name=person_name,
        sign_seed=b64(device.sign_seed),
        seal_seed=b64(device.seal_seed),
        keys=(StoredKey(gen=0, seed=b64(key.seed)),),
    )
    return NewParty(keyring=keyring, chain=(genesis,), boxes=boxes)


def boxed(
    kind: PartyKind, key: PartyKey, device: DeviceIdentity, random_bytes: RandomBytes
) -> tuple[KeyStep, dict[str, str]]:
    """A generation for a party's only device, with no way back to the one before; and its box, as a request carries it.

    A machine's box can be opened by nobody: the machine keeps its seeds itself, and its device's key never changes. A
    box for that key would give all that was ever sealed to the machine to whoever takes it over later.
    """
    reader = HybridIdentity(random_bytes(32)) if kind == "machine" else device.age
    box = seal_bytes(key.seed, [reader.recipient], file_key=random_bytes(16), nonce=random_bytes(16)).age_file
    box_hash = b64(sha256(box))
    boxes = (Box(device=device.id, sha256=box_hash),)
    return KeyStep(group="all", gen=key.gen, seal=key.seal, back=None, boxes=boxes), {box_hash: b64(box)}


async def enrol(api: RelayApi, party: NewParty, *, code: str) -> None:
    """Enrols a clinic or a machine with its one-time code; repeating it is safe. Raises Refusal `code_refused`."""
    await api.create_party(party.enrolment(code.strip()))


def machine_offer(keyring: Keyring, role: Literal["intake", "bridge"]) -> MachineOffer:
    """The offer that a machine writes to its own disk."""
    return MachineOffer(
        v=VERSION,
        offer="vetrelay-machine",
        role=role,
        party=keyring.party,
        relay=keyring.relay,
        relay_url=keyring.relay_url,
        fingerprint=fingerprint(keyring.party),
    )


def read_offer(path: Path) -> MachineOffer:
    """An offer file. Raises Refusal `offer_unreadable`."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=MachineOffer)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise Refusal("offer_unreadable") from wrong


async def own_party(end: End) -> Party:
    """This end's own chain as the relay has it now, checked from its first statement."""
    answer = await end.api.party_chain(end.keyring.party)
    party = read_chain(answer.chain, time_ms=0)
    if party.id != end.keyring.party or party.devices.get(end.device.id) is None:
        raise Refusal("chain_moved")
    return party


async def adopt(end: End, offer: MachineOffer, *, beside: bool = False) -> Party:
    """Designates a machine as this clinic's, by the offer it wrote itself; repeating it changes nothing.

    An intake takes the place of those before it, or works `beside` them: then they share the files.
    Raises Refusal `offer_unreadable` when offer and chain disagree, `wrong_relay`, `not_admin`, `not_a_clinic`,
    `too_many_intakes`.
    """
    if offer.relay != end.keyring.relay:
        raise Refusal("wrong_relay")
    machine = read_chain((await end.api.party_chain(offer.party)).chain, time_ms=0)
    # The id is the hash of the machine's first statement: a relay that serves another chain is found out here.
    if machine.id != offer.party or machine.kind != "machine" or offer.fingerprint != fingerprint(machine.id):
        raise Refusal("offer_unreadable")
    party = await own_party(end)
    intakes, bridge = party.intakes, party.bridge
    if offer.role == "intake":
        intakes = tuple(sorted({machine.id, *(intakes if beside else ())}))
    else:
        bridge = machine.id
    if (intakes, bridge) == (party.intakes, party.bridge):
        return machine
    if len(intakes) > MAX_INTAKES:
        raise Refusal("too_many_intakes")
    statement = Machines(
        v=VERSION,
        party=party.id,
        seq=party.seq + 1,
        prev=party.head,
        intakes=intakes,
        bridge=bridge,
    )
    signed = sign("party", statement, [end.device.signer])
    await end.api.append_party(party.id, render({"entry": signed, "boxes": {}}))
    return machine
