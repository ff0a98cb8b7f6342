"""Which party statements are brought into a case, and when."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.chains import nonce
from tests.ends import End
from tests.standing_case import StandingCase, standing_case
from vetrelay.errors import Refusal
from vetrelay.protocol.case import Close, Reopen
from vetrelay.relay.chains import MAX_BOX_BYTES, check_boxes


@pytest_asyncio.fixture
async def standing(tmp_path: Path) -> AsyncIterator[StandingCase]:
    """A case that has just begun."""
    async with standing_case(tmp_path) as made:
        yield made


async def generation(standing: StandingCase, party: End) -> int:
    """The party key's generation that the case's log knows."""
    return (await standing.clinic.know(standing.case)).roster.parties[party.id].generation.gen


async def joined(standing: StandingCase, name: str) -> End:
    """A second owner, approved and signed in."""
    end = End(standing.world, name)
    secret = await standing.clinic.invite(standing.case, "owner", label=name)
    assert 201 == (await end.join(standing.case, secret, "owner")).status
    assert 201 == (await standing.clinic.approve(standing.case, end, "owner")).status
    assert 200 == (await end.sign_in()).status
    return end


async def test_a_closed_case_hears_of_changes_when_it_opens_again(standing: StandingCase) -> None:
    """Before the statement that opens it: from there on everybody writes under today's keys."""
    clinic, case = standing.clinic, standing.case
    assert 201 == (await clinic.say(case, Close(v=1, case=case, nonce=nonce("close")))).status
    n = await standing.n()
    assert 201 == (await standing.rotate(standing.owner)).status
    assert (n, 0) == (await standing.n(), await generation(standing, standing.owner))
    assert 201 == (await clinic.say(case, Reopen(v=1, case=case, nonce=nonce("reopen")))).status
    known = await clinic.know(case)
    assert (n + 2, 1) == (known.tail.n, known.roster.parties[standing.owner.id].generation.gen)
    assert not known.roster.closed


async def test_a_party_that_comes_back_brings_what_was_missed(standing: StandingCase) -> None:
    """Removed, it is not followed; invited again, its chain goes on where the log had it."""
    clinic, case = standing.clinic, standing.case
    second = await joined(standing, "second")
    assert 201 == (await clinic.remove(case, second, "owner")).status
    n = await standing.n()
    assert 201 == (await standing.rotate(second)).status
    assert (n, 0) == (await standing.n(), await generation(standing, second))
    secret = await clinic.invite(case, "owner", label="again")
    assert 201 == (await second.join(case, secret, "owner")).status
    assert (n + 3, 1) == (await standing.n(), await generation(standing, second))


async def test_a_machine_that_becomes_the_file_check_is_up_to_date(standing: StandingCase) -> None:
    """The second clinic's machine changed its key unheard; when the first clinic leaves, it is the one to seal to."""
    clinic, case, world = standing.clinic, standing.case, standing.world
    machine = await world.party("second intake", "machine")
    other = await world.clinic("second clinic", intake=machine)
    secret = await clinic.invite(case, "care", label="second")
    assert 201 == (await other.join(case, secret, "care")).status
    assert 201 == (await clinic.approve(case, other, "care")).status
    assert 201 == (await machine.extend(machine.rotate())).status
    assert 0 == await generation(standing, machine)
    assert 201 == (await clinic.remove(case, clinic, "care")).status
    roster = (await other.know(case)).roster
    assert ((machine.id,), 1) == (roster.intakes, roster.parties[machine.id].generation.gen)


def test_boxes_are_what_their_hashes_say_and_not_too_large(standing: StandingCase) -> None:
    """A box is a seed sealed to one device: whatever else is sent is not kept."""
    clinic = standing.clinic
    chain, boxes = clinic.chain[:1], dict(clinic.box_contents)
    (name,) = (name for name in boxes if name in clinic.boxes(*chain))
    check_boxes(chain, {name: boxes[name]})
    for wrong in ({}, {name: b"something else"}, {name: b"x" * (MAX_BOX_BYTES + 1)}, {**boxes, "more": b""}):
        with pytest.raises(Refusal, match="bad_boxes"):
            check_boxes(chain, wrong)
