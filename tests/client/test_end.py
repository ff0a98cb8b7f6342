"""An end at work: what a kill left behind is swept at a later start, and what others need stays."""

import os
import sqlite3
from pathlib import Path

import pytest

from tests.client.conftest import Room
from vetrelay.client.end import LEFTOVER_MS, open_end, sweep
from vetrelay.client.journal import FILE_NAME, Journal
from vetrelay.client.promises import PayloadRow
from vetrelay.client.transfer import seal_content
from vetrelay.errors import Fault

NOW_MS = 1_900_000_000_000


def journal_with(home: Path, *, settled: bool) -> Journal:
    """A journal with a promise, its sealed file, a file that no promise knows, and parts of fetches."""
    journal = Journal(home)
    identifier = journal.put_outgoing(
        "send:x", case="case", method="PUT", path="/x", body=b"", draft=None, created_ms=NOW_MS
    )
    for name in ("promised.payload", "unknown.payload", "young.part", "old.part", "old.fetched"):
        (journal.spool / name).write_bytes(b"sealed")
        age_ms = LEFTOVER_MS + 1000 if name.startswith("old") else 0
        os.utime(journal.spool / name, ns=((NOW_MS - age_ms) * 1_000_000,) * 2)
    row = PayloadRow(
        p="p",
        outbox_id=identifier,
        case="case",
        size_bytes=6,
        spool=journal.spool / "promised.payload",
        url=None,
        done=False,
    )
    journal.put_payloads([row])
    if settled:
        journal.settle(identifier, receipt=b"receipt", refused=None)
    return journal


@pytest.mark.parametrize(
    ("settled", "alone", "left"),
    [
        (False, True, {"promised.payload", "young.part"}),
        (True, True, {"young.part"}),
        (False, False, {"promised.payload", "unknown.payload", "young.part"}),
        (True, False, {"promised.payload", "unknown.payload", "young.part"}),
    ],
)
def test_what_nobody_waits_for_goes(tmp_path: Path, settled: bool, alone: bool, left: set[str]) -> None:  # noqa: FBT001  # columns of a table
    """Sealed files only while nobody else is at work, who may be about to promise them; old parts always."""
    journal = journal_with(tmp_path, settled=settled)
    sweep(journal, tmp_path / "turns", alone=alone, now_ms=NOW_MS)
    assert left == {path.name for path in journal.spool.iterdir()}
    journal.close()


async def test_a_file_that_was_sealed_and_not_promised_is_swept_by_the_next_who_is_alone(room: Room) -> None:
    """(S1) A kill between sealing and promising leaves a file that no promise knows."""
    end = room.owner
    left = seal_content(end, b"x")
    await room.town.again(end)
    assert left.spool.exists()
    await room.town.stack.aclose()
    async with open_end(end.home, end.keyring, now_ms=end.now_ms, random_bytes=os.urandom):
        assert not left.spool.exists()


async def test_two_open_the_same_new_home_at_once(room: Room, tmp_path: Path) -> None:
    """The second finds the journal that the first has made."""
    keyring = room.owner.keyring
    first = await room.town.at(tmp_path / "new", keyring)
    second = await room.town.at(tmp_path / "new", keyring)
    first.journal.save_cursor(7)
    assert 7 == second.journal.cursor()


async def test_a_journal_that_cannot_be_read_is_told_as_a_fault(room: Room, tmp_path: Path) -> None:
    """Without the place of the file, which SQLite might name."""
    home = tmp_path / "broken"
    home.mkdir()
    (home / FILE_NAME).write_bytes(b"this is no database" * 100)
    with pytest.raises(Fault) as broken:
        await room.town.at(home, room.owner.keyring)
    assert "home_failed" == broken.value.code
    assert isinstance(broken.value.__cause__, sqlite3.Error)
    assert str(tmp_path) not in str(broken.value)
