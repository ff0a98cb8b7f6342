"""A look at the bridge's queue, from the columns that stand in clear: no key is needed, and no personal word is seen."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, and_, func, select, update

from vetrelay.bridge.ports import ArrivalState, DepartureState
from vetrelay.bridge.sending.departure_rows import deliveries, departures
from vetrelay.bridge.store.tables import arrivals, open_database, reading
from vetrelay.config import BridgeConfig

DATABASE: Final = "bridge.sqlite3"
MOST_LETTERS: Final = 200
"""How many letters are named one by one; the counts are of all."""
UNSENT: Final = (DepartureState.QUEUED, DepartureState.SENDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class StateSeen:
    """How many stand in one state, since when the oldest does, and how many bytes they are (None: not counted)."""

    state: str
    count: int
    oldest_ms: int | None
    size_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterSeen:
    """One letter that has not left: how often it was tried, when it is next, and what went wrong if that was told."""

    id: str
    state: str
    mode: str
    attempts: int
    created_ms: int
    due_ms: int
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSeen:
    """All that can be seen of a bridge's queue. `letters` are those that have not left, the next one due first."""

    departures: tuple[StateSeen, ...]
    letters: tuple[LetterSeen, ...]
    arrivals: tuple[StateSeen, ...]
    untold: int


def database_of(config: BridgeConfig) -> str | Path:
    """Where a bridge's tables are: the database that its settings name, else the file in its folder."""
    return config.database or Path(config.data) / DATABASE


def open_queue(config: BridgeConfig) -> Engine | None:
    """The queue of a bridge, whether it runs or not; None where it never did."""
    place = database_of(config)
    if isinstance(place, Path) and not place.exists():
        return None
    return open_database(place)


def look_at_queue(engine: Engine) -> QueueSeen:
    """The queue as it stands now."""
    with reading(engine) as connection:
        out = connection.execute(
            select(departures.c.state, func.count(), func.min(departures.c.created_ms)).group_by(departures.c.state)
        ).all()
        coming = connection.execute(
            select(
                arrivals.c.state, func.count(), func.min(arrivals.c.received_ms), func.sum(arrivals.c.size_bytes)
            ).group_by(arrivals.c.state)
        ).all()
        waiting = connection.execute(
            select(departures)
            .where(departures.c.state.in_(UNSENT))
            .order_by(departures.c.due_ms, departures.c.id)
            .limit(MOST_LETTERS)
        ).all()
        told = connection.execute(
            select(deliveries.c.departure, deliveries.c.reason)
            .where(and_(deliveries.c.departure.in_([row.id for row in waiting]), deliveries.c.reason.is_not(None)))
            .order_by(deliveries.c.at_ms)
        ).all()
        untold = connection.scalar(select(func.count()).select_from(deliveries).where(deliveries.c.told_ms.is_(None)))
    reasons: dict[str, str] = {row.departure: row.reason for row in told}
    return QueueSeen(
        departures=_in_order(
            DepartureState,
            [StateSeen(state=row[0], count=row[1], oldest_ms=row[2], size_bytes=None) for row in out],
        ),
        letters=tuple(
            LetterSeen(
                id=row.id,
                state=row.state,
                mode=row.mode,
                attempts=row.attempts,
                created_ms=row.created_ms,
                due_ms=row.due_ms,
                reason=reasons.get(row.id),
            )
            for row in waiting
        ),
        arrivals=_in_order(
            ArrivalState,
            [StateSeen(state=row[0], count=row[1], oldest_ms=row[2], size_bytes=int(row[3])) for row in coming],
        ),
        untold=untold or 0,
    )


def _in_order(states: type[DepartureState] | type[ArrivalState], seen: list[StateSeen]) -> tuple[StateSeen, ...]:
    known = [str(state) for state in states]
    return tuple(sorted(seen, key=lambda one: known.index(one.state)))


def retry_now(engine: Engine, *, beginning: str | None, now_ms: int) -> int:
    """Makes the waiting letter whose id begins so, or every one, due now; how many those are.

    A running bridge takes them up by itself, at the latest at its next look.
    """
    which = departures.c.state == DepartureState.QUEUED
    if beginning is not None:
        which = and_(which, departures.c.id.startswith(beginning, autoescape=True))
    with engine.begin() as connection:
        return connection.execute(update(departures).where(which).values(due_ms=now_ms)).rowcount
