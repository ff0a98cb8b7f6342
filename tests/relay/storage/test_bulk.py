"""Many rows with one statement."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import IntegrityError

from vetrelay.relay.storage.bulk import MAX_ROWS, find_rows, insert_rows, update_rows
from vetrelay.relay.storage.engine import writer_engine
from vetrelay.relay.storage.schema import devices, entries, metadata


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """A transaction on empty tables."""
    with writer_engine(tmp_path / "relay.sqlite").begin() as connection:
        metadata.create_all(connection)
        yield connection


def device(number: int) -> dict[str, object]:
    """A row of the devices table."""
    return {"id": f"{number}", "party": "p", "sign": "s", "role": "owner", "active": True, "acked_seq": 0}


@pytest.mark.parametrize("count", [0, 1, 7, MAX_ROWS, 2 * MAX_ROWS + 3])
def test_any_number_of_rows_goes_in(connection: Connection, count: int) -> None:
    """Each row once, whatever the number."""
    insert_rows(connection, devices, [device(number) for number in range(count)])
    assert {f"{number}" for number in range(count)} == set(connection.execute(select(devices.c.id)).scalars())


def test_values_come_back_as_they_went_in(connection: Connection) -> None:
    """Bytes, numbers, booleans and nothing are what they were; columns whose names SQL knows too are columns."""
    row = {"case": "c", "n": 1, "time_ms": 2**53, "kind": 3, "entry": "e", "signed": b"\x00\xff", "receipt": b""}
    insert_rows(connection, entries, [row])
    insert_rows(connection, devices, [device(1)])
    assert row == dict(connection.execute(select(entries)).one()._mapping)
    assert device(1) == dict(connection.execute(select(devices)).one()._mapping)


def test_a_key_that_is_there_fails_all(connection: Connection) -> None:
    """The statement is one: none of its rows stays."""
    insert_rows(connection, devices, [device(1)])
    with pytest.raises(IntegrityError):
        insert_rows(connection, devices, [device(2), device(1)])
    assert ["1"] == list(connection.execute(select(devices.c.id)).scalars())


@pytest.mark.parametrize("count", [1, 5, MAX_ROWS + 1])
def test_each_row_gets_its_own_change(connection: Connection, count: int) -> None:
    """Rows are changed by key, and no other."""
    insert_rows(connection, devices, [device(number) for number in range(count + 1)])
    update_rows(connection, devices, ["acked_seq", "role"], [(f"{number}", number, "desk") for number in range(count)])
    found = {row.id: (row.acked_seq, row.role) for row in connection.execute(select(devices))}
    assert {**{f"{number}": (number, "desk") for number in range(count)}, f"{count}": (0, "owner")} == found


def test_rows_are_found_by_several_columns(connection: Connection) -> None:
    """Only where all of them fit."""
    for case in ("a", "b"):
        rows = [
            {"case": case, "n": n, "time_ms": 0, "kind": 3, "entry": f"{n}", "signed": b"", "receipt": b""}
            for n in (1, 2, 3)
        ]
        insert_rows(connection, entries, rows)
    wanted = [("a", 1), ("b", 3), ("c", 1), ("a", 4)]
    assert {("a", "1"), ("b", "3")} == set(
        find_rows(connection, entries, ["case", "n"], wanted, names=["case", "entry"])
    )


def test_finding_and_changing_go_through_the_index(connection: Connection) -> None:
    """A walk through the whole table would be felt only when it is large."""
    plans = []
    for statement in (
        'SELECT found.n FROM (VALUES (?, ?)) AS wanted CROSS JOIN entries AS found ON found."case" = wanted.column1',
        "UPDATE devices SET role = fresh.column2 FROM (VALUES (?, ?)) AS fresh WHERE devices.id = fresh.column1",
    ):
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", ("a", 1))
        plans.append(" ".join(row.detail for row in rows))
    assert all("SEARCH" in plan for plan in plans)
    assert not any("SCAN found" in plan or "SCAN devices" in plan for plan in plans)


def test_the_rosters_entries_are_found_through_their_own_index(connection: Connection) -> None:
    """A case of a hundred thousand messages is opened by reading its few statements."""
    rows = connection.execute(text('EXPLAIN QUERY PLAN SELECT n FROM entries WHERE "case" = 1 AND kind < 3 AND n <= 9'))
    assert any("entries_of_rosters" in row.detail for row in rows)
