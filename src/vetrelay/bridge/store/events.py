"""What the wire's side has to tell in a case: "a letter that claims to be from … was refused", "a letter to a closed case"."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, delete, select, update

from vetrelay.bridge.store.sealing import Seals
from vetrelay.bridge.store.tables import events as table
from vetrelay.bridge.store.tables import reading
from vetrelay.bridge.store.upsert import insert_new
from vetrelay.protocol.ids import CaseId

KEPT_MS = 30 * 24 * 60 * 60 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing to tell in `case` (None: nowhere in particular, e.g. the front door). `what` is a code, `domain` whose mail it was about."""

    id: str
    case: CaseId | None
    what: str
    domain: str
    at_ms: int


class Events:
    """Events to tell, each once."""

    def __init__(self, engine: Engine, seals: Seals, now_ms: Callable[[], int]) -> None:
        self._engine = engine
        self._seals = seals
        self._now_ms = now_ms

    def add(self, case: CaseId | None, what: str, domain: str, *, once_key: str) -> bool:
        """Adds an event; False when one of the same `once_key` was added in the last 30 days. Durable when it returns."""
        with self._engine.begin() as connection:
            return self.add_within(connection, case, what, domain, once_key=once_key)

    def add_within(self, connection: Connection, case: CaseId | None, what: str, domain: str, *, once_key: str) -> bool:
        """The same inside the caller's transaction, and as durable as that is."""
        row = {
            "id": self._seals.mac("event", once_key.encode()),
            "case": case,
            "what": what,
            "at_ms": self._now_ms(),
            "told": False,
            "sealed": self._seals.seal(domain.encode()),
        }
        return insert_new(connection, table, row)

    def pending(self) -> tuple[Event, ...]:
        """What is still to be told, oldest first."""
        with reading(self._engine) as connection:
            rows = connection.execute(
                select(table).where(table.c.told.is_(False)).order_by(table.c.at_ms, table.c.id)
            ).all()
        return tuple(
            Event(
                id=row.id, case=row.case, what=row.what, domain=self._seals.open(row.sealed).decode(), at_ms=row.at_ms
            )
            for row in rows
        )

    def done(self, event: str) -> None:
        """It is told; its row stays for 30 days, so that it is not told again."""
        with self._engine.begin() as connection:
            connection.execute(update(table).where(table.c.id == event).values(told=True))

    def sweep(self) -> None:
        """Forgets what was told more than 30 days ago."""
        with self._engine.begin() as connection:
            before = self._now_ms() - KEPT_MS
            connection.execute(delete(table).where(table.c.told.is_(True), table.c.at_ms < before))
