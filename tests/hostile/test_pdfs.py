"""The PDF rows of the checklist, through the real jail; what a PDF must lose, and what it must keep."""

import io
import random
import re
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pikepdf
import pypdfium2
import pytest
import pytest_asyncio
from PIL import Image, ImageChops, ImageStat

from tests.corpora import ABSENT, corpora_folder
from tests.hostile import pdfcanaries, pdfs
from vetrelay.inspection.finding import Finding
from vetrelay.inspection.inspect import Inspector, Settings
from vetrelay.inspection.words import JAIL_ENDS, Verdict

pytestmark = pytest.mark.asyncio(loop_scope="module")

CUTS, CHANGES = 100, 100
ONLY_PDFS = Path(__file__).parents[1] / "inspection" / "papers_worker.py"
# Keys by which a PDF can do something, or hold something beside its pages.
NEVER = frozenset(
    f"/{name}"
    for name in (
        "JavaScript", "JS", "Launch", "SubmitForm", "ImportData", "GoToR", "GoToE", "URI", "OpenAction", "AA", "XFA",
        "EmbeddedFile", "EmbeddedFiles", "Filespec", "FileAttachment", "AF", "RichMedia", "Movie", "Sound", "Screen",
        "AcroForm", "Widget", "Sig", "Perms", "Metadata", "Thumb", "PieceInfo", "SpiderInfo", "OutputIntents", "Popup",
        "StructTreeRoot", "Collection", "Encrypt", "ObjStm", "Ref", "OPI", "Alternates",
    )
)  # fmt: skip


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def inspector() -> AsyncIterator[Inspector]:
    """One inspector for all files: none of them may leave it unfit for the next."""
    async with Inspector.start(Settings(parallel_jobs=1)) as started:
        yield started


def names_in(content: bytes) -> set[str]:
    """Every name in every object of a PDF, and in its trailer."""
    with pikepdf.open(io.BytesIO(content)) as pdf:
        assert {"/Size", "/Root", "/ID"} == set(pdf.trailer.keys())
        every: list[object] = [pdf.trailer, *pdf.objects]  # an object may be a mere number
        written = [part.unparse(resolved=True) for part in every if isinstance(part, pikepdf.Object)]
    return {name.decode("latin-1") for part in written for name in re.findall(rb"/[A-Za-z0-9]+", part)}


def unpacked(content: bytes) -> bytes:
    """Every object and every stream of a PDF, unpacked as far as qpdf can."""
    buffer = io.BytesIO()
    with pikepdf.open(io.BytesIO(content)) as pdf:
        pdf.save(
            buffer,
            compress_streams=False,
            stream_decode_level=pikepdf.StreamDecodeLevel.generalized,
            static_id=True,
            preserve_pdfa=False,
            fix_metadata_version=False,
        )
    return buffer.getvalue()


def check_made(finding: Finding) -> bytes:
    """What was made is a PDF that cannot do anything, and a picture of its first page; the PDF."""
    record, preview = finding.outputs
    assert ("record", "preview") == (record.role, preview.role)
    assert set() == NEVER & names_in(record.content)
    assert b"/ObjStm" not in record.content
    with Image.open(io.BytesIO(preview.content)) as picture:
        assert (preview.width, preview.height) == picture.size
    assert 1 <= min(preview.width, preview.height) <= max(preview.width, preview.height) <= 800
    return record.content


def words_of(content: bytes) -> list[str]:
    """The words of each page, as pdfium reads them."""
    with closing(pypdfium2.PdfDocument(content)) as document:
        return [" ".join(page.get_textpage().get_text_range().split()) for page in document]


def look_of(content: bytes, page: int = 0) -> Image.Image:
    """How a page looks."""
    with closing(pypdfium2.PdfDocument(content)) as document:
        look: Image.Image = document[page].render(scale=1, may_draw_forms=False).to_pil().convert("RGB")
    return look


def difference(left: Image.Image, right: Image.Image) -> float:
    """The mean difference of two pictures of one size, in steps of 255."""
    assert left.size == right.size
    return max(ImageStat.Stat(ImageChops.difference(left, right)).mean)


@pytest.mark.parametrize("row", [pytest.param(row, id=row.row) for row in pdfs.ROWS])
async def test_the_checklist_holds(inspector: Inspector, row: pdfs.Row) -> None:
    """Each row's verdict, reason and notes; whatever is made of it can do nothing."""
    finding = await inspector.inspect(row.make(), "report.pdf")
    reason = None if finding.reason is None else finding.reason.key
    assert (row.verdict, row.reason, row.notes) == (finding.verdict, reason, finding.notes)
    if finding.verdict is Verdict.CLEAN:
        check_made(finding)
    else:
        assert () == finding.outputs


async def test_a_link_inside_stays_and_leads_where_it_led(inspector: Inspector) -> None:
    """Of three links only the one to the second page is left, without anything else that it said."""
    finding = await inspector.inspect(pdfs.made(pdfs.uri, pdfs.WORDS, pdfs.WORDS), "a.pdf")
    with pikepdf.open(io.BytesIO(check_made(finding))) as pdf:
        (link,) = pdf.pages[0].obj.Annots
        assert pdf.pages[1].obj == link.Dest[0]
        assert {"/Type", "/Subtype", "/Rect", "/Border", "/Dest"} == set(link.keys())


async def test_nothing_that_a_pdf_carries_along_is_in_the_copy(inspector: Inspector) -> None:
    """Eighty words planted where a PDF keeps what is not drawn: none is in the outputs, packed or unpacked."""
    content = pdfcanaries.planted()
    assert [] == [word for word in pdfcanaries.WORDS if not pdfcanaries.found(word, content, unpacked(content))]
    finding = await inspector.inspect(content, "a.pdf")
    record = check_made(finding)
    places = (record, unpacked(record), finding.outputs[1].content)
    assert [] == [word for word in pdfcanaries.WORDS if pdfcanaries.found(word, *places)]
    assert pdfcanaries.NOTES == set(finding.notes)
    assert ["Hello Rex"] == words_of(record)


async def test_the_same_file_gives_the_same_copy(inspector: Inspector) -> None:
    """So that a copy can be checked against its original."""
    content = pdfcanaries.planted()
    copies = {tuple(made.content for made in (await inspector.inspect(content, "a.pdf")).outputs) for _ in range(2)}
    assert 1 == len(copies)


@pytest.mark.parametrize("encrypted", [False, True])
async def test_a_pdf_cut_anywhere_never_takes_the_check_down(inspector: Inspector, *, encrypted: bool) -> None:
    """A verdict about the content wherever the upload broke off: what is left is repaired, or refused."""
    content = pdfs.locked(6, "") if encrypted else pdfcanaries.planted()
    dice = random.Random(1)
    for place in sorted({1, len(content) - 1, *(dice.randrange(1, len(content)) for _ in range(CUTS))}):
        await check_survived(inspector, content[:place])


@pytest.mark.parametrize("encrypted", [False, True])
async def test_a_damaged_pdf_never_takes_the_check_down(inspector: Inspector, *, encrypted: bool) -> None:
    """Bits turned at random: a verdict about the content, never a crash or a hang."""
    content = pdfs.locked(6, "") if encrypted else pdfcanaries.planted()
    dice = random.Random(2)
    for _ in range(CHANGES):
        changed = bytearray(content)
        changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
        await check_survived(inspector, bytes(changed))


async def check_survived(inspector: Inspector, content: bytes) -> None:
    finding = await inspector.inspect(content, "a.pdf")
    assert finding.reason not in JAIL_ENDS
    if finding.verdict is Verdict.CLEAN:
        check_made(finding)


# --- how it looks -----------------------------------------------------------------------------------------------------


@pytest.mark.corpora
@pytest.mark.skipif(corpora_folder() is None, reason=ABSENT)
async def test_every_pdf_of_the_corpora_looks_and_reads_as_before(inspector: Inspector) -> None:
    """Fonts, colours, pictures of all packings, forms, layers: page by page the same picture and the same words."""
    folder = corpora_folder()
    assert folder is not None
    refused = {}
    for path in sorted((folder / "pdf").glob("*.pdf")):
        content = path.read_bytes()
        finding = await inspector.inspect(content, path.name)
        if finding.verdict is not Verdict.CLEAN:
            assert finding.reason is not None
            refused[path.name] = finding.reason.key
            continue
        record = check_made(finding)
        # What was fixed on the page is text now, and was not before.
        if not any("form field" in note for note in finding.notes):
            assert words_of(content) == words_of(record), path.name
            for page in range(len(words_of(record))):
                assert 0 == difference(look_of(content, page), look_of(record, page)), path.name
    expected = {
        "378014596.pdf": "damaged",
        "graph-encrypted.pdf": "pdf_password",
        "newline-buffer-test.pdf": "pdf_without_pages",
    }
    assert expected == refused


async def test_a_form_looks_filled_in_as_before(inspector: Inspector) -> None:
    """What its fields show, and what a reader would have drawn, is part of the page now."""

    def fill_in(pdf: pikepdf.Pdf) -> None:
        shown = pdf.make_stream(
            b"BT /F1 12 Tf 5 20 Td (drawn) Tj ET", Subtype=pikepdf.Name.Form, BBox=pikepdf.Array([0, 0, 200, 50])
        )
        shown.Resources = pdf.pages[0].obj.Resources
        text: dict[str, Any] = {"FT": pikepdf.Name.Tx, "DA": "/F1 12 Tf 0 g"}
        drawn = pdfs.annotation(pdf, "Widget", T="a", V="other", AP=pikepdf.Dictionary(N=shown), **text)
        undrawn = pdfs.annotation(pdf, "Widget", T="b", V="undrawn", **text)
        undrawn.Rect = pikepdf.Array([100, 300, 300, 320])
        pdf.Root.AcroForm = pikepdf.Dictionary(
            Fields=pikepdf.Array([drawn, undrawn]), DA="/F1 12 Tf 0 g", DR=pdf.pages[0].obj.Resources
        )

    finding = await inspector.inspect(pdfs.made(fill_in), "a.pdf")
    assert ("2 form fields fixed as they look",) == finding.notes
    (words,) = words_of(check_made(finding))
    assert {"Hello", "Rex", "drawn", "undrawn"} == set(words.split())


async def test_a_hidden_layer_stays_hidden(inspector: Inspector) -> None:
    """A layer that is switched off is not drawn in the copy either."""

    def hide(pdf: pikepdf.Pdf) -> None:
        layer = pdf.make_indirect(pikepdf.Dictionary(Type=pikepdf.Name.OCG, Name="notes"))
        pdf.pages[0].obj.Resources.Properties = pikepdf.Dictionary(L1=layer)
        pdf.pages[0].obj.Contents = pdf.make_stream(b"/OC /L1 BDC 0 0 600 700 re f EMC")
        off = pikepdf.Array([layer])
        pdf.Root.OCProperties = pikepdf.Dictionary(OCGs=off, D=pikepdf.Dictionary(OFF=off))

    record = check_made(await inspector.inspect(pdfs.made(hide), "a.pdf"))
    assert ((255, 255),) * 3 == look_of(record).getextrema()


async def test_turned_pages_become_pictures_with_their_words(inspector: Inspector) -> None:
    """Where a clinic asks for it: one JPEG per page, the same look and the same words, at the same size."""

    def turn(pdf: pikepdf.Pdf) -> None:
        pdf.pages[1].obj.Rotate = 90
        pdf.pages[1].obj.CropBox = pikepdf.Array([50, 100, 550, 750])

    content = pdfs.made(turn, pdfs.WORDS, pdfs.WORDS.replace(b"Rex", b"M\\374ller"))
    settings = Settings(parallel_jobs=1, flatten=True)
    async with Inspector.start(settings, command=(sys.executable, "-I", str(ONLY_PDFS), "plain")) as flattening:
        finding = await flattening.inspect(content, "a.pdf")
    plain = check_made(await inspector.inspect(content, "a.pdf"))
    record = check_made(finding)
    assert ("2 pages turned into pictures",) == finding.notes
    assert ["Hello Rex", "Hello Müller"] == words_of(record)
    for page in range(2):
        assert difference(look_of(plain, page), look_of(record, page)) < 2
    with pikepdf.open(io.BytesIO(record)) as pdf:
        assert ["/DCTDecode"] * 2 == [str(page.obj.Resources.XObject.Page.Filter) for page in pdf.pages]


async def test_a_report_says_whom_it_is_about(inspector: Inspector) -> None:
    """The labels of the first pages, if they are plain."""
    lines = "0 -30 Td".join(f"({line}) Tj " for line in ("Patient: Rex   Tierart: Hund", "Besitzer: Ute Miller"))
    content = pdfs.made(lambda _pdf: None, f"BT /F1 14 Tf 72 700 Td {lines} ET".encode())
    finding = await inspector.inspect(content, "a.pdf")
    assert finding.facts.patient is not None
    assert ("Rex", "Ute Miller", "Hund") == (
        finding.facts.patient.name, finding.facts.patient.owner, finding.facts.patient.species,
    )  # fmt: skip
