"""The self-test at start: through the real jail, or no service.

It proves two things: of every zygote that its jail denies (a probe tries to open, connect, fork, exec and signal), and
of the first that each kind of picture can be opened in it (a missing lazy import shows only inside).
"""

from vetrelay.errors import Fault
from vetrelay.inspection.frames import PROBE_PASSED, Garbled, Job, Request, decode_result
from vetrelay.inspection.handover import handed_over
from vetrelay.inspection.kinds import OPENED_KINDS, Kind
from vetrelay.inspection.policy import HEAD_BYTES, NORMALIZED_SIDE_PX, limits_for
from vetrelay.inspection.sandbox import End, Zygote, ZygoteLost
from vetrelay.inspection.words import Reason


async def prove_denials(zygote: Zygote) -> None:
    """Raises Fault `no_sandbox` unless every probed act failed inside the jail."""
    if await _run(zygote, Job.PROBE, argument=0, content=b"") != PROBE_PASSED:
        raise Fault("no_sandbox")


async def prove_pictures(zygote: Zygote) -> None:
    """Raises Fault `sandbox_failed` unless samples of all opened kinds come out rebuilt.

    Without a second opinion nothing is opened, so there is nothing to prove.
    """
    if not zygote.has_second_opinion:
        return
    wanted = OPENED_KINDS if zygote.opens_heic else OPENED_KINDS - {Kind.HEIC}
    proved = set()
    index = 0
    while sample := await _run(zygote, Job.SAMPLE, argument=index, content=b""):
        index += 1
        try:
            result = decode_result(await _run(zygote, Job.INSPECT, argument=NORMALIZED_SIDE_PX, content=sample))
        except Garbled:
            raise Fault("sandbox_failed") from None
        if result.reason is not Reason.NONE:
            raise Fault("sandbox_failed")
        proved.add(result.kind)
    if proved != wanted:
        raise Fault("sandbox_failed")


async def _run(zygote: Zygote, job: Job, *, argument: int, content: bytes) -> bytes:
    limits = limits_for(content)
    with handed_over(content, most_bytes=limits.file_bytes, head_bytes=HEAD_BYTES) as handover:
        request = Request(job=job, argument=argument, size_bytes=len(content), limits=limits)
        try:
            ending = await zygote.run(request, handover.descriptor)
        except ZygoteLost:
            raise Fault("sandbox_failed") from None
    if ending.end is not End.FINISHED:
        raise Fault("sandbox_failed")
    return ending.untrusted
