"""tests/vectors/*.json: written by tests/vectors/generate.py, run by tests/vectors/replay.py, the same in any language."""

import json
from typing import Any

import pytest

from tests.vectors.generate import FILES
from tests.vectors.replay import VECTORS, Shared, outcome


def read(name: str) -> dict[str, Any]:
    """A file."""
    document: dict[str, Any] = json.loads((VECTORS / f"{name}.json").read_text())
    return document


@pytest.mark.parametrize("name", FILES)
def test_every_case_comes_out_as_the_file_says(name: str) -> None:
    """What a second implementation does, done here too."""
    document = read(name)
    shared = Shared(document)
    found = {case["name"]: outcome(name, shared, case["input"]) for case in document["cases"]}
    assert {case["name"]: (case["expect"], case.get("output")) for case in document["cases"]} == found
    assert len(document["cases"]) == len(found)


@pytest.mark.parametrize("name", FILES)
def test_the_generator_writes_the_same_bytes_again(name: str) -> None:
    """`python -m tests.vectors.generate` after a change that is meant; nothing changes by accident."""
    assert (VECTORS / f"{name}.json").read_text() == FILES[name]()


def test_every_file_has_good_cases_and_bad_ones() -> None:
    """A reader that takes everything, or nothing, does not pass."""
    for name in sorted(FILES.keys() - {"words"}):
        expected = {case["expect"] == "success" for case in read(name)["cases"]}
        assert {True, False} == expected, name
