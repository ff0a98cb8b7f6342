"""The party chain's statements: devices, party keys, doors, machines (docs/protocol.md, chapter 6).

What a chain adds up to is computed in `partystate`; here is only what stands on the wire.
"""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from vetrelay.errors import Refusal
from vetrelay.protocol.ids import (
    Count,
    DeviceId,
    EntryId,
    Hash,
    Milliseconds,
    Nonce,
    PartyId,
    PersonId,
    SealKey,
    SignKey,
    device_id,
)
from vetrelay.protocol.signature import Signed, Signer, sign
from vetrelay.protocol.statement import VERSION, Body, convert, parse_signed

MAX_DEVICES: Final = 32
MAX_INTAKES: Final = 8
MAX_ROTATES_PER_HOUR: Final = 6
OFFER_LIFE_MS: Final = 24 * 60 * 60 * 1000

PartyKind = Literal["household", "clinic", "machine"]
DeviceRole = Literal["owner", "veterinarian", "technician", "desk", "service", "recovery"]
Group = Literal["all"]


class DeviceEntry(Body, frozen=True):
    """A device as its chain first names it: two public keys, a person, a role.

    `inspects`: its program checks files in a sandbox before it seals them, which no browser can.
    """

    sign: SignKey
    seal: SealKey
    person: PersonId
    role: DeviceRole
    admin: bool
    inspects: bool

    @property
    def id(self) -> DeviceId:
        """SHA-256 over both keys: a device never changes one of them."""
        return device_id(self.sign, self.seal)


class Box(Body, frozen=True):
    """A party key's seed, sealed to one device: the hash of that age file."""

    device: DeviceId
    sha256: Hash


class KeyStep(Body, frozen=True):
    """A generation of a party key: its public half, the way back, and a box per active device."""

    group: Group
    gen: Count
    seal: SealKey
    back: Hash | None
    boxes: Annotated[tuple[Box, ...], Meta(max_length=MAX_DEVICES)]


class GenerationBox(Body, frozen=True):
    """A box of one generation for a device that is being added."""

    group: Group
    gen: Count
    sha256: Hash


class Offer(Body, frozen=True):
    """A new device asks to be added; signed by itself and by the key of the admin's one-time secret."""

    v: int
    party: PartyId
    sign: SignKey
    seal: SealKey
    nonce: Nonce
    inspects: bool


class Linked(Body, frozen=True):
    """What every statement of a party chain carries: its place in that chain."""

    v: int
    party: PartyId | None
    seq: Count
    prev: EntryId | None


class Genesis(Linked, frozen=True, tag_field="statement", tag="genesis"):
    """The first statement: its entry id is the party's id; signed by the device it names."""

    kind: PartyKind
    nonce: Nonce
    operator: PartyId | None
    device: DeviceEntry
    keys: Annotated[tuple[KeyStep, ...], Meta(min_length=1, max_length=1)]


class DeviceAdd(Linked, frozen=True, tag_field="statement", tag="device.add"):
    """An admin device (or the recovery kit) takes an offered device in."""

    offer: Signed
    person: PersonId
    role: DeviceRole
    admin: bool
    boxes: Annotated[tuple[GenerationBox, ...], Meta(min_length=1, max_length=1)]


class DeviceRoleChange(Linked, frozen=True, tag_field="statement", tag="device.role"):
    """An admin device changes what a device may do."""

    device: DeviceId
    role: DeviceRole
    admin: bool


class Rotate(Linked, frozen=True, tag_field="statement", tag="rotate"):
    """Revokes devices and starts the next generation, boxed to exactly the devices active after it."""

    revoke: Annotated[tuple[DeviceId, ...], Meta(max_length=MAX_DEVICES)]
    keys: Annotated[tuple[KeyStep, ...], Meta(min_length=1, max_length=1)]


class Door(Linked, frozen=True, tag_field="statement", tag="door"):
    """A clinic's standing consent to be added to cases by whoever signs with the door's key."""

    key: SignKey
    until: Milliseconds | None
    closed: bool


class Machines(Linked, frozen=True, tag_field="statement", tag="machines"):
    """Which machine parties inspect (several, side by side) and bridge for this clinic."""

    intakes: Annotated[tuple[PartyId, ...], Meta(max_length=MAX_INTAKES)]
    bridge: PartyId | None


PartyStatement = Genesis | DeviceAdd | DeviceRoleChange | Rotate | Door | Machines
_KNOWN: Final = frozenset({"genesis", "device.add", "device.role", "rotate", "door", "machines"})


class Newer(msgspec.Struct, frozen=True, kw_only=True):
    """A statement of a version or kind that this software does not know, in a well linked place (N50)."""

    seq: int
    prev: EntryId | None
    party: PartyId | None


def parse_statement(body: bytes) -> PartyStatement | Newer:
    """A party statement from its exact body bytes. Raises Refusal `bad_json`, `bad_body`, `too_large`."""
    value = parse_signed(body)
    if is_newer(value, _KNOWN):
        return convert(
            {name: value.get(name) for name in ("seq", "prev", "party")},
            Newer,
        )
    statement: PartyStatement = convert(value, PartyStatement)  # type: ignore[arg-type]  # mypy has no form for unions
    return statement


def is_newer(value: dict[str, Any], known: frozenset[str]) -> bool:
    """Whether a well-formed statement is of a version or a kind that came after this software."""
    version, name = value.get("v"), value.get("statement")
    if not isinstance(version, int) or isinstance(version, bool) or not isinstance(name, str):
        raise Refusal("bad_body")
    return version > VERSION or (version == VERSION and name not in known)


def genesis_by(  # every field is a fact of the new party
    device: DeviceEntry, signer: Signer, *, kind: PartyKind, nonce: Nonce, keys: KeyStep, operator: PartyId | None
) -> Signed:
    """The signed first statement of a party."""
    body = Genesis(
        v=VERSION, party=None, seq=0, prev=None, kind=kind, nonce=nonce, operator=operator, device=device, keys=(keys,)
    )
    return sign("party", body, [signer])
