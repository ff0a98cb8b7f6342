"""Plain texts: decoded, unseen signs shown, and refined to what they claim to be."""

import pytest

from vetrelay.inspection.ask import Ask
from vetrelay.inspection.formats import text
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.notes import Note
from vetrelay.inspection.result import Result
from vetrelay.inspection.words import Reason, Unfit


def seen(content: bytes, claimed: Kind = Kind.TEXT) -> Result:
    """What becomes of a text that claims to be this."""
    return text.normalize(content, Kind.TEXT, Ask(claimed=claimed))


def read(content: bytes, claimed: Kind = Kind.TEXT) -> str:
    """The rebuilt text."""
    (output,) = seen(content, claimed).outputs
    return output.content.decode("utf-8")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_text_comes_out_as_utf8_without_a_mark(encoding: str) -> None:
    """Whatever it was written in, as far as it says or can be guessed."""
    assert "Bößer Zahn\n" == read("Bößer Zahn\r\n".encode(encoding))


def test_big_endian_comes_out_too() -> None:
    """The byte order mark says which way round."""
    assert "Zähne" == read(b"\xfe\xff" + "Zähne".encode("utf-16-be"))


def test_only_a_guess_is_noted() -> None:
    """Sound UTF-8 needs none."""
    assert {Note.LETTERS_GUESSED: 1} == seen("schläft gut".encode("cp1252")).notes
    assert {} == seen("schläft gut".encode()).notes


def test_letters_are_not_composed_anew() -> None:
    """The text is a record: e and its accent stay two signs if they were."""
    assert "Cafe\u0301" == read("Cafe\u0301".encode())


@pytest.mark.parametrize("ends", ["a\r\nb\r\n", "a\rb\r", "a\nb\n"])
def test_line_ends_become_line_feeds(ends: str) -> None:
    """Windows, old Macs and everybody else."""
    assert "a\nb\n" == read(ends.encode())


def test_unseen_signs_become_marks_and_are_counted() -> None:
    """Controls, direction overrides and stray byte order marks; joiners and right-to-left marks stay."""
    unseen = "abcdefgh " * 9 + "\x00\x1b\x7f\x0c\u0085\u202e\u2066\ufeff"
    kept = "👩\u200d⚕ \u200f"
    assert "abcdefgh " * 9 + "␀␛␡␌[U+0085][U+202E][U+2066][U+FEFF]" + kept == read((unseen + kept).encode())
    assert {Note.UNSEEN_SIGNS_SHOWN: 8} == seen((unseen + kept).encode()).notes


def test_in_json_the_mark_is_an_escape_which_means_the_same() -> None:
    """A mark would change the value; an escape only makes it visible."""
    assert '{"name": "\\u202exeR"}' == read('{"name": "\u202exeR"}'.encode(), Kind.JSON)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xef\xbb\xbf", Reason.EMPTY),
        (b" \n\t", Reason.EMPTY),
        ("Zähne, schläf".encode() + b"\xc3", Reason.INCOMPLETE),
        (b"\xff\xfea\x00b", Reason.INCOMPLETE),
        (b"\xff\xfe\x00\xd8a\x00", Reason.DAMAGED),
        (b"a" * 70_000, Reason.LINE_TOO_LONG),
        (b"a\x00" * 90, Reason.NOT_ONLY_TEXT),
    ],
)
def test_what_is_no_sound_text_is_not_taken(content: bytes, reason: Reason) -> None:
    """Each for its own reason."""
    with pytest.raises(Unfit) as unfit:
        seen(content)
    assert reason is unfit.value.reason


def test_a_lone_old_letter_at_the_end_is_a_letter() -> None:
    """Nothing else in the text says that it is UTF-8, so nothing is missing."""
    assert "café" == read(b"caf\xe9")


def test_a_line_of_just_64_kib_is_taken() -> None:
    """The limit counts bytes of UTF-8, not letters."""
    assert Kind.TEXT is seen(b"a" * 65_536 + b"\n").kind
    with pytest.raises(Unfit):
        seen("ä".encode() * 40_000)


@pytest.mark.parametrize(
    ("claimed", "content", "kind", "notes"),
    [
        (Kind.JSON, b'{"a": 1}', Kind.JSON, {}),
        (Kind.JSON, b"{a: 1}", Kind.TEXT, {Note.NOT_JSON: 1}),
        (Kind.CSV, b"a,b\n=1,2\n", Kind.CSV, {Note.FORMULA_CELLS: 1}),
        (Kind.CSV, b'a,"b"c\n', Kind.TEXT, {Note.NOT_A_TABLE: 1}),
        (Kind.MARKDOWN, b"# a", Kind.MARKDOWN, {}),
        (Kind.UNKNOWN, b'{"a": 1}', Kind.TEXT, {}),
        (Kind.TEXT, b"# a", Kind.TEXT, {}),
    ],
)
def test_a_text_is_what_it_claims_where_it_can_be(
    claimed: Kind, content: bytes, kind: Kind, notes: dict[Note, int]
) -> None:
    """Else it stays plain text, and the note says so."""
    result = seen(content, claimed)
    assert (kind, notes) == (result.kind, result.notes)
    assert [kind] == [output.kind for output in result.outputs]
    assert content.decode() == result.outputs[0].content.decode()
