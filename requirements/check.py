"""Are the pins what they claim: every package at one version, with hashes, from no named place, and enough for us?

Run by `./dev test` and `./dev pins`; prints each fault and exits 1 if there is one. Asks no network.
"""

import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

EXACT = re.compile(r"==([^*,]+)")
HASHES = re.compile(r"(?: --hash=sha256:[0-9a-f]{64})+")


def logical_lines(text: str) -> Iterator[str]:
    """The file's requirements, each joined to one line with single spaces; comments left out."""
    without_comments = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in without_comments.replace("\\\n", " ").splitlines():
        if line.strip():
            yield " ".join(line.split())


def read_pins(path: Path, faults: list[str]) -> dict[str, set[str]]:
    """Canonical name → pinned versions (several only where markers part them); any other line becomes a fault."""
    pins: dict[str, set[str]] = {}
    for line in logical_lines(path.read_text()):
        wanted, separator, hashes = line.partition(" --hash=")
        if line.startswith("-") or "://" in line or " @ " in line:
            faults.append(f"{path.name}: a pin names no place and no option: {line[:60]}")
        elif not HASHES.fullmatch(separator + hashes):
            faults.append(f"{path.name}: not pinned by hash: {line[:60]}")
        else:
            pin = Requirement(wanted)
            exact = EXACT.fullmatch(str(pin.specifier))
            if exact is None:
                faults.append(f"{path.name}: not one exact version: {wanted}")
            else:
                pins.setdefault(canonicalize_name(pin.name), set()).add(exact[1])
    return pins


def unmet(wanted: list[str], pins: Mapping[str, set[str]]) -> Iterator[str]:
    """The wanted requirements that the pins do not satisfy, each with what is pinned instead."""
    for text in wanted:
        requirement = Requirement(text)
        versions = pins.get(canonicalize_name(requirement.name), set())
        if not versions or not all(requirement.specifier.contains(version, prereleases=True) for version in versions):
            yield f"{text} is pinned to {' and '.join(sorted(versions)) or 'nothing'}"


def faults_in(project: Path) -> list[str]:
    """Everything wrong with the pins of the project in this folder, one sentence each."""
    faults: list[str] = []
    declared = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    own = f"{declared['name']}["  # `full` names our own extras, not a package
    runtime = declared["dependencies"]
    extras = [
        line for lines in declared["optional-dependencies"].values() for line in lines if not line.startswith(own)
    ]
    dev, build = (_asked(project / "requirements" / name) for name in ("dev.in", "build.in"))
    builders = read_pins(project / "requirements" / "build.txt", faults)
    faults.extend(f"build.txt: {fault}; run ./dev pins" for fault in unmet(build, builders))
    below: dict[str, set[str]] = {}
    for name, wanted in (
        ("runtime.txt", runtime),
        ("full.txt", [*runtime, *extras]),
        ("dev.txt", [*runtime, *extras, *dev]),
    ):
        pins = read_pins(project / "requirements" / name, faults)
        faults.extend(f"{name}: {fault}; run ./dev pins" for fault in unmet(wanted, pins))
        faults.extend(
            f"{name}: {package} is not the version that the smaller set pins; run ./dev pins"
            for package, versions in below.items()
            if pins.get(package) != versions
        )
        below = pins
    return faults


def _asked(path: Path) -> list[str]:
    """The requirements in a file that a person writes."""
    lines = [line.split("#")[0].strip() for line in path.read_text().splitlines()]
    return [line for line in lines if line]


def main() -> int:
    """Check the project that this file stands in."""
    faults = faults_in(Path(__file__).resolve().parent.parent)
    print("\n".join(faults) if faults else "every package is pinned to one version by hash")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
