"""The plain text that a document's words are written on: lines and rows of tables, up to a size that can be shown.

Cells of a row are parted by tabs, paragraphs within one cell by ` / `, and rows of a table within a cell by ` | `.
"""

from vetrelay.inspection.formats import marks
from vetrelay.inspection.formats.tally import Tally
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.notes import Note
from vetrelay.inspection.result import RawOutput, Role

# With a mark of eight bytes for each of them this is 32 MiB, and leaves room for pictures below the row's output cap.
MAX_SIGNS = 4 << 20
_NO_WORDS = "[there are no words in this document]\n"


class PaperFull(Exception):
    """The text is as long as it may be: who reads a document stops here."""


class Paper:
    """Lines, written one after the other. Never more than one empty line, and none at the start."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._signs = 0
        self._was_empty = True

    def line(self, text: str) -> None:
        """Writes a paragraph, or a row. Raises PaperFull where there is no more room."""
        text = marks.with_line_feeds(text).rstrip(" \t\n")
        if not text and self._was_empty:
            return
        self._was_empty = not text
        room = MAX_SIGNS - self._signs
        self._lines.append(text[:room])
        self._signs += len(text) + 1
        if self._signs > MAX_SIGNS:
            raise PaperFull

    def heading(self, text: str) -> None:
        """Writes a line of ours, such as a sheet's name, with room above it."""
        self.line("")
        self.line(text)

    def output(self, role: Role, tally: Tally) -> RawOutput:
        """What was written, with a mark for every unseen sign."""
        text = "\n".join(self._lines).rstrip("\n")
        marked, count = marks.with_marks(text)
        tally.add(Note.UNSEEN_SIGNS_SHOWN, count)
        written = f"{marked}\n" if marked else _NO_WORDS
        return RawOutput(role=role, kind=Kind.TEXT, content=written.encode("utf-8", "replace"))


class Tables:
    """Where in tables within tables the reading stands; a paragraph goes into the innermost cell, else on the paper."""

    def __init__(self, paper: Paper) -> None:
        self._paper = paper
        self._open: list[tuple[list[str], list[str]]] = []  # of each table its row so far, and its cell so far

    def paragraph(self, text: str) -> None:
        """A paragraph ended."""
        if not self._open:
            self._paper.line(text)
        elif text.strip():
            self._open[-1][1].append(text.strip().replace("\n", " / ").replace("\t", " "))

    def begin(self) -> None:
        """A table begins, perhaps within a cell."""
        if not self._open:
            self._paper.line("")
        self._open.append(([], []))

    def end_cell(self, *, columns: int = 1) -> None:
        """A cell ended; one that spans several columns leaves the others empty."""
        if self._open:
            row, cell = self._open[-1]
            row.append(" / ".join(cell))
            row.extend([""] * (columns - 1))
            cell.clear()

    def end_row(self, *, times: int = 1) -> None:
        """A row ended; it may stand for several equal ones."""
        if not self._open:
            return
        row, _ = self._open[-1]
        if len(self._open) > 1:
            self._open[-2][1].append(" | ".join(filter(None, row)))
        else:
            for _ in range(times):
                self._paper.line("\t".join(row))
        row.clear()

    def end(self) -> None:
        """A table ended."""
        if self._open:
            self._open.pop()
        if not self._open:
            self._paper.line("")
