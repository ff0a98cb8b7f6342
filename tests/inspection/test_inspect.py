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
from vetrelay.inspection.frames import RawOutput, Result, Role, encode_result
from vetrelay.inspection.handover import memory, seal
from vetrelay.inspection.inspect import (
    Facts,
    Finding,
    Inspector,
    Settings,
    checked_result,
    finding_as_json,
    finding_of,
)
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.policy import MAX_FILE_BYTES
from vetrelay.inspection.sandbox import End, Ending
from vetrelay.inspection.words import Note, Reason, Verdict

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
    command, inspector._command = inspector._command, ("/bin/false",)
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
    inspector._command = command
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
        assert 2 == len(zygotes())
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
    ("content", "reason"),
    [
        (images.jpeg() + bytes(MAX_FILE_BYTES), Reason.TOO_MANY_BYTES),
        (b"%PDF-1.7\n" + bytes(MAX_FILE_BYTES), Reason.HELD_TYPE_PDF),
    ],
)
async def test_a_file_beyond_the_limit_is_told_by_its_head(
    inspector: Inspector, content: bytes, reason: Reason
) -> None:
    """A picture of more than 40 MB is refused; a larger file of another kind is what it is."""
    assert reason is (await inspector.inspect(content, "a")).reason


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
    """Switched off or not installed: convert it on the phone."""
    async with Inspector.start(Settings(parallel_jobs=1, heic=False)) as inspector:
        assert not inspector.opens_heic
        finding = await inspector.inspect(images.heic(), "a.heic")
        assert (Verdict.REFUSED, Reason.HEIC_NOT_SUPPORTED) == (finding.verdict, finding.reason)
        assert "convert it to JPEG on the phone" in (finding.sentence or "")
        assert Verdict.CLEAN is (await inspector.inspect(images.jpeg(), "a.jpg")).verdict


async def test_no_inspector_starts_without_a_jail() -> None:
    """Row 65: a machine that cannot confine a job inspects nothing."""
    command = (sys.executable, "-I", str(HERE / "without_seccomp.py"))
    with pytest.raises(Fault) as refused:
        async with Inspector.start(Settings(), command=command):
            pass
    assert "no_sandbox" == refused.value.code


# --- what is told -----------------------------------------------------------------------------------------------------

JPEG = images.jpeg()
NORMALIZED = RawOutput(role=Role.NORMALIZED, kind=Kind.JPEG, width_px=160, height_px=120, content=JPEG)
PREVIEW = replace(NORMALIZED, role=Role.PREVIEW)
REBUILT = Result(
    kind=Kind.HEIC,
    notes=frozenset({Note.CONVERTED_TO_JPEG}),
    width_px=320,
    height_px=240,
    outputs=(NORMALIZED, PREVIEW),
)


def finished(result: Result) -> Ending:
    """The ending of a job that wrote this result."""
    return Ending(end=End.FINISHED, untrusted=b"".join(encode_result(result)))


def test_an_honest_result_passes() -> None:
    """What was made is a bare picture of the stated size."""
    assert REBUILT == checked_result(finished(REBUILT))


@pytest.mark.parametrize(
    "dishonest",
    [
        replace(NORMALIZED, content=images.jpeg(exif=images.camera_exif())),
        replace(NORMALIZED, content=JPEG + b"x"),
        replace(NORMALIZED, content=JPEG[:-1]),
        replace(NORMALIZED, content=b"<html>"),
        replace(NORMALIZED, kind=Kind.PNG),
        replace(NORMALIZED, width_px=161),
    ],
)
def test_a_job_that_was_taken_over_cannot_pass_something_else_for_a_picture(dishonest: RawOutput) -> None:
    """Every output is looked at once more, outside: its bytes, its end, its size."""
    assert Reason.JAIL_GARBLED is checked_result(finished(replace(REBUILT, outputs=(dishonest, PREVIEW)))).reason


@pytest.mark.parametrize(
    ("end", "verdict", "reason"),
    [
        (End.TIMED_OUT, Verdict.HELD, Reason.JAIL_TIMEOUT),
        (End.CRASHED, Verdict.HELD, Reason.JAIL_CRASHED),
        (End.FLOODED, Verdict.HELD, Reason.JAIL_FLOODED),
        (End.OUT_OF_MEMORY, Verdict.REFUSED, Reason.NEEDS_TOO_MUCH_MEMORY),
        (End.FINISHED, Verdict.HELD, Reason.JAIL_GARBLED),
    ],
)
def test_each_way_to_end_has_its_verdict(end: End, verdict: Verdict, reason: Reason) -> None:
    """Row 63: fixed, whatever the file's name says."""
    finding = finding_of(checked_result(Ending(end=end)), "a.jpg", declared=None)
    assert (verdict, reason, ()) == (finding.verdict, finding.reason, finding.outputs)


def test_a_finding_names_what_was_made() -> None:
    """One safe name for the copy, another for its preview; the facts are the original's."""
    finding = finding_of(REBUILT, "../Rex\u202e.HEIC", declared=None)
    assert (Verdict.CONVERTED, None, "image/jpeg", "Rex.jpg") == (
        finding.verdict,
        finding.reason,
        finding.media_type,
        finding.name,
    )
    assert ["Rex.jpg", "Rex-preview.jpg"] == [output.name for output in finding.outputs]
    assert Facts(width=320, height=240) == finding.facts
    assert not finding.keep_original


@pytest.mark.parametrize(
    ("kind", "reason", "name", "expected"),
    [
        (Kind.TIFF, Reason.HELD_TYPE_TIFF, "scan.jpg", "scan.tiff"),
        (Kind.TEXT, Reason.HELD_TYPE_TEXT, "notes.csv", "notes.csv"),
        (Kind.TEXT, Reason.HELD_TYPE_TEXT, "README.markdown", "README.markdown"),
        (Kind.UNKNOWN, Reason.HELD_TYPE_UNKNOWN, "thing.xyz", "thing.xyz"),
        (Kind.HTML, Reason.TYPE_NOT_TAKEN, "a.jpg", "a.jpg"),
    ],
)
def test_a_file_that_was_not_rebuilt_keeps_its_name_unless_it_can_be_mended(
    kind: Kind, reason: Reason, name: str, expected: str
) -> None:
    """Inside the family the extension is put right; otherwise the name is only made safe."""
    finding = finding_of(Result(kind=kind, reason=reason), name, declared=None)
    assert expected == finding.name
    assert finding.keep_original


def test_a_finding_as_json_has_the_hashes_and_no_content() -> None:
    """What `vetrelay inspect --json` prints beside the path."""
    shown = finding_as_json(finding_of(REBUILT, "a.heic", declared=None))
    outputs = shown.pop("outputs")
    assert {
        "name": "a.jpg",
        "verdict": "converted",
        "reason": None,
        "sentence": None,
        "media_type": "image/jpeg",
        "notes": ["converted to JPEG"],
        "facts": {"capture_time": None, "width": 320, "height": 240},
    } == shown
    assert isinstance(outputs, list)
    assert {"role", "name", "media_type", "size_bytes", "sha256", "width", "height"} == set(outputs[0])
    held = finding_as_json(finding_of(Result(kind=Kind.PDF, reason=Reason.HELD_TYPE_PDF), "a.pdf", declared=None))
    assert ("held", "held_type_pdf", []) == (held["verdict"], held["reason"], held["outputs"])
    assert str(held["sentence"]).startswith("PDF files")


def test_a_finding_is_a_value() -> None:
    """It cannot be changed on its way to a verdict."""
    finding = finding_of(REBUILT, "a.heic", declared=None)
    assert isinstance(finding, Finding)
    with pytest.raises(AttributeError):
        finding.verdict = Verdict.CLEAN  # type: ignore[misc]  # this is what must fail
