"""Ends for tests of the relay: parties that really talk HTTP to a relay on real files, with real boxes and headers.

An `End` is an `ActingParty` that can enrol, sign in, and do everything the API offers; a `Sealed` envelope carries real
age headers. `World` is a relay under test with a clock that only tests move. What is made here follows from names, but
for what sealing draws by itself.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
from aiohttp.test_utils import TestClient, TestServer

from tests.chains import FAR_MS, FIRST, START_MS, ActingParty, nonce, object_ref, seed
from vetrelay.config import RelayLimits
from vetrelay.protocol.authority import apply_entry
from vetrelay.protocol.case import (
    By,
    CaseOpen,
    InCase,
    InviteOpen,
    MemberRole,
    PartyAdd,
    PartyApprove,
    PartyRemove,
    Policy,
)
from vetrelay.protocol.derive import derive
from vetrelay.protocol.envelope import (
    Audience,
    Envelope,
    EnvelopeClass,
    ObjectRef,
    ObjectRole,
    Unit,
    View,
    recipients_of,
    slip_units,
)
from vetrelay.protocol.identity import PartyKey, invitation_signer, sign_key_of
from vetrelay.protocol.ids import CaseId, DeviceId, EntryId, Hash, PartyId, b64, sha256, unb64
from vetrelay.protocol.log import Kind, Tail, empty_log, extend, unpack_links
from vetrelay.protocol.party import Box, KeyStep, PartyKind
from vetrelay.protocol.roster import Roster, empty_roster
from vetrelay.protocol.seal import seal_bytes
from vetrelay.protocol.session import SessionRequest
from vetrelay.protocol.signature import Signed, Signer, sign
from vetrelay.relay.enrol import issue_code
from vetrelay.relay.http.app import build_app
from vetrelay.relay.ports import RelayServices
from vetrelay.relay.process import open_relay

ORIGIN = "http://relay.test"
LARGE_BYTES = 512 * 1024
Json = dict[str, Any]


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        """Now."""
        return self.now_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A status, the headers, and the JSON of a body where it is JSON."""

    status: int
    body: Any
    raw: bytes
    headers: Mapping[str, str]

    @property
    def code(self) -> str:
        """What the answer says: the problem's code, or "success"."""
        return str(self.body["code"]) if self.status >= 400 else "success"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What an end has computed from a log it fetched: the tail and the roster at every position."""

    tails: Sequence[Tail]
    rosters: Sequence[Roster]
    entries: Sequence[Json | None]

    @property
    def tail(self) -> Tail:
        """Where the log ends."""
        return self.tails[-1]

    @property
    def roster(self) -> Roster:
        """Who takes part now."""
        return self.rosters[-1]

    def view(self, n: int | None = None) -> View:
        """The view at a position, the newest by default."""
        tail = self.tails[self.tail.n if n is None else n]
        return View(n=tail.n, head=tail.head)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedObject:
    """An object with its real age header."""

    ref: ObjectRef
    header: bytes
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An envelope before it is signed, with its objects."""

    envelope: Envelope
    objects: Sequence[SealedObject]

    def changed(self, **fields: Any) -> "Draft":
        """The same with other fields in the envelope."""
        return replace(self, envelope=msgspec.structs.replace(self.envelope, **fields))

    def request(self, signed: Signed) -> Json:
        """The JSON of the submit."""
        inline = [one for one in self.objects if one.ref.role in {"manifest", "slip"}]
        return {
            "envelope": msgspec.to_builtins(signed),
            "headers": {one.ref.h0: b64(one.header) for one in self.objects},
            "payloads": {one.ref.p: b64(one.payload) for one in inline},
        }


class End(ActingParty):
    """A party that talks to a relay. Its boxes are bytes, so that the relay can be given them."""

    def __init__(
        self, world: "World", name: str, kind: PartyKind = "household", *, operator: PartyId | None = None
    ) -> None:
        """`name` is what all its keys follow from."""
        self.world = world
        self.box_contents: dict[Hash, bytes] = {}
        self.bearers: dict[str, str] = {}
        super().__init__(name, kind, operator=operator)

    def key_step(self, gen: int, devices: Iterable[DeviceId], *, back: Hash | None = None) -> KeyStep:
        """A generation of the party's key, boxed for these devices."""
        boxes = tuple(Box(device=device, sha256=self._box(f"{gen} {device}")) for device in devices)
        step = super().key_step(gen, ())
        return msgspec.structs.replace(step, boxes=boxes, back=back and self._box(f"back {gen}"))

    def boxes(self, *statements: Signed) -> Json:
        """The boxes that these statements name, as a request carries them."""
        from vetrelay.protocol.partystate import required_boxes

        named = frozenset[Hash]().union(*(required_boxes(signed) for signed in statements))
        return {name: b64(self.box_contents[name]) for name in named}

    def device_added(self, name: str, *, admin: bool = False, by: str = FIRST) -> Signed:
        """The statement that adds a device, with a box that exists."""
        from vetrelay.protocol.party import DeviceAdd, GenerationBox
        from vetrelay.protocol.statement import convert, parse_signed

        body = convert(parse_signed(self.device_add(name, admin=admin, by=by).content()), DeviceAdd)
        box = GenerationBox(group="all", gen=body.boxes[0].gen, sha256=self._box(f"{body.boxes[0].gen} {name}"))
        return self.sign(msgspec.structs.replace(body, boxes=(box,)), by)

    async def call(
        self, method: str, path: str, body: object = None, *, device: str | None = FIRST, raw: bytes | None = None
    ) -> Reply:
        """One request; with the bearer of a device, or without for None."""
        bearer = self.bearers.get(device) if device else None
        return await self.world.call(method, path, body, bearer=bearer, raw=raw)

    async def enrol(self, code: str | None = None) -> Reply:
        """Enrol with a one-time code, a fresh one by default."""
        code = code or await issue_code(self.world.relay, self.kind)  # type: ignore[arg-type]  # tests enrol households too
        wanted = {"chain": to_json(self.chain), "boxes": self.boxes(*self.chain), "code": code}
        return await self.call("POST", "/v1/parties", wanted, device=None)

    def session_request(self, nonce_text: str, device: str = FIRST, **changes: Any) -> SessionRequest:
        """What a device signs to open a session."""
        body = SessionRequest(
            v=1,
            device=self.devices[device].id,
            origin=ORIGIN,
            relay=self.world.relay.relay,
            nonce=nonce_text,
            until=self.world.clock.now_ms + 15 * 60 * 1000,
        )
        return msgspec.structs.replace(body, **changes)

    async def sign_in(self, device: str = FIRST) -> Reply:
        """Open a session for a device and keep its bearer."""
        challenge = await self.call("POST", "/v1/session", {}, device=None)
        signed = self.sign(self.session_request(challenge.body["nonce"], device), device, kind="session")
        reply = await self.call("POST", "/v1/session", {"session": to_json(signed)}, device=None)
        if reply.status == 200:
            self.bearers[device] = reply.body["bearer"]
        return reply

    async def extend(self, signed: Signed, *, device: str = FIRST, take: bool = True) -> Reply:
        """Append a statement to the own chain."""
        wanted = {"entry": to_json(signed), "boxes": self.boxes(signed)}
        reply = await self.call("POST", f"/v1/parties/{self.id}/chain", wanted, device=device)
        if take and reply.status == 201:
            self.take(signed, time_ms=self.world.clock.now_ms)
        return reply

    async def open_case(self, role: str = "care", *, label: str = "case", inspection: str = "intake") -> CaseId:
        """Open a case; its id."""
        signed = self.sign(self.opening(role, label=label, inspection=inspection), kind="case")
        reply = await self.call("POST", "/v1/cases", {"entry": to_json(signed)})
        assert reply.status == 201, reply.body
        return signed.entry_id()

    def opening(self, role: str = "care", *, label: str = "case", inspection: str = "intake") -> CaseOpen:
        """The body that opens a case."""
        return CaseOpen(
            v=1,
            relay=self.world.relay.relay,
            nonce=nonce(f"{label} {self.name}"),
            by=By(party=self.id, device=self.device().id),
            role=role,  # type: ignore[arg-type]  # tests open cases in roles that nobody may
            policy=Policy(inspection=inspection, urgency=False, retention=90),  # type: ignore[arg-type]  # as above
        )

    async def know(self, case: CaseId, *, device: str = FIRST) -> Known:
        """Fetch the whole log with bodies and compute what it adds up to."""
        tails, entries = [empty_log(case)], list[Json | None]()
        rosters = [empty_roster(self.world.relay.relay, case)]
        while True:
            reply = await self.call("GET", f"/v1/cases/{case}/log?after={tails[-1].n}&bodies=1", device=device)
            assert reply.status == 200, reply.body
            links = unpack_links(unb64(reply.body["links"]))
            if not links:
                return Known(tails=tails, rosters=rosters, entries=entries)
            for link, signed in zip(links, reply.body["entries"], strict=True):
                tails.append(extend(tails[-1], link))
                entries.append(signed)
                if link.kind in {Kind.CASE, Kind.PARTY}:
                    one = msgspec.convert(signed, Signed)
                    rosters.append(apply_entry(rosters[-1], one, kind=link.kind, n=tails[-1].n, time_ms=link.time_ms))
                else:
                    rosters.append(rosters[-1])

    async def declare(self, case: CaseId, signed: Signed, *, device: str | None = FIRST, **more: object) -> Reply:
        """Append a case statement."""
        return await self.call("POST", f"/v1/cases/{case}/entries", {"entry": to_json(signed), **more}, device=device)

    async def say(self, case: CaseId, body: InCase, device: str = FIRST) -> Reply:
        """Sign a statement and append it."""
        return await self.declare(case, self.sign(body, device, kind="case"), device=device)

    def invitation(
        self, case: CaseId, role: MemberRole, *, label: str, approve: bool = True, card: bytes | None = None
    ) -> tuple[bytes, InviteOpen]:
        """An invitation's secret and the body that opens it."""
        secret = seed(f"invitation {case} {label}", 16)
        body = InviteOpen(
            v=1,
            case=case,
            nonce=nonce(f"invite {case} {label}"),
            key=sign_key_of(derive(secret, "invite/sign")),
            role=role,
            until=FAR_MS,
            approve=approve,
            card=None if card is None else b64(sha256(card)),
        )
        return secret, body

    async def invite(
        self, case: CaseId, role: MemberRole, *, label: str, approve: bool = True, card: bytes | None = None
    ) -> bytes:
        """Open an invitation; its secret."""
        secret, body = self.invitation(case, role, label=label, approve=approve, card=card)
        more = {} if card is None else {"card": b64(card)}
        reply = await self.declare(case, self.sign(body, kind="case"), **more)
        assert reply.status == 201, reply.body
        return secret

    def joining(
        self, case: CaseId, secret: bytes, role: MemberRole, *, second: Signer | None = None, **changes: Any
    ) -> Signed:
        """A party.add, signed by the invitation's key and by this party (or by `second`)."""
        body = PartyAdd(
            v=1,
            case=case,
            nonce=nonce(f"join {case} {self.name} {secret.hex()}"),
            invite=sign_key_of(derive(secret, "invite/sign")),
            party=self.id,
            party_seq=self.state.seq,
            party_head=self.state.head,
            role=role,
        )
        body = msgspec.structs.replace(body, **changes)
        return sign("case", body, [invitation_signer(secret), second or self.device().signer])

    async def join(self, case: CaseId, secret: bytes, role: MemberRole, *, signed: Signed | None = None) -> Reply:
        """Come in with an invitation, bringing the own chain along."""
        signed = signed or self.joining(case, secret, role)
        more = {"chain": to_json(self.chain), "boxes": self.boxes(*self.chain)}
        return await self.declare(case, signed, device=None, **more)

    async def approve(self, case: CaseId, party: "End", role: MemberRole) -> Reply:
        """Confirm a newcomer."""
        fresh = nonce(f"approve {case} {party.name}")
        return await self.say(case, PartyApprove(v=1, case=case, nonce=fresh, party=party.id, role=role))

    async def remove(self, case: CaseId, party: "End", role: MemberRole) -> Reply:
        """End a party's part."""
        fresh = nonce(f"remove {case} {party.name}")
        return await self.say(case, PartyRemove(v=1, case=case, nonce=fresh, party=party.id, role=role))

    async def draft(
        self,
        case: CaseId,
        class_: EnvelopeClass = "message",
        audience: Audience = "case",
        *,
        label: str = "envelope",
        device: str = FIRST,
        known: Known | None = None,
        view_n: int | None = None,
        files: Sequence[ObjectRef] = (),
        own: PartyId | None = None,
        text: bytes = b"{}",
    ) -> Draft:
        """An envelope as its sender makes it: a manifest sealed to the recipients, a slip where there are files."""
        known = known or await self.know(case)
        view = known.view(view_n)
        roster = known.rosters[view.n]
        units = recipients_of(roster, audience, sender=self.id, own=own or self.id)
        objects = [sealed_object("manifest", text, roster, units, label=f"{case} {label}")]
        files_refs = [object_header(ref, roster, units, label=f"{case} {label} {i}") for i, ref in enumerate(files)]
        if files and roster.intakes and class_ != "verdict":
            intakes = slip_units(roster)
            objects.append(sealed_object("slip", b'{"slip":1}', roster, intakes, label=f"{case} {label} slip"))
        objects += files_refs
        envelope = Envelope(
            v=1,
            relay=self.world.relay.relay,
            case=case,
            id=nonce(f"envelope {case} {label}"),
            class_=class_,
            audience=audience,
            device=self.device(device).id,
            view=view,
            recipients=units,
            objects=tuple(one.ref for one in objects),
            reply_to=None,
            derived_from=None,
            supersedes=None,
            verdict=None,
            urgency=None,
            sent_at=self.world.clock.now_ms,
        )
        return Draft(envelope=envelope, objects=objects)

    async def submit(self, draft: Draft, *, device: str = FIRST, signed: Signed | None = None, **changes: Any) -> Reply:
        """Sign a draft and submit it; `changes` replace parts of the request."""
        signed = signed or self.sign(draft.envelope, device, kind="envelope")
        path = f"/v1/cases/{draft.envelope.case}/envelopes/{draft.envelope.id}"
        return await self.call("PUT", path, {**draft.request(signed), **changes}, device=device)

    async def send(self, case: CaseId, class_: EnvelopeClass = "message", *, label: str, **options: Any) -> EntryId:
        """Make an envelope and submit it; its entry id."""
        draft = await self.draft(case, class_, label=label, **options)
        signed = self.sign(draft.envelope, kind="envelope")
        reply = await self.submit(draft, signed=signed)
        assert reply.status == 201, reply.body
        return signed.entry_id()

    def _box(self, label: str) -> Hash:
        content = b"a box " + seed(f"box {self.name} {label}", 32)
        name = b64(sha256(content))
        self.box_contents[name] = content
        return name


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A relay under test, its clock, and a client without a bearer."""

    relay: RelayServices
    clock: Clock
    client: "TestClient[Any, Any]"
    ends: dict[str, End] = field(default_factory=dict)

    async def call(
        self, method: str, path: str, body: object = None, *, bearer: str | None = None, raw: bytes | None = None
    ) -> Reply:
        """One request."""
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        whole = raw if raw is not None else None if body is None else msgspec.json.encode(body)
        content = BytesIO(whole) if whole is not None and len(whole) > LARGE_BYTES else whole  # aiohttp wants it so
        async with self.client.request(method, path, data=content, headers=headers) as response:
            raw_answer = await response.read()
            is_json = "json" in response.content_type
            return Reply(
                status=response.status,
                body=msgspec.json.decode(raw_answer) if is_json and raw_answer else None,
                raw=raw_answer,
                headers=response.headers,
            )

    async def party(self, name: str, kind: PartyKind) -> End:
        """A clinic or a machine, enrolled and signed in."""
        end = End(self, name, kind)
        assert (await end.enrol()).status == 201
        assert (await end.sign_in()).status == 200
        return end

    async def clinic(self, name: str = "clinic", *, intake: End | None = None) -> End:
        """A clinic, signed in; with an intake that it has designated."""
        clinic = await self.party(name, "clinic")
        if intake is not None:
            assert (await clinic.extend(clinic.machines(intake=intake))).status == 201
        return clinic

    async def owner(self, clinic: End, case: CaseId, name: str = "owner") -> End:
        """A household that came in by the clinic's invitation, as the first owner, and signed in."""
        owner = End(self, name)
        secret = await clinic.invite(case, "owner", label=name, approve=False)
        reply = await owner.join(case, secret, "owner")
        assert reply.status == 201, reply.body
        assert (await owner.sign_in()).status == 200
        return owner


def to_json(value: object) -> Any:
    """Builtins of a statement or a chain."""
    return msgspec.to_builtins(value)


def sealed_object(
    role: ObjectRole, plaintext: bytes, roster: Roster, units: Sequence[Unit], *, label: str
) -> SealedObject:
    """A small object, sealed to these units."""
    sealed = seal_bytes(
        plaintext,
        [unb64(seal_of(roster, unit)) for unit in units],
        file_key=seed(f"file key {label}", 16),
        nonce=seed(f"nonce {label}", 16),
    )
    ref = ObjectRef(role=role, h0=b64(sealed.h0), p=b64(sealed.p), size=len(sealed.payload))
    return SealedObject(ref=ref, header=sealed.header, payload=sealed.payload)


def object_header(ref: ObjectRef, roster: Roster, units: Sequence[Unit], *, label: str) -> SealedObject:
    """A real header for a payload that is uploaded elsewhere."""
    made = sealed_object(ref.role, b"", roster, units, label=label)
    return SealedObject(ref=msgspec.structs.replace(ref, h0=made.ref.h0), header=made.header, payload=b"")


def seal_of(roster: Roster, unit: Unit) -> str:
    """The public key of a unit."""
    return next(step.seal for step in roster.parties[unit.party].generations if step.gen == unit.gen)


async def upload(world: World, case: CaseId, label: str, *, role: ObjectRole = "attachment") -> ObjectRef:
    """A payload that is durable at the relay, as far as the tables know."""
    from vetrelay.relay.storage.schema import blobs
    from vetrelay.relay.storage.store import SqlStore

    ref = object_ref(role, f"{case} {label}")

    def job(store: Any) -> None:
        assert isinstance(store, SqlStore)
        store._batch.insert(blobs, {"case": case, "p": ref.p, "size_bytes": ref.size, "created_ms": START_MS})

    await world.relay.writer.run(job)
    return ref


@asynccontextmanager
async def world_at(
    folder: Path, *, limits: RelayLimits | None = None, clock: Clock | None = None
) -> AsyncIterator[World]:
    """A relay on the files of a folder, answering over HTTP on loopback."""
    clock = clock or Clock()
    origins = frozenset({ORIGIN})
    async with (
        open_relay(folder, limits or RelayLimits(min_free_bytes=0), origins=origins, clock=clock) as relay,
        TestClient(TestServer(build_app(relay))) as client,
    ):
        yield World(relay=relay, clock=clock, client=client)


__all__ = [
    "Clock",
    "Draft",
    "End",
    "Known",
    "PartyKey",
    "Reply",
    "World",
    "sealed_object",
    "to_json",
    "upload",
    "world_at",
]
