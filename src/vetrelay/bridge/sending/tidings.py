"""What is to be told in the cases about letters that leave: each thing once, and kept until it was told."""

from collections.abc import Callable

from sqlalchemy import Engine, and_, func, select, update

from vetrelay.bridge.ports import Delivery
from vetrelay.bridge.sending.departure_rows import STAYS, deliveries, delivery_of, departures, read_departures, say
from vetrelay.bridge.sending.retry import next_word_ms, word_due
from vetrelay.bridge.store.sealing import Seals
from vetrelay.bridge.store.tables import reading


class Tidings:
    """The rows of `deliveries`. Durable when a method returns; call them in a thread."""

    def __init__(self, engine: Engine, seals: Seals, now_ms: Callable[[], int]) -> None:
        self._engine = engine
        self._seals = seals
        self._now_ms = now_ms

    def note_overdue(self) -> int:
        """Notes "not yet" and "delayed" for the letters that stay too long; how many those are."""
        now_ms = self._now_ms()
        overdue = and_(departures.c.state.in_(STAYS), departures.c.word_due_ms <= now_ms)
        with reading(self._engine) as connection:  # nearly always there is none, and nobody is kept from writing
            if not connection.scalar(select(func.count()).select_from(departures).where(overdue)):
                return 0
        with self._engine.begin() as connection:
            rows = connection.execute(select(departures).where(overdue).with_for_update(skip_locked=True)).all()
            for row in rows:
                word = word_due(row.created_ms, now_ms=now_ms)
                if word is not None:
                    say(connection, row.id, state=word, at_ms=now_ms)
                following = next_word_ms(row.created_ms, now_ms=now_ms)
                connection.execute(update(departures).where(departures.c.id == row.id).values(word_due_ms=following))
        return len(rows)

    def untold(self) -> tuple[Delivery, ...]:
        """What has to be told, oldest first."""
        query = select(deliveries).where(deliveries.c.told_ms.is_(None)).order_by(deliveries.c.at_ms)
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
            about = departures.c.id.in_({row.departure for row in rows})
            found = read_departures(connection, self._seals, connection.execute(select(departures).where(about)).all())
        return tuple(delivery_of(row, found[row.departure]) for row in rows if row.departure in found)

    def told(self, delivery: Delivery) -> None:
        """Notes that it was told: it never comes again."""
        which = and_(deliveries.c.departure == delivery.departure.id, deliveries.c.state == delivery.state)
        with self._engine.begin() as connection:
            connection.execute(update(deliveries).where(which).values(told_ms=self._now_ms()))
