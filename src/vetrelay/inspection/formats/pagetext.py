"""A web page in a letter as plain text: nothing of it is fetched, nothing of it runs, its links are named.

It is cleaned by nh3 before its tags are read, so that what reads them meets only what is well formed.
"""

import re
from collections import Counter
from dataclasses import dataclass
from html.parser import HTMLParser

import nh3

from vetrelay.inspection.formats import lettertext
from vetrelay.inspection.formats.tally import Tally
from vetrelay.inspection.notes import Note
from vetrelay.inspection.words import Reason, Unfit

_MAX_LINK_CHARS = 4096
MAX_PAGE_CHARS = 1 << 20
MAX_NESTING = 256
_REMOTE = re.compile(
    r"""(?ix)<[^<>]{0,4000}?\b(?:src|srcset|background|poster|data)\s*=\s*["']?\s*(?:https?:)?//
    | <link\b[^<>]{0,4000}?\bhref\s*= | url\(\s*["']?(?:https?:)?// | @import\b"""
)
_KEPT_TAGS = frozenset(
    {
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
    }
)
_DROPPED_WITH_CONTENT = frozenset(
    {
        "script",
        "style",
        "title",
        "noscript",
        "template",
        "object",
        "svg",
        "math",
        "select",
    }
)
_OWN_LINE = frozenset(
    {
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
    }
)
_PICTURE_WITHIN = re.compile(r"data:image/[^\s\"'<>()]{1,}")
_PICTURE_IN_BASE64 = re.compile(
    r"data:image/(png|jpeg|gif|webp|bmp|tiff)(?:;[\w=.-]{1,60}){0,3};base64,([A-Za-z0-9+/=%\s]{1,})", re.IGNORECASE
)
_SMALLEST_PICTURE_BYTES = 5 * 1024
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_CLOSED_BY_THEMSELVES = frozenset(
    {
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
    }
)
_SPACES = re.compile(r"[ \t\n\xa0]+")


def prepare() -> None:
    """Reads one page, so that nothing of it is first met in the jail."""
    page_text("<p>Hello <a href='https://example.org/'>you</a><img src=//example.org/a.png alt=dog></p>", Tally())


@dataclass(frozen=True, slots=True, kw_only=True)
class Within:
    """A picture that is written into a page."""

    media_type: str
    content: bytes


def without_pictures(page: str) -> tuple[str, tuple[Within, ...]]:
    """A page without the pictures in its own text (data: addresses), and these, but for tiny ones, which stay there."""
    found: list[Within] = []

    def taken_out(one: re.Match[str]) -> str:
        content = lettertext.transferred(one[2].replace("%0A", "").encode("ascii", "ignore"), "base64")
        if len(content) < _SMALLEST_PICTURE_BYTES:
            return one[0]
        found.append(Within(media_type=f"image/{one[1].lower()}", content=content))
        return ""

    return _PICTURE_IN_BASE64.sub(taken_out, page), tuple(found)


def page_text(page: str, tally: Tally) -> str:
    """A web page's words as plain text: what it would fetch is counted, what it would run is gone, links are named.

    Raises Unfit(NESTED_TOO_DEEP).
    """
    page, pictures = _PICTURE_WITHIN.subn("", page)
    tally.add(Note.PICTURES_LEFT_OUT, pictures)
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
    open_tags: Counter[str] = Counter()
    depth = 0
    for found in _TAG.finditer(page):
        tag = found[2].lower()
        if tag in _CLOSED_BY_THEMSELVES:
            continue
        if not found[1]:
            open_tags[tag] += 1
            depth += 1
        elif open_tags[tag]:
            open_tags[tag] -= 1
            depth -= 1
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
        if self._link and len(self._said) < _MAX_LINK_CHARS:
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
