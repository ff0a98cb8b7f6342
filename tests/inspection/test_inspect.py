"""The one call that everybody makes: several files at once, through restarts, and what is told of each."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.hostile import images
from tests.inspection.misbehaving_worker import SLOW_MARK
from vetrelay.errors import Fault
from vetrelay.inspection.handover import memory, seal
from vetrelay.inspection.inspect import Inspector, Settings
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.policy import ROWS
from vetrelay.inspection.pool import LOADS
from vetrelay.inspection.words import Reason, Verdict

HERE = Path(__file__).parent
SLOW = images.jpeg(comment=SLOW_MARK)


def worker(variant: str) -> tuple[str, ...]:
    """The command of a misbehaving worker."""
    return (sys.executable, "-I", str(HERE / "misbehaving_worker.py"), variant)


@pytest.fixture
async def inspector() -> AsyncIterator[Inspector]:
    """An inspector of two zygotes that dawdle over a marked file."""
    async with Inspector.start(Settings(parallel_jobs=2), command=worker("plain")) as started:
        yield started


def zygotes() -> list[int]:
    """The workers that this process has started."""
    mine = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [int(pid) for pid in mine if b"misbehaving_worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def is_at_work(pid: int) -> bool:
    """Whether the zygote's child has used the processor for a while, as only the slow job does."""
    try:
        (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        user_ticks = int(Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[11])
    except (ValueError, OSError):
        return False
    return user_ticks > 10


async def test_several_files_are_inspected_at_once(inspector: Inspector) -> None:
    """More files than zygotes: each gets its own finding, and nothing is mixed up."""
    files = {f"{index}.jpg": images.saved(images.photo(100 + index, 50), "JPEG") for index in range(10)}
    findings = await asyncio.gather(*(inspector.inspect(content, name) for name, content in files.items()))
    assert [(f"{index}.jpg", 100 + index) for index in range(10)] == [
        (finding.name, finding.facts.width) for finding in findings
    ]


async def test_a_killed_zygote_is_replaced_and_its_file_tried_again(inspector: Inspector) -> None:
    """Row 64: the file is not to blame for the first death; the place is filled again."""
    waiting = asyncio.create_task(inspector.inspect(SLOW, "a.jpg"))
    killed: list[int] = []
    while not killed and not waiting.done():
        await asyncio.sleep(0.02)
        killed = [pid for pid in zygotes() if is_at_work(pid)]
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    assert Verdict.CLEAN is (await waiting).verdict
    assert [] != killed
    assert Verdict.CLEAN is (await inspector.inspect(images.jpeg(), "b.jpg")).verdict


async def test_a_file_that_meets_two_dead_zygotes_is_held(inspector: Inspector) -> None:
    """Row 64: after the second death it waits for a person, and others are still served."""
    waiting = asyncio.create_task(inspector.inspect(SLOW, "a.jpg"))

    while not waiting.done():
        for pid in zygotes():
            if is_at_work(pid):
                os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0.02)
    finding = await waiting
    assert (Verdict.HELD, Reason.JAIL_LOST) == (finding.verdict, finding.reason)
    assert Verdict.CLEAN is (await inspector.inspect(images.jpeg(), "b.jpg")).verdict


async def test_an_inspection_that_nobody_waits_for_leaves_its_place_free(inspector: Inspector) -> None:
    """A cancelled file costs its zygote, which is replaced."""
    for _ in range(3):
        waiting = asyncio.create_task(inspector.inspect(SLOW, "a.jpg"))
        await asyncio.sleep(0.1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert Verdict.CLEAN is (await inspector.inspect(images.jpeg(), "b.jpg")).verdict


async def test_a_zygote_that_cannot_be_replaced_is_a_fault_and_is_tried_again_later(inspector: Inspector) -> None:
    """Whoever asks meanwhile learns that no file can be inspected; no place is lost for good."""
    pool = inspector._pool
    command, pool._command = pool._command, ("/bin/false",)
    for pid in zygotes():
        os.kill(pid, signal.SIGKILL)
    for _ in range(1000):
        if not zygotes():
            break
        await asyncio.sleep(0.01)
    for _ in range(4):
        with pytest.raises(Fault) as failed:
            await inspector.inspect(images.jpeg(), "a.jpg")
        assert "sandbox_failed" == failed.value.code
    pool._command = command
    findings = await asyncio.gather(*(inspector.inspect(images.jpeg(), "a.jpg") for _ in range(4)))
    assert [Verdict.CLEAN] * 4 == [finding.verdict for finding in findings]


async def test_leaving_ends_an_inspection_under_way() -> None:
    """Whoever still waits learns that there is no jail any more, instead of getting a new one that nobody ends."""
    async with Inspector.start(Settings(parallel_jobs=1), command=worker("plain")) as inspector:
        waiting = asyncio.create_task(inspector.inspect(SLOW, "a.jpg"))
        await asyncio.sleep(0.3)
    with pytest.raises(Fault):
        await waiting
    assert [] == zygotes()


async def test_leaving_ends_every_zygote() -> None:
    """Nothing is left running."""
    async with Inspector.start(Settings(parallel_jobs=2), command=worker("plain")):
        assert len(LOADS) == len(zygotes())
    assert [] == zygotes()


async def test_a_descriptor_stays_the_caller_s(inspector: Inspector) -> None:
    """Sealed memory, an ordinary file: both are read where they are, from the start, and not closed."""
    descriptor = memory()
    os.write(descriptor, images.jpeg())
    for _ in range(2):
        assert Verdict.CLEAN is (await inspector.inspect(seal_once(descriptor), "a.jpg")).verdict
    assert len(images.jpeg()) == os.fstat(descriptor).st_size
    os.close(descriptor)


def seal_once(descriptor: int) -> int:
    """Sealed memory; sealing it again is refused by the kernel."""
    try:
        return seal(descriptor)
    except PermissionError:
        return descriptor


@pytest.mark.parametrize(
    "content",
    [images.jpeg() + bytes(ROWS[Kind.JPEG].file_bytes), b"\x89PNG\r\n\x1a\n" + bytes(ROWS[Kind.PNG].file_bytes)],
)
async def test_a_file_beyond_the_limit_is_told_by_its_head(inspector: Inspector, content: bytes) -> None:
    """It is never opened: only what it starts with is looked at."""
    assert Reason.TOO_MANY_BYTES is (await inspector.inspect(content, "a")).reason


async def test_without_libmagic_everything_is_held() -> None:
    """With half of the check missing nothing passes, and nothing is called the sender's fault."""
    async with Inspector.start(Settings(parallel_jobs=1), command=worker("no-libmagic")) as inspector:
        assert not inspector.has_second_opinion
        for content, name in [
            (images.jpeg(), "a.jpg"),
            (images.jpeg()[:-9], "a.jpg"),
            (b"<html>", "a.jpg"),
            (b"", "a"),
            (b"MZ", "a.exe"),
        ]:
            finding = await inspector.inspect(content, name)
            assert (Verdict.HELD, Reason.NO_SECOND_OPINION, ()) == (finding.verdict, finding.reason, finding.outputs)


@pytest.mark.skipif(find_spec("pillow_heif") is None, reason="pillow-heif is not installed: the extra [heif] brings it")
async def test_where_heic_is_not_opened_the_sender_learns_what_to_do() -> None:
    """Without its decoder: convert it on the phone. Every other photo is opened as ever."""
    async with Inspector.start(Settings(parallel_jobs=1), command=worker("no-heic")) as inspector:
        assert Kind.HEIC not in inspector.opens
        finding = await inspector.inspect(images.heic(), "a.heic")
        assert (Verdict.REFUSED, Reason.HEIC_NOT_SUPPORTED) == (finding.verdict, finding.reason)
        assert "convert it to JPEG on the phone" in (finding.sentence or "")
        assert Verdict.CLEAN is (await inspector.inspect(images.jpeg(), "a.jpg")).verdict


async def test_a_type_that_is_switched_off_waits_for_a_person_unopened() -> None:
    """A practice may take less than VetRelay can open."""
    rows = {**ROWS, Kind.JPEG: replace(ROWS[Kind.JPEG], accept=False)}
    async with Inspector.start(Settings(parallel_jobs=1, rows=rows), command=worker("plain")) as inspector:
        finding = await inspector.inspect(images.jpeg(), "a.jpg")
        assert (Verdict.HELD, Reason.TYPE_SWITCHED_OFF, ()) == (finding.verdict, finding.reason, finding.outputs)
        assert (await inspector.inspect(images.png(), "a.png")).reason is None


@pytest.mark.parametrize("variant", ["broken-decoder", "fails-inside"])
async def test_no_inspector_starts_when_a_path_fails(variant: str) -> None:
    """A sample that is not opened, before the fork or only inside: no service, rather than photos refused for nothing."""
    with pytest.raises(Fault) as refused:
        async with Inspector.start(Settings(parallel_jobs=1), command=worker(variant)):
            pass
    assert "sandbox_failed" == refused.value.code


async def test_no_inspector_starts_without_a_jail() -> None:
    """Row 65: a machine that cannot confine a job inspects nothing."""
    command = (sys.executable, "-I", str(HERE / "without_seccomp.py"))
    with pytest.raises(Fault) as refused:
        async with Inspector.start(Settings(), command=command):
            pass
    assert "no_sandbox" == refused.value.code
