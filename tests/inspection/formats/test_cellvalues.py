"""Numbers of a spreadsheet as a person reads them."""

import pytest

from vetrelay.inspection.formats.cellvalues import Shown, number_as_shown, shown_by


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("General", Shown.NUMBER),
        ("0.00", Shown.NUMBER),
        ("#,##0.00 [$€-407]", Shown.NUMBER),
        ('0 "days"', Shown.NUMBER),
        ("[Red]0.0", Shown.NUMBER),
        ("0.00E+00", Shown.NUMBER),
        ("0\\d", Shown.NUMBER),
        ("0.0%", Shown.PERCENT),
        ("yyyy-mm-dd", Shown.DATE),
        ("[$-409]d-mmm-yy;@", Shown.DATE),
        ("mmm", Shown.DATE),
        ("h:mm AM/PM", Shown.TIME),
        ("mm:ss", Shown.TIME),
        ("dd.mm.yyyy hh:mm", Shown.DATE_AND_TIME),
        ("[h]:mm:ss", Shown.DURATION),
    ],
)
def test_a_format_says_what_a_number_means(code: str, shown: Shown) -> None:
    """Words in quotes, colours and currencies say nothing."""
    assert shown is shown_by(code)


@pytest.mark.parametrize(
    ("number", "shown", "text"),
    [
        ("12.5", Shown.NUMBER, "12.5"),
        ("0.1000000000000000055", Shown.NUMBER, "0.1"),
        ("1e300", Shown.NUMBER, "1e+300"),
        ("0.075", Shown.PERCENT, "7.5%"),
        ("1", Shown.DATE, "1900-01-01"),
        ("59", Shown.DATE, "1900-02-28"),
        ("61", Shown.DATE, "1900-03-01"),
        ("46024", Shown.DATE, "2026-01-02"),
        ("2958465", Shown.DATE, "9999-12-31"),
        ("0.5", Shown.TIME, "12:00:00"),
        ("46024.99999999", Shown.DATE_AND_TIME, "2026-01-03 00:00:00"),
        ("1.25", Shown.DURATION, "30:00:00"),
        ("-1", Shown.DATE, "-1"),
        ("2958466", Shown.DATE, "2958466"),
        ("nan", Shown.DATE, "nan"),
        ("1e999", Shown.TIME, "1e999"),
        ("twelve", Shown.NUMBER, "twelve"),
    ],
)
def test_a_number_is_shown_by_what_it_means(number: str, shown: Shown, text: str) -> None:
    """What has no date stays the number it is; the 29 February 1900 of spreadsheets never was."""
    assert text == number_as_shown(number, shown, since_1904=False)


def test_sheets_of_old_macs_count_from_1904() -> None:
    """Four years and a day less."""
    assert "2026-01-02" == number_as_shown("44562", Shown.DATE, since_1904=True)
