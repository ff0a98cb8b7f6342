"""SQLite as the relay uses it: one connection that writes, a few that only read, write-ahead logging, full sync.

SQLAlchemy's sqlite3 driver begins transactions by itself and late; here every BEGIN is ours, so that a write
transaction takes its lock at once and a read transaction is one snapshot.
"""

from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool, StaticPool

BUSY_MS: Final = 10_000
CACHE_KIB: Final = 32 * 1024
READERS: Final = 4


def writer_engine(path: Path) -> Engine:
    """The engine of the one connection that writes; creates the file, readable by its owner alone."""
    path.touch(mode=0o600)
    engine = create_engine(
        f"sqlite+pysqlite:///{path}",
        poolclass=StaticPool,
        # A batch's statements differ by how many rows they bring: enough of them are kept prepared.
        connect_args={"check_same_thread": False, "cached_statements": 1024},
        query_cache_size=500,
    )
    # FULL: after COMMIT returned, a power cut takes nothing back. That is what "accepted" means.
    _prepare(engine, begin="BEGIN IMMEDIATE", pragmas=("journal_mode=WAL", "synchronous=FULL"))
    return engine


def reader_engine(path: Path) -> Engine:
    """The engine of the connections that cannot write."""
    engine = create_engine(
        f"sqlite+pysqlite:///file:{path}?mode=rw&uri=true",
        poolclass=QueuePool,
        pool_size=READERS,
        max_overflow=0,
        connect_args={"check_same_thread": False},
        query_cache_size=500,
    )
    _prepare(engine, begin="BEGIN", pragmas=("query_only=ON",))
    return engine


def _prepare(engine: Engine, *, begin: str, pragmas: tuple[str, ...]) -> None:
    @event.listens_for(engine, "connect")
    def connected(connection: SqliteConnection, _record: Any) -> None:
        connection.isolation_level = None  # no hidden BEGIN
        for pragma in (f"busy_timeout={BUSY_MS}", f"cache_size=-{CACHE_KIB}", "temp_store=MEMORY", *pragmas):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        connection.exec_driver_sql(begin)
