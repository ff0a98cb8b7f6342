"""The DICOM rows of the checklist, through the real jail: each file gets the verdict that stands beside it."""

import io
import random
import warnings
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from PIL import Image
from pydicom import dcmread

from tests.corpora import ABSENT, corpora_folder
from tests.hostile import dicoms
from vetrelay.inspection.finding import Finding
from vetrelay.inspection.formats import dicom
from vetrelay.inspection.inspect import Inspector, Settings
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.policy import ROWS
from vetrelay.inspection.words import JAIL_ENDS, Verdict

pytestmark = pytest.mark.asyncio(loop_scope="module")

CUTS, FLIPS = 100, 100
MADE = {Verdict.CLEAN, Verdict.CONVERTED}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def inspector() -> AsyncIterator[Inspector]:
    """One inspector for all files: none of them may leave it unfit for the next."""
    async with Inspector.start(Settings()) as started:
        yield started


def check_made(finding: Finding) -> None:
    """What was made is a record with an empty preamble, and small pictures of it."""
    record, *previews = finding.outputs
    assert "record" == record.role
    assert bytes(128) + b"DICM" == record.content[:132]
    assert sum(len(output.content) for output in finding.outputs) <= ROWS[Kind.DICOM].output_bytes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a character set that nobody knows, which goes on as it came
        dcmread(io.BytesIO(record.content))
    for preview in previews:
        assert "preview" == preview.role
        assert (preview.width, preview.height) == Image.open(io.BytesIO(preview.content)).size
        assert max(preview.width, preview.height) <= 1024


@pytest.mark.parametrize("row", [pytest.param(row, id=row.row) for row in dicoms.ROWS])
async def test_the_checklist_holds(inspector: Inspector, row: dicoms.Row) -> None:
    """Each row's verdict, reason and notes; whatever is made of it is a sound record."""
    finding = await inspector.inspect(row.make(), row.name)
    reason = None if finding.reason is None else finding.reason.key
    assert row.verdict is finding.verdict, reason
    assert reason == (row.reason or reason)
    if row.verdict in MADE:
        assert row.notes == tuple(finding.notes)
        assert row.previews == len(finding.outputs) - 1
        check_made(finding)
    else:
        assert () == tuple(finding.outputs)


async def test_a_wrapped_pdf_goes_through_the_pdf_policy(inspector: Inspector) -> None:
    """As practice software sends letters: the document inside is a file of its own, with its script gone."""
    pikepdf = pytest.importorskip("pikepdf", reason="pikepdf is not installed: the extra [pdf] brings it")
    buffer = io.BytesIO()
    with pikepdf.new() as pdf:
        pdf.add_blank_page(page_size=(200, 200))
        pdf.Root.OpenAction = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="CanaryNote()")
        pdf.save(buffer, compress_streams=False)
    content = dicoms.wrapped(buffer.getvalue())
    assert b"CanaryNote" in content
    finding = await inspector.inspect(content, "letter.dcm")
    assert finding.verdict in MADE
    assert "document inside the record taken out and checked by itself" in finding.notes
    assert [("document.pdf", Verdict.CLEAN)] == [(member.name, member.verdict) for member in finding.members]
    assert [] == [output.name for output in finding.outputs if b"CanaryNote" in output.content]


async def test_every_sample_is_opened(inspector: Inspector) -> None:
    """Each transfer syntax that can be shown here is rebuilt and shown inside the jail."""
    dicom.prepare()
    for sample in dicom.samples():
        finding = await inspector.inspect(sample, "a.dcm")
        assert Verdict.CLEAN is finding.verdict
        check_made(finding)


async def test_a_record_cut_anywhere_is_refused(inspector: Inspector) -> None:
    """No part of a record passes for the whole, wherever the upload broke off."""
    whole = dicoms.saved(dicoms.data_set())
    dice = random.Random("dicom")
    for place in sorted(dice.sample(range(132, len(whole)), CUTS)):
        finding = await inspector.inspect(whole[:place], "a.dcm")
        assert Verdict.REFUSED is finding.verdict, place
        assert finding.reason not in JAIL_ENDS, place


async def test_flipped_bits_never_take_the_check_down(inspector: Inspector) -> None:
    """A verdict about the content, never a crash or a hang; what is made is sound and within its caps."""
    dicom.prepare()
    made = [dicoms.full(), *dicom.samples()]
    dice = random.Random("dicom")
    for number in range(FLIPS):
        flipped = bytearray(made[number % len(made)])
        # The last of a record are its pictures: there as often as in its entries.
        for _ in range(dice.randrange(1, 4)):
            flipped[dice.randrange(128, len(flipped))] ^= 1 << dice.randrange(8)
        finding = await inspector.inspect(bytes(flipped), "a.dcm")
        assert finding.reason is None or finding.reason not in JAIL_ENDS, number
        if finding.verdict in MADE:
            assert bytes(128) + b"DICM" == finding.outputs[0].content[:132]


@pytest.mark.corpora
@pytest.mark.skipif(corpora_folder() is None, reason=ABSENT)
async def test_every_record_of_the_corpora_gets_a_verdict(inspector: Inspector) -> None:
    """Real files of every transfer syntax: none ends the jail, and nearly all are rebuilt and shown."""
    folder = corpora_folder()
    assert folder is not None
    rebuilt = 0
    files = [path for path in sorted((folder / "dicom").rglob("*")) if path.is_file()]
    for path in files:
        content = path.read_bytes()
        if content[128:132] != b"DICM":
            continue
        finding = await inspector.inspect(content, f"{path.name}.dcm")
        assert finding.reason is None or finding.reason not in JAIL_ENDS, path.name
        rebuilt += finding.verdict is Verdict.CLEAN
    assert rebuilt >= 90  # some fifty of pydicom's own are headers whose pictures were cut away
