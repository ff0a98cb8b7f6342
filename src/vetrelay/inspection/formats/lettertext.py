"""The words of a letter: fields and bodies decoded from whatever they were sent in, a web page turned into plain text.

Nothing is looked up by a name that a stranger gives: encodings are those loaded here, a page is cleaned by nh3 before
its tags are read, and nothing of it is fetched, so that whoever wrote it never learns that it was opened.
"""

import binascii
import codecs
import re
from email.errors import HeaderParseError
from email.header import decode_header
from encodings import aliases
from html.parser import HTMLParser

import nh3

from vetrelay.inspection.formats import marks
from vetrelay.inspection.formats.tally import Tally
from vetrelay.inspection.notes import Note
from vetrelay.inspection.words import Reason, Unfit

MAX_PAGE_CHARS = 2 << 20
MAX_FIELD_CHARS = 4096
MAX_NESTING = 256
_NOT_OF_TEXT = frozenset(
    [
        "base64_codec",
        "bz2_codec",
        "hex_codec",
        "quopri_codec",
        "rot_13",
        "uu_codec",
        "zlib_codec",
        "idna",
        "punycode",
        "undefined",
        "unicode_escape",
        "raw_unicode_escape",
    ]
)
_OF_ANOTHER_SYSTEM = frozenset({"mbcs", "oem"})
_REMOTE = re.compile(
    r"""(?ix)<[^<>]{0,4000}?\b(?:src|srcset|background|poster|data)\s*=\s*["']?\s*(?:https?:)?//
    | <link\b[^<>]{0,4000}?\bhref\s*= | url\(\s*["']?(?:https?:)?// | @import\b"""
)
_KEPT_TAGS = frozenset(
    [
        "a",
        "b",
        "blockquote",
        "br",
        "center",
        "code",
        "dd",
        "div",
        "dl",
        "dt",
        "em",
        "font",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "img",
        "li",
        "ol",
        "p",
        "pre",
        "s",
        "small",
        "span",
        "strong",
        "sub",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "u",
        "ul",
    ]
)
_DROPPED_WITH_CONTENT = frozenset(
    {"script", "style", "title", "noscript", "template", "object", "svg", "math", "select"}
)
_OWN_LINE = frozenset(
    [
        "address",
        "blockquote",
        "br",
        "center",
        "div",
        "dl",
        "dt",
        "dd",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "li",
        "ol",
        "p",
        "pre",
        "table",
        "tr",
        "ul",
    ]
)
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_CLOSED_BY_THEMSELVES = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "dd",
        "dt",
        "embed",
        "hr",
        "img",
        "input",
        "li",
        "link",
        "meta",
        "option",
        "p",
        "source",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "track",
        "wbr",
    ]
)
_SPACES = re.compile(r"[ \t\n\xa0]+")


def _known_codecs() -> dict[str, codecs.CodecInfo]:
    """Every encoding of text that Python has, loaded. Those that pack, turn or escape bytes are loaded and left out."""
    known = {}
    for name in {"utf_8", "ascii", "latin_1", *aliases.aliases.values()} - _OF_ANOTHER_SYSTEM:
        info = codecs.lookup(name)
        if name not in _NOT_OF_TEXT:
            known[name] = info
    return known


_CODECS = _known_codecs()


def prepare() -> None:
    """Walks a page and a field once, so that nothing of it is first met in the jail."""
    page_text("<p>Hello <a href='https://example.org/'>you</a><img src=//example.org/a.png alt=dog></p>", Tally())
    field_text("=?iso-2022-jp?b?GyRCJCIbKEI=?= =?utf-8?q?a=C3=A4?= =?x-none?q?b?=")
    for encoding in ("base64", "quoted-printable", "x-uuencode", ""):
        transferred(b"begin 644 a\n#0V%T\n \nend\n", encoding)


def transferred(body: bytes, encoding: str) -> bytes:
    """A body as it was before it was written in letters and digits; what is not sound in it is left out."""
    match encoding.strip().lower():
        case "base64":
            return _from_base64(body)
        case "quoted-printable":
            return binascii.a2b_qp(body)
        case "x-uuencode" | "uuencode" | "uue" | "x-uue":
            return _from_uuencode(body)
        case _:
            return body


def _from_base64(body: bytes) -> bytes:
    kept = body.translate(
        None, bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))
    )
    kept = kept[: len(kept) - 1] if len(kept) % 4 == 1 else kept
    return binascii.a2b_base64(kept + b"=" * (-len(kept) % 4))


def _from_uuencode(body: bytes) -> bytes:
    lines = body.splitlines()
    begin = next((index for index, line in enumerate(lines) if line.startswith(b"begin ")), None)
    made = bytearray()
    for line in lines[begin + 1 :] if begin is not None else []:
        if line.strip() == b"end":
            break
        try:
            made += binascii.a2b_uu(line)
        except binascii.Error:
            continue
    return bytes(made)


def body_text(body: bytes, charset: str, tally: Tally) -> str:
    """A body as text, by its declared encoding if that is known and fits, else by what fits."""
    info = _codec(charset)
    for tried in (info, _CODECS["utf_8"], _CODECS["cp1252"]):
        if tried is None:
            continue
        try:
            text, _ = tried.decode(body, "strict")
        except (UnicodeError, ValueError):
            continue
        if tried is not info and not body.isascii():
            tally.add(Note.LETTERS_GUESSED)
        return marks.with_line_feeds(text)
    tally.add(Note.LETTERS_GUESSED)
    return marks.with_line_feeds(body.decode("latin-1"))


def _codec(charset: str) -> codecs.CodecInfo | None:
    name = re.sub(r"[^a-z0-9]+", "_", charset.lower()).strip("_")
    name = aliases.aliases.get(name, name)
    # What calls itself ASCII or Latin 1 is Windows' superset of it as often as not.
    return _CODECS.get({"latin_1": "cp1252", "iso8859_1": "cp1252"}.get(name, name))


def field_text(raw: object) -> str:
    """A field's words on one line, its encoded words decoded. `raw` is as the header parser gives it."""
    text = str(raw).encode("utf-8", "surrogateescape").decode("utf-8", "replace")[:MAX_FIELD_CHARS]
    pieces = []
    try:
        for piece, charset in decode_header(" ".join(text.split())):
            if isinstance(piece, str):
                pieces.append(piece)
            else:
                pieces.append(body_text(piece, charset or "raw", Tally()))
    except (HeaderParseError, binascii.Error, ValueError):
        pieces = [text]
    shown, _ = marks.with_marks(" ".join("".join(pieces).split()))
    return shown


def page_text(page: str, tally: Tally) -> str:
    """A web page's words as plain text: what it would fetch is counted, what it would run is gone, links are named.

    Raises Unfit(NESTED_TOO_DEEP).
    """
    if len(page) > MAX_PAGE_CHARS:
        page = page[:MAX_PAGE_CHARS]
        tally.add(Note.TEXT_SHORTENED)
    tally.add(Note.REMOTE_CONTENT_REMOVED, sum(1 for _ in _REMOTE.finditer(page)))
    _check_nesting(page)
    clean = nh3.clean(
        page,
        tags=set(_KEPT_TAGS),
        clean_content_tags=set(_DROPPED_WITH_CONTENT),
        attributes={"a": {"href"}, "img": {"alt"}},
        url_schemes={"http", "https", "mailto", "tel"},
        link_rel=None,
    )
    reader = _PageReader()
    reader.feed(clean)
    reader.close()
    return reader.text()


def _check_nesting(page: str) -> None:
    """The cleaner looks through all open tags at each new one: a page of nothing but these would keep it for hours."""
    depth = 0
    for found in _TAG.finditer(page):
        if found[2].lower() not in _CLOSED_BY_THEMSELVES:
            depth = max(0, depth - 1) if found[1] else depth + 1
            if depth > MAX_NESTING:
                raise Unfit(Reason.NESTED_TOO_DEEP)


class _PageReader(HTMLParser):
    """Reads a cleaned page: lines where it has lines, a mark before what is quoted, the address behind a link."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._pieces: list[str] = []
        self._quoted = 0
        self._as_it_stands = 0
        self._link = ""
        self._said = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "blockquote":
            self._quoted += 1
        self._break(tag)
        said = dict(attrs)
        if tag == "pre":
            self._as_it_stands += 1
        elif tag == "li":
            self._pieces.append("- ")
        elif tag == "hr":
            self._pieces.append("----------")
        elif tag == "img" and said.get("alt"):
            self._pieces.append(f"[{said['alt']}]")
        elif tag == "a":
            self._link, self._said = said.get("href") or "", ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            if self._link and self._link.removeprefix("mailto:").strip("/") not in self._said:
                self._pieces.append(f" <{self._link}>")
            self._link = ""
        elif tag in {"td", "th"}:
            self._pieces.append("\t")
        elif tag == "pre":
            self._as_it_stands = max(0, self._as_it_stands - 1)
        elif tag == "blockquote":
            self._quoted = max(0, self._quoted - 1)
        if tag != "br":
            self._break(tag)
        if tag == "p":
            self._break(tag)

    def handle_data(self, data: str) -> None:
        if self._link and len(self._said) < MAX_FIELD_CHARS:
            self._said += data
        if not self._as_it_stands:
            data = _SPACES.sub(" ", data)
            if not self._pieces or self._pieces[-1].endswith((" ", "\n", "\t")):
                data = data.lstrip(" ")
        if data:
            self._pieces.append(data)

    def _break(self, tag: str) -> None:
        if tag in _OWN_LINE:
            self._pieces.append("\n" + "> " * min(self._quoted, 9))

    def text(self) -> str:
        """The words, no more than one blank line at a time."""
        lines: list[str] = []
        for line in "".join(self._pieces).split("\n"):
            kept = line.rstrip() if line.strip("> ") else ""
            if kept or (lines and lines[-1]):
                lines.append(kept)
        return "\n".join(lines).strip("\n")
