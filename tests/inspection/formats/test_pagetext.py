"""Web pages in letters: readable, harmless, and not to be tired by."""

import pytest

from vetrelay.inspection.formats.pagetext import page_text
from vetrelay.inspection.formats.tally import Tally
from vetrelay.inspection.notes import Note
from vetrelay.inspection.words import Reason, Unfit


def test_a_page_becomes_plain_text() -> None:
    """Lines, lists, quotes and links stay readable; what would be fetched is counted; what would run is gone."""
    tally = Tally()
    page = (
        "<h1>Luna</h1><ul><li>ear<li>paw</ul><table><tr><td>a</td><td>b</td></tr></table>"
        "<pre>x\n  y</pre><img src=cid:1 alt='paw'><img src=//t.example/p.gif><img src=data:image/png;base64,AAAA><script>evil()</script>"
        "<blockquote>one<blockquote>two</blockquote></blockquote><a href=mailto:a@b.org>a@b.org</a>"
        "<a href='https://evil.example/'>https://bank.example/</a><!-- hidden -->"
    )
    text = page_text(page, tally)
    expected = [
        "Luna",
        "- ear",
        "- paw",
        "a\tb",
        "x",
        "  y",
        "[paw]",
        "> one",
        "> > two",
        "a@b.orghttps://bank.example/ <https://evil.example/>",
    ]  # fmt: skip - as it reads
    assert expected == [line for line in text.split("\n") if line]
    assert {Note.REMOTE_CONTENT_REMOVED: 1, Note.PICTURES_LEFT_OUT: 1} == tally.notes()


@pytest.mark.parametrize("page", ["<" * 100_000, "<!" * 50_000, "&" * 100_000, "<p>" * 50_000])
def test_a_page_made_to_tire_its_reader_is_read_all_the_same(page: str) -> None:
    """Tags and signs without end: some text comes out."""
    assert isinstance(page_text(page, Tally()), str)


@pytest.mark.parametrize(
    "page",
    ["<div>" * 1000, "<div></x>" * 1000, "<a href='" * 1000, "<p><button>" * 1000, "<b><i>" * 1000, "<ul><li>" * 1000],
)
def test_a_page_nested_deeper_than_any_is_refused(page: str) -> None:
    """Each level costs the cleaner more than the last."""
    with pytest.raises(Unfit) as unfit:
        page_text(page, Tally())
    assert Reason.NESTED_TOO_DEEP is unfit.value.reason


def test_an_endless_page_is_cut() -> None:
    """And that is told."""
    tally = Tally()
    assert len(page_text("<p>x</p>" * 200_000, tally)) < 1_000_000
    assert Note.TEXT_SHORTENED in tally.notes()
