"""What every jail promises, whoever runs it; each test of a jail inherits this suite.

The ways a job may end come first: whatever it does, there is one fixed ending, and the zygote serves the next job.
Then what must be impossible inside.
"""

import errno
from dataclasses import replace

import pytest

from tests.inspection.misbehaving_worker import ATTEMPT, ATTEMPTS, EMPTY, MISDEED, MISDEEDS
from vetrelay.inspection.answer import checked_result
from vetrelay.inspection.frames import Request
from vetrelay.inspection.handover import handed_over
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.policy import ROWS, Limits, limits_of
from vetrelay.inspection.sandbox import End, Ending, Zygote
from vetrelay.inspection.selftest import prove_denials, prove_samples
from vetrelay.inspection.source import BytesSource
from vetrelay.inspection.words import Reason

MiB = 1 << 20
LIMITS = replace(
    limits_of(ROWS[Kind.JPEG], size_bytes=0),
    cpu_seconds=5,
    wall_ms=20_000,
    output_bytes=4 * MiB,
    address_space_bytes=512 * MiB,
)
DENIED = {errno.EPERM, errno.EACCES}


async def run(
    zygote: Zygote, job: int, argument: int = 0, *, limits: Limits = LIMITS, content: bytes = b"", size_bytes: int = 0
) -> Ending:
    """One job over this content."""
    async with handed_over(BytesSource(content), most_bytes=len(content), head_bytes=0) as handover:
        request = Request(job=job, argument=argument, size_bytes=size_bytes or len(content), limits=limits)
        return await zygote.run(request, handover.descriptor)


async def misbehave(zygote: Zygote, name: str, *, limits: Limits = LIMITS, size_bytes: int = 0) -> Ending:
    """The ending of the misdeed of this name."""
    index = [misdeed.__name__ for misdeed in MISDEEDS].index(name)
    return await run(zygote, MISDEED, index, limits=limits, size_bytes=size_bytes)


@pytest.mark.asyncio(loop_scope="module")
class SandboxContract:
    """Give it a fixture `zygote` of module scope, started from misbehaving_worker.py."""

    async def test_an_empty_job_ends_with_its_answer(self, zygote: Zygote) -> None:
        """A job's bytes arrive as they were written."""
        assert Ending(end=End.FINISHED, untrusted=b"ok") == await run(zygote, EMPTY)

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("sleep", End.TIMED_OUT),
            ("close_the_answer", End.CRASHED),
            ("refuse_to_be_stopped", End.TIMED_OUT),
            ("eat_memory", End.OUT_OF_MEMORY),
            ("write_without_end", End.FLOODED),
            ("die_by_signal", End.CRASHED),
            ("exit_without_an_answer", End.CRASHED),
            ("die_in_the_middle", End.CRASHED),
            ("raise_an_error", End.CRASHED),
        ],
    )
    async def test_however_a_job_ends_the_zygote_serves_the_next(
        self, zygote: Zygote, name: str, expected: End
    ) -> None:
        """Each misdeed has its fixed ending, gives no bytes, and costs the next job nothing."""
        pid = zygote.pid
        limits = replace(LIMITS, wall_ms=700) if expected is End.TIMED_OUT else LIMITS
        assert Ending(end=expected) == await misbehave(zygote, name, limits=limits)
        assert Ending(end=End.FINISHED, untrusted=b"ok") == await run(zygote, EMPTY)
        assert pid == zygote.pid

    async def test_a_job_that_only_computes_is_stopped_by_its_processor_time(self, zygote: Zygote) -> None:
        """The limit on processor time ends a loop long before the clock on the wall would."""
        limits = replace(LIMITS, cpu_seconds=1, wall_ms=60_000)
        assert Ending(end=End.TIMED_OUT) == await misbehave(zygote, "loop", limits=limits)

    async def test_an_answer_may_be_as_long_as_its_cap_and_no_longer(self, zygote: Zygote) -> None:
        """The cap is exact: the byte that ends an honest answer is within it, one more is a flood."""
        limits = replace(LIMITS, output_bytes=100_000)
        at_cap = await misbehave(zygote, "answer_one_byte_too_many", limits=limits, size_bytes=100_000 - 2)
        assert (End.FINISHED, 100_000 - 1) == (at_cap.end, len(at_cap.untrusted))
        over = await misbehave(zygote, "answer_one_byte_too_many", limits=limits, size_bytes=100_000)
        assert Ending(end=End.FLOODED) == over

    async def test_what_a_library_prints_is_not_part_of_the_answer(self, zygote: Zygote) -> None:
        """Standard output and error lead nowhere; the answer has its own descriptor."""
        assert Ending(end=End.FINISHED, untrusted=b"answer") == await misbehave(zygote, "print_everywhere")

    async def test_nonsense_is_a_fixed_verdict(self, zygote: Zygote) -> None:
        """An answer that is no result is never interpreted."""
        assert Reason.JAIL_GARBLED is checked_result(await misbehave(zygote, "answer_nonsense")).reason

    async def test_a_job_that_says_it_is_done_and_stays_is_killed(self, zygote: Zygote) -> None:
        """Nobody waits for it, and the next job gets its place."""
        assert Ending(end=End.FINISHED, untrusted=b"answer") == await misbehave(zygote, "stay_after_the_answer")
        assert Ending(end=End.FINISHED, untrusted=b"ok") == await run(zygote, EMPTY)

    @pytest.mark.parametrize("name", ATTEMPTS)
    @pytest.mark.parametrize("kind", [Kind.JPEG, Kind.HEIC])
    async def test_inside_it_is_impossible_to(self, zygote: Zygote, name: str, kind: Kind) -> None:
        """Everything that reaches out of the process fails, also where the kind of file may start threads."""
        limits = replace(limits_of(ROWS[kind], size_bytes=0), cpu_seconds=5)
        ending = await run(zygote, ATTEMPT, list(ATTEMPTS).index(name), limits=limits)
        assert End.FINISHED is ending.end
        assert ending.untrusted[0] in DENIED

    async def test_every_sample_opens(self, zygote: Zygote) -> None:
        """The self-test passes: a decoder that needs a thread gets one, also where the user's threads are counted."""
        await prove_denials(zygote)
        await prove_samples(zygote)
