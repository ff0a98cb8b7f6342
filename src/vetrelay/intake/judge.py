"""Judging one file: fetched sealed, checked, inspected in the jail, its copies sealed.

A file that the jail does not survive is tried twice and then held. Tries are counted durably before they begin, so
that one that takes the whole intake down is not tried for ever either.
"""

import asyncio
from dataclasses import replace
from functools import partial
from typing import Final

from vetrelay.client.end import End
from vetrelay.client.persist import persist
from vetrelay.client.transfer import Sealing
from vetrelay.errors import Fault, Refusal
from vetrelay.inspection.finding import MAX_NOTES, Finding, finding_of
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.policy import claimed_kind
from vetrelay.inspection.result import Result
from vetrelay.inspection.source import Source
from vetrelay.inspection.threads import to_its_end
from vetrelay.inspection.wishes import Wishes
from vetrelay.inspection.words import JAIL_ENDS, Reason, Verdict
from vetrelay.intake.attachment import BROKEN, check_key, fetched, open_payload
from vetrelay.intake.hands import hand_bytes
from vetrelay.intake.intake import Intake
from vetrelay.intake.jobs import Job
from vetrelay.intake.publish import Judged, judged, refused
from vetrelay.protocol.age.stream import sealed_size
from vetrelay.protocol.envelope import Envelope, ObjectRef
from vetrelay.protocol.ids import unb64
from vetrelay.protocol.manifest import SlipFile

MAX_TRIES: Final = 2
_AFTER_ALL_OTHERS: Final = 1 << 62


def too_large_to_fetch(intake: Intake, file: SlipFile, sealed_bytes: int) -> Finding | None:
    """The finding on a file that no row of the policy table would open, by what its sender says it is; else None."""
    rows = intake.inspector.rows
    claimed = claimed_kind(file.name, file.declared)
    most_bytes = rows[claimed].file_bytes if claimed in rows else max(row.file_bytes for row in rows.values())
    if sealed_bytes <= sealed_size(most_bytes):
        return None
    result = Result(kind=claimed, reason=Reason.TOO_MANY_BYTES)
    return finding_of(result, file.name, declared=file.declared)


async def judge(
    intake: Intake, job: Job, envelope: Envelope, file: SlipFile, *, wishes: Wishes, patience: int
) -> Judged:
    """The word on one attachment, however long the relay takes to hand it out.

    A file that runs out of time is tried once more with `patience` times as much. Raises the Refusal that concerns not
    this file but the intake's part in the case.
    """
    (ref,) = (named for named in envelope.of_role("attachment") if named.h0 == file.h0)
    too_large = too_large_to_fetch(intake, file, ref.size)
    if too_large is not None:
        return _sealed(intake.end, file, too_large)
    turn_bytes = hand_bytes(claimed_kind(file.name, file.declared), ref.size)
    while True:
        judgement = await persist(partial(_tried, intake, job, ref, file, turn_bytes=turn_bytes, wishes=wishes))
        if judgement is not None:
            return judgement
        turn_bytes = _AFTER_ALL_OTHERS  # a file that broke the jail goes to the end of the queue
        wishes = replace(wishes, patience=patience)


def _sealed(end: End, file: SlipFile, finding: Finding, packing: Sealing | None = None) -> Judged:
    return judged(end, file.p, finding, keep_original=file.keep_original, packing=packing)


async def _tried(
    intake: Intake, job: Job, ref: ObjectRef, file: SlipFile, *, turn_bytes: int, wishes: Wishes
) -> Judged | None:
    """One try: a judgement, or None when the file is to be tried again."""
    packing = Sealing(intake.end)
    try:
        return await _tried_into(packing, intake, job, ref, file, turn_bytes=turn_bytes, wishes=wishes)
    finally:
        packing.discard()


async def _tried_into(
    packing: Sealing,
    intake: Intake,
    job: Job,
    ref: ObjectRef,
    file: SlipFile,
    *,
    turn_bytes: int,
    wishes: Wishes,
) -> Judged | None:
    async with intake.hands.turn(turn_bytes):
        await intake.claim(job)
        try:
            await check_key(intake.end, file)
            async with fetched(intake.end, ref) as payload:
                intake.checkpoint("fetched")
                key = unb64(file.key, 16)
                source = await to_its_end(open_payload, payload, p=ref.p, key=key, plain_sha256=file.plain_sha256)
                finding = await _looked_at(intake, job, file, source, wishes=wishes, packing=packing)
        except (Refusal, Fault) as broken:
            if broken.code in BROKEN:
                return refused(file.p, broken.code)
            raise
        if finding is None:
            return None
        intake.checkpoint("inspected")
        return await to_its_end(_sealed, intake.end, file, finding, packing)


async def _looked_at(
    intake: Intake, job: Job, file: SlipFile, source: Source, *, wishes: Wishes, packing: Sealing
) -> Finding | None:
    """By the virus scanner first, where there is one: a file that it objects to is not opened at all."""
    said = None if intake.scanner is None else await intake.scanner.look(source)
    if isinstance(said, Reason):
        result = Result(kind=claimed_kind(file.name, file.declared), reason=said)
        return finding_of(result, file.name, declared=file.declared)
    finding = await _inspected(intake, job, file, source, wishes=wishes, packing=packing)
    if finding is None or said is None or finding.verdict in {Verdict.REFUSED, Verdict.HELD}:
        return finding
    return replace(finding, notes=(said.words, *finding.notes)[:MAX_NOTES])


async def _inspected(
    intake: Intake, job: Job, file: SlipFile, source: Source, *, wishes: Wishes, packing: Sealing
) -> Finding | None:
    tries = intake.jobs.begin_try(job.entry, file.p)  # durable before the jail sees the file
    if tries > MAX_TRIES:
        result = Result(kind=Kind.UNKNOWN, reason=Reason.JAIL_LOST)
        return finding_of(result, file.name, declared=file.declared)
    try:
        finding = await intake.inspector.inspect(source, file.name, declared=file.declared, wishes=wishes, sink=packing)
    except (asyncio.CancelledError, Fault):
        intake.jobs.end_try(job.entry, file.p)  # we were stopped, or had no jail: not the file's doing
        raise
    if finding.reason not in JAIL_ENDS:
        intake.jobs.end_try(job.entry, file.p)
        return finding
    # The inspection itself has tried a lost jail twice already.
    return finding if tries == MAX_TRIES or finding.reason is Reason.JAIL_LOST else None
