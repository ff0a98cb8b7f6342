"""The report on many files."""

from vetrelay.cli.sweep_report import kinds_and_verdicts, report_lines, verdict_counts

TOLD = [
    {"kind": "pdf", "verdict": "clean"},
    {"kind": "jpeg", "verdict": "refused"},
    {"kind": "jpeg", "verdict": "clean"},
    {"kind": "jpeg", "verdict": "clean"},
]


def test_verdicts_are_counted() -> None:
    """Those that nobody got included."""
    assert {"clean": 3, "converted": 0, "kept-sealed": 0, "held": 0, "refused": 1} == verdict_counts(TOLD)
    assert {"clean": 0, "converted": 0, "kept-sealed": 0, "held": 0, "refused": 0} == verdict_counts([])


def test_kinds_are_counted_by_verdict() -> None:
    """In the order of their names, without what nobody got."""
    assert {"jpeg": {"clean": 2, "refused": 1}, "pdf": {"clean": 1}} == kinds_and_verdicts(TOLD)
    assert ["jpeg", "pdf"] == list(kinds_and_verdicts(TOLD))


def test_the_report_is_a_table_and_a_line() -> None:
    """A dot where there is nothing; the line alone where the table is not wanted."""
    assert [
        "kind  clean  converted  kept-sealed  held  refused",
        "jpeg  2      ·          ·            ·     1",
        "pdf   1      ·          ·            ·     ·",
        "4 inspected: 3 clean, 1 refused",
    ] == [line.text for line in report_lines(TOLD, table=True)]
    assert ["4 inspected: 3 clean, 1 refused"] == [line.text for line in report_lines(TOLD, table=False)]


def test_nothing_is_reported_as_nothing() -> None:
    """An empty folder has no table."""
    assert ["0 inspected: none"] == [line.text for line in report_lines([], table=True)]
