"""Migrations end where the tables stand."""

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from vetrelay.relay.storage.engine import writer_engine
from vetrelay.relay.storage.migrate import migrate
from vetrelay.relay.storage.schema import metadata


def shape(path: Path) -> dict[str, str]:
    """Every table and index as SQLite keeps its definition, spaces aside."""
    with writer_engine(path).begin() as connection:
        rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
        return {row.name: "".join(row.sql.split()) for row in rows if row.name != "alembic_version"}


def test_a_migrated_database_has_exactly_the_tables_of_the_schema(tmp_path: Path) -> None:
    """What the steps add up to, and what the code believes to be there, are one thing."""
    engine = writer_engine(tmp_path / "migrated.sqlite")
    migrate(engine)
    with engine.begin() as connection:
        assert [] == compare_metadata(MigrationContext.configure(connection), metadata)
    engine.dispose()


def test_the_definitions_are_the_same_to_the_letter(tmp_path: Path) -> None:
    """Partial indexes and tables without row ids too, which no comparison of Alembic's sees."""
    migrated, made = tmp_path / "migrated.sqlite", tmp_path / "made.sqlite"
    migrate(writer_engine(migrated))
    with writer_engine(made).begin() as connection:
        metadata.create_all(connection)
    assert shape(made) == shape(migrated)


def test_migrating_again_changes_nothing(tmp_path: Path) -> None:
    """Every start migrates; all but the first find nothing to do."""
    engine = writer_engine(tmp_path / "relay.sqlite")
    migrate(engine)
    before = inspect(engine).get_table_names()
    migrate(engine)
    assert before == inspect(engine).get_table_names()
    engine.dispose()
