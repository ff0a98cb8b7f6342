"""requirements/check.py holds for the project's own pins, and notices pins that are not what they should be."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def check(project: Path) -> subprocess.CompletedProcess[str]:
    """Run the check of the project in this folder."""
    script = project / "requirements" / "check.py"
    return subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of what the check reads, free to be broken."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    return tmp_path


def test_our_pins_are_what_they_claim() -> None:
    """Every package at one version, with hashes, and enough for what pyproject.toml and dev.in ask."""
    answer = check(ROOT)
    assert 0 == answer.returncode, answer.stdout


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("newcomer==1.0", "not pinned by hash"),
        (f"newcomer>=1.0 --hash=sha256:{'0' * 64}", "not one exact version"),
        (f"newcomer==1.* --hash=sha256:{'0' * 64}", "not one exact version"),
        ("newcomer==1.0 --hash=md5:0123", "not pinned by hash"),
        ("--index-url https://example.org/simple", "names no place and no option"),
        (f"newcomer @ https://example.org/x.whl --hash=sha256:{'0' * 64}", "names no place and no option"),
        ("-e .", "names no place and no option"),
    ],
)
def test_a_line_that_is_no_pin_is_a_fault(copy: Path, line: str, fault: str) -> None:
    """One loose line makes every promise of the file void."""
    with (copy / "requirements" / "runtime.txt").open("a") as pins:
        pins.write(f"{line}\n")
    answer = check(copy)
    assert 1 == answer.returncode
    assert fault in answer.stdout


def test_a_dependency_without_a_pin_is_a_fault(copy: Path) -> None:
    """Whoever adds a dependency learns that the pins are to be written again."""
    with (copy / "requirements" / "dev.in").open("a") as asked:
        asked.write("newcomer>=2  # not there\n")
    assert "dev.txt: newcomer>=2 is pinned to nothing; run ./dev pins" in check(copy).stdout


def test_the_larger_set_may_not_move_a_version(copy: Path) -> None:
    """What is tested (dev) is what is installed (runtime)."""
    pins = copy / "requirements" / "full.txt"
    pins.write_text(pins.read_text().replace("\nmsgspec==", "\nmsgspec==99."))
    assert "full.txt: msgspec is not the version that the smaller set pins; run ./dev pins" in check(copy).stdout
