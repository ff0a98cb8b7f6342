"""Many rows with one statement.

Python's sqlite3 lets go of the interpreter's lock around every row of an `executemany`, and on a busy relay waits for
it again as long as a request takes: a batch of 60 submits would wait 700 times. A statement of many VALUES waits once.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import sqlite

MAX_ROWS: Final = 256
_QUOTE: Final = sqlite.dialect().identifier_preparer.quote

Values = Mapping[str, object]
T = TypeVar("T")


def insert_rows(connection: Connection, table: Table, rows: Sequence[Values]) -> None:
    """Insert rows that all have the table's columns."""
    names = tuple(table.columns.keys())
    values_of = itemgetter(*names)
    for some in _chunks(rows):
        values = tuple(chain.from_iterable(map(values_of, some)))
        connection.exec_driver_sql(_insert_text(table.name, names, len(some)), values)


def update_rows(connection: Connection, table: Table, names: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Update rows by their one key: each of `rows` is the key, then a value for each of the named columns."""
    key = next(iter(table.primary_key.columns)).name
    for some in _chunks(rows):
        values = tuple(chain.from_iterable(some))
        connection.exec_driver_sql(_update_text(table.name, key, tuple(names), len(some)), values)


def find_rows(
    connection: Connection, table: Table, by: Sequence[str], wanted: Sequence[Sequence[object]], *, names: Sequence[str]
) -> Iterator[Sequence[Any]]:
    """Columns of the rows whose columns `by` are among the wanted values, found through the index on these.

    Spelled as a join: of an IN over several columns SQLite makes a walk through the whole table.
    """
    for some in _chunks(wanted):
        text = _find_text(table.name, tuple(by), tuple(names), len(some))
        yield from connection.exec_driver_sql(text, tuple(chain.from_iterable(some)))


def _chunks(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    return (rows[start : start + MAX_ROWS] for start in range(0, len(rows), MAX_ROWS))


def _places(columns: int, rows: int) -> str:
    return ",".join([f"({','.join('?' * columns)})"] * rows)


@lru_cache(maxsize=2048)
def _insert_text(table: str, names: tuple[str, ...], rows: int) -> str:
    columns = ", ".join(map(_QUOTE, names))
    return f"INSERT INTO {_QUOTE(table)} ({columns}) VALUES {_places(len(names), rows)}"  # noqa: S608  # names come from the schema alone


@lru_cache(maxsize=2048)
def _find_text(table: str, by: tuple[str, ...], names: tuple[str, ...], rows: int) -> str:
    found = ", ".join(f"found.{_QUOTE(name)}" for name in names)
    same = " AND ".join(f"found.{_QUOTE(name)} = wanted.column{at}" for at, name in enumerate(by, start=1))
    return (
        f"SELECT {found} FROM (VALUES {_places(len(by), rows)}) AS wanted "  # noqa: S608  # as above
        f"CROSS JOIN {_QUOTE(table)} AS found ON {same}"
    )


@lru_cache(maxsize=2048)
def _update_text(table: str, key: str, names: tuple[str, ...], rows: int) -> str:
    changes = ", ".join(f"{_QUOTE(name)} = fresh.column{at}" for at, name in enumerate(names, start=2))
    return (
        f"UPDATE {_QUOTE(table)} SET {changes} FROM (VALUES {_places(1 + len(names), rows)}) AS fresh "  # noqa: S608  # as above
        f"WHERE {_QUOTE(table)}.{_QUOTE(key)} = fresh.column1"
    )
