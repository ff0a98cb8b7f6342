"""The jail, as whoever runs the tests and as a user that owns nothing; and how it refuses to start."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
import uvloop

from tests.contracts.sandbox import LIMITS, SandboxContract, misbehave, run
from tests.inspection.misbehaving_worker import EMPTY
from vetrelay.errors import Fault
from vetrelay.inspection.sandbox import End, Ending, Zygote, ZygoteLost
from vetrelay.inspection.selftest import prove_denials

HERE = Path(__file__).parent


def worker(variant: str) -> tuple[str, ...]:
    """The command of a misbehaving worker."""
    return (sys.executable, "-I", str(HERE / "misbehaving_worker.py"), variant)


AS_NOBODY = pytest.param(
    "nobody", marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a jail as another user")
)


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=["plain", AS_NOBODY])
async def zygote(request: pytest.FixtureRequest) -> AsyncIterator[Zygote]:
    """One zygote for the whole suite (each test must leave it fit for the next), as this user and as uid 65534."""
    started = await Zygote.start(worker(request.param), "pictures")
    if request.param == "nobody":
        assert "Uid:\t65534\t65534\t65534\t65534" in Path(f"/proc/{started.pid}/status").read_text()
    yield started
    await started.close()


class TestTheJail(SandboxContract):
    """The suite of every jail, for both users."""


@pytest.fixture
async def mortal() -> AsyncIterator[Zygote]:
    """A zygote of its own for a test that kills it."""
    started = await Zygote.start(worker("plain"), "pictures")
    yield started
    await started.close()


async def test_a_zygote_is_one_thread_without_privileges_keys_or_open_files(mortal: Zygote) -> None:
    """It has no capability, cannot gain one, and holds its two channels and /dev/null beside its standard streams."""
    process = Path(f"/proc/{mortal.pid}")
    status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines() if ":\t" in line)
    assert "1" == status["Threads"]
    assert "1" == status["NoNewPrivs"]
    assert {"0" * 16} == {status[name] for name in ("CapPrm", "CapEff", "CapInh", "CapAmb")}
    assert {b"MALLOC_ARENA_MAX", b"GLIBC_TUNABLES", b"OPENBLAS_NUM_THREADS", b"PATH"} == {
        line.split(b"=")[0] for line in (process / "environ").read_bytes().split(b"\0") if line
    }
    opened = {int(link.name): str(link.readlink()) for link in (process / "fd").iterdir()}
    assert 2 == len([name for name in opened.values() if name.startswith("socket:")])
    # Its standard error is this process's own: a traceback of its start belongs in the journal.
    others = {name for number, name in opened.items() if number != 2 and not name.startswith("socket:")}
    assert set() == others - {"/dev/null", "anon_inode:[pidfd]"}


async def test_a_killed_zygote_is_said_to_be_lost(mortal: Zygote) -> None:
    """Whoever waits for a job of a zygote that dies learns it at once, and may try elsewhere."""
    sleeping = asyncio.create_task(misbehave(mortal, "sleep"))
    await asyncio.sleep(0.1)
    os.kill(mortal.pid, signal.SIGKILL)
    with pytest.raises(ZygoteLost):
        await sleeping
    assert mortal.lost


async def test_a_zygote_killed_between_jobs_is_said_to_be_lost(mortal: Zygote) -> None:
    """Its death is met by the next job, not by a wait without end."""
    await run(mortal, EMPTY)
    os.kill(mortal.pid, signal.SIGKILL)
    with pytest.raises(ZygoteLost):
        await run(mortal, EMPTY)


async def test_a_job_dies_with_its_zygote(mortal: Zygote) -> None:
    """No job goes on when nobody is left to stop it."""
    sleeping = asyncio.create_task(misbehave(mortal, "sleep", limits=replace(LIMITS, wall_ms=60_000)))
    await asyncio.sleep(0.2)
    (child,) = Path(f"/proc/{mortal.pid}/task/{mortal.pid}/children").read_text().split()
    os.kill(mortal.pid, signal.SIGKILL)
    with pytest.raises(ZygoteLost):
        await sleeping
    for _ in range(200):
        if not Path(f"/proc/{child}").exists():
            break
        await asyncio.sleep(0.01)
    assert not Path(f"/proc/{child}").exists()


async def test_a_job_that_nobody_waits_for_is_killed(mortal: Zygote) -> None:
    """Cancelling the wait ends the zygote and its job with it."""
    sleeping = asyncio.create_task(misbehave(mortal, "sleep"))
    await asyncio.sleep(0.1)
    sleeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sleeping
    assert mortal.lost


async def test_a_zygote_ends_when_its_parent_closes_the_channels() -> None:
    """There is nothing to stop: closing is enough."""
    started = await Zygote.start(worker("plain"), "pictures")
    await run(started, EMPTY)
    await started.close()
    assert not Path(f"/proc/{started.pid}").exists()


async def test_a_machine_without_seccomp_gets_no_jail() -> None:
    """Fails closed: where a job cannot be confined, none is started."""
    command = (sys.executable, "-I", str(HERE / "without_seccomp.py"))
    zygote = await Zygote.start(command, "pictures")
    try:
        with pytest.raises(Fault) as refused:
            await prove_denials(zygote)
    finally:
        await zygote.close()
    assert "no_sandbox" == refused.value.code


async def test_a_jail_that_lets_something_pass_is_not_used() -> None:
    """The probe notices a jail whose lock was left open."""
    zygote = await Zygote.start(worker("open-door"), "pictures")
    try:
        with pytest.raises(Fault) as refused:
            await prove_denials(zygote)
    finally:
        await zygote.close()
    assert "no_sandbox" == refused.value.code


@pytest.mark.parametrize("command", [("/bin/false",), (sys.executable, "-c", "print('hello')")])
async def test_a_worker_that_does_not_start_is_a_fault(command: tuple[str, ...]) -> None:
    """Whatever it is that fails to start, nobody waits for it."""
    with pytest.raises(Fault) as failed:
        await Zygote.start(command, "pictures")
    assert "sandbox_failed" == failed.value.code


def test_the_jail_serves_under_uvloop() -> None:
    """The services run on uvloop: every way of waiting is tried there too."""

    async def main() -> list[Ending]:
        zygote = await Zygote.start(worker("plain"), "pictures")
        endings = [
            await run(zygote, EMPTY),
            await misbehave(zygote, "sleep", limits=replace(LIMITS, wall_ms=300)),
            await misbehave(zygote, "write_without_end"),
            await misbehave(zygote, "die_by_signal"),
            await run(zygote, EMPTY),
        ]
        await zygote.close()
        return endings

    expected = [End.FINISHED, End.TIMED_OUT, End.FLOODED, End.CRASHED, End.FINISHED]
    assert expected == [ending.end for ending in uvloop.run(main())]
