"""Office documents: which one it is, what becomes of its words, tables and pictures, and what is counted."""

import io
import random

import pytest
from PIL import Image

from tests.hostile.writings import ODT, SHEET, office, open_document, packed, related, word
from vetrelay.inspection.ask import Ask
from vetrelay.inspection.formats import office as office_format
from vetrelay.inspection.formats.paper import MAX_SIGNS
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.notes import Note
from vetrelay.inspection.result import Result, Role
from vetrelay.inspection.words import Reason, Unfit


def seen(content: bytes) -> Result:
    """What becomes of a document."""
    return office_format.normalize(content, Kind.OFFICE_ZIP, Ask())


def read(content: bytes) -> str:
    """Its words."""
    (output,) = seen(content).outputs
    assert (Role.RECORD, Kind.TEXT) == (output.role, output.kind)
    return output.content.decode("utf-8")


def run(text: str) -> str:
    """A paragraph of Word with these words."""
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def cell(inner: str, span: int = 1) -> str:
    """A cell of Word's table."""
    return f'<w:tc><w:tcPr><w:gridSpan w:val="{span}"/></w:tcPr>{inner}</w:tc>'


def picture(form: str = "PNG") -> bytes:
    """A tiny picture."""
    made = io.BytesIO()
    Image.new("RGB", (2, 2), "red").save(made, form)
    return made.getvalue()


def test_a_word_documents_paragraphs_signs_and_lists_come_out_in_order() -> None:
    """Tabs, breaks, lists, and text that a field shows."""
    body = (
        "<w:p><w:pPr><w:tabs><w:tab w:val='left'/></w:tabs></w:pPr><w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/><w:t>c</w:t>"
        "</w:r></w:p><w:p><w:pPr><w:numPr><w:ilvl w:val='1'/><w:numId w:val='2'/></w:numPr></w:pPr><w:r><w:t>item</w:t>"
        "</w:r></w:p><w:p><w:fldSimple w:instr='PAGE'><w:r><w:t>3</w:t></w:r></w:fldSimple></w:p>"
    )
    assert "a\tb\nc\n  - item\n3\n" == read(word(body))


def test_a_word_table_is_rows_of_tabs_and_tables_within_cells_stay_in_their_cell() -> None:
    """A cell over two columns leaves the second empty, so that the columns below stand right."""
    inner = "<w:tbl><w:tr>" + cell(run("x")) + cell(run("y")) + "</w:tr></w:tbl>"
    rows = (cell(run("head"), 2) + cell(run("c")), cell(run("1") + run("2")) + cell(inner) + cell(run("3")))
    table = "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in rows) + "</w:tbl>"
    assert "before\n\nhead\t\tc\n1 / 2\tx | y\t3\n\nafter\n" == read(word(run("before") + table + run("after")))


def test_headers_notes_and_footers_come_out_around_the_body() -> None:
    """Each part once, notes with their numbers."""
    body = "<w:p><w:r><w:t>body</w:t><w:footnoteReference w:id='2'/></w:r></w:p>"
    parts = {
        "word/_rels/document.xml.rels": related(("header", "h.xml"), ("footer", "/word/f.xml"), ("footnotes", "n.xml")),
        "word/h.xml": f"<w:hdr xmlns:w='w'>{run('head')}</w:hdr>",
        "word/f.xml": f"<w:ftr xmlns:w='w'>{run('foot')}</w:ftr>",
        "word/n.xml": f"<w:x xmlns:w='w'><w:footnote w:type='separator' w:id='0'>{run('')}</w:footnote>"
        f"<w:footnote w:id='2'>{run('see')}</w:footnote></w:x>",
    }
    assert "head\n\nbody[note 2]\n\n[note 2] see\n\nfoot\n" == read(word(body, parts))


def test_a_text_box_is_read_once_and_hidden_text_is_shown() -> None:
    """The older form of the same box stays out; what a writer hid travels with the file, so it is shown."""
    box = (
        "<w:p><w:r><mc:AlternateContent xmlns:mc='mc'><mc:Choice><w:txbxContent>"
        f"{run('box')}</w:txbxContent></mc:Choice><mc:Fallback><w:txbxContent>{run('box')}</w:txbxContent></mc:Fallback>"
        "</mc:AlternateContent></w:r><w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r></w:p>"
    )
    assert "box\nhidden\n" == read(word(box))
    assert 1 == seen(word(box)).notes[Note.HIDDEN_SHOWN]


def test_pictures_go_on_as_parts_and_the_text_says_where_they_were() -> None:
    """Named by us, in their order; what is no picture is left out and counted."""
    blip = "<w:p><w:r><a:blip xmlns:a='a' r:embed='rId1'/></w:r></w:p>"
    parts: dict[str, str | bytes] = {
        "word/_rels/document.xml.rels": related(("image", "media/image10.png")),
        "word/media/image2.jpeg": picture("JPEG"),
        "word/media/image10.png": picture(),
        "word/media/image3.emf": b"\x01\x00\x00\x00" * 20,
    }
    result = seen(word(blip, parts))
    assert [("picture-1.jpg", "image/jpeg"), ("picture-2.png", "image/png")] == [
        (part.name, part.media_type) for part in result.parts
    ]
    assert picture() == result.parts[1].content
    assert "[picture 2]\n" == result.outputs[0].content.decode()
    assert (2, 1) == (result.notes[Note.PICTURES_TAKEN_OUT], result.notes[Note.PICTURES_LEFT_OUT])


def test_not_more_than_fifty_pictures_go_on() -> None:
    """The rest is counted."""
    result = seen(word("", {f"word/media/image{number}.png": picture() for number in range(60)}))
    assert (50, 10) == (len(result.parts), result.notes[Note.PICTURES_LEFT_OUT])


def test_a_document_too_long_to_be_shown_is_cut_off_and_says_so() -> None:
    """Four million signs are more than anybody reads."""
    dice = random.Random(1)
    paragraphs = "".join(run(dice.randbytes(2500).hex()) for _ in range(MAX_SIGNS // 5000 + 1))
    result = seen(word(paragraphs, {"word/media/a.png": picture()}))
    assert 1 == result.notes[Note.TEXT_SHORTENED]
    assert MAX_SIGNS >= len(result.outputs[0].content) - 1
    assert 1 == len(result.parts)


def test_a_document_without_words_says_so() -> None:
    """An empty text would look like a mistake of ours."""
    assert "[there are no words in this document]\n" == read(word("<w:p/>"))


def sheet(rows: str, *, more: str = "", texts: str = "", styles: str = "", book: str = "") -> bytes:
    """A workbook of one sheet, or of those in `book`."""
    sheets = book or '<sheet name="Rex" r:id="rId1"/>'
    return office(
        SHEET,
        "xl/workbook.xml",
        {
            "xl/workbook.xml": f'<workbook xmlns:r="r"><workbookPr/><sheets>{sheets}</sheets></workbook>',
            "xl/_rels/workbook.xml.rels": related(
                ("worksheet", "s.xml"), ("sharedStrings", "t.xml"), ("styles", "y.xml")
            ),
            "xl/s.xml": f"<worksheet>{more}<sheetData>{rows}</sheetData></worksheet>",
            "xl/t.xml": f"<sst>{texts}</sst>",
            "xl/y.xml": f"<styleSheet>{styles}</styleSheet>",
        },
    )


def test_a_sheets_cells_stand_in_their_columns_and_gaps_stay() -> None:
    """Shared and inline texts, numbers, truths, errors; an empty row between rows."""
    rows = (
        '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="C1" t="inlineStr"><is><r><t>in</t></r><r><t>line</t></r></is></c></row>'
        '<row r="4"><c r="B4"><v>0.30000000000000004</v></c><c r="C4" t="b"><v>1</v></c><c r="D4" t="e"><v>#N/A</v></c></row>'
    )
    texts = "<si><t>te</t><rPh><t>no</t></rPh><r><t>xt</t></r></si>"
    assert "=== Rex ===\ntext\t\tinline\n\n\t0.3\tTRUE\t#N/A\n" == read(sheet(rows, texts=texts))


def test_a_formula_shows_its_value_and_without_one_itself() -> None:
    """What was last shown is what the sender saw."""
    rows = '<row r="1"><c r="A1"><f>1+1</f><v>2</v></c><c r="B1"><f>A1*2</f></c></row>'
    assert "=== Rex ===\n2\t=A1*2\n" == read(sheet(rows))


def test_dates_and_percentages_are_shown_by_their_formats() -> None:
    """Built-in formats and a workbook's own."""
    styles = (
        '<numFmts><numFmt numFmtId="164" formatCode="dd/mm/yyyy\\ hh:mm"/></numFmts><cellStyleXfs><xf numFmtId="9"/>'
        '</cellStyleXfs><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="10"/></cellXfs>'
    )
    values = zip("ABCD", ("46024", "46024", "46024.5", "0.125"), strict=True)
    cells = "".join(f'<c r="{column}1" s="{style}"><v>{value}</v></c>' for style, (column, value) in enumerate(values))
    assert "=== Rex ===\n46024\t2026-01-02\t2026-01-02 12:00:00\t12.5%\n" == read(
        sheet(f'<row r="1">{cells}</row>', styles=styles)
    )


def test_hidden_sheets_rows_and_columns_are_shown_and_said() -> None:
    """They travel with the file whether anybody knows or not."""
    rows = '<row r="1" hidden="1"><c r="A1"><v>7</v></c></row>'
    content = sheet(
        rows, more='<cols><col hidden="1"/></cols>', book='<sheet name="S" state="veryHidden" r:id="rId1"/>'
    )
    assert "=== S (hidden) ===\n7\n" == read(content)
    assert 3 == seen(content).notes[Note.HIDDEN_SHOWN]


def test_a_cell_far_out_does_not_fill_the_text_with_tabs() -> None:
    """A sheet may have sixteen thousand columns; a million rows of tabs would be a bomb."""
    assert "=== Rex ===\n\t[16383 empty cells]\t1\n" == read(sheet('<row r="1"><c r="XFD1"><v>1</v></c></row>'))


def test_one_text_in_every_cell_is_cut_off_before_it_is_gathered() -> None:
    """A shared text of a million signs in ten thousand cells would be ten gigabytes."""
    long = random.Random(1).randbytes(500_000).hex()
    cells = '<c t="s"><v>0</v></c>' * 10_000
    result = seen(sheet(f"<row>{cells}</row>", texts=f"<si><t>{long}</t></si>"))
    assert 1 == result.notes[Note.TEXT_SHORTENED]
    assert MAX_SIGNS + 1 == len(result.outputs[0].content)


def test_an_open_document_comes_out_with_its_lists_tables_and_notes() -> None:
    """Spaces and tabs that it names by elements, repeated cells, and a note in its line."""
    body = (
        "<text:h>Head</text:h><text:p>a<text:s text:c='3'/>b<text:tab/>c<text:line-break/>d\n   e</text:p>"
        "<text:list><text:list-item><text:p>one</text:p><text:list><text:list-item><text:p>two</text:p></text:list-item>"
        "</text:list></text:list-item></text:list>"
        "<table:table><table:table-row><table:table-cell table:number-columns-repeated='2'><text:p>x</text:p>"
        "</table:table-cell><table:table-cell><text:p>y</text:p></table:table-cell></table:table-row></table:table>"
        "<text:p>see<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>there</text:p>"
        "</text:note-body></text:note>.</text:p>"
    )
    assert "Head\na   b\tc\nd e\n- one\n  - two\n\nx\t\ty\n\nsee [note 1: there].\n" == read(open_document(body))


def test_an_open_documents_header_comes_first_and_its_picture_goes_on() -> None:
    """Headers stand in its styles."""
    parts: dict[str, str | bytes] = {
        "styles.xml": "<s xmlns:text='t'><text:p>head</text:p></s>",
        "Pictures/1.png": picture(),
    }
    result = seen(open_document("<text:p><draw:image xlink:href='Pictures/1.png'/></text:p>", parts))
    assert "head\n\n[picture 1]\n" == result.outputs[0].content.decode()
    assert ["picture-1.png"] == [part.name for part in result.parts]


@pytest.mark.parametrize(
    "content",
    [
        packed({"[Content_Types].xml": "<Types/>"}),
        packed({"word/a.txt": "x"}),
        open_document("", None, f"{ODT}-template"),
        open_document("", {"[Content_Types].xml": "<Types/>"}),
    ],
)
def test_what_is_neither_is_kept_sealed(content: bytes) -> None:
    """Also what would be two documents at once."""
    result = seen(content)
    assert (Kind.OFFICE_ZIP, Reason.OPEN_WITH_CARE, ()) == (result.kind, result.reason, result.outputs)


def test_a_broken_pack_is_refused_with_a_word_about_documents() -> None:
    """The reasons of packs in general speak of archives."""
    with pytest.raises(Unfit) as unfit:
        seen(word()[:-40])
    assert Reason.INCOMPLETE is unfit.value.reason
