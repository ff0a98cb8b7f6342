"""The import contracts of pyproject.toml hold, and each would notice if it were broken."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def lint_imports(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Check the contracts of the project in this folder: its own src, its own pyproject.toml."""
    program = Path(sys.executable).parent / "lint-imports"
    environment = {**os.environ, "PYTHONPATH": str(project / "src")}
    return subprocess.run(
        [program, "--no-cache", "--no-logo", *arguments],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of what the contracts are about, free to be broken."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_the_contracts_hold() -> None:
    """No module imports what its place in the architecture forbids."""
    answer = lint_imports(ROOT)
    assert 0 == answer.returncode, answer.stdout


@pytest.mark.parametrize(
    ("contract", "module", "line"),
    [
        ("layers", "protocol/bypass.py", "import vetrelay.client"),
        ("layers", "intake/bypass.py", "import vetrelay.relay"),
        ("layers", "newcomer/__init__.py", ""),
        ("blind", "relay/policy.py", "from vetrelay.protocol import unseal"),
        ("blind", "relay/storage/bypass.py", "from vetrelay.protocol.age.identities import HybridIdentity"),
        ("sans-io", "protocol/bypass.py", "from time import time"),
        ("sans-io", "protocol/age/bypass.py", "import os.path"),
        ("relay", "relay/policy.py", "import vetrelay.relay.ports"),
        ("relay", "relay/http/bypass.py", "import vetrelay.relay.storage"),
        ("relay", "relay/newcomer.py", ""),
        ("formats", "client/bypass.py", "import vetrelay.inspection.formats"),
        ("worker", "intake/bypass.py", "import vetrelay.inspection.worker"),
    ],
)
def test_a_deliberate_break_is_caught(copy: Path, contract: str, module: str, line: str) -> None:
    """One forbidden import, or one package without a place, and its contract is broken."""
    place = copy / "src" / "vetrelay" / module
    place.parent.mkdir(exist_ok=True)
    with place.open("a") as text:
        text.write(f"\n{line}\n")
    answer = lint_imports(copy, "--contract", contract)
    assert (1, True) == (answer.returncode, "0 kept, 1 broken" in answer.stdout), answer.stdout


def test_the_relay_is_not_led_to_a_key_by_a_detour(copy: Path) -> None:
    """Blindness holds through any number of modules in between."""
    folder = copy / "src" / "vetrelay"
    (folder / "protocol" / "bypass.py").write_text("import vetrelay.protocol.identity\n")
    with (folder / "relay" / "ports.py").open("a") as text:
        text.write("\nimport vetrelay.protocol.bypass\n")
    answer = lint_imports(copy, "--contract", "blind")
    assert 1 == answer.returncode
    assert "vetrelay.protocol.bypass -> vetrelay.protocol.identity" in answer.stdout
