"""`bench`: this machine against what must be reached. The benchmarks live in the checkout, beside the tests."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

import vetrelay
from vetrelay.cli.floors import BENCHES, FLOORS, Bench, Floor
from vetrelay.cli.run import EndCommand
from vetrelay.cli.terminal import Exit, Line, answer_json, answer_lines, as_table, note
from vetrelay.errors import Refusal

ROOT: Final = Path(vetrelay.__file__).resolve().parents[2]
FOLDER: Final = Path("tests") / "benchmarks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One figure of one benchmark, and the floor it stands against if there is one."""

    bench: str
    key: str
    figure: float
    floor: Floor | None

    @property
    def verdict(self) -> str:
        """`aim` reached, `must` reached, or `missed`; empty for a figure that only explains another."""
        if self.floor is None:
            return ""
        if self.floor.aim is not None and self.floor.reached(self.figure, self.floor.aim):
            return "aim"
        return "must" if self.floor.reached(self.figure, self.floor.must) else "missed"


@click.command(cls=EndCommand)
@click.argument("names", nargs=-1)
@click.option("--quick", is_flag=True, help="Less work, rougher figures.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def bench(names: tuple[str, ...], *, quick: bool, as_json: bool) -> int:
    """Measure this machine against what must be reached.

    It runs the benchmarks of the source checkout, all or those that are named. Ends with code 3 when one misses what
    it must reach.

    \b
    Example:
      vetrelay bench age --quick
    """
    wanted = _wanted(names)
    measured: list[Measured] = []
    failed: list[str] = []
    for one in wanted:
        note(f"measuring {one.name}: {one.what}")
        figures = _run(one, quick=quick)
        if figures is None:
            failed.append(one.name)
        else:
            measured += [
                Measured(bench=one.name, key=key, figure=figure, floor=FLOORS.get((one.name, key)))
                for key, figure in figures.items()
            ]
    if as_json:
        answer_json({"figures": [_json(one) for one in measured], "failed": failed, "quick": quick})
    else:
        answer_lines(_table(measured))
    if failed:
        return Exit.FAULT
    return Exit.REFUSAL if any(one.verdict == "missed" for one in measured) else Exit.OK


def _wanted(names: Sequence[str]) -> list[Bench]:
    """The benchmarks by name. Raises Refusal `no_benchmarks` outside of a checkout."""
    unknown = set(names) - {one.name for one in BENCHES}
    if unknown:
        known = ", ".join(one.name for one in BENCHES)
        raise click.UsageError(f"There is no benchmark {min(unknown)!r}; there are: {known}.")
    there = [one for one in BENCHES if (ROOT / FOLDER / f"{one.module}.py").exists()]
    chosen = [one for one in there if not names or one.name in names]
    if not chosen:
        raise Refusal("no_benchmarks")
    return chosen


def _run(one: Bench, *, quick: bool) -> Mapping[str, float] | None:
    """The figures of one benchmark, in a process of its own: memory is among them."""
    call = one.quick if quick else one.full
    program = f"import json\nfrom tests.benchmarks.{one.module} import *\nfigures = {call}\nprint()\nprint(json.dumps(figures))"
    done = subprocess.run(  # noqa: S603  # our own program, from our own table
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    try:
        figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        note(f"{one.name} ended with {done.returncode} and no figures")
        return None
    return {key: float(figure) for key, figure in figures.items()}


def _json(one: Measured) -> dict[str, Any]:
    floor = one.floor
    return {
        "benchmark": one.bench,
        "key": one.key,
        "figure": one.figure,
        "what": floor.what if floor else None,
        "must": floor.must if floor else None,
        "aim": floor.aim if floor else None,
        "at_most": floor.at_most if floor else None,
        "verdict": one.verdict or None,
    }


def _table(measured: Sequence[Measured]) -> list[Line]:
    """Figures with a floor first, those that only explain them after."""
    judged = [one for one in measured if one.floor]
    rows = [("figure", "must", "aim", "", "what")]
    rows += [
        (
            _number(one.figure),
            one.floor.shown(one.floor.must),
            one.floor.shown(one.floor.aim),
            one.verdict,
            one.floor.what,
        )
        for one in judged
        if one.floor
    ]
    styles = {"aim": "good", "must": "", "missed": "bad"}
    lines = [Line(text=text) for text in as_table(rows)]
    lines[1:] = [
        Line(text=line.text, style=styles[one.verdict])  # type: ignore[arg-type]  # the table above holds only styles
        for line, one in zip(lines[1:], judged, strict=True)
    ]
    others = [(one.bench, one.key, _number(one.figure)) for one in measured if one.floor is None]
    return [*lines, Line(), *(Line(text=text, style="quiet") for text in as_table(others))] if others else lines


def _number(figure: float) -> str:
    return f"{figure:,.0f}" if abs(figure) >= 1000 else f"{figure:.3g}"
