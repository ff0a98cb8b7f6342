"""The table of arrivals: every letter and upload that was accepted, until it is done with.

What a peer sends a second time within 30 days is found by its `dedup` hash and adds nothing (table `seen`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Engine, Row, Select, bindparam, delete, func, insert, select, update

from vetrelay.bridge.ports import (
    Arrival,
    ArrivalClass,
    ArrivalId,
    ArrivalKind,
    ArrivalState,
    Authenticated,
    Peer,
)
from vetrelay.bridge.store.groupcommit import NotTogether
from vetrelay.bridge.store.sealing import Seals
from vetrelay.bridge.store.tables import arrivals as table
from vetrelay.bridge.store.tables import reading, seen
from vetrelay.bridge.store.upsert import insert_at_once, insert_for, insert_or_renew
from vetrelay.protocol.ids import CaseId

SEEN_MS: Final = 30 * 24 * 60 * 60 * 1000
ENDED: Final = (ArrivalState.DONE, ArrivalState.DENIED, ArrivalState.BROKEN)
TO_DO: Final = (ArrivalState.RECEIVED, ArrivalState.TAKEN)


class _Sealed(msgspec.Struct, array_like=True, frozen=True):
    """What of an arrival is nobody's business."""

    token: str | None
    peer: Peer
    mail_from: str
    authenticated: Authenticated | None
    name: str | None


# Built once: to build a statement anew takes several times as long as the database takes to run it.
_INSERT: Final = insert(table)
_GET: Final = select(table).where(table.c.id == bindparam("key"))
_WHO_STANDS: Final = select(seen.c.arrival).where(seen.c.dedup == bindparam("key"))
_TAKE_PLACE: Final = {
    dialect: insert_or_renew(insert_for(dialect, seen), seen.c.dedup, where=seen.c.until_ms <= bindparam("now_ms"))
    for dialect in ("sqlite", "postgresql")
}
_DECODER: Final = msgspec.msgpack.Decoder(_Sealed)
_ENCODER: Final = msgspec.msgpack.Encoder()


@dataclass(frozen=True, slots=True, kw_only=True)
class Adding:
    """Arrivals of one content that are to be added: a job for a group commit, with Arrivals.add_all as `together`."""

    table: "Arrivals"
    arrivals: Sequence[Arrival]
    dedup: str

    def __call__(self, connection: Connection) -> tuple[ArrivalId, ...]:
        """Adds them by themselves."""
        return self.table.add_within(connection, self.arrivals, dedup=self.dedup)


class Arrivals:
    """The table of arrivals. What a method wrote is durable when it returns; `add_within` leaves that to its caller."""

    def __init__(self, engine: Engine, seals: Seals, now_ms: Callable[[], int]) -> None:
        self._engine = engine
        self._seals = seals
        self._now_ms = now_ms

    def add(self, arrivals: Sequence[Arrival], *, dedup: str) -> bool:
        """Adds them; those that were seen in the last 30 days add nothing. False when that is all of them."""
        with self._engine.begin() as connection:
            standing = self.add_within(connection, arrivals, dedup=dedup)
        return any(arrival.id in standing for arrival in arrivals)

    def add_within(self, connection: Connection, arrivals: Sequence[Arrival], *, dedup: str) -> tuple[ArrivalId, ...]:
        """The same inside the caller's transaction: the ids that stand for them, each its own or the earlier one's.

        An arrival is seen again when it has the same `dedup` (Seals.mac of what makes the content one), case and token.
        """
        ids: list[ArrivalId] = []
        rows: list[dict[str, Any]] = []
        for arrival in arrivals:
            earlier = self._earlier(connection, arrival, dedup)
            ids.append(earlier or arrival.id)
            if earlier is None:
                rows.append(self._row(arrival))
        if rows:
            connection.execute(_INSERT, rows)
        return tuple(ids)

    def add_all(self, connection: Connection, addings: Sequence[Adding]) -> Sequence[tuple[ArrivalId, ...]]:
        """What many letters bring, by two statements, as long as none was seen before. Raises NotTogether otherwise."""
        pairs = [(arrival, adding.dedup) for adding in addings for arrival in adding.arrivals]
        places = [self._place(arrival, dedup) for arrival, dedup in pairs]
        if len({place["dedup"] for place in places}) < len(places):
            raise NotTogether
        if insert_at_once(connection, seen, places, unless="ON CONFLICT DO NOTHING") < len(places):
            raise NotTogether
        insert_at_once(connection, table, [self._row(arrival) for arrival, _ in pairs])
        return [tuple(arrival.id for arrival in adding.arrivals) for adding in addings]

    def pending(self) -> tuple[Arrival, ...]:
        """Those to be worked on (RECEIVED and TAKEN), oldest first."""
        return self._all(select(table).where(table.c.state.in_(TO_DO)))

    def get(self, id_: ArrivalId) -> Arrival | None:
        """One of them."""
        with reading(self._engine) as connection:
            row = connection.execute(_GET, {"key": id_}).one_or_none()
        return self._opened(row) if row is not None else None

    def in_state(self, state: ArrivalState, case: CaseId | None = None) -> tuple[Arrival, ...]:
        """Those in a state, of one case or of all, oldest first."""
        query = select(table).where(table.c.state == state)
        return self._all(query if case is None else query.where(table.c.case == case))

    def set_state(self, id_: ArrivalId, state: ArrivalState, *, case: CaseId | None = None) -> None:
        """Moves one on; `case` files it there (from the front door)."""
        values: dict[str, object] = {"state": state} if case is None else {"state": state, "case": case}
        with self._engine.begin() as connection:
            connection.execute(update(table).where(table.c.id == id_).values(values))

    def count_try(self, id_: ArrivalId) -> int:
        """One more try was begun; how many that makes."""
        with self._engine.begin() as connection:
            statement = update(table).where(table.c.id == id_).values(tries=table.c.tries + 1)
            tries = connection.execute(statement.returning(table.c.tries)).scalar()
        return tries or 0

    def others_of(self, spool: str) -> int:
        """How many arrivals still need this spool file: those not ended, and the broken ones, which keep their bytes."""
        gone = (ArrivalState.DONE, ArrivalState.DENIED)
        query = select(func.count()).where(table.c.spool == spool, table.c.state.not_in(gone))
        with reading(self._engine) as connection:
            return connection.execute(query).scalar_one()

    def spools(self) -> frozenset[str]:
        """The spool files that rows not done with name: those that a sweep must leave."""
        gone = (ArrivalState.DONE, ArrivalState.DENIED)
        query = select(table.c.spool).where(table.c.state.not_in(gone)).distinct()
        with reading(self._engine) as connection:
            return frozenset(connection.execute(query).scalars())

    def counts(self) -> dict[ArrivalState, int]:
        """How many arrivals stand in each state."""
        query = select(table.c.state, func.count()).group_by(table.c.state)
        with reading(self._engine) as connection:
            return {ArrivalState(state): count for state, count in connection.execute(query)}

    def sweep(self) -> None:
        """Forgets what ended, but for BROKEN, and what was seen, more than 30 days ago."""
        now_ms = self._now_ms()
        gone = (ArrivalState.DONE, ArrivalState.DENIED)
        with self._engine.begin() as connection:
            connection.execute(delete(seen).where(seen.c.until_ms <= now_ms))
            connection.execute(delete(table).where(table.c.state.in_(gone), table.c.received_ms <= now_ms - SEEN_MS))

    def _earlier(self, connection: Connection, arrival: Arrival, dedup: str) -> ArrivalId | None:
        """The arrival of the last 30 days that this one repeats; if there is none, this one stands there from now on."""
        row = self._place(arrival, dedup)
        # One statement, so that of two processes on one database exactly one gets a row back.
        if (
            connection.execute(_TAKE_PLACE[connection.dialect.name], {**row, "now_ms": arrival.received_ms}).first()
            is not None
        ):
            return None
        earlier: ArrivalId = connection.execute(_WHO_STANDS, {"key": row["dedup"]}).scalar_one()
        return earlier

    def _place(self, arrival: Arrival, dedup: str) -> dict[str, Any]:
        """Its row in `seen`: one place for each content at each address."""
        to = (arrival.case or "").encode(), (arrival.token or "").encode()
        key = self._seals.mac("dedup", dedup.encode(), *to)
        return {"dedup": key, "arrival": arrival.id, "until_ms": arrival.received_ms + SEEN_MS}

    def _all(self, query: Select[Any]) -> tuple[Arrival, ...]:
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(table.c.received_ms, table.c.id)).all()
        return tuple(self._opened(row) for row in rows)

    def _row(self, arrival: Arrival) -> dict[str, Any]:
        sealed = _Sealed(
            token=arrival.token,
            peer=arrival.peer,
            mail_from=arrival.mail_from,
            authenticated=arrival.authenticated,
            name=arrival.name,
        )
        return {
            "id": arrival.id,
            "spool": arrival.spool,
            "kind": arrival.kind,
            "state": arrival.state,
            "class": arrival.class_,
            "case": arrival.case,
            "received_ms": arrival.received_ms,
            "size_bytes": arrival.size_bytes,
            "tries": arrival.tries,
            "sealed": self._seals.seal(_ENCODER.encode(sealed)),
        }

    def _opened(self, row: "Row[Any]") -> Arrival:
        sealed = _DECODER.decode(self._seals.open(row.sealed))
        kind: ArrivalKind = row.kind
        class_: ArrivalClass = row._mapping["class"]  # noqa: SLF001  # SQLAlchemy's public way to a column named by a keyword
        return Arrival(
            id=row.id,
            spool=row.spool,
            kind=kind,
            state=ArrivalState(row.state),
            class_=class_,
            case=row.case,
            token=sealed.token,
            received_ms=row.received_ms,
            size_bytes=row.size_bytes,
            peer=sealed.peer,
            mail_from=sealed.mail_from,
            authenticated=sealed.authenticated,
            name=sealed.name,
            tries=row.tries,
        )
