"""The rows of the checklist for texts and documents, through the real jail: each gets the verdict beside it."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.hostile import documents, writings
from vetrelay.inspection.finding import Finding
from vetrelay.inspection.inspect import Inspector, Settings
from vetrelay.inspection.policy import ROWS, row_of
from vetrelay.inspection.words import JAIL_ENDS, Reason, Verdict

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Of each sort of document; the six texts take one path and share a hundred and more.
TIMES, TIMES_OF_TEXT = 100, 20
AT_ONCE = 4
DOCUMENTS = (".docx", ".xlsx", ".odt", ".rtf")
SOUND = writings.sound()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def inspector() -> AsyncIterator[Inspector]:
    """One inspector for all files: none of them may leave it unfit for the next."""
    async with Inspector.start(Settings()) as started:
        yield started


@pytest.mark.parametrize("row", [pytest.param(row, id=row.row) for row in writings.ROWS])
async def test_the_checklist_holds(inspector: Inspector, row: writings.Row) -> None:
    """Each row's verdict and reason, and where it says so its notes and its text."""
    finding = await inspector.inspect(row.make(), row.name)
    reason = None if finding.reason is None else finding.reason.key
    assert (row.verdict, row.reason) == (finding.verdict, reason)
    if row.notes or row.verdict is Verdict.CLEAN:
        assert row.notes == finding.notes
    if row.text is not None:
        assert [row.text] == [output.content.decode() for output in finding.outputs]
    if row.verdict in {Verdict.REFUSED, Verdict.HELD}:
        assert () == finding.outputs


@pytest.mark.parametrize("name", SOUND)
async def test_a_sound_writing_is_taken(inspector: Inspector, name: str) -> None:
    """As people send them: texts stay what they are, documents become plain text with the original kept."""
    finding = await inspector.inspect(SOUND[name], name)
    is_text = not name.endswith(DOCUMENTS)
    assert (Verdict.CLEAN if is_text else Verdict.CONVERTED) == finding.verdict
    assert finding.keep_original
    assert (name if is_text else name.rpartition(".")[0] + ".txt") == finding.name


@pytest.mark.parametrize("name", documents.DOCUMENTS)
async def test_nothing_that_names_a_writer_is_in_the_text(inspector: Inspector, name: str) -> None:
    """Authors, details, remarks, changes and what was deleted: none of it is in any output's bytes."""
    content = documents.DOCUMENTS[name]
    finding = await inspector.inspect(content, name)
    assert Verdict.CONVERTED is finding.verdict
    assert documents.NOTES[name] == set(finding.notes)
    assert finding.outputs
    for output in finding.outputs:
        assert writings.CANARY.encode() not in output.content
        assert b"Rex" in output.content


async def test_pictures_of_a_document_are_inspected_each_by_its_own_row(inspector: Inspector) -> None:
    """A sound one is rebuilt without its comment, a broken one is left out; the text comes first."""
    finding = await inspector.inspect(documents.illustrated(), "report.docx")
    assert Verdict.CONVERTED is finding.verdict
    assert [("picture-1.png", Verdict.CLEAN), ("picture-2.png", Verdict.REFUSED)] == [
        (member.name, member.verdict) for member in finding.members
    ]
    assert [("record", None), ("record", 0), ("preview", 0)] == [(one.role, one.member) for one in finding.outputs]
    assert "Rex [picture 1]\n" == finding.outputs[0].content.decode()
    assert not any(writings.CANARY.encode() in output.content for output in finding.outputs)


@pytest.mark.parametrize("name", SOUND)
async def test_no_cut_and_no_flipped_bit_ends_the_jail_otherwise_than_by_an_answer(
    inspector: Inspector, name: str
) -> None:
    """A hundred cuts and a hundred flips: an answer each time, and never more than its row allows."""
    dice = random.Random(name)
    sound = SOUND[name]
    times = TIMES if name.endswith(DOCUMENTS) else TIMES_OF_TEXT
    harmed = [sound[: dice.randrange(len(sound))] for _ in range(times)]
    for _ in range(times):
        flipped = bytearray(sound)
        flipped[dice.randrange(len(sound))] ^= 1 << dice.randrange(8)
        harmed.append(bytes(flipped))
    turns = asyncio.Semaphore(AT_ONCE)

    async def judged(content: bytes) -> Finding:
        async with turns:
            return await inspector.inspect(content, name)

    for finding in await asyncio.gather(*map(judged, harmed)):
        assert finding.reason not in JAIL_ENDS - {Reason.NONE}
        made_bytes = sum(len(output.content) for output in finding.outputs)
        assert made_bytes <= row_of(ROWS, finding.kind).output_bytes
