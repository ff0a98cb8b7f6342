"""Answering one envelope: slip, files, verdict. The steps of the crash table stand here in order, each with its name."""

import asyncio
from dataclasses import replace
from typing import Final

from vetrelay.client.copies import fitting, records_for_each, wishes_of
from vetrelay.client.follow import envelope_of, party_of
from vetrelay.client.opening import slip_of
from vetrelay.client.outbox import deliver, forget, promise_envelope, upload_payloads
from vetrelay.client.persist import persist
from vetrelay.client.promises import Outgoing
from vetrelay.errors import Fault, Refusal
from vetrelay.intake.intake import Intake
from vetrelay.intake.jobs import Job
from vetrelay.intake.judge import judge
from vetrelay.intake.publish import Judged, intent_of, listed, refused, verdict_draft
from vetrelay.protocol.envelope import Envelope, recipients_of

_UPLOADS_AT_ONCE = 4
CLINIC_ROLES: Final = frozenset({"care", "consultant", "provider", "bridge"})
"""Whose files get more time on a second try: records are larger than photos, and a clinic waits for them by name."""


async def answer(intake: Intake, job: Job) -> None:
    """Brings a job to its verdict; done again after a kill at any point, there is still exactly one.

    Raises the Refusal that says that this intake cannot give a verdict on this envelope any more.
    """
    promised = intake.end.journal.intended(intent_of(job.case, job.entry))
    if promised is None:
        promised = await _promised(intake, job)
        intake.checkpoint("promised")
    await persist(lambda: upload_payloads(intake.end, promised, at_once=_UPLOADS_AT_ONCE))
    intake.checkpoint("uploaded")
    await persist(lambda: deliver(intake.end, promised))
    intake.checkpoint("submitted")
    intake.jobs.publish(job.entry, now_ms=intake.end.now_ms())
    intake.checkpoint("published")
    forget(intake.end, promised)


def drop_promise(intake: Intake, job: Job) -> None:
    """Drops a verdict that was promised and cannot be delivered, with the file keys in it."""
    promised = intake.end.journal.ever_intended(intent_of(job.case, job.entry))
    if promised is not None and promised.receipt is None:
        forget(intake.end, promised)


async def _promised(intake: Intake, job: Job) -> Outgoing:
    found = envelope_of(intake.end, job.case, job.entry)
    followed = intake.followed(job.case)
    sender = party_of(followed.roster, found[2].device) if found else None
    if found is None or sender is None:
        raise Fault("jobs_damaged")
    envelope = found[2]
    patience = intake.clinic_patience if followed.roster.role_of(sender) in CLINIC_ROLES else 1
    own = intake.end.keyring.party
    readers = len(recipients_of(followed.roster, envelope.audience, sender=own, own=sender))
    judgements = await _judgements(intake, job, envelope, patience=patience, readers=readers)
    judgements = _fitted(judgements, readers=readers)
    draft = verdict_draft(intake.end, job.entry, envelope, sender=sender, judgements=judgements)
    sealed = tuple(copy for one in judgements for copy in one.sealed)
    intent = intent_of(job.case, job.entry)
    return await persist(lambda: promise_envelope(intake.end, intent, draft, sealed, known=intake.followed(job.case)))


async def _judgements(
    intake: Intake, job: Job, envelope: Envelope, *, patience: int, readers: int
) -> tuple[Judged, ...]:
    """One for each attachment. A slip that is broken, or lifted from elsewhere (N14, N41), refuses them all unopened."""
    try:
        slip = slip_of(intake.end, envelope)
    except Refusal:
        await intake.claim(job)
        return tuple(refused(ref.p, "slip_unusable") for ref in envelope.of_role("attachment"))
    wishes = replace(wishes_of(slip.hints), most_records=records_for_each(len(slip.files), readers=readers))
    outcomes = await asyncio.gather(
        *(judge(intake, job, envelope, file, wishes=wishes, patience=patience) for file in slip.files),
        return_exceptions=True,  # one that fails stops no other, and none goes on behind our back
    )
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return tuple(outcome for outcome in outcomes if isinstance(outcome, Judged))


def _fitted(judgements: tuple[Judged, ...], *, readers: int) -> tuple[Judged, ...]:
    kept = fitting(listed(judgements), readers=readers)
    spooled = {copy.spool for one in kept for copy in one.sealed}
    for copy in (copy for one in judgements for copy in one.sealed):
        if copy.spool not in spooled:
            copy.spool.unlink()
    return kept
