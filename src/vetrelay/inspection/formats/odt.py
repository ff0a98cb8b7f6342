"""The words and tables of an OpenDocument text, with the headers and footers of its pages.

Tracked deletions and remarks in the margin stay out and are counted; so do fields that name the writer.
"""

import re
from collections.abc import Mapping

from vetrelay.inspection.formats import markup
from vetrelay.inspection.formats.package import Package
from vetrelay.inspection.formats.paper import Paper, Tables
from vetrelay.inspection.formats.tally import Tally
from vetrelay.inspection.notes import Note
from vetrelay.inspection.words import Reason, Unfit

MEDIA_TYPE = b"application/vnd.oasis.opendocument.text"
MANIFEST = "META-INF/manifest.xml"

_SKIPPED = frozenset(
    {
        "tracked-changes",
        "annotation",
        "title",  # of a picture, and the field for the document's own
        "desc",
        "description",
        "subject",
        "keywords",
        "author-name",
        "author-initials",
        "initial-creator",
        "creator",
        "printed-by",
        "user-defined",
        "binary-data",
        "scripts",
        "forms",
        "automatic-styles",
        "font-face-decls",
        "styles",
    },
)
_REPEATED = {
    "table-cell": "number-columns-repeated",
    "covered-table-cell": "number-columns-repeated",
    "table-row": "number-rows-repeated",
}
_SENDER = "sender-"
_WHITE_SPACE = re.compile(r"[ \t\r\n]+")
_MOST_SPACES = 200
_MOST_REPEATED = 64
_DEEPEST_LIST = 9


def _number(text: str, *, most: int) -> int:
    """A count that the document gives, at least 1."""
    return max(1, min(int(text), most)) if text.isascii() and text.isdigit() and len(text) < 10 else 1


class _Story:
    """Paragraphs as they end; text boxes and notes stand within a paragraph, so that paragraphs nest."""

    def __init__(self, paper: Paper, tally: Tally, pictures: Mapping[str, str]) -> None:
        self._tables = Tables(paper)
        self._tally = tally
        self._pictures = pictures
        self._skipping = markup.Skipping(_SKIPPED)
        self._lines: list[list[str]] = []
        self._lists = 0
        self._notes = 0
        self._label = ""
        self._repeated: list[int] = []  # of each row and cell that is open, how many equal ones it stands for

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "changed-region":
            self._tally.add(Note.CHANGES_ACCEPTED)
        elif name == "annotation":
            self._tally.add(Note.REMARKS_LEFT_OUT)
        if self._skipping.starts("creator" if name.startswith(_SENDER) else name):
            return
        if name in {"p", "h"}:
            self._lines.append([self._label])
            self._label = ""
        elif name == "table":
            self._tables.begin()
        elif name in _REPEATED:
            self._repeated.append(_number(attributes.get(_REPEATED[name], ""), most=_MOST_REPEATED))
        elif name in {"list", "list-item"}:
            self._begin_list(name)
        else:
            self._write(self._sign(name, attributes))

    def _begin_list(self, name: str) -> None:
        if name == "list":
            self._lists += 1
        else:
            self._label = "  " * min(self._lists - 1, _DEEPEST_LIST) + "- "

    def _sign(self, name: str, attributes: Mapping[str, str]) -> str:
        """What an element shows by itself."""
        if name == "s":
            return " " * _number(attributes.get("c", ""), most=_MOST_SPACES)
        if name == "image":
            address = attributes.get("href", "")
            self._tally.add(Note.OUTSIDE_CONTENT_LEFT_OUT, "://" in address)
            return self._pictures.get(address.removeprefix("./"), "[picture]")
        if name == "a":
            self._tally.add(Note.LINKS_MADE_INERT)
        elif name == "section-source":
            self._tally.add(Note.OUTSIDE_CONTENT_LEFT_OUT)
        elif name in {"hidden-text", "hidden-paragraph"}:
            self._tally.add(Note.HIDDEN_SHOWN)
        elif name == "event-listener":
            self._tally.add(Note.MACROS_LEFT_OUT)
        elif name == "note-citation":
            return " [note "
        elif name == "note-body":
            self._notes += 1
            return ": "
        return {"tab": "\t", "line-break": "\n", "soft-hyphen": ""}.get(name, "")

    def end(self, name: str) -> None:
        if self._skipping.ends():
            return
        if name in {"p", "h"}:
            self._end_paragraph()
        elif name == "note-body":
            self._notes -= 1
            self._write("]")
        elif name in {"table-cell", "covered-table-cell"}:
            self._tables.end_cell(columns=self._repeated.pop())
        elif name == "table-row":
            self._tables.end_row(times=self._repeated.pop())
        elif name == "table":
            self._tables.end()
        elif name == "list":
            self._lists -= 1

    def data(self, text: str) -> None:
        if self._lines and not self._skipping:
            # White space of the file means one space; what is meant is said by elements (ODF 1.3, section 6.1.2).
            self._write(_WHITE_SPACE.sub(" ", text))

    def _end_paragraph(self) -> None:
        """A note's words go into the line that they belong to."""
        line = "".join(self._lines.pop())
        if self._notes and self._lines:
            self._lines[-1].append(line)
        else:
            self._tables.paragraph(line)

    def _write(self, text: str) -> None:
        if self._lines and text:
            self._lines[-1].append(text)


class _Manifest:
    """Whether the parts are encrypted."""

    def __init__(self) -> None:
        self.is_locked = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        del attributes
        self.is_locked |= name == "encryption-data"

    def end(self, name: str) -> None:
        """Nothing ends here."""

    def data(self, text: str) -> None:
        """Nothing is said here."""


def read(package: Package, paper: Paper, tally: Tally, pictures: Mapping[str, str]) -> None:
    """Writes the document on the paper. `pictures` names each picture's part. Raises Unfit, PaperFull."""
    if MANIFEST in package:
        manifest = _Manifest()
        markup.walk(package.read(MANIFEST), manifest)
        if manifest.is_locked:
            raise Unfit(Reason.DOCUMENT_LOCKED)
    if "styles.xml" in package:
        markup.walk(package.read("styles.xml"), _Story(paper, tally, pictures))
        paper.line("")
    markup.walk(package.read("content.xml"), _Story(paper, tally, pictures))
