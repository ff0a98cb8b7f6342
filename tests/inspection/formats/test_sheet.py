"""Previews on one sheet, drawn from bytes that are as untrusted as any."""

import io

import pytest
from PIL import Image

from tests.hostile import packs
from vetrelay.inspection.contact import Labelled, decode_pictures, encode_pictures
from vetrelay.inspection.formats.sheet import contact_sheet
from vetrelay.inspection.outlines import jpeg
from vetrelay.inspection.words import Reason, Unfit


@pytest.mark.parametrize(("count", "size"), [(1, (240, 262)), (4, (960, 262)), (5, (960, 524)), (16, (960, 1048))])
def test_up_to_sixteen_previews_stand_four_in_a_row(count: int, size: tuple[int, int]) -> None:
    """A bare JPEG of the stated size."""
    made = contact_sheet([Labelled(label=f"{number} ünï", content=packs.photo()) for number in range(count)])
    assert size == (made.width_px, made.height_px) == Image.open(io.BytesIO(made.content)).size
    assert jpeg.read(made.content).bare


@pytest.mark.parametrize("content", [b"", b"GIF89a", packs.photo()[:200], b"\xff\xd8\xff\xd9"])
def test_what_is_no_sound_jpeg_is_refused(content: bytes) -> None:
    """With a reason, never with a library's words."""
    with pytest.raises(Unfit) as unfit:
        contact_sheet([Labelled(label="a", content=content)])
    assert unfit.value.reason in {Reason.DAMAGED, Reason.INCOMPLETE}


def test_no_previews_and_too_many_are_refused() -> None:
    """The parent never asks for these."""
    for count in (0, 17):
        with pytest.raises(Unfit):
            contact_sheet([Labelled(label="a", content=packs.photo())] * count)


def test_previews_travel_as_they_are() -> None:
    """Labels are cut at a whole letter, pictures beyond the sixteenth left out."""
    pictures = [Labelled(label="ü" * 100, content=bytes([number])) for number in range(20)]
    arrived = list(decode_pictures(encode_pictures(pictures)))
    assert [("ü" * 30, bytes([number])) for number in range(16)] == [(one.label, one.content) for one in arrived]
