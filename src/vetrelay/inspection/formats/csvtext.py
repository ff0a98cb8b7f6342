"""A table of plain text: whether it is one, and how many of its cells a spreadsheet would run. Its text never changes."""

import csv
import io

from vetrelay.inspection.spreadsheet import delimiter_of, starts_a_formula


def formulas_in(text: str) -> int | None:
    """How many cells start like a formula; None where quotes do not match, so that programs would read it differently.

    Rows may differ in length, as they do in what laboratories export.
    """
    count = 0
    try:
        lines = io.StringIO(text, newline="")
        for row in csv.reader(lines, delimiter=delimiter_of(text.partition("\n")[0]), strict=True):
            count += sum(map(starts_a_formula, row))
    except csv.Error:
        return None
    return count
