"""Kill -9 of a real intake at every row of its crash table: nothing is lost, nothing is doubled."""

import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.practice import Practice, Visit, photo, practice, visit
from tests.processes import STEP_MARK, TELL_STEPS
from vetrelay.client.follow import follow
from vetrelay.client.journal import LogRow
from vetrelay.intake.jobs import FILE_NAME
from vetrelay.protocol.envelope import parse_envelope
from vetrelay.protocol.log import Kind
from vetrelay.protocol.signature import parse_wire

STEPS = ("stored", "acknowledged", "fetched", "inspected", "promised", "uploaded", "submitted", "published")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    """A practice whose intake is killed again and again."""
    with practice(tmp_path_factory.mktemp("practice")) as opened:
        yield opened


def verdicts_on(case: Visit, entry: str) -> list[LogRow]:
    """The positions of a case's log that hold a verdict on this message."""
    rows = [row for row in case.veterinarian.journal.log(case.case) if row.link.kind is Kind.ENVELOPE and row.signed]
    return [row for row in rows if parse_envelope(parse_wire(row.signed or b"")).derived_from == entry]


def told_by_jobs(home: Path, question: str, *values: str) -> list[tuple[object, ...]]:
    """What the intake's job table says."""
    with sqlite3.connect(home / FILE_NAME) as table:
        return table.execute(question, values).fetchall()


@pytest.mark.parametrize("step", STEPS)
async def test_an_intake_killed_at_any_step_gives_exactly_one_verdict(here: Practice, step: str) -> None:
    """Killed right after the step and started again, it goes on from there: one verdict, upright copies, no open job."""
    here.restart_intake(die_at=step)
    async with visit(here, step) as case:
        sent = await case.send({"one.jpg": photo(), "two.jpg": photo(colour="blue")})
        assert -signal.SIGKILL == here.intake.wait()
        here.restart_intake()
        entry = await case.checked(sent)
        after = await case.checked(await case.send({"three.jpg": photo()}))  # the queue is not stuck
        assert ["clean", "clean"] == [file.verdict for file in entry.attachments]
        assert ["clean"] == [file.verdict for file in after.attachments]
        assert 1 == len(verdicts_on(case, sent))
    here.intake.end()
    assert [] == told_by_jobs(here.intake_home, "SELECT * FROM jobs WHERE state <> 'published'")
    assert [] == [path for path in (here.intake_home / "spool").iterdir() if path.suffix == ".payload"]


async def test_a_stop_in_the_middle_is_not_held_against_a_file(here: Practice) -> None:
    """Told to stop while it inspects, it ends cleanly and takes the try back: the next start begins with none."""
    here.restart_intake(die_at=TELL_STEPS)
    async with visit(here, "stopped") as case:
        sent = await case.send({"large.jpg": photo(5000, 4000)})
        while f"{STEP_MARK}fetched" not in here.intake.log.read_text():
            await follow(case.owner, case.case)
        assert 0 == here.intake.end()
        assert [] == told_by_jobs(here.intake_home, "SELECT p FROM tries WHERE entry=? AND count>0", sent)
        here.restart_intake()
        entry = await case.checked(sent)
    assert ["clean"] == [file.verdict for file in entry.attachments]


async def test_one_photo_survives_a_kill_at_every_step_in_turn(here: Practice) -> None:
    """However often the intake dies on the way, the photo arrives."""
    async with visit(here, "all steps") as case:
        here.intake.end()
        sent = await case.send({"paw.jpg": photo()})
        for step in STEPS:
            here.restart_intake(die_at=step)
            if step == "acknowledged":  # the job was stored before: there is nothing to acknowledge for it any more
                here.intake.end(signal.SIGKILL)
            assert -signal.SIGKILL == here.intake.wait()
        here.restart_intake()
        entry = await case.checked(sent)
        assert ["clean"] == [file.verdict for file in entry.attachments]
        assert 1 == len(verdicts_on(case, sent))
