"""PDFs rebuilt, without the jail; and AES-256 in it, where no device can be opened."""

import io
import os
import sys
from dataclasses import replace
from pathlib import Path

import pikepdf
import pytest

from tests.hostile import pdfs
from vetrelay.inspection import policy
from vetrelay.inspection.answer import checked_result
from vetrelay.inspection.ask import Ask
from vetrelay.inspection.formats import pdf, pdf_samples
from vetrelay.inspection.frames import inspecting
from vetrelay.inspection.handover import handed_over
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.notes import Note
from vetrelay.inspection.result import Result, Role
from vetrelay.inspection.sandbox import Zygote
from vetrelay.inspection.source import BytesSource
from vetrelay.inspection.words import Reason, Unfit

WORKER = Path(__file__).parents[1] / "papers_worker.py"


def rebuilt(content: bytes, ask: Ask = Ask(most=500)) -> Result:  # noqa: B008 - a frozen value
    """What is made of it."""
    return pdf.normalize(content, Kind.PDF, ask)


def record(result: Result) -> pikepdf.Pdf:
    """The rebuilt file, open."""
    (made,) = (output.content for output in result.outputs if output.role is Role.RECORD)
    return pikepdf.open(io.BytesIO(made))


@pytest.mark.parametrize("sample", pdf.samples())
def test_every_sample_is_rebuilt(sample: bytes) -> None:
    """They are what the jail is proved with."""
    result = rebuilt(sample)
    assert (Reason.NONE, 2) == (result.reason, result.items)
    assert [Role.RECORD, Role.PREVIEW] == [output.role for output in result.outputs]
    assert result.patient is not None
    assert ("Rex", "Miller") == (result.patient.name, result.patient.owner)


@pytest.mark.parametrize(
    ("unsound", "reason"),
    list(
        zip(
            pdf_samples.unsound(),
            [Reason.PDF_PASSWORD, Reason.DAMAGED, Reason.DAMAGED, Reason.PDF_WITHOUT_PAGES],
            strict=True,
        )
    ),
)
def test_what_is_not_rebuilt_says_why(unsound: bytes, reason: Reason) -> None:
    """And nothing else: no text of a library is in the exception."""
    with pytest.raises(Unfit) as refused:
        rebuilt(unsound)
    assert (reason, (reason.key,)) == (refused.value.reason, refused.value.args)


def test_a_file_may_have_as_many_pages_as_asked_and_no_more() -> None:
    """The limit is the asker's; none is asked for with 0."""
    three = pdfs.made(lambda _pdf: None, b"", b"", b"")
    assert [3, 3] == [rebuilt(three, Ask(most=most)).items for most in (3, 0)]
    with pytest.raises(Unfit) as refused:
        rebuilt(three, Ask(most=2))
    assert Reason.PDF_TOO_MANY_PAGES is refused.value.reason


def test_no_preview_is_made_where_none_is_asked() -> None:
    """Then the record stands alone."""
    assert [Role.RECORD] == [output.role for output in rebuilt(pdf.samples()[0], Ask(preview=False)).outputs]


def test_page_sizes_turns_and_boxes_stay() -> None:
    """What a page says of its own shape is copied if it makes sense, and left out if not."""

    def shape(made: pikepdf.Pdf) -> None:
        first, second = (page.obj for page in made.pages)
        first.update({"/Rotate": 450, "/CropBox": pikepdf.Array([500, 600, 10, 20]), "/UserUnit": 2})
        second.update({"/Rotate": 45, "/CropBox": pikepdf.Array([1, 2]), "/TrimBox": 5, "/UserUnit": -1})
        second.update({"/Tabs": pikepdf.Name.S, "/Dur": 3, "/Trans": pikepdf.Dictionary()})

    with record(rebuilt(pdfs.made(shape, b"", b""))) as made:
        first, second = (page.obj for page in made.pages)
        assert [10, 20, 500, 600] == [float(side) for side in first.CropBox]
        assert ["90", "2"] == [str(first.Rotate), str(first.UserUnit)]
        # qpdf gives every page it writes its resources and contents.
        assert {"/Type", "/Parent", "/MediaBox", "/Resources", "/Contents"} == set(second.keys())


def test_chapters_keep_their_order_and_lose_what_leads_out() -> None:
    """The table of contents is made anew from titles, depths and pages."""

    def write(made: pikepdf.Pdf) -> None:
        with made.open_outline() as outline:
            first = pikepdf.OutlineItem("one", 0)
            first.children.append(pikepdf.OutlineItem("one and a half", 1, "XYZ", top=300))
            outside = pikepdf.OutlineItem("two", action=pikepdf.Dictionary(S=pikepdf.Name.URI, URI="http://a.example"))
            outline.root.extend([first, outside])

    result = rebuilt(pdfs.made(write, b"", b""))
    assert {Note.PDF_LINKS_MADE_INERT: 1} == result.notes
    with record(result) as made, made.open_outline() as outline:
        first, second = outline.root
        assert ("one", "one and a half", "two") == (first.title, first.children[0].title, second.title)
        inner = first.children[0].destination
        assert isinstance(inner, pikepdf.Array)
        assert (made.pages[1].obj, None, None) == (inner[0], second.destination, second.action)


@pytest.mark.parametrize("way", ["name", "old name", "action"])
def test_a_link_finds_its_page_by_every_way_of_naming_it(way: str) -> None:
    """Destinations are named in a tree, in a dictionary of old files, or in an action."""

    def link(made: pikepdf.Pdf) -> None:
        there = pikepdf.Array([made.pages[1].obj, pikepdf.Name.FitH, 300])
        if way == "name":
            names = pikepdf.Array(["there", pikepdf.Dictionary(D=there)])
            tree = pikepdf.Dictionary(Kids=pikepdf.Array([made.make_indirect(pikepdf.Dictionary(Names=names))]))
            made.Root.Names = pikepdf.Dictionary(Dests=tree)
            pdfs.annotation(made, "Link", Dest="there")
        elif way == "old name":
            made.Root.Dests = pikepdf.Dictionary(there=there)
            pdfs.annotation(made, "Link", Dest=pikepdf.Name.there)
        else:
            pdfs.annotation(made, "Link", A=pdfs.action("GoTo", D=there))

    with record(rebuilt(pdfs.made(link, b"", b""))) as made:
        (kept,) = made.pages[0].obj.Annots
        assert [made.pages[1].obj, pikepdf.Name.FitH, 300] == list(kept.Dest)


def test_what_pages_share_is_written_once() -> None:
    """A font of twenty pages does not become twenty fonts."""
    with record(rebuilt(pdfs.made(lambda _pdf: None, *([pdfs.WORDS] * 20)))) as made:
        assert 1 == len({page.obj.Resources.Font.F1.objgen for page in made.pages})


@pytest.mark.parametrize(
    "user",
    ["plain", pytest.param("nobody", marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another"))],
)
async def test_aes_256_is_opened_in_a_jail_that_opens_nothing(user: str) -> None:
    """The zygote has read from the random device already; a job has what it needs of it in its memory."""
    content = pdfs.locked(6, "")
    row = replace(policy.ROWS[Kind.PDF], preview=True)
    zygote = await Zygote.start((sys.executable, "-I", str(WORKER), user), "papers")
    try:
        for _ in range(2):
            async with handed_over(BytesSource(content), most_bytes=len(content), head_bytes=0) as handover:
                request = inspecting(row, Ask(), size_bytes=len(content))
                result = checked_result(await zygote.run(request, handover.descriptor))
            assert (Reason.NONE, {Note.PROTECTION_REMOVED: 1}) == (result.reason, result.notes)
    finally:
        await zygote.close()
