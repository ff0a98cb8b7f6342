"""The two tables of letters that leave, and how a row becomes a value.

`departures` is the queue; `deliveries` is what is to be told, or was told, of each in its case. A recipient, its domain
and the `once` key stand as keyed hashes; who the letter is for, its Message-ID and the peer's queue id are sealed.
"""

from collections.abc import Sequence
from typing import Any, Final, cast

import msgspec
from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    Index,
    Row,
    Select,
    String,
    Table,
    and_,
    func,
    or_,
    select,
    union_all,
    update,
)

from vetrelay.bridge.ports import Delivery, DeliveryState, Departure, DepartureId, DepartureState, Mode
from vetrelay.bridge.sending.retry import Ruling
from vetrelay.bridge.store.sealing import Seals
from vetrelay.bridge.store.tables import flag_column, id_column, metadata, number_column, sealed_column
from vetrelay.bridge.store.upsert import dialect_insert
from vetrelay.errors import Fault
from vetrelay.telemetry import event_log

departures: Final = Table(
    "departures",
    metadata,
    id_column("id", primary=True),
    Column("once", String(64), nullable=False, unique=True),
    id_column("state"),
    id_column("case", nullable=True),
    id_column("answers", nullable=True),
    id_column("recipient"),
    id_column("domain"),
    id_column("mode"),
    flag_column("person"),
    flag_column("demands_tls"),
    number_column("created_ms"),
    number_column("due_ms"),
    number_column("word_due_ms", nullable=True),
    number_column("attempts"),
    # Who has it, and until when; both None but while it is being sent.
    id_column("worker", nullable=True),
    number_column("lease_until_ms", nullable=True),
    sealed_column(),
    Index("departures_by_state", "state", "due_ms"),
    Index("departures_by_recipient", "case", "recipient", "created_ms"),
)

deliveries: Final = Table(
    "deliveries",
    metadata,
    Column("departure", String(64), ForeignKey("departures.id"), primary_key=True),
    Column("state", String(64), primary_key=True),  # so each is told once
    number_column("at_ms"),
    id_column("reason", nullable=True),
    number_column("told_ms", nullable=True),
    Index("deliveries_by_told", "told_ms", "at_ms"),
)

STAYS: Final = (DepartureState.QUEUED, DepartureState.SENDING)


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """What of a departure is sealed."""

    recipient: str
    message_id: str
    queue_id: str | None = None


def sealed_words(words: Words, seals: Seals) -> bytes:
    """The sealed column's bytes."""
    return seals.seal(msgspec.json.encode(words))


def words_of(row: Row[Any], seals: Seals) -> Words:
    """What a row has sealed. Raises Fault `spool_damaged`."""
    return msgspec.json.decode(seals.open(row.sealed), type=Words)


def read_departures(connection: Connection, seals: Seals, rows: Sequence[Row[Any]]) -> dict[DepartureId, Departure]:
    """Rows of `departures` as values by id, in their order; without those whose sealed column was damaged."""
    told: dict[DepartureId, set[str]] = {row.id: set() for row in rows}
    which = and_(deliveries.c.departure.in_(told), deliveries.c.told_ms.is_not(None))
    for about, state in connection.execute(select(deliveries.c.departure, deliveries.c.state).where(which)):
        told[about].add(state)
    found: dict[DepartureId, Departure] = {}
    for row in rows:
        try:
            found[row.id] = _departure(row, words_of(row, seals), frozenset(told[row.id]))
        except Fault as fault:  # one bad row must not hold up the others
            event_log()("departure.damaged", error=fault.code)
    return found


def _departure(row: Row[Any], words: Words, told: frozenset[str]) -> Departure:
    return Departure(
        id=row.id,
        state=DepartureState(row.state),
        case=row.case,
        answers=row.answers,
        recipient=words.recipient,
        mode=cast("Mode", row.mode),
        person=row.person,
        demands_tls=row.demands_tls,
        created_ms=row.created_ms,
        due_ms=row.due_ms,
        attempts=row.attempts,
        message_id=words.message_id,
        told=told,
    )


def delivery_of(row: Row[Any], departure: Departure) -> Delivery:
    """A row of `deliveries` as a value."""
    return Delivery(departure=departure, state=cast("DeliveryState", row.state), at_ms=row.at_ms, reason=row.reason)


def locked_row(connection: Connection, identifier: DepartureId) -> Row[Any] | None:
    """The row, which nobody else writes until the transaction ends."""
    return connection.execute(select(departures).where(departures.c.id == identifier).with_for_update()).first()


def say(
    connection: Connection, identifier: DepartureId, *, state: DeliveryState, at_ms: int, reason: str | None = None
) -> None:
    """Notes that something is to be told about a departure, unless it was noted before."""
    row = {"departure": identifier, "state": state, "at_ms": at_ms, "reason": reason, "told_ms": None}
    connection.execute(dialect_insert(connection, deliveries).on_conflict_do_nothing(), row)


def write_ruling(connection: Connection, row: Row[Any], ruling: Ruling, *, seals: Seals, now_ms: int) -> None:
    """Writes a ruling on a departure down, with what it has to tell, in the caller's transaction."""
    values: dict[str, Any] = {"state": ruling.state, "worker": None, "lease_until_ms": None}
    if ruling.due_ms is not None:
        values["due_ms"] = ruling.due_ms
    if ruling.state not in STAYS:
        values["word_due_ms"] = None
    if ruling.queue_id is not None:
        values["sealed"] = sealed_words(msgspec.structs.replace(words_of(row, seals), queue_id=ruling.queue_id), seals)
    connection.execute(update(departures).where(departures.c.id == row.id).values(values))
    if ruling.say is not None:
        say(connection, row.id, state=ruling.say, at_ms=now_ms, reason=ruling.reason)


def claimable(now_ms: int, per_domain: int) -> Select[Any]:
    """The id of the letter that is due longest and may go now, its row locked; past rows that others have locked."""
    on_their_way = and_(departures.c.state == DepartureState.SENDING, departures.c.lease_until_ms > now_ms)
    due = and_(departures.c.state == DepartureState.QUEUED, departures.c.due_ms <= now_ms)
    lapsed = and_(departures.c.state == DepartureState.SENDING, departures.c.lease_until_ms <= now_ms)
    busy = select(departures.c.domain).where(on_their_way).group_by(departures.c.domain)
    return (
        select(departures.c.id)
        .where(or_(due, lapsed), departures.c.domain.not_in(busy.having(func.count() >= per_domain)))
        .order_by(departures.c.due_ms, departures.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )


def next_moment(now_ms: int) -> Select[Any]:
    """The next time after now at which a letter, a lapsed lease or a word in a case is due."""
    times = (
        select(departures.c.due_ms.label("at_ms")).where(departures.c.state == DepartureState.QUEUED),
        select(departures.c.lease_until_ms).where(departures.c.state == DepartureState.SENDING),
        select(departures.c.word_due_ms).where(departures.c.state.in_(STAYS)),
    )
    moments = union_all(*times).subquery()
    return select(func.min(moments.c.at_ms)).where(moments.c.at_ms > now_ms)
