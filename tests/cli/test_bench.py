"""`bench`: figures against floors; the benchmarks themselves are run by hand, for tests time nothing."""

from pathlib import Path

import pytest

from tests.gateway import Done, type_here
from vetrelay.cli import bench
from vetrelay.cli.bench import Measured
from vetrelay.cli.floors import BENCHES, FLOORS, Bench, Floor

FAST = Bench(name="age", module="bench_age", what="x", full="{'seal': 0.6, 'open': 0.9, 'detail': 12345.0}")
SLOW = Bench(name="age", module="bench_age", what="x", full="{'seal': 0.1}")
BROKEN = Bench(name="age", module="bench_age", what="x", full="1 / 0")


def run(monkeypatch: pytest.MonkeyPatch, one: Bench, *words: str) -> Done:
    """The command, with one benchmark that is quick."""
    monkeypatch.setattr(bench, "BENCHES", (one,))
    return type_here("bench", *words)


def test_figures_stand_beside_their_floors(monkeypatch: pytest.MonkeyPatch) -> None:
    """One table: figure, must, aim, what; and what only explains another below."""
    done = run(monkeypatch, FAST)
    assert 0 == done.code
    lines = done.out.splitlines()
    assert ["figure", "must", "aim", "what"] == lines[0].split()
    assert lines[1].split()[:6] == ["0.6", "≥", "0.5", "≥", "0.7", "must"]
    assert lines[2].split()[:6] == ["0.9", "≥", "0.5", "≥", "0.7", "aim"]
    assert ["age", "detail", "12,345"] == lines[-1].split()


def test_json_has_every_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its floor, if it has one."""
    told = run(monkeypatch, FAST, "--json").json()
    assert {"seal": "must", "open": "aim", "detail": None} == {one["key"]: one["verdict"] for one in told["figures"]}
    assert ([], False) == (told["failed"], told["quick"])


def test_a_missed_floor_ends_with_3(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever scripts it sees that the machine does not reach what it must."""
    done = run(monkeypatch, SLOW)
    assert (3, True) == (done.code, "missed" in done.out)


def test_a_benchmark_that_breaks_ends_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    """And is named; the others would still be told."""
    done = run(monkeypatch, BROKEN, "--json")
    assert (1, ["age"]) == (done.code, done.json()["failed"])


def test_an_unknown_name_is_a_usage_error() -> None:
    """With the names that there are."""
    done = type_here("bench", "nonsense")
    assert (2, True) == (done.code, "age" in done.err)


def test_outside_of_a_checkout_there_is_nothing_to_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The benchmarks are not packed."""
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    done = type_here("bench")
    assert (3, True) == (done.code, "no_benchmarks" in done.err)


def test_every_floor_is_measured_by_its_benchmark() -> None:
    """A floor whose key no benchmark gives would never be looked at."""
    sources = {one.name: bench.ROOT / bench.FOLDER / f"{one.module}.py" for one in BENCHES}
    for name, key in FLOORS:
        assert f'"{key}"' in sources[name].read_text(), (name, key)


def test_a_floor_may_be_a_ceiling() -> None:
    """Memory and time are good when they are small."""
    ceiling = Floor(what="memory", must=4, aim=2, at_most=True)
    verdicts = [Measured(bench="b", key="k", figure=figure, floor=ceiling).verdict for figure in (1.0, 3.0, 5.0)]
    assert ["aim", "must", "missed"] == verdicts
    assert ("≤ 4", "") == (ceiling.shown(4), ceiling.shown(None))
