"""Parties and cases for tests, made without dice: everything follows from a name, so every run makes the same bytes.

An `ActingParty` writes its own chain; a `RunningCase` keeps a log as a relay would, and refuses what a relay would.
Only what is sealed differs from the real thing: boxes, headers and payloads are named by made-up hashes.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import lru_cache
from typing import ParamSpec

from msgspec.structs import replace

from vetrelay.errors import Refusal
from vetrelay.protocol.authority import apply_entry
from vetrelay.protocol.case import (
    Bridge,
    By,
    CaseOpen,
    Close,
    Exported,
    Hold,
    InCase,
    InviteClose,
    InviteOpen,
    MemberRole,
    PartyAdd,
    PartyApprove,
    PartyRemove,
    Policy,
    PolicyChange,
    RelayMove,
    Reopen,
)
from vetrelay.protocol.derive import derive
from vetrelay.protocol.envelope import (
    Audience,
    Envelope,
    EnvelopeClass,
    ObjectRef,
    ObjectRole,
    Ruling,
    Unit,
    View,
    check_addressing,
    check_sender,
    check_shape,
    check_view,
    parse_envelope,
    recipients_of,
)
from vetrelay.protocol.identity import DeviceIdentity, PartyKey, invitation_signer, sign_key_of, signer_from
from vetrelay.protocol.ids import DeviceId, EntryId, Hash, PartyId, RelayId, SignKey, b64, relay_id
from vetrelay.protocol.log import Kind, Link, Tail, empty_log, extend, sign_head
from vetrelay.protocol.party import (
    Box,
    DeviceAdd,
    DeviceEntry,
    DeviceRole,
    DeviceRoleChange,
    Door,
    GenerationBox,
    KeyStep,
    Machines,
    Offer,
    PartyKind,
    Rotate,
    genesis_by,
)
from vetrelay.protocol.partystate import Party, extend_party, read_chain
from vetrelay.protocol.roster import Roster, empty_roster
from vetrelay.protocol.signature import Signed, SignedType, Signer, sign
from vetrelay.protocol.statement import Body

P = ParamSpec("P")

START_MS = 1_800_000_000_000
STEP_MS = 1_000
FAR_MS = START_MS + 14 * 24 * 60 * 60 * 1000
FIRST = "first"
ROLE_OF_KIND: dict[PartyKind, DeviceRole] = {"household": "owner", "clinic": "veterinarian", "machine": "service"}


def seed(label: str, size_bytes: int = 32) -> bytes:
    """Bytes that look random and are the same in every run."""
    return hashlib.sha256(f"VetRelay test {label}".encode()).digest()[:size_bytes]


def named_hash(label: str) -> Hash:
    """A made-up hash."""
    return b64(seed(f"hash {label}"))


def nonce(label: str) -> str:
    """Sixteen made-up bytes as text."""
    return b64(seed(f"nonce {label}", 16))


def refusal_of(attempt: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> str:
    """The code that an attempt is refused with, or "success"."""
    try:
        attempt(*args, **kwargs)
    except Refusal as refusal:
        return refusal.code
    return "success"


RELAY_SEED = seed("relay log key")
RELAY: RelayId = relay_id(sign_key_of(RELAY_SEED))
RELAY_SIGNER: Signer = signer_from(RELAY_SEED)


@lru_cache
def device_named(label: str) -> DeviceIdentity:
    """A device's two seeds."""
    return DeviceIdentity(sign_seed=seed(f"sign {label}"), seal_seed=seed(f"seal {label}"))


@lru_cache
def party_key(name: str, gen: int) -> PartyKey:
    """A generation of a party's key."""
    return PartyKey(gen=gen, seed=seed(f"party {name} {gen}"))


class ActingParty:
    """A party as it acts: its devices by name, its chain and what that adds up to."""

    def __init__(
        self, name: str, kind: PartyKind = "household", *, operator: PartyId | None = None, inspects: bool = True
    ) -> None:
        """`name` is what all its keys follow from; its first device is called "first"."""
        self.name = name
        self.kind = kind
        self.devices = {FIRST: device_named(f"{name} {FIRST}")}
        first = self.devices[FIRST]
        entry = DeviceEntry(
            sign=first.sign,
            seal=first.seal,
            person=nonce(f"{name} {FIRST}"),
            role=ROLE_OF_KIND[kind],
            admin=True,
            inspects=inspects,
        )
        self.genesis_entry = entry
        genesis = genesis_by(
            entry, first.signer, kind=kind, nonce=nonce(name), keys=self.key_step(0, [first.id]), operator=operator
        )
        self.chain = [genesis]
        self.state: Party = read_chain(self.chain, time_ms=START_MS)

    @property
    def id(self) -> PartyId:
        """The party's id."""
        return self.state.id

    def device(self, name: str = FIRST) -> DeviceIdentity:
        """One of its devices."""
        return self.devices[name]

    def copy(self) -> "ActingParty":
        """The same party, which may now go another way."""
        other = copy(self)
        other.devices, other.chain = dict(self.devices), list(self.chain)
        return other

    def key_step(self, gen: int, devices: Iterable[DeviceId], *, back: Hash | None = None) -> KeyStep:
        """A generation of the party's key, boxed for these devices."""
        boxes = tuple(Box(device=device, sha256=named_hash(f"box {self.name} {gen} {device}")) for device in devices)
        return KeyStep(group="all", gen=gen, seal=party_key(self.name, gen).seal, back=back, boxes=boxes)

    def next_step(self, *, without: Sequence[str] = ()) -> KeyStep:
        """The next generation, boxed for the active devices but the revoked ones."""
        revoked = {self.devices[name].id for name in without}
        gen = self.state.generation.gen + 1
        back = None if self.kind == "machine" else named_hash(f"back {self.name} {gen}")
        return self.key_step(gen, [each.id for each in self.state.active if each.id not in revoked], back=back)

    def take(self, signed: Signed, *, time_ms: int = START_MS) -> Signed:
        """Lets a statement into the chain, if it may."""
        self.state = extend_party(self.state, signed, time_ms=time_ms)
        self.chain.append(signed)
        return signed

    def sign(self, body: Body, by: str = FIRST, *, kind: SignedType = "party") -> Signed:
        """Signs as one of its devices; nothing is taken into the chain."""
        return sign(kind, body, [self.devices[by].signer])

    def offer(self, name: str, *, party: PartyId | None = None, inspects: bool = True) -> Signed:
        """A new device's offer, signed by itself and by the secret of whoever wants it."""
        device = self.devices.setdefault(name, device_named(f"{self.name} {name}"))
        body = Offer(
            v=1,
            party=party or self.id,
            sign=device.sign,
            seal=device.seal,
            nonce=nonce(f"offer {self.name} {name}"),
            inspects=inspects,
        )
        secret = seed(f"offer secret {self.name} {name}", 16)
        return sign("offer", body, [device.signer, signer_from(derive(secret, "offer/sign"))])

    def device_add(
        self,
        name: str,
        *,
        role: DeviceRole | None = None,
        admin: bool = False,
        by: str = FIRST,
        offer: Signed | None = None,
    ) -> Signed:
        """The statement that adds a device."""
        gen = self.state.generation.gen
        body = DeviceAdd(
            v=1,
            party=self.id,
            seq=self.state.seq + 1,
            prev=self.state.head,
            offer=offer or self.offer(name),
            person=nonce(f"{self.name} {name}"),
            role=role or ROLE_OF_KIND[self.kind],
            admin=admin,
            boxes=(GenerationBox(group="all", gen=gen, sha256=named_hash(f"box {self.name} {gen} {name}")),),
        )
        return self.sign(body, by)

    def device_role(self, name: str, *, role: DeviceRole, admin: bool, by: str = FIRST) -> Signed:
        """The statement that changes a device's role."""
        body = DeviceRoleChange(
            v=1,
            party=self.id,
            seq=self.state.seq + 1,
            prev=self.state.head,
            device=self.devices[name].id,
            role=role,
            admin=admin,
        )
        return self.sign(body, by)

    def rotate(self, *revoke: str, by: str = FIRST, step: KeyStep | None = None) -> Signed:
        """The statement that revokes devices and begins the next generation."""
        step = step or self.next_step(without=revoke)
        body = Rotate(
            v=1,
            party=self.id,
            seq=self.state.seq + 1,
            prev=self.state.head,
            revoke=tuple(self.devices[name].id for name in revoke),
            keys=(step,),
        )
        return self.sign(body, by)

    def door(self, secret: bytes, *, until: int | None = None, closed: bool = False, by: str = FIRST) -> Signed:
        """The statement that opens or closes a door."""
        key = sign_key_of(derive(secret, "door/sign"))
        body = Door(
            v=1, party=self.id, seq=self.state.seq + 1, prev=self.state.head, key=key, until=until, closed=closed
        )
        return self.sign(body, by)

    def machines(
        self,
        *,
        intake: "ActingParty | None" = None,
        beside: Sequence["ActingParty"] = (),
        bridge: "ActingParty | None" = None,
        by: str = FIRST,
    ) -> Signed:
        """The statement that designates machines."""
        body = Machines(
            v=1,
            party=self.id,
            seq=self.state.seq + 1,
            prev=self.state.head,
            intakes=tuple(sorted(party.id for party in (intake, *beside) if party)),
            bridge=bridge.id if bridge else None,
        )
        return self.sign(body, by)


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """One position of a log."""

    time_ms: int
    kind: Kind
    signed: Signed


DEFAULT_POLICY = Policy(inspection="intake", urgency=False, retention=90)


def object_ref(role: ObjectRole, label: str, size_bytes: int = 1_000) -> ObjectRef:
    """An object by made-up hashes."""
    return ObjectRef(role=role, h0=named_hash(f"h0 {label}"), p=named_hash(f"p {label}"), size=size_bytes)


def objects(label: str, *, files: int = 0, slip: bool = True) -> tuple[ObjectRef, ...]:
    """A manifest, and attachments with their slip."""
    attached = tuple(object_ref("attachment", f"{label} file {index}") for index in range(files))
    slips = [object_ref("slip", f"{label} slip")] if files and slip else []
    return (object_ref("manifest", f"{label} manifest"), *slips, *attached)


@dataclass
class RunningCase:
    """A case as its relay has it: the log, and the tail and roster at every position."""

    relay: RelayId
    case: EntryId
    log: list[Logged] = field(default_factory=list)
    tails: list[Tail] = field(default_factory=list)
    rosters: list[Roster] = field(default_factory=list)
    now_ms: int = START_MS

    def copy(self) -> "RunningCase":
        """The same case, which may now go another way."""
        return RunningCase(
            relay=self.relay,
            case=self.case,
            log=list(self.log),
            tails=list(self.tails),
            rosters=list(self.rosters),
            now_ms=self.now_ms,
        )

    @property
    def roster(self) -> Roster:
        """Who takes part now."""
        return self.rosters[-1]

    @property
    def tail(self) -> Tail:
        """Where the log ends."""
        return self.tails[-1]

    @property
    def n(self) -> int:
        """The last position."""
        return self.tail.n

    def append(self, kind: Kind, signed: Signed) -> EntryId:
        """One more position, or the refusal of whatever rule it breaks; then nothing has changed."""
        tail = extend(self.tail, Link(time_ms=self.now_ms, kind=kind, entry=signed.entry_id()))
        if kind is Kind.ENVELOPE:
            self.check_envelope(signed)
        roster = apply_entry(self.roster, signed, kind=kind, n=tail.n, time_ms=self.now_ms)
        self.log.append(Logged(time_ms=self.now_ms, kind=kind, signed=signed))
        self.tails.append(tail)
        self.rosters.append(roster)
        self.now_ms += STEP_MS
        return signed.entry_id()

    def tell(self, party: ActingParty) -> int:
        """Appends what the log does not have yet of a party's chain; returns the last position."""
        known = self.roster.parties.get(party.id)
        for signed in party.chain[known.seq + 1 if known else 0 :]:
            self.append(Kind.PARTY, signed)
        return self.n

    def sign(self, body: InCase, by: ActingParty, device: str = FIRST) -> Signed:
        """A case statement by a device of a party."""
        return sign("case", body, [by.device(device).signer])

    def say(self, body: InCase, by: ActingParty, device: str = FIRST) -> EntryId:
        """Signs a statement and appends it."""
        return self.append(Kind.CASE, self.sign(body, by, device))

    def fresh(self) -> str:
        """A nonce that this case has not used."""
        return nonce(f"{self.case} {self.n}")

    def invite(
        self,
        by: ActingParty,
        role: MemberRole,
        *,
        approve: bool = True,
        until: int = FAR_MS,
        label: str | None = None,
        device: str = FIRST,
    ) -> bytes:
        """Opens an invitation; returns its secret."""
        secret = seed(label or f"invitation {self.case} {self.n}", 16)
        self.say(self.invitation(secret, role, approve=approve, until=until), by, device)
        return secret

    def invitation(self, secret: bytes, role: MemberRole, *, approve: bool = True, until: int = FAR_MS) -> InviteOpen:
        """The body that opens an invitation."""
        key = sign_key_of(derive(secret, "invite/sign"))
        return InviteOpen(
            v=1, case=self.case, nonce=self.fresh(), key=key, role=role, until=until, approve=approve, card=None
        )

    def invite_close(self, key: SignKey) -> InviteClose:
        """The body that closes an invitation."""
        return InviteClose(v=1, case=self.case, nonce=self.fresh(), key=key)

    def joining(
        self,
        party: ActingParty,
        secret: bytes,
        role: MemberRole,
        *,
        second: Signer | None = None,
        seq: int | None = None,
        head: EntryId | None = None,
    ) -> Signed:
        """A party.add, signed by the invitation's key and by the party (or by `second`)."""
        body = PartyAdd(
            v=1,
            case=self.case,
            nonce=self.fresh(),
            invite=sign_key_of(derive(secret, "invite/sign")),
            party=party.id,
            party_seq=party.state.seq if seq is None else seq,
            party_head=head or party.state.head,
            role=role,
        )
        return sign("case", body, [invitation_signer(secret), second or party.device().signer])

    def join(self, party: ActingParty, secret: bytes, role: MemberRole, *, second: Signer | None = None) -> EntryId:
        """A party comes in, its chain before it."""
        self.tell(party)
        return self.append(Kind.CASE, self.joining(party, secret, role, second=second))

    def admit(self, party: ActingParty, role: MemberRole, *, by: ActingParty) -> None:
        """Invites, joins and approves."""
        first_owner = role == "owner" and not self.roster.had_owner
        self.join(party, self.invite(by, role, approve=not first_owner), role)
        if not first_owner:
            self.approve(party, role, by=by)

    def approve(self, party: ActingParty, role: MemberRole, *, by: ActingParty) -> EntryId:
        """Confirms a newcomer."""
        return self.say(PartyApprove(v=1, case=self.case, nonce=self.fresh(), party=party.id, role=role), by)

    def remove(self, party: ActingParty, role: MemberRole, *, by: ActingParty) -> EntryId:
        """Ends a party's part."""
        return self.say(PartyRemove(v=1, case=self.case, nonce=self.fresh(), party=party.id, role=role), by)

    def close(self, by: ActingParty) -> EntryId:
        """Closes the case."""
        return self.say(Close(v=1, case=self.case, nonce=self.fresh()), by)

    def reopen(self, by: ActingParty) -> EntryId:
        """Reopens it."""
        return self.say(Reopen(v=1, case=self.case, nonce=self.fresh()), by)

    def set_policy(self, policy: Policy, by: ActingParty) -> EntryId:
        """Replaces the policy."""
        return self.say(PolicyChange(v=1, case=self.case, nonce=self.fresh(), policy=policy), by)

    def written(self) -> dict[str, InCase]:
        """One body of each statement that only a table of roles decides on."""
        case, fresh = self.case, self.fresh()
        return {
            "policy": PolicyChange(v=1, case=case, nonce=fresh, policy=DEFAULT_POLICY),
            "close": Close(v=1, case=case, nonce=fresh),
            "reopen": Reopen(v=1, case=case, nonce=fresh),
            "hold": Hold(v=1, case=case, nonce=fresh, on=True),
            "exported": Exported(v=1, case=case, nonce=fresh, n=1),
            "relay.move": RelayMove(v=1, case=case, nonce=fresh, relay=named_hash("another relay")),
            "bridge": Bridge(v=1, case=case, nonce=fresh, party=named_hash("a clinic"), on=False),
        }

    def bridge(self, by: ActingParty, *, on: bool, of: "ActingParty | None" = None) -> EntryId:
        """Turns a clinic's bridge on or off."""
        return self.say(Bridge(v=1, case=self.case, nonce=self.fresh(), party=(of or by).id, on=on), by)

    def view(self, n: int | None = None) -> View:
        """The view at a position, the newest by default."""
        tail = self.tails[self.n if n is None else n]
        return View(n=tail.n, head=tail.head)

    def envelope(
        self,
        sender: ActingParty,
        class_: EnvelopeClass = "message",
        audience: Audience = "case",
        *,
        label: str = "envelope",
        device: str = FIRST,
        view_n: int | None = None,
        named: tuple[ObjectRef, ...] | None = None,
        recipients: tuple[Unit, ...] | None = None,
        own: PartyId | None = None,
    ) -> Envelope:
        """An envelope as its sender would make it at a view."""
        view = self.view(view_n)
        roster = self.rosters[view.n]
        units = recipients_of(roster, audience, sender=sender.id, own=own or sender.id)
        return Envelope(
            v=1,
            relay=self.relay,
            case=self.case,
            id=nonce(f"envelope {label}"),
            class_=class_,
            audience=audience,
            device=sender.device(device).id,
            view=view,
            recipients=units if recipients is None else recipients,
            objects=objects(label) if named is None else named,
            reply_to=None,
            derived_from=None,
            supersedes=None,
            verdict=None,
            urgency=None,
            sent_at=START_MS,
        )

    def check_envelope(self, signed: Signed) -> PartyId:
        """Every rule for an envelope at the next position; returns its sender."""
        envelope = parse_envelope(signed)
        check_shape(envelope)
        known = envelope.view.n <= self.n
        check_view(envelope.view, n=self.n + 1, own_head=self.tails[envelope.view.n].head if known else None)
        at_view = self.rosters[envelope.view.n]
        sender = check_sender(signed, envelope, at_view=at_view, before=self.roster)
        check_addressing(envelope, at_view=at_view, sender=sender, answered=self.answered(envelope))
        return sender

    def answered(self, envelope: Envelope) -> tuple[Envelope, PartyId] | None:
        """The envelope that a verdict answers, and its sender."""
        for logged in self.log:
            if logged.kind is Kind.ENVELOPE and logged.signed.entry_id() == envelope.derived_from:
                found = parse_envelope(logged.signed)
                holders = (party.id for party in self.roster.parties.values() if found.device in party.devices)
                return found, next(holders)
        return None

    def send(self, envelope: Envelope, by: ActingParty, device: str = FIRST) -> EntryId:
        """Signs an envelope and appends it."""
        return self.append(Kind.ENVELOPE, by.sign(envelope, device, kind="envelope"))

    def head(
        self, *, time_ms: int | None = None, signer: Signer = RELAY_SIGNER, relay: RelayId | None = None
    ) -> Signed:
        """The relay's head for the log's end."""
        return sign_head(
            self.tail,
            signer,
            relay=relay or self.relay,
            case=self.case,
            epoch=0,
            time_ms=self.now_ms if time_ms is None else time_ms,
            entry=None,
            backed_up_n=0,
        )


def opening(by: ActingParty, role: str, *, label: str = "case", policy: Policy = DEFAULT_POLICY) -> CaseOpen:
    """The body that opens a case."""
    who = By(party=by.id, device=by.device().id)
    return CaseOpen(v=1, relay=RELAY, nonce=nonce(f"{label} {by.name}"), by=who, role=role, policy=policy)  # type: ignore[arg-type]  # tests open cases in roles that nobody may


def begin_case(case: EntryId) -> RunningCase:
    """A case before its first entry."""
    return RunningCase(relay=RELAY, case=case, tails=[empty_log(case)], rosters=[empty_roster(RELAY, case)])


def open_case(
    by: ActingParty,
    role: str = "care",
    *,
    machines: Sequence[ActingParty] = (),
    label: str = "case",
    policy: Policy = DEFAULT_POLICY,
) -> RunningCase:
    """A case whose log holds its opener's chain, the machines' chains, and its case.open."""
    signed = by.sign(opening(by, role, label=label, policy=policy), kind="case")
    running = begin_case(signed.entry_id())
    for machine in machines:
        running.tell(machine)
    running.tell(by)
    running.append(Kind.CASE, signed)
    return running


def verdict_on(
    running: RunningCase,
    answered: EntryId,
    by: ActingParty,
    *,
    codes: Sequence[str] = ("clean",),
    label: str = "verdict",
) -> Envelope:
    """A verdict as an honest intake makes it: a normalized copy for every file that is clean or converted."""
    found = next(logged.signed for logged in running.log if logged.signed.entry_id() == answered)
    envelope = parse_envelope(found)
    files = envelope.of_role("attachment")
    rulings = tuple(
        Ruling(p=ref.p, code=code, keep=False)  # type: ignore[arg-type]  # tests say words that are no codes
        for ref, code in zip(files, codes, strict=True)
    )
    sender = running.answered(replace(envelope, derived_from=answered))
    assert sender is not None
    copies = tuple(
        object_ref("normalized", f"{label} {index}")
        for index, code in enumerate(codes)
        if code in {"clean", "converted"}
    )
    made = running.envelope(
        by,
        "verdict",
        envelope.audience,
        label=label,
        named=(object_ref("manifest", f"{label} manifest"), *copies),
        own=sender[1],
    )
    return replace(made, derived_from=answered, verdict=rulings)
