"""Which pictures of an animation stay, and how long each is shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hostile import images, picture_types
from vetrelay.inspection.ask import Ask
from vetrelay.inspection.formats import image
from vetrelay.inspection.formats.motion import thinned
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.outlines import webp
from vetrelay.inspection.words import Reason, Unfit


@pytest.mark.parametrize(
    ("frames_ms", "expected"),
    [
        ((100, 100), [(0, 100), (1, 100)]),
        ((250, 400, 120), [(0, 250), (1, 400), (2, 120)]),
        ((50, 50, 50, 50), [(0, 100), (2, 100)]),
        ((40, 40, 40, 40, 40), [(0, 200)]),  # the next begins at 120, and would be gone after 80
        ((30,) * 10, [(0, 120), (4, 180)]),
        ((0, 10, 5), [(0, 100), (1, 100), (2, 100)]),
        ((100, 20), [(0, 120)]),
        ((10_000_000, 100), [(0, 300_000), (1, 100)]),
        ((500,), [(0, 500)]),
    ],
)
def test_ten_pictures_a_second_stay(frames_ms: tuple[int, ...], expected: list[tuple[int, int]]) -> None:
    """The first always; each one begins when it did; none is shown for less than a tenth of a second."""
    assert expected == thinned(frames_ms)


@given(st.lists(st.integers(0, 70_000), min_size=1, max_size=300))
def test_the_whole_lasts_as_long_as_before(frames_ms: list[int]) -> None:
    """Whatever is left out, a gait takes the time it took."""
    kept = thinned(frames_ms)
    assert 0 == kept[0][0]
    assert sorted({index for index, _ in kept}) == [index for index, _ in kept]
    assert sum(100 if ms <= 10 else ms for ms in frames_ms) == sum(ms for _, ms in kept)
    assert len(kept) == 1 or min(ms for _, ms in kept) >= 100


@pytest.fixture(scope="module", autouse=True)
def prepared() -> None:
    """Pillow's limits, as in the jail."""
    image.prepare()


def test_a_large_animation_is_made_smaller_as_a_photo_is() -> None:
    """No side is longer than asked, and the parent's reader agrees on the size."""
    content = picture_types.gif_of(200, 200, size=(300, 60))
    made = image.normalize(content, Kind.GIF, Ask(most=5, keep_motion=True, longest_side_px=100)).outputs[0]
    outline = webp.read(made.content)
    assert (100, 20, True, (200, 200)) == (made.width_px, made.height_px, outline.bare, outline.frames_ms)
    assert (100, 20) == (outline.width_px, outline.height_px)


def test_a_turned_animation_comes_out_upright() -> None:
    """EXIF's orientation holds for each of its pictures."""
    content = images.webp(
        save_all=True, append_images=[images.photo(seed=2)], duration=200, exif=images.camera_exif(orientation=6)
    )
    made = image.normalize(content, Kind.WEBP, Ask(most=5, keep_motion=True)).outputs[0]
    assert (120, 160) == (made.width_px, made.height_px)


@pytest.mark.parametrize(("asked", "counts"), [(2, False), (3, True), (0, True)])
def test_the_number_of_pictures_is_bounded_by_what_is_asked(asked: int, *, counts: bool) -> None:
    """The policy's row says how many; zero bounds nothing."""
    content = picture_types.gif_of(100, 100, 100)
    ask = Ask(most=asked, keep_motion=True)
    if counts:
        assert 3 == image.normalize(content, Kind.GIF, ask).items
        return
    with pytest.raises(Unfit) as refused:
        image.normalize(content, Kind.GIF, ask)
    assert Reason.MOVES_TOO_LONG is refused.value.reason
