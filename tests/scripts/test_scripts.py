"""Every script of this folder, typed into real processes against a real gateway."""

from pathlib import Path

import pytest

from tests.gateway import Gateway, type_here
from tests.scripts.runner import run_script

SCRIPTS = sorted(Path(__file__).parent.glob("*.txt"))


@pytest.mark.parametrize("script", SCRIPTS, ids=[path.stem for path in SCRIPTS])
def test_the_script_plays_as_it_is_written(script: Path, gateway: Gateway, tmp_path: Path) -> None:
    """Commands, exit codes, answers, files."""
    code = type_here("relay", "code", "clinic", "--config", str(gateway.folder / "relay.toml")).out.strip()
    run_script(script, tmp_path, {"url": gateway.url, "clinic_code": code, "offer": str(gateway.offers[0])})


def test_a_script_that_does_not_hold_says_where(tmp_path: Path) -> None:
    """The line, what it wanted, and what was said instead."""
    script = tmp_path / "wrong.txt"
    script.write_text("# a wrong script\n> vetrelay --version\nstdout no such words\n")
    with pytest.raises(AssertionError, match=r"(?s)wrong\.txt:3.*no such words.*vetrelay, version"):
        run_script(script, tmp_path, {})


def test_a_failing_command_that_nobody_expects_fails_the_script(tmp_path: Path) -> None:
    """Where no exit code is said, 0 is meant."""
    script = tmp_path / "wrong.txt"
    script.write_text("> vetrelay nonsense\n")
    with pytest.raises(AssertionError, match="ended with 2"):
        run_script(script, tmp_path, {})
