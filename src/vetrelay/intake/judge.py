"""Judging one file: a turn at a core, fetched, opened into memory, inspected in the jail, its copies sealed.

A file that the jail does not survive is tried twice and then held. Tries are counted durably before they begin, so
that one that takes the whole intake down is not tried for ever either.
"""

import asyncio
import os
from functools import partial
from typing import Final

from vetrelay.client.end import End
from vetrelay.errors import Fault, Refusal
from vetrelay.inspection.frames import Result
from vetrelay.inspection.inspect import Finding, finding_of
from vetrelay.inspection.kinds import KINDS, Kind
from vetrelay.inspection.policy import MAX_FILE_BYTES, claimed_kind
from vetrelay.inspection.words import FIRST_JAIL_END, Reason
from vetrelay.intake.attachment import BROKEN, check_key, fetch_payload, open_payload, plain_size
from vetrelay.intake.intake import Intake
from vetrelay.intake.jobs import Job
from vetrelay.intake.persist import persist
from vetrelay.intake.publish import Judged, judged, refused
from vetrelay.protocol.envelope import Envelope, ObjectRef
from vetrelay.protocol.ids import unb64
from vetrelay.protocol.manifest import SlipFile

MAX_TRIES: Final = 2
_AFTER_ALL_OTHERS: Final = 1 << 62


def too_large_to_fetch(file: SlipFile) -> Finding:
    """The finding on a file that no row of the policy table would open, by what its sender says it is.

    A photo is refused; a type that waits for a person does so at any size.
    """
    claimed = claimed_kind(file.name, file.declared)
    not_opened = KINDS[claimed].not_opened
    reason = Reason.TOO_MANY_BYTES if not_opened is Reason.NONE else not_opened
    return finding_of(Result(kind=claimed, reason=reason), file.name, declared=file.declared)


async def judge(intake: Intake, job: Job, envelope: Envelope, file: SlipFile, *, purpose: str | None) -> Judged:
    """The word on one attachment, however long the relay takes to hand it out.

    Raises the Refusal that concerns not this file but the intake's part in the case.
    """
    (ref,) = (named for named in envelope.of_role("attachment") if named.h0 == file.h0)
    if plain_size(ref.size) > MAX_FILE_BYTES:
        return _sealed(intake.end, file, too_large_to_fetch(file))
    turn_bytes = ref.size
    while True:
        attempt = partial(_tried, intake, job, ref, file, turn_bytes=turn_bytes, purpose=purpose)
        judgement = await persist(attempt)
        if judgement is not None:
            return judgement
        turn_bytes = _AFTER_ALL_OTHERS  # a file that broke the jail goes to the end of the queue


def _sealed(end: End, file: SlipFile, finding: Finding) -> Judged:
    return judged(end, file.p, finding, keep_original=file.keep_original)


async def _tried(
    intake: Intake, job: Job, ref: ObjectRef, file: SlipFile, *, turn_bytes: int, purpose: str | None
) -> Judged | None:
    """One turn: a judgement, or None when the file is to be tried again."""
    async with intake.turns.turn(turn_bytes):
        try:
            descriptor = await _opened(intake, ref, file)
        except (Refusal, Fault) as broken:
            if broken.code in BROKEN:
                return refused(file.p, broken.code)
            raise
        try:
            finding = await _inspected(intake, job, file, descriptor, purpose=purpose)
        finally:
            os.close(descriptor)
        if finding is None:
            return None
        intake.checkpoint("inspected")
        return await asyncio.to_thread(_sealed, intake.end, file, finding)


async def _opened(intake: Intake, ref: ObjectRef, file: SlipFile) -> int:
    await check_key(intake.end, file)
    untrusted_pieces = await fetch_payload(intake.end, ref)
    intake.checkpoint("fetched")
    return await asyncio.to_thread(
        open_payload, untrusted_pieces, p=ref.p, key=unb64(file.key, 16), plain_sha256=file.plain_sha256
    )


async def _inspected(
    intake: Intake, job: Job, file: SlipFile, descriptor: int, *, purpose: str | None
) -> Finding | None:
    tries = intake.jobs.begin_try(job.entry, file.p)  # durable before the jail sees the file
    if tries > MAX_TRIES:
        result = Result(kind=Kind.UNKNOWN, reason=Reason.JAIL_LOST)
        return finding_of(result, file.name, declared=file.declared)
    try:
        finding = await intake.inspector.inspect(descriptor, file.name, declared=file.declared, purpose=purpose)
    except (asyncio.CancelledError, Fault):
        intake.jobs.end_try(job.entry, file.p)  # we were stopped, or had no jail: not the file's doing
        raise
    if finding.reason is None or finding.reason < FIRST_JAIL_END:
        intake.jobs.end_try(job.entry, file.p)
        return finding
    # The inspection itself has tried a lost jail twice already.
    return finding if tries == MAX_TRIES or finding.reason is Reason.JAIL_LOST else None
