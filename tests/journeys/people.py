"""Two people and a relay that is a process of its own: what journeys of words alone need."""

import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.processes import Process, enrolment_code, intake_at, relay
from vetrelay.client.api import connect
from vetrelay.client.cases import invite, join, look_at_invitation, open_case
from vetrelay.client.end import End, open_end
from vetrelay.client.keyring import Keyring, save_keyring
from vetrelay.client.parties import NewParty, adopt, enrol, new_party, read_offer
from vetrelay.protocol.ids import CaseId
from vetrelay.protocol.invitation import InvitationLink, parse_link
from vetrelay.protocol.party import PartyKind


def now_ms() -> int:
    """The clock."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, kw_only=True)
class People:
    """A veterinarian and an owner in one case, and where their relay is."""

    folder: Path
    relay: Process
    intake: Process | None
    url: str
    veterinarian: End
    owner: End
    case: CaseId
    stack: AsyncExitStack

    async def again(self, end: End) -> End:
        """The same end, as another process of its home would open it."""
        return await _open(self.stack, end.home, end.keyring)


async def _open(stack: AsyncExitStack, home: Path, keyring: Keyring) -> End:
    opened = open_end(home, keyring, now_ms=now_ms, random_bytes=os.urandom)
    return await stack.enter_async_context(opened)


async def _party(stack: AsyncExitStack, folder: Path, url: str, kind: PartyKind, name: str) -> tuple[End, NewParty]:
    async with connect(url, device="", signer=None, now_ms=now_ms) as api:
        facts = await api.relay_facts()
    party = new_party(
        kind,
        party_name=f"{name}'s",
        person_name=name,
        relay=facts.relay,
        relay_url=url,
        random_bytes=os.urandom,
    )
    home = folder / f"home of the {kind}"
    save_keyring(home, party.keyring, passphrase=None, salt=b"", nonce=b"")
    return await _open(stack, home, party.keyring), party


@asynccontextmanager
async def people(
    folder: Path,
    *,
    title: str = "Luna",
    names: tuple[str, str] = ("veterinarian", "owner"),
    with_intake: bool = False,
    worker: str = "pictures",
) -> AsyncIterator[People]:
    """A veterinarian who has invited an owner. With an intake, it runs as a process too, and is adopted."""
    async with AsyncExitStack() as stack:
        running = stack.enter_context(relay(folder))
        url = str(running.told["url"])
        veterinarian, clinic = await _party(stack, folder, url, "clinic", names[0])
        await enrol(veterinarian.api, clinic, code=await enrolment_code(folder, "clinic"))
        intake = None
        if with_intake:
            intake = intake_at(folder, url, code=await enrolment_code(folder, "machine"), worker=worker)
            intake.start()
            stack.callback(intake.end)
            await adopt(veterinarian, read_offer(Path(str(intake.told["offer"]))))
        promised, case = await open_case(veterinarian, title)
        veterinarian.journal.report(promised.id)
        link = parse_link(await invite(veterinarian, case, "owner"))
        assert isinstance(link, InvitationLink)
        owner, household = await _party(stack, folder, url, "household", names[1])
        promised, _ = await join(owner, link, await look_at_invitation(owner.api, link), household)
        owner.journal.report(promised.id)
        yield People(
            folder=folder,
            relay=running,
            intake=intake,
            url=url,
            veterinarian=veterinarian,
            owner=owner,
            case=case,
            stack=stack,
        )
