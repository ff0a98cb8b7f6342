"""A relay that answers over HTTP, and one case in it: a clinic, its file check, an owner. For tests of the relay's verbs."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.ends import Draft, End, Reply, SealedObject, World, upload, world_at
from vetrelay.config import RelayLimits
from vetrelay.protocol.envelope import Ruling, VerdictCode, parse_envelope
from vetrelay.protocol.ids import CaseId, EntryId
from vetrelay.protocol.signature import Signed

PACELESS = RelayLimits(min_free_bytes=0, envelopes_per_minute=10_000, statements_per_minute=10_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingCase:
    """A case and everybody in it."""

    world: World
    clinic: End
    intake: End
    owner: End
    case: CaseId

    async def n(self) -> int:
        """Where the log ends now."""
        return (await self.clinic.know(self.case)).tail.n

    async def rotate(self, party: End, *revoked: str) -> Reply:
        """A party's next key generation, without some of its devices."""
        return await party.extend(party.rotate(*revoked))

    async def with_photo(self, label: str = "photo") -> tuple[Draft, Signed]:
        """The owner's message with one photo, accepted."""
        ref = await upload(self.world, self.case, label)
        draft = await self.owner.draft(self.case, label=label, files=[ref])
        signed = self.owner.sign(draft.envelope, kind="envelope")
        reply = await self.owner.submit(draft, signed=signed)
        assert reply.status == 201, reply.body
        return draft, signed

    async def provider(self, name: str = "provider") -> End:
        """A household that looks after the animal, invited by the owner and confirmed."""
        provider = End(self.world, name)
        secret = await self.owner.invite(self.case, "provider", label=name)
        assert (await provider.join(self.case, secret, "provider")).status == 201
        assert (await self.owner.approve(self.case, provider, "provider")).status == 201
        assert (await provider.sign_in()).status == 200
        return provider

    async def verdict(
        self, answered: Signed, *, label: str = "verdict", code: VerdictCode = "held", supersedes: EntryId | None = None
    ) -> Draft:
        """The intake's ruling on all files of an envelope; without copies."""
        envelope = parse_envelope(answered)
        sender = next(end for end in (self.owner, self.clinic) if envelope.device in end.state.devices)
        known = await self.intake.know(self.case)
        draft = await self.intake.draft(
            self.case, "verdict", envelope.audience, label=label, own=sender.id, known=known
        )
        rulings = tuple(Ruling(p=ref.p, code=code, keep=False) for ref in envelope.of_role("attachment"))
        return draft.changed(derived_from=answered.entry_id(), verdict=rulings, supersedes=supersedes)


@asynccontextmanager
async def standing_case(folder: Path, *, limits: RelayLimits = PACELESS) -> AsyncIterator[StandingCase]:
    """A case that has just begun."""
    async with world_at(folder, limits=limits) as world:
        intake = await world.party("intake", "machine")
        clinic = await world.clinic(intake=intake)
        case = await clinic.open_case()
        owner = await world.owner(clinic, case)
        yield StandingCase(world=world, clinic=clinic, intake=intake, owner=owner, case=case)


def with_objects(draft: Draft, objects: Sequence[SealedObject]) -> Draft:
    """The same draft with other objects, named in its envelope as they are."""
    changed = Draft(envelope=draft.envelope, objects=objects)
    return changed.changed(objects=tuple(one.ref for one in objects))
