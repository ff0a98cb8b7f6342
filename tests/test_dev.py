"""./dev: what it says and how it ends, where that needs no network; `./dev test` itself is the test of the rest."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def run_dev(dev: Path, *arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a copy of ./dev from another folder, by a plain sh; `path` is where it finds its programs."""
    environment = None if path is None else {"PATH": path}
    shell = shutil.which("sh") or "/bin/sh"
    return subprocess.run(
        [shell, dev, *arguments], cwd="/", env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """./dev alone, in a folder with a space in its name."""
    folder = tmp_path / "a folder"
    folder.mkdir()
    return Path(shutil.copy(ROOT / "dev", folder))


@pytest.mark.parametrize("arguments", [(), ("help",), ("--help",)])
def test_help_names_every_command(copy: Path, arguments: tuple[str, ...]) -> None:
    """Help needs nothing but sh."""
    answer = run_dev(copy, *arguments)
    assert (0, "") == (answer.returncode, answer.stderr)
    for command in ("demo", "test", "bench", "setup", "pins", "help"):
        assert f"\n  {command}" in answer.stdout


def test_an_unknown_command_is_a_usage_error(copy: Path) -> None:
    """A typing error does nothing, says so, and ends with 2."""
    answer = run_dev(copy, "tset")
    assert 2 == answer.returncode
    assert "there is no command 'tset'" in answer.stderr


def test_a_machine_without_a_new_enough_python_is_told_what_to_install(copy: Path, tmp_path: Path) -> None:
    """A user learns what is missing and how to get it; nothing is left behind."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "dirname", "grep", "cat"):
        (programs / name).symlink_to(shutil.which(name) or name)
    for name, text in {"python3": "exit 1", "id": "echo 1000"}.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    answer = run_dev(copy, "setup", path=str(programs))
    assert 1 == answer.returncode
    assert "missing: Python 3.11 or newer with venv" in answer.stderr
    assert "sudo apt-get install python3-venv" in answer.stderr
    assert [copy] == list(copy.parent.iterdir())
