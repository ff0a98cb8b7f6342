"""The words of a letter, whatever they were sent in."""

import base64
import binascii

import pytest

from vetrelay.inspection.formats.lettertext import body_text, field_text, page_text, transferred
from vetrelay.inspection.formats.tally import Tally
from vetrelay.inspection.notes import Note
from vetrelay.inspection.words import Reason, Unfit


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("=?utf-8?q?J=C3=BCrgen?= <a@b.org>", "Jürgen <a@b.org>"),
        ("=?iso-2022-jp?b?GyRCJCIbKEI=?=", "あ"),
        ("=?x-unheard?q?abc?=", "abc"),
        ("=?utf-8?b?!!!?=", ""),
        ("a\r\n b\x00c", "a b\u2400c"),
        ("=?utf-8?q?=E2=80=AEgpj=2Eexe?=", "[U+202E]gpj.exe"),
        ("=?rot13?q?nop?=", "nop"),
    ],
)
def test_a_field_is_one_line_of_seen_signs(raw: str, expected: str) -> None:
    """Encoded words are decoded, unknown encodings guessed, hidden signs shown."""
    assert expected == field_text(raw)


def test_a_field_is_no_longer_than_fields_are() -> None:
    """A megabyte of subject is cut."""
    assert 4096 == len(field_text("x" * 1_000_000))


@pytest.mark.parametrize(
    ("encoding", "body", "expected"),
    [
        ("base64", base64.encodebytes(b"All is well."), b"All is well."),
        ("BASE64", b"QWxs*IGlz\r\n", b"All is"),
        ("base64", b"QWxsI", b"All"),
        ("quoted-printable", b"a=3Db=\r\nc=ZZ", b"a=bc=ZZ"),
        ("x-uuencode", b"text\nbegin 644 a\n" + binascii.b2a_uu(b"All") + b" \nend\n", b"All"),
        ("8bit", b"a\xff", b"a\xff"),
        ("nonsense", b"a", b"a"),
    ],
)
def test_a_body_is_as_it_was_before_it_travelled(encoding: str, body: bytes, expected: bytes) -> None:
    """What is damaged in it is left out; the rest is there."""
    assert expected == transferred(body, encoding)


@pytest.mark.parametrize(
    ("body", "charset", "expected", "guessed"),
    [
        ("Bößer".encode("latin-1"), "iso-8859-1", "Bößer", False),
        ("“Bößer”".encode("cp1252"), "us-ascii", "“Bößer”", True),
        ("Bößer".encode(), "", "Bößer", True),
        ("Привет".encode("koi8-r"), "KOI8-R", "Привет", False),
        ("あ".encode("shift_jis"), "Shift_JIS", "あ", False),
        (b"abc", "zlib", "abc", False),
        (b"abc", "punycode", "abc", False),
        (b"\x81", "unheard", "\x81", True),
        (b"a\r\nb\rc", "utf-8", "a\nb\nc", False),
    ],
)
def test_a_body_is_read_in_its_encoding_or_in_one_that_fits(
    *, body: bytes, charset: str, expected: str, guessed: bool
) -> None:
    """An encoding that packs or escapes is none; guesses are told."""
    tally = Tally()
    assert expected == body_text(body, charset, tally)
    assert guessed is (Note.LETTERS_GUESSED in tally.notes())


def test_a_page_becomes_plain_text() -> None:
    """Lines, lists, quotes and links stay readable; what would be fetched is counted; what would run is gone."""
    tally = Tally()
    page = (
        "<h1>Luna</h1><ul><li>ear<li>paw</ul><table><tr><td>a</td><td>b</td></tr></table>"
        "<pre>x\n  y</pre><img src=cid:1 alt='paw'><img src=//t.example/p.gif><script>evil()</script>"
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
    assert {Note.REMOTE_CONTENT_REMOVED: 1} == tally.notes()


@pytest.mark.parametrize("page", ["<" * 100_000, "<!" * 50_000, "<a href='" * 20_000, "&" * 100_000, "<p>" * 50_000])
def test_a_page_made_to_tire_its_reader_is_read_all_the_same(page: str) -> None:
    """Tags and signs without end: some text comes out."""
    assert isinstance(page_text(page, Tally()), str)


@pytest.mark.parametrize("page", ["<div>" * 1000, "<p><button>" * 1000, "<b><i>" * 1000, "<ul><li>" * 1000])
def test_a_page_nested_deeper_than_any_is_refused(page: str) -> None:
    """Each level costs the cleaner more than the last."""
    with pytest.raises(Unfit) as unfit:
        page_text(page, Tally())
    assert Reason.NESTED_TOO_DEEP is unfit.value.reason


def test_an_endless_page_is_cut() -> None:
    """And that is told."""
    tally = Tally()
    assert len(page_text("<p>x</p>" * 400_000, tally)) < 2_000_000
    assert Note.TEXT_SHORTENED in tally.notes()
