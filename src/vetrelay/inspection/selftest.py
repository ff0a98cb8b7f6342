"""The self-test at start: through the real jail, or no service.

It proves two things of every zygote: that the jail denies (a probe tries to open, connect, fork, exec and signal), and
that each kind of picture can be opened in it (a missing lazy import shows only inside).
"""

from dataclasses import replace

from vetrelay.errors import Fault
from vetrelay.inspection.frames import Garbled, Job, Request, decode_result
from vetrelay.inspection.handover import handed_over
from vetrelay.inspection.policy import HEAD_BYTES, NORMALIZED_SIDE_PX, limits_for
from vetrelay.inspection.sandbox import End, Zygote
from vetrelay.inspection.words import Reason

_PROBES = 7
_PICTURES, _PICTURES_WITH_HEIC = 5, 6


async def prove_denials(zygote: Zygote) -> None:
    """Raises Fault `no_sandbox` unless every probed act failed inside the jail."""
    answer = await _run(zygote, Job.PROBE, argument=0, content=b"")
    if answer != b"\x01" * _PROBES:
        raise Fault("no_sandbox")


async def prove_pictures(zygote: Zygote) -> None:
    """Raises Fault `sandbox_failed` unless a sample of every opened kind comes out rebuilt.

    Without a second opinion nothing is opened, so there is nothing to prove.
    """
    if not zygote.has_second_opinion:
        return
    for index in range(_PICTURES_WITH_HEIC if zygote.opens_heic else _PICTURES):
        sample = await _run(zygote, Job.SAMPLE, argument=index, content=b"")
        answer = await _run(zygote, Job.INSPECT, argument=NORMALIZED_SIDE_PX, content=sample)
        try:
            reason = decode_result(answer).reason
        except Garbled:
            raise Fault("sandbox_failed") from None
        if reason is not Reason.NONE:
            raise Fault("sandbox_failed")


async def _run(zygote: Zygote, job: Job, *, argument: int, content: bytes) -> bytes:
    limits = limits_for(content)
    with handed_over(content, most_bytes=limits.file_bytes, head_bytes=HEAD_BYTES) as handover:
        request = Request(job=job, argument=argument, size_bytes=len(content), limits=replace(limits))
        ending = await zygote.run(request, handover.descriptor)
    if ending.end is not End.FINISHED:
        raise Fault("sandbox_failed")
    return ending.untrusted
