"""The cells of an Excel workbook, sheet by sheet, a row a line: the values as they were last shown, never a formula.

Hidden sheets, rows and columns are shown, because they travel with the file whether anybody knows or not; a hidden
sheet says so in its heading. A formula whose value was never stored is shown as its own text.
"""

from collections.abc import Mapping

from vetrelay.inspection.formats import markup
from vetrelay.inspection.formats.cellvalues import Shown, number_as_shown
from vetrelay.inspection.formats.docx import count_remarks
from vetrelay.inspection.formats.package import Package
from vetrelay.inspection.formats.paper import MAX_SIGNS, Paper
from vetrelay.inspection.formats.relationships import relationships_of
from vetrelay.inspection.formats.tally import Tally
from vetrelay.inspection.formats.workbook import Workbook, read_workbook
from vetrelay.inspection.notes import Note

MAIN = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"

MOST_COLUMNS = 16_384
_YES = frozenset({"1", "true"})
# So many empty cells in a row are written as tabs; a longer gap is named.
_WIDEST_GAP = 40


def column_of(reference: str) -> int:
    """The column of a cell such as `AB12`, from 0; -1 where the reference is none."""
    column = 0
    for letter in reference:
        if not "A" <= letter <= "Z":
            break
        column = column * 26 + ord(letter) - 64
        if column > MOST_COLUMNS:
            return -1
    return column - 1


class _Cells:
    """One sheet's rows, each written as it ends."""

    def __init__(self, paper: Paper, tally: Tally, book: Workbook) -> None:
        self._paper = paper
        self._tally = tally
        self._book = book
        self._row: list[str] = []
        self._columns = 0
        self._signs = 0
        self._row_number = 0
        self._attributes: Mapping[str, str] = {}
        self._pieces: dict[str, list[str]] = {"v": [], "t": [], "f": []}
        self._reads: list[str] | None = None
        self._skipping = markup.Skipping(frozenset({"rPh", "extLst"}))

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if self._skipping.starts(name):
            return
        if name == "c":
            self._attributes = attributes
        elif name in self._pieces:
            self._reads = self._pieces[name]
        elif name == "row":
            self._begin_row(attributes)
        if name in {"row", "col"}:
            self._tally.add(Note.HIDDEN_SHOWN, attributes.get("hidden", "") in _YES)

    def _begin_row(self, attributes: Mapping[str, str]) -> None:
        number = attributes.get("r", "")
        number_is_sound = number.isascii() and number.isdigit() and len(number) < 8
        row_number = int(number) if number_is_sound else self._row_number + 1
        if row_number > self._row_number + 1 and self._row_number:
            self._paper.line("")
        self._row_number = row_number
        self._row, self._columns, self._signs = [], 0, 0

    def end(self, name: str) -> None:
        if self._skipping.ends():
            return
        if name in self._pieces:
            self._reads = None
        elif name == "c":
            self._cell()
            for pieces in self._pieces.values():
                pieces.clear()
        elif name == "row":
            self._paper.line("".join(self._row))

    def data(self, text: str) -> None:
        if self._reads is not None and not self._skipping:
            self._reads.append(text)

    def _cell(self) -> None:
        shown = self._value().replace("\t", " ").replace("\r", "").replace("\n", " / ")
        column = column_of(self._attributes.get("r", ""))
        gap = column - self._columns if column >= self._columns else 0
        if shown:
            self._row.append("\t" * gap if gap <= _WIDEST_GAP else f"\t[{gap} empty cells]\t")
            self._row.append(f"{shown}\t")
            self._columns += gap + 1
            self._signs += len(shown)
        # One shared text may fill every cell: what no paper holds is not gathered first.
        if self._signs > MAX_SIGNS:
            self._paper.line("".join(self._row))

    def _value(self) -> str:
        """The cell as a person would see it."""
        kind = self._attributes.get("t", "n")
        value = "".join(self._pieces["v"])
        if kind == "inlineStr":
            return "".join(self._pieces["t"])
        if kind == "s":
            index = int(value) if value.isascii() and value.isdigit() and len(value) < 10 else -1
            return self._book.texts[index] if 0 <= index < len(self._book.texts) else ""
        if kind == "b":
            return "TRUE" if value in _YES else "FALSE"
        if not value and self._pieces["f"]:
            return "=" + "".join(self._pieces["f"])
        if kind == "n" and value:
            return number_as_shown(value, self._shown(), since_1904=self._book.since_1904)
        return value

    def _shown(self) -> Shown:
        style = self._attributes.get("s", "0")
        index = int(style) if style.isascii() and style.isdigit() and len(style) < 10 else -1
        return self._book.styles[index] if 0 <= index < len(self._book.styles) else Shown.NUMBER


def read(package: Package, main: str, paper: Paper, tally: Tally) -> int:
    """Writes every sheet on the paper, and says how many there are. Raises Unfit, PaperFull."""
    book = read_workbook(package, main)
    for sheet in book.sheets:
        hidden = " (hidden)" if sheet.is_hidden else ""
        tally.add(Note.HIDDEN_SHOWN, sheet.is_hidden)
        paper.heading(f"=== {sheet.name}{hidden} ===")
        part = book.parts.get(sheet.relationship)
        if part is None:
            continue
        for one in relationships_of(package, part):
            if one.kind == "comments" and one.target in package:
                tally.add(Note.REMARKS_LEFT_OUT, count_remarks(package, one.target))
        markup.walk(package.read(part), _Cells(paper, tally, book))
    return len(book.sheets)
