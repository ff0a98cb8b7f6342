"""What is made of a pack's members: loose while it is little, packed anew when it is not, each under its own name."""

import io
import zipfile

import pytest

from vetrelay.inspection import shelf as shelves
from vetrelay.inspection.finding import Output
from vetrelay.inspection.shelf import Shelf


def made(name: str, role: str = "record", content: bytes = b"x") -> Output:
    """One copy."""
    return Output(role=role, name=name, media_type="text/plain", content=content)


def filled(shelf: Shelf) -> Shelf:
    """Three members: two of one name, and one of which only the text is there."""
    for number, folder in enumerate(("left", "right")):
        shelf.put(f"{folder}/ear.jpg", made("ear.jpg"), member=number, with_text=False)
        shelf.put(f"{folder}/ear.jpg", made("ear-preview.jpg", "preview"), member=number, with_text=False)
        shelf.put(f"{folder}/ear.jpg", made("ear-text.txt", "text"), member=number, with_text=False)
    shelf.put("letter.docx", made("letter-text.txt", "text"), member=2, with_text=True)
    return shelf


def test_loose_copies_keep_their_number_and_get_their_folders_name_where_they_must() -> None:
    """Every copy is there."""
    assert [
        ("ear.jpg", 0),
        ("ear-preview.jpg", 0),
        ("ear-text.txt", 0),
        ("right - ear.jpg", 1),
        ("right - ear-preview.jpg", 1),
        ("right - ear-text.txt", 1),
        ("letter-text.txt", 2),
    ] == [(one.name, one.member) for one in filled(Shelf(sink=None, loose=True)).outputs("ears.zip")]


@pytest.mark.parametrize("begins_loose", [False, True])
def test_a_pack_has_the_records_and_the_only_texts(*, begins_loose: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packed from the beginning, or when it grew too large: the same pack, in the members' order."""
    monkeypatch.setattr(shelves, "MAX_LOOSE_OUTPUTS", 4)
    (pack,) = filled(Shelf(sink=None, loose=begins_loose)).outputs("ears.zip")
    assert ("record", "ears.zip", "application/zip", None) == (pack.role, pack.name, pack.media_type, pack.member)
    with zipfile.ZipFile(io.BytesIO(pack.content)) as opened:
        assert ["left/ear.jpg", "right/ear.jpg", "letter-text.txt"] == opened.namelist()


def test_names_that_become_alike_are_numbered() -> None:
    """In a pack and loose."""
    for loose in (False, True):
        shelf = Shelf(sink=None, loose=loose)
        for number in range(3):
            shelf.put("a.txt", made("A.txt" if number else "a.txt"), member=number, with_text=False)
        outputs = shelf.outputs("three.zip")
        names = [one.name for one in outputs]
        if not loose:
            with zipfile.ZipFile(io.BytesIO(outputs[0].content)) as opened:
                names = opened.namelist()
        assert ["a.txt", "A (2).txt", "A (3).txt"] == names


def test_nothing_made_is_no_pack() -> None:
    """Neither loose nor packed."""
    assert [(), ()] == [Shelf(sink=None, loose=loose).outputs("none.zip") for loose in (False, True)]


def test_a_sink_gets_the_pack_and_the_output_says_what_went_there() -> None:
    """The content is not in memory a second time."""
    sink = io.BytesIO()
    (pack,) = filled(Shelf(sink=sink, loose=False)).outputs("ears.zip")
    assert pack.written is not None
    assert (b"", len(sink.getvalue())) == (pack.content, pack.written.size_bytes)
