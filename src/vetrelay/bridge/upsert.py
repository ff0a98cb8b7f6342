"""The one statement that SQLite and PostgreSQL share but SQLAlchemy spells per dialect: insert unless it is there."""

from collections.abc import Mapping
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
