"""A practice may tighten the table, and its own file shows the table as it is shipped."""

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from vetrelay.config import FileType, FileTypes, IntakeConfig, parse_config
from vetrelay.errors import Fault
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.policy import ROWS, MiB
from vetrelay.inspection.tighten import KINDS_OF_TYPE, tightened

SHIPPED = Path(__file__).parents[2] / "config" / "intake.toml"


def test_the_shipped_file_says_what_the_table_says() -> None:
    """Whoever reads config/intake.toml reads the policy in force."""
    config = parse_config(SHIPPED.read_text(), IntakeConfig)
    assert ROWS == tightened(config.types) == tightened(FileTypes())
    shown = tomllib.loads(SHIPPED.read_text())["types"]
    for name, kinds in KINDS_OF_TYPE.items():
        for kind in kinds:
            row = ROWS[kind]
            assert row.file_bytes == shown[name]["file_mib"] * MiB, kind
            assert row.most == shown[name].get("most", 0), kind
            assert (row.keep_original, row.preview) == (shown[name]["keep_original"], shown[name]["preview"]), kind


def test_every_kind_with_a_row_belongs_to_one_type() -> None:
    """No row is out of a practice's reach."""
    named = [kind for kinds in KINDS_OF_TYPE.values() for kind in kinds]
    assert sorted(ROWS) == sorted(named)


def test_a_practice_may_lower_and_switch_off() -> None:
    """Its words reach every kind of the type, and nothing else."""
    types = FileTypes(
        video=FileType(accept=False), pdf=FileType(file_mib=5, most=10, keep_original=False, preview=False)
    )
    rows = tightened(types)
    assert replace(ROWS[Kind.WEBM], accept=False) == rows[Kind.WEBM]
    assert replace(ROWS[Kind.PDF], file_bytes=5 * MiB, most=10, keep_original=False, preview=False) == rows[Kind.PDF]
    assert ROWS[Kind.JPEG] == rows[Kind.JPEG]


@pytest.mark.parametrize(
    ("wanted", "setting"),
    [(FileType(file_mib=51), "types.pdf.file_mib"), (FileType(most=501), "types.pdf.most")],
)
def test_a_limit_may_not_be_raised(wanted: FileType, setting: str) -> None:
    """The jail's own limits were measured for the table; the answer names the setting."""
    with pytest.raises(Fault) as refused:
        tightened(FileTypes(pdf=wanted))
    assert ("bad_config", setting) == (refused.value.code, refused.value.facts["setting"])
