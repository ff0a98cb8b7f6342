"""The marks of what was filed."""

from pathlib import Path

import pytest

from vetrelay.cli.filed import FILED_NAME, Filed
from vetrelay.errors import Refusal


def test_marks_stay(tmp_path: Path) -> None:
    """Also when the file that they name was taken away before it could be made durable."""
    folder = tmp_path / "incoming"
    with Filed.kept_in(folder) as filed:
        assert "first" not in filed
        filed.add("first", folder / "Luna" / "taken.jpg")
        assert "first" in filed
    with Filed.kept_in(folder) as filed:
        assert "first" in filed


def test_a_torn_line_costs_no_other(tmp_path: Path) -> None:
    """Half a line, as a machine leaves it that lost its power: the next mark stands on a line of its own."""
    (tmp_path / FILED_NAME).write_bytes(b"first\nsec")
    with Filed.kept_in(tmp_path) as filed:
        assert ("first" in filed, "second" in filed) == (True, False)
        filed.add("third", tmp_path)
    with Filed.kept_in(tmp_path) as filed:
        assert ("first" in filed, "third" in filed) == (True, True)


def test_marks_are_one_processes_at_a_time(tmp_path: Path) -> None:
    """Two would file everything twice."""
    with Filed.kept_in(tmp_path), pytest.raises(Refusal) as refused, Filed.kept_in(tmp_path):
        pass
    assert "already_running" == refused.value.code
    with Filed.kept_in(tmp_path) as filed:
        assert "first" not in filed
