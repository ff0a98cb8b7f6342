"""What the bridge's tests share: a database of each kind that the bridge knows."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.bridge.postgres import fresh_database, running_postgres
from vetrelay.bridge.store.tables import open_database


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[str]:
    """One PostgreSQL for all tests of a session."""
    with running_postgres() as cluster:
        yield cluster


@pytest.fixture
def postgres(postgres_cluster: str) -> str:
    """The URL of a new, empty PostgreSQL database."""
    return fresh_database(postgres_cluster)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The place of a new, empty database: an SQLite file, and again a PostgreSQL one."""
    if request.param == "sqlite":
        return str(tmp_path / "bridge.sqlite3")
    url: str = request.getfixturevalue("postgres")
    return url


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    """A new bridge's database, opened: SQLite, and again PostgreSQL."""
    engine = open_database(database)
    yield engine
    engine.dispose()
