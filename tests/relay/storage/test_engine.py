"""The database's connections: durable writing, reading that cannot write, and the file's permissions."""

from pathlib import Path
from stat import S_IMODE

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from vetrelay.relay.storage.engine import reader_engine, writer_engine


@pytest.mark.parametrize(("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2)])
def test_writing_is_durable(tmp_path: Path, pragma: str, value: object) -> None:
    """Write-ahead logging with full sync (2): what was committed survives a power cut."""
    with writer_engine(tmp_path / "relay.sqlite").begin() as connection:
        assert value == connection.execute(text(f"PRAGMA {pragma}")).scalar_one()


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    """A mistake in a read cannot change what is stored."""
    path = tmp_path / "relay.sqlite"
    with writer_engine(path).begin() as connection:
        connection.execute(text("CREATE TABLE a (b)"))
    with pytest.raises(OperationalError, match="readonly"), reader_engine(path).begin() as connection:
        connection.execute(text("INSERT INTO a VALUES (1)"))


def test_a_reader_sees_one_snapshot(tmp_path: Path) -> None:
    """What is committed while a read goes on belongs to the next one."""
    path = tmp_path / "relay.sqlite"
    writer, reader = writer_engine(path), reader_engine(path)
    with writer.begin() as connection:
        connection.execute(text("CREATE TABLE a (b)"))
    count = text("SELECT count(*) FROM a")
    with reader.begin() as reading:
        assert 0 == reading.execute(count).scalar_one()
        with writer.begin() as writing:
            writing.execute(text("INSERT INTO a VALUES (1)"))
        assert 0 == reading.execute(count).scalar_one()
    with reader.begin() as reading:
        assert 1 == reading.execute(count).scalar_one()


def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    """The database holds who talks to whom."""
    path = tmp_path / "relay.sqlite"
    writer_engine(path)
    assert 0o600 == S_IMODE(path.stat().st_mode)
