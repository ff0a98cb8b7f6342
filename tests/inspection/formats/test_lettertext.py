"""The words of a letter, whatever they were sent in."""

import base64
import binascii

import pytest

from vetrelay.inspection.formats.lettertext import body_text, field_text, transferred
from vetrelay.inspection.formats.tally import Tally
from vetrelay.inspection.notes import Note


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
