"""Statements that SQLAlchemy spells per dialect, or slowly: insert unless it is there, and insert many rows at once."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table
from sqlalchemy.dialects.postgresql import insert as insert_postgres
from sqlalchemy.dialects.sqlite import insert as insert_sqlite


def insert_for(dialect: str, table: Table) -> Any:
    """An INSERT that knows ON CONFLICT, in the words of that database (`Connection.dialect.name`)."""
    return insert_postgres(table) if dialect == "postgresql" else insert_sqlite(table)


def dialect_insert(connection: Connection, table: Table) -> Any:
    """The same for the database of a connection."""
    return insert_for(connection.dialect.name, table)


def insert_new(connection: Connection, table: Table, row: Mapping[str, object]) -> bool:
    """Inserts the row; False when one with its primary key is there already, which then stays as it is."""
    (key,) = table.primary_key.columns
    statement = dialect_insert(connection, table).on_conflict_do_nothing().returning(key)
    return connection.execute(statement, row).first() is not None


def insert_or_renew(insert: Any, key: ColumnElement[Any], *, where: ColumnElement[bool]) -> Any:
    """The INSERT made to overwrite, by its own values, a row with this key where that row is so; returns the key if it wrote."""
    values = {column.name: insert.excluded[column.name] for column in insert.table.columns if column is not key}
    return insert.on_conflict_do_update(index_elements=[key], set_=values, where=where).returning(key)


def insert_at_once(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, object]], *, unless: str = ""
) -> int:
    """Inserts full rows by one statement, whatever their number; how many it wrote. `unless` is an ON CONFLICT clause.

    One statement is one step of the database, during which other threads run; a step for each row would have to wait for
    them each time.
    """
    names = tuple(column.name for column in table.columns)
    statement = _insert_text(table.name, names, len(rows), connection.dialect.name == "postgresql")
    values = tuple(row[name] for row in rows for name in names)
    return connection.exec_driver_sql(f"{statement} {unless}", values).rowcount


@cache
def _insert_text(table: str, names: tuple[str, ...], count: int, is_postgres: bool) -> str:  # noqa: FBT001  # a key of the cache
    row = f"({', '.join(['%s' if is_postgres else '?'] * len(names))})"
    columns = ", ".join(f'"{name}"' for name in names)
    return f'INSERT INTO "{table}" ({columns}) VALUES {", ".join([row] * count)}'  # noqa: S608  # all names are our own tables'
