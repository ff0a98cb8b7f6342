"""RTF: words in every code page, tables, and nothing of what is not text."""

import pytest

from vetrelay.inspection.ask import Ask
from vetrelay.inspection.formats import rtf
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.notes import Note
from vetrelay.inspection.result import Result, Role
from vetrelay.inspection.words import Reason, Unfit


def seen(inner: bytes) -> Result:
    """What becomes of a document with this in it."""
    return rtf.normalize(rb"{\rtf1\ansi\ansicpg1252 " + inner + b"}", Kind.RTF, Ask())


def read(inner: bytes) -> str:
    """Its words."""
    return seen(inner).outputs[0].content.decode("utf-8")


@pytest.mark.parametrize(
    ("inner", "text"),
    [
        (rb"a\par b\line c\tab d", "a\nb\nc\td\n"),
        (rb"a\{b\}\\c\~d\_e", "a{b}\\c\u00a0d-e\n"),
        (rb"Sch\'e4fer \'93x\'94 \emdash \bullet", "Schäfer “x” —•\n"),
        (b"a\r\nb\\\nc", "ab\nc\n"),
        (rb"\u8364?x\u-4321?y", "€x\uef1fy\n"),
        (rb"\uc2\u8364\'80\'80x", "€x\n"),
        (rb"\uc0\u8364 x", "€ x\n".replace(" ", "")),
        (rb"{\uc0\u228}\u228?x", "ääx\n"),
        (rb"\u55357?\u56384?", "👀\n"),
        (rb"\u55357?x", "\ufffdx\n"),
        (rb"{\fonttbl{\f0\fcharset0 A;}{\f1\fcharset204 B;}}\f1\'f0\'e5\'ea\'f1 \f0\'e4", "рекс ä\n"),
        (rb"{\fonttbl{\f2\fcharset128 C;}}{\f2\'83\'8c\'83\'62}x", "レッx\n"),
        (rb"\bin3 {{{x", "x\n"),
        (rb"a\bin-3 b", "ab\n"),
        (rb"{\*\unknown a{b}c}d", "d\n"),
        (rb"{\pict\pngblip 89504e47{x}}d{\nonshppict x}", "d\n"),
        (rb"{\field{\*\fldinst HYPERLINK x}{\fldrslt shown}}", "shown\n"),
        (rb"{\header head\par}body{\footnote foot}", "head\nbodyfoot\n"),
        (rb"a{\deleted b}\deleted c\deleted0 d", "ad\n"),
        (rb"{\v hidden} seen", "hidden seen\n"),
        (rb"{\mac\'8a}", "ä\n"),
        (rb"\u0?\u27?x", "␀␛x\n"),
    ],
)
def test_words_come_out_and_nothing_else(inner: bytes, text: str) -> None:
    """Control words, letters in code pages, Unicode with its stand-ins, and groups that are passed over."""
    assert text == read(inner)


def test_a_table_is_rows_of_tabs() -> None:
    """A paragraph within a cell does not end its row."""
    row = rb"\trowd\intbl a\cell b\par c\cell\row"
    assert "before\n\na\tb / c\na\tb / c\n\nafter\n" == read(rb"before\par" + row + row + rb"\pard after")


@pytest.mark.parametrize(
    "inner",
    [
        rb"{\object{\*\objdata 01}}Rex",
        rb"{\*\x\objdata 01}Rex",
        rb"{\object\objautlink\objupdate}Rex",
        rb"\objdata 01}{Rex",
    ],
)
def test_an_object_anywhere_keeps_the_document_sealed_with_its_words_beside_it(inner: bytes) -> None:
    """Who hides one puts it where it does not belong."""
    result = seen(inner)
    assert Reason.OPEN_WITH_CARE is result.reason
    assert [Role.TEXT] == [output.role for output in result.outputs]


def test_what_is_passed_over_is_counted() -> None:
    """Pictures, remarks, changes and details."""
    result = seen(rb"{\info{\author x}}{\*\shppict{\pict 00}}{\*\annotation x}{\deleted x}{\v y}Rex")
    assert {
        Note.TEXT_TAKEN_OUT: 1,
        Note.REMARKS_LEFT_OUT: 1,
        Note.CHANGES_ACCEPTED: 1,
        Note.DETAILS_LEFT_OUT: 1,
        Note.HIDDEN_SHOWN: 1,
        Note.PICTURES_LEFT_OUT: 1,
    } == result.notes


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (rb"{\rtf1 Rex", Reason.INCOMPLETE),
        (rb"{\rtf1 Rex\bin99999 }", Reason.INCOMPLETE),
        (b"{\\rtf1" + b"{" * 200, Reason.NESTED_TOO_DEEP),
        (b"}", Reason.DAMAGED),
    ],
)
def test_what_is_cut_off_or_too_deep_is_refused(content: bytes, reason: Reason) -> None:
    """Two hundred groups within each other are more than any program writes."""
    with pytest.raises(Unfit) as unfit:
        rtf.normalize(content, Kind.RTF, Ask())
    assert reason is unfit.value.reason
