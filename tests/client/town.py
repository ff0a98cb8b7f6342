"""A relay in this process, on real files and over real HTTP, and people who use it as ends of the client.

Clock and dice are the tests': everybody's clock is one that only a test moves, and each end can be given another.
"""

import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from msgspec import structs

from vetrelay.client.api import connect
from vetrelay.client.cases import approve, invite, join, look_at_invitation, open_case
from vetrelay.client.drafts import Draft, DraftObject
from vetrelay.client.end import End, open_end
from vetrelay.client.keyring import Keyring, load_keyring, save_keyring
from vetrelay.client.news import receive
from vetrelay.client.outbox import deliver, promise_envelope
from vetrelay.client.parties import adopt, enrol, machine_offer, new_party
from vetrelay.client.transfer import SealedFile, seal_content
from vetrelay.config import RelayLimits
from vetrelay.protocol.case import MemberRole
from vetrelay.protocol.envelope import Envelope, Ruling
from vetrelay.protocol.finding import Derived, Finding, Findings
from vetrelay.protocol.ids import CaseId, EntryId, PartyId, b64
from vetrelay.protocol.invitation import InvitationLink, parse_link
from vetrelay.protocol.log import Head
from vetrelay.protocol.manifest import NO_HINTS
from vetrelay.protocol.party import PartyKind
from vetrelay.relay.enrol import issue_code
from vetrelay.relay.http.app import build_app
from vetrelay.relay.http.listen import bind, origin_of, serving
from vetrelay.relay.ports import RelayServices
from vetrelay.relay.process import open_relay

START_MS = time.time_ns() // 1_000_000  # files in a spool have their age by this machine's clock


class Clock:
    """A clock that moves by a millisecond each time it is asked, and else only as a test moves it."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        self.now_ms += 1
        return self.now_ms


@dataclass(kw_only=True)
class Town:
    """A relay and everybody's clock; what is opened here is closed with it."""

    relay: RelayServices
    url: str
    folder: Path
    clock: Clock
    stack: AsyncExitStack
    machines: dict[PartyId, End] = field(default_factory=dict)

    async def at(
        self, home: Path, keyring: Keyring, *, url: str | None = None, clock: Callable[[], int] | None = None
    ) -> End:
        """An end of this keyring, as one more process of its home would open it."""
        keyring = structs.replace(keyring, relay_url=url or self.url)
        opened = open_end(home, keyring, now_ms=clock or self.clock, random_bytes=os.urandom)
        return await self.stack.enter_async_context(opened)

    async def newly(self, name: str, keyring: Keyring, *, url: str | None = None) -> End:
        """An end in a home folder of its own, its keyring kept there."""
        home = self.folder / name
        save_keyring(home, keyring, passphrase=None, salt=b"", nonce=b"")
        return await self.at(home, keyring, url=url)

    async def kept(self, name: str) -> End:
        """An end that was made in this folder before."""
        return await self.at(self.folder / name, load_keyring(self.folder / name, passphrase=None))

    async def again(self, end: End, *, url: str | None = None, clock: Callable[[], int] | None = None) -> End:
        """The same end in one more process; by another way to the relay, or with another clock, if that is named."""
        return await self.at(end.home, end.keyring, url=url, clock=clock)

    async def party(self, name: str, kind: PartyKind) -> End:
        """A clinic or a machine, enrolled."""
        party = new_party(
            kind,
            party_name=name,
            person_name=f"{name} person",
            relay=self.relay.relay,
            relay_url=self.url,
            random_bytes=os.urandom,
        )
        end = await self.newly(name, party.keyring)
        await enrol(end.api, party, code=await issue_code(self.relay, "clinic" if kind == "clinic" else "machine"))
        return end

    async def clinic(self, name: str = "clinic", *, intake: End | None = None) -> End:
        """A clinic; with a file check if one is given."""
        end = await self.party(name, "clinic")
        if intake is not None:
            self.machines[end.keyring.party] = intake
            await adopt(end, machine_offer(intake.keyring, "intake"))
        return end

    async def case(self, clinic: End, title: str = "Luna") -> CaseId:
        """A case of this clinic."""
        promised, case = await open_case(clinic, title)
        clinic.journal.report(promised.id)
        return case

    async def newcomer(
        self, inviter: End, case: CaseId, name: str = "owner", *, role: MemberRole = "owner", url: str | None = None
    ) -> End:
        """A household that has come in by the inviter's link; not yet approved, where that is needed."""
        link = parse_link(await invite(inviter, case, role))
        assert isinstance(link, InvitationLink)
        party = new_party(
            "household",
            party_name=name,
            person_name=f"{name} person",
            relay=link.relay,
            relay_url=url or self.url,
            random_bytes=os.urandom,
        )
        end = await self.newly(name, party.keyring, url=url)
        async with connect(url or self.url, device="", signer=None, now_ms=self.clock) as api:
            welcome = await look_at_invitation(api, link)
        promised, _ = await join(end, link, welcome, party)
        end.journal.report(promised.id)
        return end

    async def joined(self, clinic: End, case: CaseId, end: End, *, role: MemberRole = "care") -> None:
        """Somebody who is at this relay already comes into one more case, and is approved."""
        link = parse_link(await invite(clinic, case, role))
        assert isinstance(link, InvitationLink)
        welcome = await look_at_invitation(end.api, link)
        promised, followed = await join(end, link, welcome, None)
        end.journal.report(promised.id)
        if followed is None or followed.roster.role_of(end.keyring.party) is None:
            clinic.journal.report((await approve(clinic, case, end.keyring.party)).id)
            await receive(end, wait_seconds=0)


async def verdict_on(
    intake: End,
    answered: Envelope,
    entry: EntryId,
    *,
    sender: PartyId,
    copy: bytes | None,
    code: str = "clean",
    supersedes: EntryId | None = None,
) -> Head:
    """What an honest file check would say of every file of an envelope; with a copy, if one is given."""
    made: list[tuple[DraftObject, SealedFile]] = []
    findings = []
    for ref in answered.of_role("attachment"):
        derived = []
        if copy is not None:
            sealed = seal_content(intake, copy)
            derived.append(_derived(sealed))
            made.append((_normalized(sealed), sealed))
        findings.append(_finding(ref.p, code, tuple(derived)))
    draft = Draft(
        case=answered.case,
        id=b64(os.urandom(16)),
        class_="verdict",
        audience=answered.audience,
        content=Findings(answers=entry, findings=tuple(findings)),
        objects=tuple(one for one, _ in made),
        hints=NO_HINTS,
        reply_to=None,
        derived_from=entry,
        supersedes=supersedes,
        verdict=tuple(Ruling(p=one.p, code=one.code, keep=one.keep) for one in findings),
        own=sender,
        sent_at=intake.now_ms(),
    )
    promised = await promise_envelope(intake, f"verdict:{entry}", draft, tuple(sealed for _, sealed in made))
    return await deliver(intake, promised)


def _derived(sealed: SealedFile) -> Derived:
    return Derived(
        use="record",
        h0=sealed.p,
        plain_sha256=sealed.plain_sha256,
        size=sealed.plain_bytes,
        media="image/jpeg",
        name="copy.jpg",
        width=None,
        height=None,
        member=None,
    )


def _normalized(sealed: SealedFile) -> DraftObject:
    return DraftObject(
        role="normalized",
        p=sealed.p,
        size=sealed.size_bytes,
        key=b64(sealed.key),
        plain_sha256=sealed.plain_sha256,
        plain_size=sealed.plain_bytes,
        media="image/jpeg",
        name="copy.jpg",
        keep_original=False,
    )


def _finding(p: str, code: str, derived: tuple[Derived, ...]) -> Finding:
    return Finding(
        p=p,
        code=code,  # type: ignore[arg-type]  # a test names one of the codes
        keep=False,
        reason=None,
        notes=(),
        media="image/jpeg",
        captured=None,
        width=None,
        height=None,
        items=None,
        duration_ms=None,
        patient=None,
        derived=derived,
        members=(),
    )


@asynccontextmanager
async def town_at(folder: Path, *, limits: RelayLimits | None = None, start_ms: int = START_MS) -> AsyncIterator[Town]:
    """A relay that answers on a free port of loopback, until the block is left."""
    clock = Clock(start_ms)
    limits = limits or RelayLimits(min_free_bytes=0)
    sockets = bind(["127.0.0.1:0"])
    url = origin_of(sockets[0])
    async with AsyncExitStack() as stack:
        # Any way to the relay is one of its addresses: tests put proxies before it.
        relay = await stack.enter_async_context(
            open_relay(folder / "relay", limits, origins=_AnyOrigin(), clock=clock, random_bytes=os.urandom)
        )
        await stack.enter_async_context(serving(build_app(relay), sockets, limits))
        async with AsyncExitStack() as ends:
            yield Town(relay=relay, url=url, folder=folder, clock=clock, stack=ends)


class _AnyOrigin(frozenset[str]):
    def __contains__(self, _origin: object) -> bool:
        return True
