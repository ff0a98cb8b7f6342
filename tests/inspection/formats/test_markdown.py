"""Markdown: rendered by a reader that forbids nothing, what comes out of the rebuilt text does nothing."""

from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from vetrelay.inspection.formats.markdown import made_inert
from vetrelay.inspection.formats.tally import Tally
from vetrelay.inspection.notes import Note

LIVE = [
    "[a](javascript:alert(1))",
    "[a](<javascript:alert(1)>)",
    "[a]( javascript:alert(1) 'x')",
    "[a](\njavascript:alert(1))",
    "[a](java\\script:alert(1))",
    "[a](&#106;avascript:alert(1))",
    "[a](javascript&colon;alert(1))",
    "[a](data:text/html;base64,AA==)",
    "[a](vbscript:x)",
    "[a](file:///etc/passwd)",
    "[a](//example.org/x)",
    "[a][b]\n\n[b]: javascript:alert(1)",
    "[a]\n\n[a]:\njavascript:alert(1)",
    "[a\nb]\n\n[a\nb]: javascript:alert(1)",
    "> [a]\n>\n> [a]: javascript:alert(1)",
    "<javascript:alert(1)>",
    "<script>alert(1)</script>",
    "<SCRIPT\n>alert(1)</SCRIPT>",
    "<img src=x onerror=alert(1)>",
    "<b onclick=alert(1)>a</b>",
    "<svg onload=alert(1)>",
    "<a href='javascript:alert(1)'>a</a>",
    "<!-- a --><script>",
    "<?php ?>",
    "<iframe\nsrc=x>",
    "![a](https://example.org/a.png)",
    "![a](data:image/png;base64,AA==)",
    "![a][b]\n\n[b]: https://example.org/a.png",
    "[![a](https://example.org/a.png)](javascript:alert(1))",
    "\\![a](javascript:alert(1))",
]
HARMLESS = [
    "# Rex\n\n* eats\n* sleeps\n\n> a quote with 1 < 2 > 0\n\n`a < b`",
    "[a](https://example.org/a?b=1&c=%20#d)",
    '[a](https://example.org "title")',
    "[a]\n\n[a]: https://example.org/x\n",
    "<https://example.org/>",
    "[a](mailto:rex@example.org)",
    "H<sub>2</sub>O<br/>and <b>bold</b>",
    "| a | b |\n|---|---|\n| 1 | 2 |",
]
PLAIN_TAGS = {"p", "h1", "ul", "li", "blockquote", "code", "em", "strong", "a", "sub", "br", "b", "pre"}


class _Page(HTMLParser):
    """What a rendered page holds."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses.extend(value or "" for name, value in attrs if name != "title")

    def handle_comment(self, data: str) -> None:  # noqa: ARG002 - the library's signature
        self.tags.add("comment")

    def handle_pi(self, data: str) -> None:  # noqa: ARG002 - the library's signature
        self.tags.add("instruction")


def rendered(text: str) -> _Page:
    """The page that a reader makes of it who lets everything through."""
    reader = MarkdownIt("commonmark", {"html": True})
    reader.validateLink = lambda url: True  # type: ignore[method-assign] # noqa: ARG005 - this reader is too strict
    page = _Page()
    page.feed(reader.render(text))
    page.close()
    return page


def inert(text: str) -> str:
    """The rebuilt text."""
    return made_inert(text, Tally().add)


@pytest.mark.parametrize("text", LIVE)
def test_what_would_act_does_not(text: str) -> None:
    """No tag, no picture and no address of it survives rendering."""
    before, after = rendered(text), rendered(inert(text))
    assert before.addresses or before.tags - PLAIN_TAGS, "the test itself must show something live"
    assert set() == after.tags - PLAIN_TAGS
    assert all(address.startswith(("https://", "mailto:")) for address in after.addresses), after.addresses


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_harmless_stays_as_it_is(text: str) -> None:
    """Plain links, plain tags, tables, and signs that only look like something."""
    assert text == inert(text)


def test_the_words_are_all_still_there() -> None:
    """Only spaces are added: nothing that somebody wrote is lost."""
    for text in LIVE:
        assert text.replace(" ", "") == inert(text).replace(" ", "")


def test_what_was_done_is_counted() -> None:
    """Each kind on its own."""
    tally = Tally()
    made_inert("![a](x) [b](javascript:0)\n[c]: data:x\n<i x=1>", tally.add)
    assert {
        Note.LINKS_MADE_INERT: 3,
        Note.PICTURE_LINKS_MADE_INERT: 1,
        Note.PAGE_CODE_MADE_INERT: 1,
    } == tally.notes()
