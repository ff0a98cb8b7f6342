"""Plain text, and the three kinds of it that mean something: tables, JSON and Markdown.

The copy is UTF-8 with line feeds, and says visibly what was unseen in the original. Which of the four a text is, its
content cannot say; so the name's claim is tried, and a text that is not what it claims to be stays plain text.
Source: attachments.md section 6, row TXT/CSV/JSON/MD, and rows 58 to 62 of its checklist.
"""

import codecs
import contextlib

from vetrelay.inspection.ask import Ask
from vetrelay.inspection.formats import csvtext, jsontext, markdown, marks
from vetrelay.inspection.formats.tally import Tally
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.notes import Note
from vetrelay.inspection.outlines.outline import Content
from vetrelay.inspection.result import RawOutput, Result, Role
from vetrelay.inspection.words import Reason, Unfit

MAX_LINE_BYTES = 64 * 1024
# Of so many signs one may be a control; more of them, and it is no text that a person could read.
SIGNS_PER_CONTROL = 8
_CODECS = ("ascii", "utf-8", "utf-16-le", "utf-16-be", "cp1252", "latin-1")
_UTF8_TAIL_BYTES = 3


def prepare() -> None:
    """Loads the letters of every encoding that a text is tried in, and reads each sample as everything it might be."""
    for name in _CODECS:
        codecs.lookup(name)
    for sample in samples():
        for claimed in (Kind.CSV, Kind.JSON, Kind.MARKDOWN):
            normalize(sample, Kind.TEXT, Ask(claimed=claimed))


def samples() -> tuple[bytes, ...]:
    """One text for each way to the end: every encoding, and every kind that a claim can make of it."""
    return (
        b"Rex is well.\r\nSee you on Monday.\r\n",
        "Bößer Zahn, schläft".encode("utf-8-sig"),
        b"\xff\xfe" + "Bößer Zahn".encode("utf-16-le"),
        b"\xfe\xff" + "Bößer Zahn".encode("utf-16-be"),
        "Der Hund schläft wieder gut, der Zahn “links” wurde gezogen.".encode("cp1252"),
        b"Rex sleeps \x81 well, and eats again as before.",
        b'animal,weight\nRex,"12.5"\n',
        b'{"animal": "Rex \\u2764", "weights": [1, -2.5e3, true, null], "n\\u0061me": {}}',
        b"# Rex\n\n![scan](https://example.org/scan.png) [notes](javascript:0) <span>\n",
    )


def decoded(content: bytes, tally: Tally) -> str:
    """The content as text: by its byte order mark, else UTF-8, else as Western European letters, which is noted.

    Raises Unfit for UTF-16 that breaks off or is damaged, and for UTF-8 that breaks off inside a letter.
    """
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if content.startswith(mark):
            if len(content) % 2:
                raise Unfit(Reason.INCOMPLETE)
            try:
                return content[len(mark) :].decode(encoding)
            except UnicodeDecodeError:
                raise Unfit(Reason.DAMAGED) from None
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        whole = content[: error.start]
        if error.end == len(content) and len(content) - error.start <= _UTF8_TAIL_BYTES and not whole.isascii():
            raise Unfit(Reason.INCOMPLETE) from None
    tally.add(Note.LETTERS_GUESSED)
    try:
        return content.decode("cp1252")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def normalize(content: Content, kind: Kind, ask: Ask) -> Result:
    """The text rebuilt, as the kind it claims to be where it is of that kind. Raises Unfit."""
    del kind  # the sniffer only knows that it is some text
    tally = Tally()
    text = marks.with_line_feeds(decoded(bytes(content), tally))
    if not text.strip("\n\x00 \t"):
        raise Unfit(Reason.EMPTY)
    if max(map(len, text.encode("utf-8").split(b"\n"))) > MAX_LINE_BYTES:
        _check_nesting(text, ask.claimed)
        raise Unfit(Reason.LINE_TOO_LONG)
    made, rebuilt = _as_json(text, tally) if ask.claimed is Kind.JSON else _as_text(text, ask.claimed, tally)
    output = RawOutput(role=Role.RECORD, kind=made, content=rebuilt.encode("utf-8"))
    return Result(kind=made, notes=tally.notes(), outputs=(output,))


def _check_nesting(text: str, claimed: Kind) -> None:
    """For JSON on one long line the graver reason is given. Raises Unfit."""
    if claimed is Kind.JSON:
        with contextlib.suppress(jsontext.NotJson):
            jsontext.check(text)


def _as_json(text: str, tally: Tally) -> tuple[Kind, str]:
    try:
        jsontext.check(text)
    except jsontext.NotJson:
        tally.add(Note.NOT_JSON)
        return _as_text(text, Kind.TEXT, tally)
    escaped, count = marks.with_json_escapes(text)
    tally.add(Note.UNSEEN_SIGNS_SHOWN, count)
    return Kind.JSON, escaped


def _as_text(text: str, claimed: Kind, tally: Tally) -> tuple[Kind, str]:
    """Marks come first: a mark's brackets must not become the label of a link."""
    marked, count = marks.with_marks(text)
    if count * SIGNS_PER_CONTROL > len(text):
        raise Unfit(Reason.NOT_ONLY_TEXT)
    tally.add(Note.UNSEEN_SIGNS_SHOWN, count)
    if claimed is Kind.MARKDOWN:
        return Kind.MARKDOWN, markdown.made_inert(marked, tally.add)
    if claimed is not Kind.CSV:
        return Kind.TEXT, marked
    formulas = csvtext.formulas_in(marked)
    if formulas is None:
        tally.add(Note.NOT_A_TABLE)
        return Kind.TEXT, marked
    tally.add(Note.FORMULA_CELLS, formulas)
    return Kind.CSV, marked
