"""What a party chain adds up to: one pure function, the same for the relay and every client (docs/protocol.md, chapter 6)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from vetrelay.errors import Refusal
from vetrelay.protocol.age.recipients import check_recipient
from vetrelay.protocol.ids import DeviceId, EntryId, Hash, PartyId, PersonId, SealKey, SignKey, unb64
from vetrelay.protocol.party import (
    MAX_DEVICES,
    MAX_ROTATES_PER_HOUR,
    DeviceAdd,
    DeviceEntry,
    DeviceRole,
    DeviceRoleChange,
    Door,
    Genesis,
    KeyStep,
    Machines,
    Newer,
    Offer,
    PartyKind,
    PartyStatement,
    Rotate,
    parse_statement,
)
from vetrelay.protocol.signature import Signed, check_sign_key, verify
from vetrelay.protocol.statement import convert, parse_signed

HOUR_MS: Final = 60 * 60 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device as it stands now. A revoked device stays named, so that its id is never used twice."""

    id: DeviceId
    sign: SignKey
    seal: SealKey
    person: PersonId
    role: DeviceRole
    admin: bool
    inspects: bool
    active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorState:
    """A door's key, its last day, and whether it was closed."""

    key: SignKey
    until_ms: int | None
    closed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A party at one position of its chain. `rotated_at_ms` is for `check_rotation_rate` alone."""

    id: PartyId
    kind: PartyKind
    seq: int
    head: EntryId
    devices: Mapping[DeviceId, Device]
    generations: tuple[KeyStep, ...]
    doors: Mapping[SignKey, DoorState]
    intakes: tuple[PartyId, ...]
    bridge: PartyId | None
    rotated_at_ms: tuple[int, ...]
    newer: bool

    @property
    def generation(self) -> KeyStep:
        """The generation that new objects are sealed to."""
        return self.generations[-1]

    @property
    def active(self) -> tuple[Device, ...]:
        """The devices that may act, recovery kits included."""
        return tuple(device for device in self.devices.values() if device.active)

    @property
    def inspects(self) -> bool:
        """Whether every device that could send a file checks files before it seals them."""
        return all(device.inspects for device in self.active if device.role != "recovery")

    def by_sign_key(self, key: SignKey) -> Device | None:
        """The active device that signs with this key."""
        return next((device for device in self.active if device.sign == key), None)


def extend_party(party: Party | None, signed: Signed, *, time_ms: int) -> Party:
    """The party after one more statement of its chain; `None` before genesis.

    `time_ms` is when it was accepted; it is noted and decides nothing here. Raises Refusal with `chain_moved` for
    a wrong place, `not_a_device`, `not_admin`, `not_a_clinic`, `device_added_twice`, `too_many_devices`,
    `last_admin`, `bad_boxes`, `bad_offer`, `newer_version` for a first statement of a later version, or what
    verifying raises.
    """
    if len(signed.sigs) != 1:
        raise Refusal("bad_signature")
    key = signed.sigs[0].key
    statement = parse_statement(verify(signed, "party", [key]))
    entry = signed.entry_id()
    if party is None:
        if isinstance(statement, Newer):
            raise Refusal("newer_version")
        if not isinstance(statement, Genesis):
            raise Refusal("chain_moved")
        return _begin(statement, entry, key)
    if (statement.party, statement.seq, statement.prev) != (party.id, party.seq + 1, party.head):
        raise Refusal("chain_moved")
    author = party.by_sign_key(key)
    if author is None:
        raise Refusal("not_a_device")
    after = _applied(party, statement, author=author, time_ms=time_ms)
    return replace(after, seq=party.seq + 1, head=entry)


def read_chain(chain: Iterable[Signed], *, time_ms: int) -> Party:
    """The party that a whole chain adds up to, when only its end matters. Raises as `extend_party` does."""
    party: Party | None = None
    for signed in chain:
        party = extend_party(party, signed, time_ms=time_ms)
    if party is None:
        raise Refusal("chain_moved")
    return party


def _checked_device(entry: DeviceEntry) -> Device:
    check_sign_key(entry.sign)
    check_recipient(unb64(entry.seal, 1216))
    return Device(
        id=entry.id,
        sign=entry.sign,
        seal=entry.seal,
        person=entry.person,
        role=entry.role,
        admin=entry.admin,
        inspects=entry.inspects,
        active=True,
    )


def _begin(genesis: Genesis, entry: EntryId, key: SignKey) -> Party:
    device = _checked_device(genesis.device)
    if (genesis.party, genesis.seq, genesis.prev) != (None, 0, None) or key != device.sign:
        raise Refusal("chain_moved")
    if not device.admin or device.role == "recovery":
        raise Refusal("last_admin")
    step = genesis.keys[0]
    _check_step(step, gen=0, devices={device.id}, kind=genesis.kind)
    return Party(
        id=entry,
        kind=genesis.kind,
        seq=0,
        head=entry,
        devices={device.id: device},
        generations=(step,),
        doors={},
        intakes=(),
        bridge=None,
        rotated_at_ms=(),
        newer=False,
    )


def _check_step(step: KeyStep, *, gen: int, devices: set[DeviceId], kind: PartyKind) -> None:
    """(N27, N47) The next generation, and exactly one box for each device that is active after it."""
    boxed = [box.device for box in step.boxes]
    if step.gen != gen or set(boxed) != devices or len(boxed) != len(devices):
        raise Refusal("bad_boxes")
    # A machine parses hostile files: with no way back, whoever takes it over cannot read what came before.
    if step.back is not None and (gen == 0 or kind == "machine"):
        raise Refusal("bad_boxes")
    check_recipient(unb64(step.seal, 1216))


def _applied(party: Party, statement: PartyStatement | Newer, *, author: Device, time_ms: int) -> Party:
    if isinstance(statement, Newer):
        return replace(party, newer=True)
    if isinstance(statement, Genesis):
        raise Refusal("chain_moved")
    if isinstance(statement, DeviceAdd):
        return _device_added(party, statement, author)
    # (N31) A recovery kit signs device.add and session only; (N21, N45) all the rest is for admins.
    if not author.admin or author.role == "recovery":
        raise Refusal("not_admin")
    if isinstance(statement, DeviceRoleChange):
        return _role_changed(party, statement)
    if isinstance(statement, Rotate):
        return _rotated(party, statement, time_ms)
    if party.kind != "clinic":
        raise Refusal("not_a_clinic")
    if isinstance(statement, Door):
        check_sign_key(statement.key)
        door = DoorState(key=statement.key, until_ms=statement.until, closed=statement.closed)
        return replace(party, doors={**party.doors, statement.key: door})
    if list(statement.intakes) != sorted(set(statement.intakes)):
        raise Refusal("bad_body")
    return replace(party, intakes=statement.intakes, bridge=statement.bridge)


def _device_added(party: Party, statement: DeviceAdd, author: Device) -> Party:
    if party.kind == "machine" or not (author.admin or author.role == "recovery"):
        raise Refusal("not_admin")
    keys = [signature.key for signature in statement.offer.sigs]
    # (N21, N30) Signed by the new device and by the secret's key: a key of its own, not a second copy.
    if len(keys) != 2 or keys[0] == keys[1]:
        raise Refusal("bad_offer")
    offer = convert(parse_signed(verify(statement.offer, "offer", keys)), Offer)
    if keys[0] != offer.sign or offer.party != party.id:
        raise Refusal("bad_offer")
    entry = DeviceEntry(
        sign=offer.sign,
        seal=offer.seal,
        person=statement.person,
        role=statement.role,
        admin=statement.admin,
        inspects=offer.inspects,
    )
    device = _checked_device(entry)
    if device.role == "recovery" and device.admin:
        raise Refusal("not_admin")
    # (N22) The signing key decides, for signatures are looked up by it; the same device id has the same key.
    if any(device.sign == other.sign for other in party.devices.values()):
        raise Refusal("device_added_twice")
    if len(party.active) >= MAX_DEVICES:
        raise Refusal("too_many_devices")
    if statement.boxes[0].gen != party.generation.gen:
        raise Refusal("bad_boxes")
    return replace(party, devices={**party.devices, device.id: device})


def _with_admin(devices: Mapping[DeviceId, Device]) -> Mapping[DeviceId, Device]:
    if not any(device.active and device.admin for device in devices.values()):
        raise Refusal("last_admin")
    return devices


def _role_changed(party: Party, statement: DeviceRoleChange) -> Party:
    device = party.devices.get(statement.device)
    if device is None or not device.active or "recovery" in (device.role, statement.role):
        raise Refusal("not_a_device")
    changed = replace(device, role=statement.role, admin=statement.admin)
    return replace(party, devices=_with_admin({**party.devices, device.id: changed}))


def _rotated(party: Party, statement: Rotate, time_ms: int) -> Party:
    recent = tuple(at for at in party.rotated_at_ms if at > time_ms - HOUR_MS)[-MAX_ROTATES_PER_HOUR:]
    revoked = set(statement.revoke)
    if len(revoked) != len(statement.revoke) or not all(
        identifier in party.devices and party.devices[identifier].active for identifier in revoked
    ):
        raise Refusal("not_a_device")
    devices = {
        identifier: replace(device, active=device.active and identifier not in revoked)
        for identifier, device in party.devices.items()
    }
    _with_admin(devices)
    active: set[DeviceId] = {identifier for identifier, device in devices.items() if device.active}
    _check_step(statement.keys[0], gen=party.generation.gen + 1, devices=active, kind=party.kind)
    return replace(
        party,
        devices=devices,
        generations=(*party.generations, statement.keys[0]),
        rotated_at_ms=(*recent, time_ms),
    )


def check_rotation_rate(before: Party, after: Party) -> None:
    """At most six rotates per party and hour, by the times at which *this* relay accepted them.

    For the relay, before it takes a statement into a party's chain; never for a roster. The same statement has
    another time in every case log, and a joiner's whole chain has one: a limit there would refuse in one case what
    stands in all others. Raises Refusal `too_many_rotates`.
    """
    rotated = len(after.generations) > len(before.generations)
    if rotated and len(after.rotated_at_ms) > MAX_ROTATES_PER_HOUR:
        raise Refusal("too_many_rotates")


def required_boxes(signed: Signed) -> frozenset[Hash]:
    """Hashes of the boxes that must come in the same request as this statement (design: all, or not accepted)."""
    statement = parse_statement(signed.content())
    if isinstance(statement, Genesis | Rotate):
        step = statement.keys[0]
        return frozenset(box.sha256 for box in step.boxes) | ({step.back} if step.back else frozenset())
    if isinstance(statement, DeviceAdd):
        return frozenset(box.sha256 for box in statement.boxes)
    return frozenset()


def is_narrowing(signed: Signed) -> bool:
    """Whether envelopes sealed before this statement are stale after it (chapter 10, rule ii)."""
    return isinstance(parse_statement(signed.content()), Rotate | DeviceRoleChange | Machines)
