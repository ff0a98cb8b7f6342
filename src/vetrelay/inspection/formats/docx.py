"""The words and tables of a Word document, in order: header, body, notes, footer.

Changes are shown as accepted: what was deleted stays out, because its writer took it back. Hidden text is shown,
because its writer left it in. Remarks in the margin carry their writers' names and stay out; they are counted.
"""

from collections.abc import Mapping

from vetrelay.inspection.formats import markup
from vetrelay.inspection.formats.package import Package
from vetrelay.inspection.formats.paper import Paper, Tables
from vetrelay.inspection.formats.relationships import relationships_of
from vetrelay.inspection.formats.tally import Tally
from vetrelay.inspection.notes import Note

MAIN = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"

_SKIPPED = frozenset(
    {
        "Fallback",  # says in an older form what stands beside it
        "del",
        "moveFrom",
        "instrText",
        "delInstrText",
        "delText",
        "fldData",
        "binData",
        "sdtPr",
        "rPrChange",
        "pPrChange",
        "tblPrChange",
        "trPrChange",
        "tcPrChange",
        "sectPrChange",
        "docPr",
    },
)
_CHANGES = frozenset({"ins", "del", "moveFrom", "moveTo", "rPrChange", "pPrChange", "tblPrChange", "sectPrChange"})
_SIGNS = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "sym": "•"}
_NO = frozenset({"0", "false", "off", "none"})
_MOST_COLUMNS = 63
_DEEPEST_LIST = 9


class _Story:
    """One part's paragraphs, as they end. A text box stands within a paragraph, so that paragraphs nest."""

    def __init__(self, paper: Paper, tally: Tally, pictures: Mapping[str, str]) -> None:
        self._tables = Tables(paper)
        self._tally = tally
        self._pictures = pictures
        self._skipping = markup.Skipping(_SKIPPED)
        self._lines: list[list[str]] = []
        self._label = ""
        self._reads_text = False
        self._columns = 1

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name in _CHANGES and not self._skipping:
            self._tally.add(Note.CHANGES_ACCEPTED)
        if self._skipping.starts(name):
            return
        if name == "t":
            self._reads_text = True
        elif name == "p":
            self._lines.append([self._label])
            self._label = ""
        elif name == "tbl":
            self._tables.begin()
        elif name == "tc":
            self._columns = 1
        elif name == "gridSpan":
            span = attributes.get("val", "")
            self._columns = min(int(span), _MOST_COLUMNS) if span.isascii() and span.isdigit() and span else 1
        elif name == "vanish":
            self._tally.add(Note.HIDDEN_SHOWN, attributes.get("val", "1").lower() not in _NO)
        else:
            self._write(self._sign(name, attributes))

    def _sign(self, name: str, attributes: Mapping[str, str]) -> str:
        """What an element shows by itself."""
        if name == "blip":
            return self._pictures.get(attributes.get("embed", ""), "[picture]")
        if name == "imagedata":
            return self._pictures.get(attributes.get("id", ""), "[picture]")
        if name in {"footnoteReference", "endnoteReference"}:
            return f"[note {attributes.get('id', '')}]"
        if name in {"footnote", "endnote"} and "type" not in attributes:
            self._label = f"[note {attributes.get('id', '')}] "
            return ""
        if name == "ilvl":
            level = attributes.get("val", "0")
            return "  " * min(int(level), _DEEPEST_LIST) if level.isascii() and level.isdigit() else ""
        if name == "numId":
            return "- " if attributes.get("val") != "0" else ""
        if name == "tab" and "val" in attributes:
            return ""  # a tab stop, not a tab
        return _SIGNS.get(name, "")

    def end(self, name: str) -> None:
        if self._skipping.ends():
            return
        if name == "t":
            self._reads_text = False
        elif name == "p":
            self._paragraph()
        elif name == "tc":
            self._tables.end_cell(columns=self._columns)
        elif name == "tr":
            self._tables.end_row()
        elif name == "tbl":
            self._tables.end()

    def data(self, text: str) -> None:
        if self._reads_text and not self._skipping:
            self._write(text)

    def _write(self, text: str) -> None:
        if self._lines and text:
            self._lines[-1].append(text)

    def _paragraph(self) -> None:
        if self._lines:
            self._tables.paragraph("".join(self._lines.pop()))


class _Count:
    """Counts elements of one name."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.count = 0

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        del attributes
        self.count += name == self._name

    def end(self, name: str) -> None:
        """Nothing ends here."""

    def data(self, text: str) -> None:
        """Nothing is said here."""


def count_remarks(package: Package, part: str) -> int:
    """How many remarks a part of comments holds. Raises Unfit."""
    counter = _Count("comment")
    markup.walk(package.read(part), counter)
    return counter.count


def read(package: Package, main: str, paper: Paper, tally: Tally, pictures: Mapping[str, str]) -> None:
    """Writes the document on the paper. `pictures` names each picture's part. Raises Unfit, PaperFull."""
    parts: dict[str, list[str]] = {}
    for one in relationships_of(package, main):
        if not one.is_outside and one.target in package and one.target not in parts.get(one.kind, ()):
            parts.setdefault(one.kind, []).append(one.target)
    for part in parts.get("comments", ()):
        tally.add(Note.REMARKS_LEFT_OUT, count_remarks(package, part))
    for part in (*parts.get("header", ()), main, *parts.get("footnotes", ()), *parts.get("endnotes", ())):
        _read_story(package, part, paper, tally, pictures)
    for part in parts.get("footer", ()):
        _read_story(package, part, paper, tally, pictures)


def _read_story(package: Package, part: str, paper: Paper, tally: Tally, pictures: Mapping[str, str]) -> None:
    named = {one.id: pictures[one.target] for one in relationships_of(package, part) if one.target in pictures}
    paper.line("")
    markup.walk(package.read(part), _Story(paper, tally, named))
