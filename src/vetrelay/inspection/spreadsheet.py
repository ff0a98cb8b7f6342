"""Cells that a spreadsheet would run as formulas: known, and disarmed where a table leaves for one.

A checked CSV stays as it was written, because it is a record. Who exports it for Excel or LibreOffice gives it through
`export_table`. Pure. Source: attachments.md section 6, row TXT/CSV.
"""

import csv
import io

# What makes Excel, LibreOffice or Google Sheets read a cell as a formula; they skip leading spaces.
FORMULA_STARTS = frozenset("=+-@\t\r\uff1d\uff0b\uff0d\uff20")
_NUMBER_SIGNS = frozenset("0123456789.,eE+-% ")


def starts_a_formula(cell: str) -> bool:
    """Whether a spreadsheet may run this cell. A signed number ("-3.5", "+12 %") is a number."""
    start = cell.lstrip(" \n\u00a0")
    if not start or start[0] not in FORMULA_STARTS:
        return False
    signed = start[0] in "+-" and start[1:2].isascii() and (start[1:2].isdigit() or start[1:2] in {".", ","})
    return not (signed and _NUMBER_SIGNS.issuperset(start[1:]) and not _calculates(start[1:]))


def _calculates(digits: str) -> bool:
    """Whether signs stand between numbers ("1+2"): an exponent's sign does not count."""
    return any(sign in "+-" and digits[max(at - 1, 0)] not in "eE" for at, sign in enumerate(digits))


def export_cell(cell: str) -> str:
    """The cell as it may stand in a file for a spreadsheet: an apostrophe before what would be run."""
    return f"'{cell}" if starts_a_formula(cell) else cell


def delimiter_of(first_line: str) -> str:
    """What parts the cells: the sign of comma, semicolon, tab and bar that the first line has most of."""
    return max(",;\t|", key=first_line.count)


def export_table(text: str) -> str:
    """A checked CSV for a spreadsheet: the same rows, every cell disarmed, written anew with its own delimiter.

    A line without any delimiter is one cell. Raises csv.Error for what is no table.
    """
    delimiter = delimiter_of(text.partition("\n")[0])
    written = io.StringIO()
    writer = csv.writer(written, delimiter=delimiter, lineterminator="\n")
    for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
        writer.writerow([export_cell(cell) for cell in row])
    return written.getvalue()
