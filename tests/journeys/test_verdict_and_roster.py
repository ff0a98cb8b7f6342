"""Who takes part changes while a verdict is being made: it is sealed again, or the job ends and says why."""

import signal
import sqlite3
from collections.abc import Iterator

import pytest

from tests.practice import Practice, photo, practice, visit
from vetrelay.client.cases import set_state
from vetrelay.client.end import End
from vetrelay.client.follow import follow
from vetrelay.client.parties import own_party
from vetrelay.intake.jobs import FILE_NAME
from vetrelay.protocol.party import Machines
from vetrelay.protocol.signature import sign
from vetrelay.protocol.statement import VERSION, render


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    """A practice."""
    with practice(tmp_path_factory.mktemp("practice")) as opened:
        yield opened


async def without_intake(veterinarian: End) -> None:
    """The clinic no longer has a file check."""
    party = await own_party(veterinarian)
    statement = Machines(v=VERSION, party=party.id, seq=party.seq + 1, prev=party.head, intakes=(), bridge=None)
    signed = sign("party", statement, [veterinarian.device.signer])
    await veterinarian.api.append_party(party.id, render({"entry": signed, "boxes": {}}))


def ended_jobs(here: Practice) -> list[tuple[str, str]]:
    """State and reason of every job that is not published."""
    with sqlite3.connect(here.intake_home / FILE_NAME) as table:
        return table.execute("SELECT state, reason FROM jobs WHERE state <> 'published'").fetchall()


@pytest.mark.parametrize("step", ["promised", "uploaded"])
async def test_a_verdict_promised_to_an_older_roster_is_sealed_again(here: Practice, step: str) -> None:
    """(N09) The case narrows between promise and delivery: the relay says so, and the same findings go to today's readers."""
    here.restart_intake(die_at=step)
    async with visit(here, f"narrowed after {step}") as case:
        sent = await case.send({"paw.jpg": photo()})
        assert -signal.SIGKILL == here.intake.wait()
        await set_state(case.veterinarian, case.case, "close")
        here.restart_intake()
        entry = await case.checked(sent)
        followed = await follow(case.owner, case.case)
    assert ["clean"] == [file.verdict for file in entry.attachments]
    assert followed.roster.closed


@pytest.mark.parametrize(("step", "reason"), [("stored", "not_found"), ("promised", "not_a_member")])
async def test_a_job_of_an_intake_that_has_no_part_any_more_ends(here: Practice, step: str, reason: str) -> None:
    """The clinic gave its file check up meanwhile: the job ends with the relay's reason, and is not tried for ever."""
    here.restart_intake(die_at=step)
    async with visit(here, f"given up after {step}") as case:
        await case.send({"paw.jpg": photo()})
        assert -signal.SIGKILL == here.intake.wait()
        await without_intake(case.veterinarian)
        before = len(ended_jobs(here))
        here.restart_intake()
        while len(done := [job for job in ended_jobs(here) if job[0] == "ended"]) < before:
            await follow(case.owner, case.case)
        await here.adopt_intake(case.veterinarian)
    assert ("ended", reason) in done
