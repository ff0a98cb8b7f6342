"""How many files of which kind got which verdict: what a sweep over many files says at its end."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vetrelay.cli.terminal import Line, as_table
from vetrelay.inspection.words import Verdict

Told = Mapping[str, Any]


def verdict_counts(told: Sequence[Told]) -> dict[str, int]:
    """Files by verdict, those that nobody got included."""
    counts = Counter(one["verdict"] for one in told)
    return {verdict.value: counts[verdict.value] for verdict in Verdict}


def kinds_and_verdicts(told: Sequence[Told]) -> dict[str, dict[str, int]]:
    """Files by kind and verdict, in the order of the kinds' names."""
    counts = Counter((one["kind"], one["verdict"]) for one in told)
    return {
        kind: {verdict.value: counts[kind, verdict.value] for verdict in Verdict if counts[kind, verdict.value]}
        for kind in sorted({one["kind"] for one in told})
    }


def report_lines(told: Sequence[Told], *, table: bool) -> Iterator[Line]:
    """The table of kinds and verdicts where it is wanted, and one line with the sums."""
    if table and told:
        head = ("kind", *(verdict.value for verdict in Verdict))
        rows = [
            (kind, *(str(of_kind.get(verdict.value, "·")) for verdict in Verdict))
            for kind, of_kind in kinds_and_verdicts(told).items()
        ]
        yield from (Line(text=row) for row in as_table([head, *rows]))
    sums = ", ".join(f"{count} {verdict}" for verdict, count in verdict_counts(told).items() if count)
    yield Line(text=f"{len(told)} inspected: {sums or 'none'}", style="title")
