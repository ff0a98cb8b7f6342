"""Pictures without the jail around them: what is asked for, and what this machine lacks."""

import pytest

from tests.hostile import images, picture_types
from vetrelay.inspection import sniff
from vetrelay.inspection.ask import Ask
from vetrelay.inspection.formats import image
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.outlines import heif
from vetrelay.inspection.result import Role
from vetrelay.inspection.words import Reason, Unfit


@pytest.fixture(scope="module", autouse=True)
def prepared() -> None:
    """Pillow's limits, as in the jail."""
    image.prepare()


def test_every_kind_that_can_be_opened_has_a_sample() -> None:
    """The self-test proves each of them through the jail."""
    kinds = {sniff.kind_of(sample) for sample in image.samples()}
    assert {Kind.JPEG, Kind.PNG, Kind.WEBP, Kind.GIF, Kind.TIFF, Kind.BMP, Kind.AVIF} == kinds - {Kind.HEIC}


def test_samples_are_the_same_each_time() -> None:
    """They are asked for by number."""
    assert image.samples() == image.samples()


def test_without_its_decoder_a_heic_is_refused_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner can convert it on the phone."""
    without = {kind: decoder for kind, decoder in image._decoders.items() if kind is not Kind.HEIC}
    monkeypatch.setattr(image, "_decoders", without)
    assert Kind.HEIC not in {sniff.kind_of(sample) for sample in image.samples()}
    with pytest.raises(Unfit) as refused:
        image.normalize(b"\0\0\0\x18ftypheic", Kind.HEIC, Ask())
    assert Reason.HEIC_NOT_SUPPORTED is refused.value.reason


def test_without_a_wish_for_previews_there_are_none() -> None:
    """Neither of a picture, nor of an animation, nor of pages."""
    ask = Ask(most=5, preview=False, keep_motion=True)
    for kind, content in (
        (Kind.PNG, images.png()),
        (Kind.WEBP, images.moving_webp()),
        (Kind.TIFF, picture_types.pages_tiff(2)),
        (Kind.TIFF, picture_types.deep_tiff(1, 2)),
    ):
        outputs = image.normalize(content, kind, ask).outputs
        assert {Role.RECORD} == {made.role for made in outputs}, kind


def test_a_moving_avif_is_known_to_move() -> None:
    """Its first picture is kept, and the note says so."""
    moving = picture_types.avif(save_all=True, append_images=[images.photo(seed=2)], duration=100)
    assert heif.read(moving).moving
    assert not heif.read(picture_types.avif()).moving
