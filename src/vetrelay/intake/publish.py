"""Publishing: findings become one verdict on all files of an envelope, promised first and delivered after.

The verdict and its derived objects have the audience of the envelope they answer (protocol.md section 6).
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from msgspec import structs

from vetrelay.client.copies import CODES, Copied, copied
from vetrelay.client.drafts import Draft
from vetrelay.client.end import End
from vetrelay.client.transfer import Sealing
from vetrelay.inspection.finding import Finding as Inspected
from vetrelay.protocol.envelope import Envelope, Ruling
from vetrelay.protocol.finding import Finding, Findings
from vetrelay.protocol.ids import CaseId, EntryId, Hash, PartyId, b64
from vetrelay.protocol.manifest import NO_HINTS
from vetrelay.protocol.statement import render

MAX_MEMBERS_BYTES: Final = 384 * 1024
"""A sealed body has a mebibyte; beside the lists it says what was done with each file and its copies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged(Copied[Finding]):
    """What is said of one attachment, and the sealed copies that go with it."""


def refused(p: Hash, reason: str) -> Judged:
    """A file that could not be opened as its author sealed it: nothing is known of it but this."""
    return Judged(
        finding=Finding(
            p=p,
            code="refused",
            keep=False,
            reason=reason,
            notes=(),
            media="application/octet-stream",
            captured=None,
            width=None,
            height=None,
            items=None,
            duration_ms=None,
            patient=None,
            derived=(),
            members=(),
        )
    )


def judged(end: End, p: Hash, inspected: Inspected, *, keep_original: bool, packing: Sealing | None = None) -> Judged:
    """The word on a file that was inspected; its outputs are sealed into the spool. Raises OSError.

    `packing` is where a pack of many members was written to as it was made.

    The original stays fetchable where the policy table says so, or the sender wished it.
    """
    made = copied(end, inspected, packing=packing)
    finding = Finding(
        p=p,
        code=CODES[inspected.verdict],
        keep=keep_original or inspected.keep_original,
        **structs.asdict(made.finding),
    )
    return Judged(finding=finding, objects=made.objects, sealed=made.sealed)


def listed(judgements: Sequence[Judged]) -> tuple[Judged, ...]:
    """The same with shorter lists of what is in packs, where all of them together are more than a verdict can carry."""
    lists = [one.finding.members for one in judgements if one.finding.members]
    if sum(len(render(member)) for members in lists for member in members) <= MAX_MEMBERS_BYTES:
        return tuple(judgements)
    return tuple(_shortened(one, MAX_MEMBERS_BYTES // len(lists)) for one in judgements)


def _shortened(one: Judged, room_bytes: int) -> Judged:
    ends = itertools.accumulate(len(render(member)) for member in one.finding.members)
    kept = one.finding.members[: sum(1 for end in ends if end <= room_bytes)]
    derived = tuple(
        structs.replace(made, member=None) if made.member is not None and made.member >= len(kept) else made
        for made in one.finding.derived
    )
    return replace(one, finding=structs.replace(one.finding, members=kept, derived=derived))


def verdict_draft(
    end: End, entry: EntryId, answered: Envelope, *, sender: PartyId, judgements: Sequence[Judged]
) -> Draft:
    """The verdict on an envelope of this sender: every attachment has exactly one judgement."""
    return Draft(
        case=answered.case,
        id=b64(end.random_bytes(16)),
        class_="verdict",
        audience=answered.audience,
        content=Findings(answers=entry, findings=tuple(one.finding for one in judgements)),
        objects=tuple(made for one in judgements for made in one.objects),
        hints=NO_HINTS,
        reply_to=None,
        derived_from=entry,
        supersedes=None,
        verdict=tuple(Ruling(p=one.finding.p, code=one.finding.code, keep=one.finding.keep) for one in judgements),
        own=sender,
        sent_at=end.now_ms(),
    )


def intent_of(case: CaseId, entry: EntryId) -> str:
    """The one promise there is for an envelope's verdict, so that a kill neither loses nor doubles it."""
    return f"verdict:{case}:{entry}"


def entry_of(intent: str) -> EntryId:
    """The envelope that such a promise answers."""
    return intent.rpartition(":")[2]
