"""What can be checked of a made file without opening it."""

import io

import pytest
from PIL import Image

from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.outputs import is_sound, is_sound_copy


def png(**how: object) -> bytes:
    """A bare picture of 4 by 3."""
    out = io.BytesIO()
    Image.new("RGB", (4, 3), "red").save(out, "PNG", **how)
    return out.getvalue()


@pytest.mark.parametrize(
    ("expected", "name", "media_type", "content"),
    [
        (True, "a.png", "image/png", png()),
        (False, "a.png", "image/png", png() + b"\0"),
        (False, "a.png", "image/jpeg", png()),
        (False, "a.jpg", "image/png", png()),
        (False, "a", "image/png", png()),
        (False, "a.png", "image/png", png()[:-4]),
        (True, "a.txt", "text/plain", "Ä\tb\n".encode()),
        (False, "a.txt", "text/plain", b"\xff"),
        (False, "a.txt", "text/plain", b"a\rb"),
        (True, "a.pdf", "application/pdf", b"%PDF-1.7\n"),
        (False, "a.pdf", "application/pdf", b"MZ"),
        (True, "a.zip", "application/zip", b"PK\x03\x04" + bytes(26) + b"word/scan.dcm"),
        (False, "a.zip", "application/zip", b"Rar!\x1a\x07\x00"),
        (False, "a.exe", "application/octet-stream", b"MZ"),
        (False, "a.html", "text/html", b"<html>"),
    ],
)
def test_a_copy_is_of_an_opened_kind_named_by_it_and_sound(
    expected: bool,  # noqa: FBT001 - a column of the table
    name: str,
    media_type: str,
    content: bytes,
) -> None:
    """Name, type and bytes say the same."""
    assert expected is is_sound_copy(content, name, media_type, width_px=4, height_px=3)


def test_a_picture_is_of_the_stated_size() -> None:
    """A frame that is another is not what the jail said."""
    assert is_sound(png(), Kind.PNG, width_px=4, height_px=3)
    assert not is_sound(png(), Kind.PNG, width_px=3, height_px=4)
