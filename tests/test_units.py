"""The systemd units: each directive with its reason, and units, users, folders and programs that fit one another."""

import configparser
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Final

import click
import pytest

from vetrelay.cli.main import cli

ROOT: Final = Path(__file__).parents[1]
UNITS: Final = sorted((ROOT / "systemd").glob("*.service"))
PARTS: Final = {"relay", "intake", "bridge"}
WALLS: Final = {
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "LimitCORE": "0",
    "MemoryDenyWriteExecute": "yes",
    "RestrictNamespaces": "yes",
    "SystemCallArchitectures": "native",
    "StateDirectoryMode": "0700",
}
"""What every service has, whatever it does."""


def part_of(unit: Path) -> str:
    """relay, intake or bridge."""
    return unit.stem.removeprefix("vetrelay-")


def settings_of(unit: Path) -> dict[str, list[str]]:
    """Each directive of the unit's service with its values, in order."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text().partition("[Service]")[2].partition("[Install]")[0].splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


each_unit = pytest.mark.parametrize("unit", UNITS, ids=part_of)


def test_every_part_has_its_unit_its_user_and_its_settings() -> None:
    """Nothing is named in one place and missing in another."""
    assert PARTS == {part_of(unit) for unit in UNITS}
    users = re.findall(r"(?m)^u vetrelay-(\w+)", (ROOT / "systemd" / "sysusers.d" / "vetrelay.conf").read_text())
    assert sorted(PARTS) == sorted(users)
    told = (ROOT / "systemd" / "README.md").read_text()
    assert [] == [part for part in PARTS if f"vetrelay-{part}.service" not in told]


@each_unit
def test_every_directive_has_its_reason_above_it(unit: Path) -> None:
    """A comment stands above each directive or above the block that it belongs to."""
    lines = unit.read_text().partition("[Service]")[2].partition("[Install]")[0].splitlines()
    unexplained = [
        line
        for above, line in zip(["", *lines], lines, strict=False)
        if "=" in line and not line.startswith("#") and not above.startswith("#") and "=" not in above
    ]
    assert [] == unexplained


@each_unit
def test_every_service_stands_behind_the_same_walls(unit: Path) -> None:
    """What holds for all of them is in none of them forgotten."""
    found = settings_of(unit)
    assert WALLS == {name: found.get(name, [""])[-1] for name in WALLS}
    assert [f"vetrelay-{part_of(unit)}"] == found["User"]


@each_unit
def test_the_program_and_its_folder_are_those_of_the_shown_settings(unit: Path) -> None:
    """The command exists, and the state directory is where `config/` says that its data are."""
    found, part = settings_of(unit), part_of(unit)
    program, *words, option, config = shlex.split(found["ExecStart"][0])
    assert ("/opt/vetrelay/bin/vetrelay", "--config", f"/etc/vetrelay/{part}.toml") == (program, option, config)
    command: click.Command | None = cli
    for word in words:
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), word)
    assert command is not None
    assert "config" in {parameter.name for parameter in command.params}
    shown = tomllib.loads((ROOT / "config" / f"{part}.toml").read_text())
    assert shown["data"] == f"/var/lib/{found['StateDirectory'][0]}"


@pytest.mark.parametrize(
    ("part", "families", "rights"),
    [
        ("relay", {"AF_INET", "AF_INET6", "AF_UNIX"}, {""}),
        ("intake", {"AF_UNIX"}, {""}),
        ("bridge", {"AF_INET", "AF_INET6", "AF_UNIX"}, {"CAP_NET_BIND_SERVICE"}),
    ],
)
def test_each_has_the_network_and_the_rights_that_it_needs(part: str, families: set[str], rights: set[str]) -> None:
    """The intake has no network; the bridge alone may bind port 25, and has no right besides."""
    found = settings_of(ROOT / "systemd" / f"vetrelay-{part}.service")
    assert families == set(found["RestrictAddressFamilies"][0].split())
    assert rights == set(found["CapabilityBoundingSet"]) == set(found["AmbientCapabilities"])
    assert ("PrivateNetwork" in found) is (part == "intake")


@each_unit
def test_systemd_finds_no_fault_but_the_missing_program(unit: Path, tmp_path: Path) -> None:
    """`systemd-analyze verify` knows every directive, and every value."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd is not installed here")
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace("/opt/vetrelay/bin/vetrelay", "/bin/true"))
    done = subprocess.run([program, "verify", str(copy)], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if unit.stem in line]
    assert [] == complaints


@each_unit
def test_a_unit_is_written_as_one(unit: Path) -> None:
    """Its three sections, and no other."""
    parsed = configparser.ConfigParser(strict=False, interpolation=None, comment_prefixes=("#",))
    parsed.read(unit)
    assert ["Unit", "Service", "Install"] == parsed.sections()
