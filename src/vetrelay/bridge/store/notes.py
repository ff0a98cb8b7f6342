"""Small things that the case's side keeps over a restart: a key, and a sealed value."""

from sqlalchemy import Engine, delete, insert, select

from vetrelay.bridge.store.sealing import Seals
from vetrelay.bridge.store.tables import notes as table
from vetrelay.bridge.store.tables import reading


class Notes:
    """A key → value table; both are hidden. What it is told is durable when it returns."""

    def __init__(self, engine: Engine, seals: Seals) -> None:
        self._engine = engine
        self._seals = seals

    def get(self, key: str) -> bytes | None:
        """The value, or None. Raises Fault `spool_damaged`."""
        with reading(self._engine) as connection:
            sealed = connection.execute(select(table.c.sealed).where(table.c.key == self._key(key))).scalar()
        return self._seals.open(sealed) if sealed is not None else None

    def put(self, key: str, value: bytes) -> None:
        """Sets or replaces the value."""
        hashed = self._key(key)
        with self._engine.begin() as connection:
            connection.execute(delete(table).where(table.c.key == hashed))
            connection.execute(insert(table), {"key": hashed, "sealed": self._seals.seal(value)})

    def delete(self, key: str) -> None:
        """Forgets the value, if there is one."""
        with self._engine.begin() as connection:
            connection.execute(delete(table).where(table.c.key == self._key(key)))

    def _key(self, key: str) -> str:
        return self._seals.mac("note", key.encode())
