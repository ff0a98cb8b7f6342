"""The self-test at start: through the real jail, or no service.

It proves two things: of every zygote that its jail denies (a probe tries to open, connect, fork, exec and signal), and
of the first of each load that every sample can be opened in it (a missing lazy import shows only inside).
"""

import zlib

from vetrelay.errors import Fault
from vetrelay.inspection import policy, sniff
from vetrelay.inspection.answer import checked_result
from vetrelay.inspection.ask import Ask
from vetrelay.inspection.contact import Labelled, encode_pictures
from vetrelay.inspection.entries import Entry
from vetrelay.inspection.frames import PROBE_PASSED, Job, Request, inspecting
from vetrelay.inspection.handover import handed_over
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.packjobs import drawing, taken_out, taking_out
from vetrelay.inspection.sandbox import End, Ending, Zygote, ZygoteLost
from vetrelay.inspection.source import BytesSource
from vetrelay.inspection.words import Reason, Verdict
from vetrelay.inspection.zipforms import DEFLATED

_GLANCE = policy.row_of({}, Kind.UNKNOWN)


async def prove_denials(zygote: Zygote) -> None:
    """Raises Fault `no_sandbox` unless every probed act failed inside the jail."""
    if (await _ended(zygote, _asking(Job.PROBE), b"")).untrusted != PROBE_PASSED:
        raise Fault("no_sandbox")


async def prove_samples(zygote: Zygote) -> None:
    """Raises Fault `sandbox_failed` unless a sample of every kind that the zygote says it opens comes out rebuilt.

    Without a second opinion nothing is opened, so there is nothing to prove.
    """
    if not zygote.abilities.second_opinion:
        return
    proved = set()
    index = 0
    while sample := bytes((await _ended(zygote, _asking(Job.SAMPLE, argument=index), b"")).untrusted):
        index += 1
        row = policy.row_of(policy.ROWS, sniff.kind_of(sample))
        result = checked_result(await _ended(zygote, inspecting(row, Ask(), size_bytes=len(sample)), sample))
        if result.reason is not Reason.NONE and result.reason.verdict is not Verdict.KEPT_SEALED:
            raise Fault("sandbox_failed")
        proved.add(result.kind)
        if result.kind is Kind.JPEG:
            await _prove_packs(zygote, sample)
    if proved != zygote.abilities.opens:
        raise Fault("sandbox_failed")


async def _prove_packs(zygote: Zygote, picture: bytes) -> None:
    """Raises Fault `sandbox_failed` unless a member can be taken out of a pack, and a contact sheet drawn."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = packer.compress(picture) + packer.flush()
    entry = Entry(
        name="", method=DEFLATED, offset=0, packed_bytes=len(packed), plain_bytes=len(picture), crc=zlib.crc32(picture)
    )
    if taken_out(await _ended(zygote, taking_out(entry), packed)).read(0, len(picture) + 1) != picture:
        raise Fault("sandbox_failed")
    previews = encode_pictures([Labelled(label="1", content=picture)])
    if checked_result(await _ended(zygote, drawing(previews), previews)).reason is not Reason.NONE:
        raise Fault("sandbox_failed")


def _asking(job: Job, *, argument: int = 0) -> Request:
    return Request(job=job, argument=argument, size_bytes=0, limits=policy.limits_of(_GLANCE, size_bytes=0))


async def _ended(zygote: Zygote, request: Request, content: bytes) -> Ending:
    async with handed_over(BytesSource(content), most_bytes=len(content), head_bytes=0) as handover:
        try:
            ending = await zygote.run(request, handover.descriptor)
        except ZygoteLost:
            raise Fault("sandbox_failed") from None
    if ending.end is not End.FINISHED:
        raise Fault("sandbox_failed")
    return ending
