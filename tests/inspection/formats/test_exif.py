"""What a picture's EXIF tells before it is dropped."""

import io

import pytest
from PIL import ExifTags, Image

from tests.hostile import images
from vetrelay.inspection.formats.exif import Told, read
from vetrelay.inspection.notes import Note


def told(exif: Image.Exif | bytes) -> Told:
    """What is told of a JPEG with this EXIF."""
    return read(Image.open(io.BytesIO(images.jpeg(exif=exif))))


def test_place_serial_number_names_and_time_are_told() -> None:
    """Everything that a phone writes of its owner has its note; the time is a fact."""
    seen = told(images.camera_exif(orientation=6))
    assert 6 == seen.orientation
    assert seen.captured is not None
    assert "2024-05-06T07:08:09+02:00" == seen.captured.text()
    assert seen.notes == {
        Note.LOCATION_REMOVED,
        Note.CAMERA_SERIAL_REMOVED,
        Note.NAMES_REMOVED,
        Note.CAMERA_DETAILS_REMOVED,
        Note.COMMENT_REMOVED,
    }


def test_nothing_is_told_of_a_picture_without_it() -> None:
    """No EXIF, no notes."""
    assert Told() == read(Image.open(io.BytesIO(images.jpeg())))


def test_an_orientation_alone_reveals_nothing() -> None:
    """Which way is up is used, not removed."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 3
    assert Told(orientation=3) == told(exif)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2024:05:06 07:08:09", "2024-05-06T07:08:09"),
        ("2024-05-06T07:08:09", "2024-05-06T07:08:09"),
        ("0000:00:00 00:00:00", None),
        ("2024:13:01 00:00:00", None),
        ("2024:02:30 00:00:00", None),
        ("yesterday", None),
        ("    :  :     :  :  ", None),
    ],
)
def test_a_time_that_does_not_exist_is_no_time(written: str, expected: str | None) -> None:
    """Cameras without a set clock write all sorts of things."""
    exif = Image.Exif()
    exif[ExifTags.Base.DateTime] = written
    captured = told(exif).captured
    assert expected == (None if captured is None else captured.text())


@pytest.mark.filterwarnings("ignore:.*:UserWarning")  # Pillow's on the way; the jail ignores them too
@pytest.mark.parametrize("cut", [8, 14, 30, 60, 120])
def test_damaged_exif_refuses_nothing(cut: int) -> None:
    """It is dropped in any case; the picture is what was sent."""
    assert isinstance(told(images.camera_exif().tobytes()[:cut]), Told)


@pytest.mark.parametrize("orientation", [0, 9, 200])
def test_an_orientation_that_does_not_exist_turns_nothing(orientation: int) -> None:
    """Only two to eight turn a picture; the rest is told as it stands and has no effect."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    assert orientation == told(exif).orientation
