r"""The words of an RTF document, by a reader of our own that knows text and nothing else.

What is not text is passed over: pictures, data of objects, instructions of fields, lists of fonts, styles and writers,
and every destination marked as one that a reader may not know (`\*`). A document with an object in it is kept sealed,
its words beside it. Source: RTF specification 1.9.1; attachments.md section 6, row RTF.
"""

import codecs
from dataclasses import dataclass, replace

from vetrelay.inspection.ask import Ask
from vetrelay.inspection.formats.paper import Paper, PaperFull, Tables
from vetrelay.inspection.formats.rtfpages import CODE_PAGES, FONT_CHARSETS, decode
from vetrelay.inspection.formats.rtftokens import Sort, Token, tokens
from vetrelay.inspection.formats.tally import Tally
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.notes import Note
from vetrelay.inspection.outlines.outline import Content
from vetrelay.inspection.result import Result, Role
from vetrelay.inspection.words import Reason, Unfit

MOST_DEEP = 200

_NO_TEXT = """
    colortbl stylesheet info pict objdata objclass objname fldinst datafield themedata colorschememapping datastore
    generator xmlnstbl listtable listoverridetable revtbl rsidtbl filetbl annotation atnid atnauthor atntime atnicn
    atnref atnparent bkmkstart bkmkend mmathPr sp sn sv nonshppict private template operator author title subject
    keywords comment doccomm hlinkbase company manager category userprops xe tc tcf formfield do latentstyles
    pgdsctbl listname leveltext levelnumbers pntext pntxta pntxtb pn filetbl background passwordhash docvar macpict
"""
_PASSED_OVER = frozenset(_NO_TEXT.split())
_SIGNS = {
    "tab": "\t",
    "line": "\n",
    "emdash": "—",
    "endash": "–",
    "lquote": "‘",
    "rquote": "’",
    "ldblquote": "“",
    "rdblquote": "”",
    "bullet": "•",
    "emspace": " ",
    "enspace": " ",
    "qmspace": " ",
}
_SYMBOLS = {"\\": "\\", "{": "{", "}": "}", "~": "\u00a0", "_": "-", "-": "", "\n": "\n", "\r": "\n", "\t": "\t"}
_OBJECT_DATA = b"\\objdata"
_ENDS_PARAGRAPH = frozenset({"par", "page", "sect", "column"})
_SHAPES = frozenset({"pict", "do"})
_OBJECTS = frozenset(
    {"object", "objdata", "objemb", "objlink", "objautlink", "objsub", "objicemb", "objhtml", "objocx"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    r"""What holds within a group: the code page of its letters, how many signs follow a `\u`, and what is passed over."""

    page: str = "cp1252"
    skipped_after_unicode: int = 1
    is_passed_over: bool = False
    is_deleted: bool = False
    in_fonts: bool = False


class _Document:
    """The reading: groups within groups, and the line that is being written."""

    def __init__(self, paper: Paper, tally: Tally) -> None:
        self.has_object = False
        self._paper = paper
        self._tally = tally
        self._tables = Tables(paper)
        self._in_table = False
        self._in_row = False
        self._state = _State()
        self._outer: list[_State] = []
        self._fonts: dict[int, str] = {}
        self._font = 0
        self._bytes = bytearray()
        self._line: list[str] = []
        self._to_skip = 0
        self._is_new_group = False
        self._may_be_unknown = False

    def read(self, untrusted_rtf: bytes) -> None:
        """Reads to the end of the outermost group. Raises Unfit: NESTED_TOO_DEEP, INCOMPLETE; PaperFull."""
        for token in tokens(untrusted_rtf):
            if token.sort is Sort.BYTES:
                self._take(token.content)
                continue
            self._flush_bytes()
            if token.sort is Sort.OPEN:
                self._open()
            elif token.sort is Sort.CLOSE:
                if not self._outer:
                    raise Unfit(Reason.DAMAGED)
                self._state = self._outer.pop()
                if not self._outer:
                    self._end()
                    return
            elif token.sort is Sort.SYMBOL:
                self._symbol(token.name)
            else:
                self._word(token)
            self._is_new_group = token.sort is Sort.OPEN or token.name == "*"
        raise Unfit(Reason.INCOMPLETE)

    def _open(self) -> None:
        if len(self._outer) >= MOST_DEEP:
            raise Unfit(Reason.NESTED_TOO_DEEP)
        self._outer.append(self._state)
        self._may_be_unknown = False
        self._to_skip = 0

    def _end(self) -> None:
        self._flush_bytes()
        if any(self._line):
            self._end_paragraph()
        if self._in_table:
            self._tables.end_row()
            self._tables.end()

    def _symbol(self, name: str) -> None:
        self._to_skip = 0
        if name == "*" and self._is_new_group:
            self._may_be_unknown = True
        else:
            self._write(_SYMBOLS.get(name, ""))

    def _word(self, token: Token) -> None:
        name, number = token.name, token.number
        self._to_skip = 0
        if name in _OBJECTS:
            self._object(name)
        if self._is_new_group and self._is_destination(name):
            return
        if name == "u" and number is not None:
            self._write(chr(number & 0xFFFF))
            self._to_skip = self._state.skipped_after_unicode
        elif name in _SIGNS:
            self._write(_SIGNS[name])
        elif name in _ENDS_PARAGRAPH:
            self._end_paragraph()
        elif name in {"cell", "nestcell"}:
            self._end_cell()
        elif name in {"row", "nestrow"}:
            if self._in_table and not self._state.is_passed_over:
                self._tables.end_row()
        else:
            self._set(name, number)

    def _object(self, name: str) -> None:
        """An object's words count wherever they stand: what hides one puts them where they do not belong."""
        self.has_object = True
        if name == "objdata":
            self._tally.add(Note.EMBEDDED_LEFT_OUT)
            self._state = replace(self._state, is_passed_over=True)

    def _is_destination(self, name: str) -> bool:
        """Whether the group that just began is passed over, by its first word; counts what it was."""
        if not self._state.is_passed_over:
            self._tally.add(Note.PICTURES_LEFT_OUT, name in _SHAPES)
            self._tally.add(Note.REMARKS_LEFT_OUT, name == "annotation")
            self._tally.add(Note.DETAILS_LEFT_OUT, name == "info")
        if name in _PASSED_OVER or (self._may_be_unknown and name not in {"fonttbl", "shppict", "nesttableprops"}):
            self._state = replace(self._state, is_passed_over=True)
        elif name == "fonttbl":
            self._state = replace(self._state, in_fonts=True)
        else:
            return False
        return True

    def _set(self, name: str, number: int | None) -> None:
        """A control word that changes how what follows is read."""
        state = self._state
        if name == "uc":
            self._state = replace(state, skipped_after_unicode=min(max(number or 0, 0), 16))
        elif name in {"f", "af"} and number is not None:
            self._font = number
            if not state.in_fonts and number in self._fonts:
                self._state = replace(state, page=self._fonts[number])
        elif name == "fcharset" and state.in_fonts and number in FONT_CHARSETS:
            self._fonts[self._font] = FONT_CHARSETS[number]
        elif name == "ansicpg" and number in CODE_PAGES:
            self._state = replace(state, page=CODE_PAGES[number])
        elif name in {"mac", "pc", "pca"}:
            self._state = replace(state, page={"mac": "mac-roman", "pc": "cp437", "pca": "cp850"}[name])
        elif name == "plain":
            self._state = replace(state, is_deleted=False)
        elif name == "deleted":
            self._tally.add(Note.CHANGES_ACCEPTED, number != 0)
            self._state = replace(state, is_deleted=number != 0)
        else:
            self._set_paragraph(name, number)

    def _set_paragraph(self, name: str, number: int | None) -> None:
        if name in {"intbl", "pard"}:
            self._in_row = name == "intbl"
        elif name == "v":
            self._tally.add(Note.HIDDEN_SHOWN, number != 0 and not self._state.is_passed_over)

    def _take(self, content: bytes) -> None:
        if self._to_skip:
            taken = min(self._to_skip, len(content))
            self._to_skip -= taken
            content = content[taken:]
        self._bytes += content
        self._is_new_group = False

    def _flush_bytes(self) -> None:
        """Letters of one code page go together: some take two bytes."""
        if self._bytes:
            self._write(decode(bytes(self._bytes), self._state.page))
            self._bytes.clear()

    def _write(self, text: str) -> None:
        state = self._state
        if text and not (state.is_passed_over or state.is_deleted or state.in_fonts):
            self._line.append(text)

    def _taken_line(self) -> str:
        line = "".join(self._line)
        self._line.clear()
        # Letters beyond U+FFFF come as two halves.
        return line.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

    def _end_paragraph(self) -> None:
        if self._state.is_passed_over:
            return
        if self._in_row != self._in_table:
            self._turn(into_table=self._in_row)
        self._tables.paragraph(self._taken_line())

    def _end_cell(self) -> None:
        if self._state.is_passed_over:
            return
        if not self._in_table:
            self._turn(into_table=True)
        self._tables.paragraph(self._taken_line())
        self._tables.end_cell()

    def _turn(self, *, into_table: bool) -> None:
        self._in_table = into_table
        if into_table:
            self._tables.begin()
        else:
            self._tables.end()


def prepare() -> None:
    """Loads the letters of every code page that a document may be written in."""
    for name in {*CODE_PAGES.values(), *FONT_CHARSETS.values(), "utf-16-le", "mac-roman"}:
        codecs.lookup(name)


def samples() -> tuple[bytes, ...]:
    """One document with every sort of token, one with an object, and one in each family of code pages."""
    return (
        rb"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0\fcharset0 A;}}{\info{\author B}}\uc1\u8364? Rex\'e4\par \cell\row\bin2 {}}",
        rb"{\rtf1\ansi{\object{\*\objdata 0105}}{\pict 00}\u55357?\u56384? Rex\par}",
        rb"{\rtf1\ansi\ansicpg932 \'83\'65\'ff\par}",
    )


def normalize(content: Content, kind: Kind, ask: Ask) -> Result:
    """The document's words as plain text. Raises Unfit for what is cut off or nested too deep."""
    del ask  # nothing about it can be wished for
    tally = Tally()
    paper = Paper()
    document = _Document(paper, tally)
    untrusted_rtf = bytes(content)
    try:
        document.read(untrusted_rtf)
    except PaperFull:
        tally.add(Note.TEXT_SHORTENED)
    tally.add(Note.TEXT_TAKEN_OUT)
    # Programs that are less strict may find an object where this reading saw none, such as behind the document's end.
    has_object = document.has_object or _OBJECT_DATA in untrusted_rtf
    reason = Reason.OPEN_WITH_CARE if has_object else Reason.NONE
    output = paper.output(Role.TEXT if has_object else Role.RECORD, tally)
    return Result(kind=kind, reason=reason, notes=tally.notes(), outputs=(output,))
