"""Turns at the cores: one job each, whoever waits; zygotes come when they are needed."""

import asyncio
import io
import sys
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.hostile import images
from vetrelay.inspection.frames import Request
from vetrelay.inspection.inspect import Inspector, Settings
from vetrelay.inspection.sandbox import Ending
from vetrelay.inspection.words import Verdict

PICTURES_ONLY = (sys.executable, "-I", str(Path(__file__).parent / "misbehaving_worker.py"), "plain")
CORES = 2
PHOTO = images.saved(images.photo(120, 90), "JPEG")

Run = Callable[[str, Request, int], Awaitable[Ending | None]]


def pack(members: int) -> bytes:
    """An archive of photos."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for number in range(members):
            made.writestr(f"{number}.jpg", images.saved(images.photo(200, 150, seed=number), "JPEG"))
    return buffer.getvalue()


async def until(is_so: Callable[[], bool]) -> None:
    """Returns when it is so; pytest's own limit ends a wait for what never is."""
    for _ in range(3000):
        if is_so():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never was so")


async def test_a_small_photo_waits_for_no_more_than_one_job_of_each_core() -> None:
    """Two large packs are in hand; the photo that comes then is next as soon as a core is free."""
    begun: list[int] = []
    async with Inspector.start(Settings(parallel_jobs=CORES), command=PICTURES_ONLY) as inspector:
        run: Run = inspector._pool.run

        async def noted(load: str, request: Request, descriptor: int) -> Ending | None:
            begun.append(request.size_bytes)
            return await run(load, request, descriptor)

        inspector._pool.run = noted  # type: ignore[method-assign, assignment]  # it only listens
        packs = [asyncio.create_task(inspector.inspect(pack(60), f"{index}.zip")) for index in range(2 * CORES)]
        await until(lambda: len(begun) >= 10)
        before = len(begun)
        finding = await inspector.inspect(PHOTO, "small.jpg")
        place = begun.index(len(PHOTO))
        assert Verdict.CLEAN is finding.verdict
        assert place - before <= CORES
        assert not all(one.done() for one in packs)
        findings = await asyncio.gather(*packs)
    assert [60] * len(packs) == [len(one.members) for one in findings]


async def test_zygotes_come_when_jobs_wait_for_them_and_no_more_than_there_are_cores() -> None:
    """One file needs one; many at once get as many as may run at once."""
    async with Inspector.start(Settings(parallel_jobs=CORES), command=PICTURES_ONLY) as inspector:
        pool = inspector._pool
        await inspector.inspect(PHOTO, "a.jpg")
        assert 1 == pool._places["pictures"]
        await asyncio.gather(*(inspector.inspect(PHOTO, "a.jpg") for _ in range(10)))
        assert CORES == pool._places["pictures"]


async def test_a_zygote_that_cannot_be_started_costs_no_file(caplog: pytest.LogCaptureFixture) -> None:
    """What waits is served by those that there are, and the next burst tries again."""
    async with Inspector.start(Settings(parallel_jobs=CORES), command=PICTURES_ONLY) as inspector:
        pool = inspector._pool
        command, pool._command = pool._command, ("/bin/false",)
        findings = await asyncio.gather(*(inspector.inspect(PHOTO, "a.jpg") for _ in range(4)))
        assert [Verdict.CLEAN] * 4 == [finding.verdict for finding in findings]
        await until(lambda: not pool._growing)
        assert 1 == pool._places["pictures"]
        pool._command = command
        await asyncio.gather(*(inspector.inspect(PHOTO, "a.jpg") for _ in range(4)))
        assert CORES == pool._places["pictures"]
    assert "inspection.not_grown" in caplog.text
