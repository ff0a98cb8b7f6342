"""The bridge's tables, in SQLite (one machine) or PostgreSQL (several senders on one queue).

Ids, states, times and counts stand in clear. Whatever names a person, a clinic or an address is inside a `sealed`
column; where one must be found by such a word, the column holds a keyed hash of it (sealing.Seals.mac).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    Index,
    LargeBinary,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    text,
)

BUSY_MS: Final = 10_000
CONNECTIONS: Final = 8
SCHEMA_LOCK: Final = (
    0x76657472656C6179  # "vetrelay": two bridges that start at once make the tables one after the other
)
POSTGRES: Final = ("postgresql://", "postgresql+psycopg://", "postgres://")
OTHER_TABLES: Final = ("vetrelay.bridge.sending.departure_rows", "vetrelay.bridge.pages.upload_rows")
"""What else adds tables to `metadata`: they need the words of this module, and are imported when a database is opened."""
_READS: Final = {"only_reads": True}

metadata: Final = MetaData()


def id_column(name: str, *, primary: bool = False, nullable: bool = False) -> Column[str]:
    """An id, a hash or a short state, in clear."""
    return Column(name, String(64), primary_key=primary, nullable=nullable and not primary)


def number_column(name: str, *, nullable: bool = False) -> Column[int]:
    """A time in milliseconds, a size in bytes, or a count."""
    return Column(name, BigInteger, nullable=nullable, autoincrement=False)


def flag_column(name: str) -> Column[bool]:
    """Yes or no."""
    return Column(name, Boolean, nullable=False)


def sealed_column() -> Column[bytes]:
    """Everything of a row that is nobody's business but the bridge's."""
    return Column("sealed", LargeBinary, nullable=False)


arrivals: Final = Table(
    "arrivals",
    metadata,
    id_column("id", primary=True),
    id_column("spool"),
    id_column("kind"),
    id_column("state"),
    id_column("class"),
    id_column("case", nullable=True),
    number_column("received_ms"),
    number_column("size_bytes"),
    number_column("tries"),
    sealed_column(),
    Index("arrivals_by_state", "state", "received_ms"),
    Index("arrivals_by_case", "case", "state"),
    Index("arrivals_by_spool", "spool"),
)

# What came in during the last 30 days, by keyed hash: what a peer sends again finds the arrival that stands for it.
seen: Final = Table(
    "seen",
    metadata,
    id_column("dedup", primary=True),
    id_column("arrival"),
    number_column("until_ms"),
)

# Who is written to and writes, in which case. `token`, `upload` and `address` are keyed hashes.
addresses: Final = Table(
    "addresses",
    metadata,
    id_column("token", primary=True),
    Column("upload", String(64), nullable=False, unique=True),
    id_column("address"),
    id_column("case"),
    flag_column("revoked"),
    flag_column("unsubscribed"),
    flag_column("closed"),
    number_column("created_ms"),
    sealed_column(),
    Index("addresses_by_case", "case"),
    Index("addresses_by_address", "address"),
)

# What the wire's side has to tell in a case. `id` is the keyed hash of what makes it one event.
events: Final = Table(
    "events",
    metadata,
    id_column("id", primary=True),
    id_column("case", nullable=True),
    id_column("what"),
    number_column("at_ms"),
    flag_column("told"),
    sealed_column(),
    Index("events_by_told", "told", "at_ms"),
)

# Small things that the case's side keeps. `key` is a keyed hash.
notes: Final = Table("notes", metadata, id_column("key", primary=True), sealed_column())


def open_database(url_or_path: str | Path) -> Engine:
    """The engine of the bridge's database, its tables made where they are missing.

    A path is an SQLite file, created readable by its owner alone; `postgresql://…` is a PostgreSQL database. Whoever
    uses another module with tables than those of OTHER_TABLES imports it before.
    """
    for name in OTHER_TABLES:
        import_module(name)
    if isinstance(url_or_path, str) and url_or_path.startswith(POSTGRES):
        engine = _postgres_engine("postgresql+psycopg://" + url_or_path.partition("://")[2])
    else:
        engine = _sqlite_engine(Path(url_or_path))
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": SCHEMA_LOCK})
        metadata.create_all(connection)
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection that sees one snapshot, and in SQLite neither takes nor awaits the lock for writing."""
    with engine.connect().execution_options(**_READS) as connection, connection.begin():
        yield connection


def _postgres_engine(url: str) -> Engine:
    # pool_pre_ping: the server may restart under a bridge that runs for months.
    return create_engine(url, pool_size=CONNECTIONS, max_overflow=0, pool_pre_ping=True)


def _sqlite_engine(path: Path) -> Engine:
    path.touch(mode=0o600)
    engine = create_engine(
        f"sqlite+pysqlite:///{path}", pool_size=CONNECTIONS, max_overflow=0, connect_args={"check_same_thread": False}
    )

    # SQLAlchemy's sqlite3 driver begins transactions by itself and late; here every BEGIN is ours.
    @event.listens_for(engine, "connect")
    def connected(connection: SqliteConnection, _record: Any) -> None:
        connection.isolation_level = None  # no hidden BEGIN
        # FULL: after COMMIT returned, a power cut takes nothing back. That is what a 250 means.
        for pragma in (f"busy_timeout={BUSY_MS}", "journal_mode=WAL", "synchronous=FULL", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        only_reads = connection.get_execution_options().get("only_reads", False)
        connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")

    return engine
