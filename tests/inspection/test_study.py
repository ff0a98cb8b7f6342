"""What is known of a pack by the names in it, and what is said of its series."""

import pytest

from vetrelay.inspection.result import Patient, Series
from vetrelay.inspection.study import Image, is_index, is_study, is_system_file, is_viewer, series_list


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a.dcm", "b.DCM"], True),
        (["IM0001", "IM0002", "readme.txt"], True),
        (["1.2.840.113619.2.1", "1.2.840.113619.2.2"], True),
        (["DICOMDIR", "a.jpg", "b.jpg", "c.jpg"], True),
        (["disc/dicomdir", "a.jpg", "b.jpg"], True),
        (["a.jpg", "b.jpg", "c.dcm"], False),
        (["a.pdf"], False),
        ([], False),
    ],
)
def test_a_study_is_known_by_its_names(names: list[str], expected: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """An index makes it one, or that most files are images; these have no extension as often as not."""
    assert expected is is_study(names)


@pytest.mark.parametrize("name", ["__MACOSX/a", "x/.DS_Store", "._a.jpg", "a/Thumbs.db", "desktop.ini"])
def test_what_file_managers_leave_is_known(name: str) -> None:
    """Nobody sent it on purpose."""
    assert is_system_file(name)


def test_a_disc_has_its_index_and_its_viewer() -> None:
    """By their names; an image is neither."""
    assert [True, False] == [is_index("a/DICOMDIR"), is_index("DICOMDIR.txt")]
    viewer = ["a/View.EXE", "autorun.inf", "index.html", "a/b/x.dll"]
    assert [True] * 4 == [is_viewer(name) for name in viewer]
    assert [False] * 4 == [is_viewer(name) for name in ("IM0001", "a.dcm", "report.pdf", "a.b/c")]


def test_a_study_is_told_by_its_series_in_their_order() -> None:
    """Whom it is about once, then a line each: by date, then by number and not by its digits."""
    rex = Patient(name="Rex", owner="Müller", species="Canine")

    def image(uid: str, number: str, date: str = "20240506") -> Image:
        return Image(name=uid, series=Series(uid=uid, number=number, study_date=date, modality="CT"), patient=rex)

    images = [image("b", "10"), image("a", "9"), image("b", "10"), image("c", ""), image("d", "1", "20230101")]
    assert [
        "Rex · Canine · Müller",
        "Series 1 · 20230101 · CT · 1 image",
        "Series 9 · 20240506 · CT · 1 image",
        "Series 10 · 20240506 · CT · 2 images",
        "Series · 20240506 · CT · 1 image",
    ] == series_list(images).splitlines()
