"""A relay on a folder of its own, with one case in it and somebody of every role: for tests of what lies below HTTP.

Parties and log are written by `tests.chains`; the relay takes them in through its own tables. `objects` there are real
bytes, so that what is uploaded and what is named agree.
"""

import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
from aiohttp import web

from tests.chains import DEFAULT_POLICY, FIRST, RELAY_SEED, START_MS, ActingParty, RunningCase, open_case
from vetrelay.config import RelayLimits
from vetrelay.protocol.case import Policy
from vetrelay.protocol.envelope import Envelope, ObjectRef, Ruling, parse_envelope
from vetrelay.protocol.ids import EntryId, Hash, b64, sha256
from vetrelay.protocol.log import Kind, empty_log
from vetrelay.protocol.roster import empty_roster
from vetrelay.protocol.signature import Signed
from vetrelay.relay.append import Step, append_envelope, append_statements, step
from vetrelay.relay.http.app import build_app
from vetrelay.relay.http.listen import bind, origin_of, serving
from vetrelay.relay.ports import AskingDevice, RelayServices, Store
from vetrelay.relay.process import LOG_KEY, open_relay
from vetrelay.relay.session import BEARER_BYTES, bearer_hash
from vetrelay.relay.tables import Standing, StoredEnvelope, StoredObject

ROLES = {"owner": "household", "care": "clinic", "consultant": "clinic", "provider": "clinic"}
HOUR_MS = 60 * 60 * 1000
LIMITS = RelayLimits(min_free_bytes=0)


@dataclass
class Clock:
    """A clock that a test moves."""

    now_ms: int = START_MS

    def __call__(self) -> int:
        """What it shows."""
        return self.now_ms


def header_of(label: str) -> bytes:
    """Bytes that stand for an age header."""
    return f"age header of {label}".encode()


def named(role: str, label: str, payload: bytes) -> ObjectRef:
    """An object of real bytes."""
    return ObjectRef(role=role, h0=b64(sha256(header_of(label))), p=b64(sha256(payload)), size=len(payload))  # type: ignore[arg-type]  # the role is one of the protocol's


@dataclass
class HousedRelay:
    """The relay's services, its one case, and who takes part."""

    relay: RelayServices
    clock: Clock
    running: RunningCase
    parties: dict[str, ActingParty]
    folder: Path
    told: int = 0
    url: str = ""
    app: web.Application = field(default_factory=web.Application)

    @property
    def case(self) -> EntryId:
        """The case's id."""
        return self.running.case

    def date_files(self) -> None:
        """Let every payload's file be of now, by the test's clock: the machine's shows another time."""
        for top in ("blobs", "incoming"):
            for path in (self.folder / top).rglob("*"):
                if path.is_file():
                    os.utime(path, ns=(self.clock.now_ms * 1_000_000, self.clock.now_ms * 1_000_000))

    def asker(self, role: str, device: str = FIRST) -> AskingDevice:
        """A device of whoever has this role."""
        party = self.parties[role]
        return AskingDevice(device=party.device(device).id, party=party.id)

    async def bearer(self, role: str, device: str = FIRST, *, until_ms: int = 2**50) -> str:
        """A bearer of whoever has this role."""
        bearer, asker = b64(self.relay.random_bytes(BEARER_BYTES)), self.asker(role, device)
        await self.relay.writer.run(
            lambda store: store.sessions.add(
                bearer_hash(bearer), asker.device, until_ms=until_ms, now_ms=self.relay.now_ms()
            )
        )
        return bearer

    async def headers(self, role: str) -> dict[str, str]:
        """A request's proof that it comes from whoever has this role."""
        return {"Authorization": f"Bearer {await self.bearer(role)}"}

    async def catch_up(
        self, payloads: Mapping[Hash, bytes] | None = None, *, labels: Mapping[Hash, str] = {}
    ) -> None:  # only ever read
        """Let the relay have what the case's log has gained; `payloads` are those that travel in the submit."""
        for logged in self.running.log[self.told :]:
            if logged.kind is Kind.ENVELOPE:
                await self._take_envelope(logged.signed, payloads or {}, labels)
            else:
                await self._take_statement(step(logged.kind, logged.signed))
        self.told = len(self.running.log)

    async def say(
        self, role: str, objects: Mapping[str, tuple[str, bytes]], *, inline: tuple[str, ...] = ("manifest", "slip")
    ) -> tuple[EntryId, dict[str, ObjectRef]]:
        """An envelope with these objects, label: (role, payload); its entry id and its objects by label."""
        refs = {label: named(kind, label, payload) for label, (kind, payload) in objects.items()}
        envelope = self.running.envelope(
            self.parties[role],
            "message" if role in {"owner", "provider"} else "reply",
            label=f"envelope {self.running.n}",
            named=tuple(refs.values()),
        )
        entry = self.running.send(envelope, self.parties[role])
        await self._catch_up_with(objects, refs, inline)
        return entry, refs

    async def rule(self, answered: EntryId, codes: Mapping[Hash, tuple[str, bool]]) -> EntryId:
        """A verdict by the intake: (code, keep) by payload."""
        found = next(one.signed for one in self.running.log if one.signed.entry_id() == answered)
        envelope = parse_envelope(found)
        payload = f"manifest of verdict {self.running.n}".encode()
        objects = {f"verdict {self.running.n}": ("manifest", payload)}
        refs = {label: named(kind, label, payload) for label, (kind, payload) in objects.items()}
        own = next(party.id for party in self.parties.values() if envelope.device in party.state.devices)
        verdict = self.running.envelope(
            self.parties["intake"],
            "verdict",
            envelope.audience,
            label=f"verdict {self.running.n}",
            named=tuple(refs.values()),
            own=own,
        )
        rulings = tuple(Ruling(p=p, code=code, keep=keep) for p, (code, keep) in codes.items())  # type: ignore[arg-type]  # codes of the protocol
        entry = self.running.send(_ruling(verdict, answered, rulings), self.parties["intake"])
        await self._catch_up_with(objects, refs, ("manifest",))
        return entry

    async def _catch_up_with(
        self, objects: Mapping[str, tuple[str, bytes]], refs: Mapping[str, ObjectRef], inline: tuple[str, ...]
    ) -> None:
        labels = {ref.h0: label for label, ref in refs.items()}
        payloads = {refs[label].p: payload for label, (kind, payload) in objects.items() if kind in inline}
        await self.catch_up(payloads, labels=labels)

    async def _take_statement(self, taken: Step) -> None:
        def job(store: Store) -> None:
            append_statements(self.relay, store, self._standing(store), [taken])

        await self.relay.writer.run(job)

    async def _take_envelope(self, signed: Signed, payloads: Mapping[Hash, bytes], labels: Mapping[Hash, str]) -> None:
        envelope, entry = parse_envelope(signed), signed.entry_id()
        sender = next(party.id for party in self.parties.values() if envelope.device in party.state.devices)

        def job(store: Store) -> None:
            said = step(Kind.ENVELOPE, signed)
            added = append_envelope(self.relay, store, self._standing(store), said, parties=[], used_bytes=0)
            stored = StoredEnvelope(id=envelope.id, n=added.n, entry=entry, sender=sender)
            objects = [
                StoredObject(
                    h0=ref.h0,
                    entry=entry,
                    role=ref.role,
                    p=ref.p,
                    size_bytes=ref.size,
                    header=header_of(labels[ref.h0]),
                    payload=payloads.get(ref.p),
                )
                for ref in envelope.objects
            ]
            store.envelopes.add(stored, envelope, objects)
            if envelope.derived_from is not None:
                answered = store.envelopes.answered(envelope.case, envelope.derived_from)
                assert answered is not None, "a verdict answers something"
                store.envelopes.rule(stored, envelope, answered=answered, time_ms=added.time_ms)

        await self.relay.writer.run(job)

    def _standing(self, store: Store) -> Standing:
        return store.cases.standing(self.case) or Standing(
            case=self.case,
            tail=empty_log(self.case),
            epoch=0,
            backed_up_n=0,
            used_bytes=0,
            past=((0, empty_roster(self.relay.relay, self.case)),),
        )


def _ruling(verdict: Envelope, answered: EntryId, rulings: tuple[Ruling, ...]) -> Envelope:
    return msgspec.structs.replace(verdict, derived_from=answered, verdict=rulings)


def _enrol_all(store: Store, parties: Iterable[ActingParty], *, time_ms: int) -> None:
    for party in parties:
        store.parties.enrol(party.state, party.chain, boxes={}, time_ms=time_ms)


@asynccontextmanager
async def housed_relay(
    folder: Path,
    *,
    limits: RelayLimits = LIMITS,
    checkpoint: Callable[[str], None] | None = None,
    clock: Clock | None = None,
    policy: Policy = DEFAULT_POLICY,
) -> AsyncIterator[HousedRelay]:
    """A relay with a case that has an owner, two clinics, a provider and an intake."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / LOG_KEY).write_bytes(RELAY_SEED)
    clock = clock or Clock()
    parties = {role: ActingParty(f"the {role}", kind) for role, kind in ROLES.items()}  # type: ignore[arg-type]  # kinds of the protocol
    parties["intake"] = ActingParty("the intake", "machine", operator=parties["care"].id)
    parties["stranger"] = ActingParty("a stranger")
    parties["care"].take(parties["care"].machines(intake=parties["intake"]))
    running = open_case(parties["care"], "care", machines=[parties["intake"]], policy=policy)
    for role in ("owner", "consultant", "provider"):
        running.admit(parties[role], role, by=parties["care"])
    async with open_relay(folder, limits, origins=frozenset({"https://web.test"}), clock=clock) as relay:
        if checkpoint is not None:
            relay = replace(relay, checkpoint=checkpoint)  # noqa: PLW2901  # the same relay, watched
        house = HousedRelay(relay=relay, clock=clock, running=running, parties=parties, folder=folder)
        await relay.writer.run(lambda store: _enrol_all(store, parties.values(), time_ms=clock()))
        await house.catch_up()
        yield house


@asynccontextmanager
async def answering(house: HousedRelay) -> AsyncIterator[None]:
    """The relay's own web application, on a port of its own."""
    sockets = bind(["127.0.0.1:0"])
    house.url, house.app = origin_of(sockets[0]), build_app(house.relay)
    async with serving(house.app, sockets, house.relay.limits):
        yield
