"""Deep greys: kept where they can be, shown where they must be, and never clipped."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vetrelay.inspection.formats.colour import deep_grey, to_workable, windowed
from vetrelay.inspection.notes import Note


def row(values: list[int]) -> Image.Image:
    """A picture of one row of whole numbers."""
    return Image.frombytes("I", (len(values), 1), struct.pack(f"<{len(values)}i", *values))


def greys(picture: Image.Image) -> list[int]:
    """Its numbers, in order."""
    if picture.mode == "I":
        return list(struct.unpack(f"<{picture.width}i", picture.tobytes()))
    return list(picture.tobytes())


@given(st.lists(st.integers(-32_768, 32_767), min_size=1, max_size=50), st.booleans())
def test_every_grey_can_still_be_told_from_every_other(values: list[int], white_is_zero: bool) -> None:  # noqa: FBT001  # hypothesis gives it so
    """Signed or not: the order is kept, or turned round as a whole, and all of it fits into 16 bits."""
    deep = deep_grey(row(values), white_is_zero=white_is_zero)
    assert deep is not None
    made = greys(deep[0])
    assert 0 <= min(made) <= max(made) <= 65_535
    pairs = dict(zip(values, made, strict=True))
    in_order = [pairs[value] for value in sorted(pairs)]
    assert sorted(set(made), reverse=white_is_zero) == in_order


@pytest.mark.parametrize(
    ("values", "white_is_zero", "expected"),
    [
        ([0, 1000, 65_535], False, [0, 1000, 65_535]),
        ([0, 1000, 65_535], True, [65_535, 64_535, 0]),
        ([0, 1000, 4095], False, [0, 16_000, 65_520]),
        ([0, 1000, 4095], True, [65_520, 49_520, 0]),
        ([0, 255], False, [0, 65_535]),
        ([-1000, 3000], False, [0, 64_000]),
    ],
)
def test_few_bits_are_spread_over_all_of_them(values: list[int], white_is_zero: bool, expected: list[int]) -> None:  # noqa: FBT001  # a parameter of the table above
    """An X-ray of 12 bits would be black on any screen."""
    deep = deep_grey(row(values), white_is_zero=white_is_zero)
    assert deep is not None
    assert expected == greys(deep[0])
    assert (frozenset() if max(values) == 65_535 else {Note.BRIGHTNESS_FITTED}) == deep[1]


def test_what_does_not_fit_into_16_bits_is_fitted_into_8() -> None:
    """A map of large numbers is shown, from its lowest to its highest."""
    values = row([-100_000, 0, 100_000])
    assert deep_grey(values, white_is_zero=False) is None
    shown, notes = to_workable(values)
    assert ([0, 128, 255], frozenset({Note.BRIGHTNESS_FITTED})) == (greys(shown), notes)


@given(st.lists(st.integers(0, 65_535), min_size=1, max_size=50))
def test_a_window_shows_the_darkest_black_and_the_lightest_white(values: list[int]) -> None:
    """Nothing is clipped at either end; one single grey does not divide by zero."""
    shown = greys(windowed(row(values)))
    if len(set(values)) > 1:
        assert (0, 255) == (shown[values.index(min(values))], shown[values.index(max(values))])
    assert [shown[values.index(value)] for value in sorted(values)] == sorted(shown)


def test_a_picture_of_8_bits_is_not_deep() -> None:
    """It takes the ordinary way."""
    assert deep_grey(Image.new("L", (2, 2)), white_is_zero=False) is None
    assert deep_grey(Image.new("F", (2, 2)), white_is_zero=False) is None
