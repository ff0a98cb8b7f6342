"""The queue of letters that leave: durable when a method returns, and safe for several senders at once (email.md, 7.3).

A sender holds a letter by a lease of ten minutes, which it prolongs while it sends. Whoever dies lets it lapse, and
another sends the letter again: same bytes, same Message-ID, same envelope sender. A letter's bytes stand in the spool
under its id, written before its row, and are destroyed once the row says that it was handed over or failed.
"""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    and_,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError

from vetrelay.bridge.ports import Departure, DepartureId, DepartureState, Mode
from vetrelay.bridge.sending.bounce import Report, ruling_on_report
from vetrelay.bridge.sending.departure_rows import (
    STAYS,
    Words,
    claimable,
    departures,
    locked_row,
    next_moment,
    read_departures,
    sealed_words,
    write_ruling,
)
from vetrelay.bridge.sending.retry import Ruling, next_word_ms
from vetrelay.bridge.sending.tidings import Tidings
from vetrelay.bridge.store.sealing import Seals
from vetrelay.bridge.store.spool import Spool
from vetrelay.bridge.store.tables import reading
from vetrelay.protocol.ids import CaseId, EntryId

LEASE_MS: Final = 600_000
PER_DOMAIN: Final = 2
DAMAGED: Final = "spool_damaged"
"""The reason of a failed letter whose spool file does not read."""
CLAIM_LOCK: Final = (
    0x6465706172747572  # "departur": claims of all processes on one PostgreSQL queue, one after the other
)
WRITE_BYTES: Final = 256 * 1024
"""How much of a letter goes into the spool at once."""


class Departures:
    """The queue. Every method is quick but for the disk's sync; call them in a thread. Raises Fault `storage_full`."""

    def __init__(
        self,
        engine: Engine,
        seals: Seals,
        spool: Spool,
        now_ms: Callable[[], int],
    ) -> None:
        self._engine = engine
        self._seals = seals
        self._spool = spool
        self._now_ms = now_ms
        self.tidings = Tidings(engine, seals, now_ms)

    # --- in ---------------------------------------------------------------------------------------------------------

    def add(
        self,
        letter: bytes,
        *,
        once: str,
        recipient: str,
        message_id: str,
        mode: Mode,
        person: bool,
        demands_tls: bool = False,
        case: CaseId | None = None,
        answers: EntryId | None = None,
        due_ms: int | None = None,
    ) -> Departure | None:
        """Takes a letter in, durably; None if there was one under the same `once` key, whatever became of it.

        `due_ms`: when it is to leave first, now by default; `created_ms`, from which its hours count, is that moment.
        """
        once_mac = self._seals.mac("departure once", once.encode())
        with reading(self._engine) as connection:
            if connection.execute(select(departures.c.id).where(departures.c.once == once_mac)).first():
                return None
        now_ms = self._now_ms()
        leaves_ms = now_ms if due_ms is None else max(due_ms, now_ms)
        identifier = self._spooled(letter)
        row = {
            "id": identifier,
            "once": once_mac,
            "state": DepartureState.QUEUED,
            "case": case,
            "answers": answers,
            "recipient": self._recipient_mac(recipient),
            "domain": self._seals.mac("departure domain", recipient.rpartition("@")[2].lower().encode()),
            "mode": mode,
            "person": person,
            "demands_tls": demands_tls,
            "created_ms": leaves_ms,
            "due_ms": leaves_ms,
            "word_due_ms": next_word_ms(leaves_ms, now_ms=leaves_ms),
            "attempts": 0,
            "sealed": sealed_words(Words(recipient=recipient, message_id=message_id), self._seals),
        }
        try:
            with self._engine.begin() as connection:  # accepted when this commit returns
                connection.execute(insert(departures).values(row))
        except IntegrityError:  # somebody was quicker with the same key
            self._spool.destroy(identifier)
            return None
        return self.get(identifier)

    def _spooled(self, letter: bytes) -> DepartureId:
        file = self._spool.begin()
        try:
            for start in range(0, len(letter), WRITE_BYTES):
                file.write(letter[start : start + WRITE_BYTES])
            file.finish()
        except BaseException:
            file.abort()
            raise
        return file.id

    # --- out --------------------------------------------------------------------------------------------------------

    def claim(self, worker: str, *, per_domain: int = PER_DOMAIN) -> Departure | None:
        """The letter that is due longest, for this worker alone for ten minutes; None if none may go now.

        At most `per_domain` letters are on their way to one domain at a time, whoever sends them.
        """
        while True:
            with self._engine.begin() as connection:
                if connection.dialect.name == "postgresql":  # in SQLite one transaction writes at a time anyway
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": CLAIM_LOCK})
                now_ms = self._now_ms()
                identifier = connection.scalar(claimable(now_ms, per_domain))
                if identifier is None:
                    return None
                claimed = {"state": DepartureState.SENDING, "worker": worker, "lease_until_ms": now_ms + LEASE_MS}
                this = update(departures).where(departures.c.id == identifier)
                connection.execute(this.values(**claimed, attempts=departures.c.attempts + 1))
                departure = self._opened(connection, identifier)
                if departure is None:  # nobody knows any more whom it is for; its bytes stay, for a person to look at
                    connection.execute(this.values(state=DepartureState.FAILED, worker=None, lease_until_ms=None))
                    continue
            return departure

    def end_leases(self) -> int:
        """Frees what a sender held that died, for whoever knows that there is no other on this queue; how many those are."""
        held = departures.c.state == DepartureState.SENDING
        with self._engine.begin() as connection:
            return connection.execute(update(departures).where(held).values(lease_until_ms=0)).rowcount

    def prolong(self, departure: Departure, *, worker: str) -> bool:
        """Ten minutes more from now; False if the lease is this worker's no longer, who then stops."""
        with self._engine.begin() as connection:
            mine = and_(departures.c.state == DepartureState.SENDING, departures.c.worker == worker)
            held = and_(departures.c.id == departure.id, mine)
            prolonged = update(departures).where(held).values(lease_until_ms=self._now_ms() + LEASE_MS)
            return connection.execute(prolonged).rowcount == 1

    def letter(self, identifier: DepartureId) -> bytes:
        """The letter, as it was added. Raises Fault `spool_damaged`."""
        return self._spool.read(identifier)

    def record(self, departure: Departure, ruling: Ruling, *, worker: str) -> bool:
        """Writes down what became of this worker's try. False, and nothing happens, if the letter is another's by now.

        But that a peer took the letter is true whoever holds it: that ends it unless it ended before.
        """
        with self._engine.begin() as connection:
            row = locked_row(connection, departure.id)
            if row is None:
                return False
            mine = row.state == DepartureState.SENDING and row.worker == worker
            taken = ruling.state is DepartureState.HANDED and row.state in STAYS
            if not (mine or taken):
                return False
            write_ruling(connection, row, ruling, seals=self._seals, now_ms=self._now_ms())
        self._clear(departure.id, ruling)
        return True

    def report(self, identifier: DepartureId, report: Report) -> Departure | None:
        """Takes over what a delivery report says; None if that is nothing new, or the departure is not known."""
        with self._engine.begin() as connection:
            row = locked_row(connection, identifier)
            departure = None if row is None else self._opened(connection, identifier)
            ruling = None if departure is None else ruling_on_report(departure, report)
            if row is None or ruling is None:
                return None
            write_ruling(connection, row, ruling, seals=self._seals, now_ms=self._now_ms())
        self._clear(identifier, ruling)
        return self.get(identifier)

    def retry_now(self, identifier: DepartureId | None = None) -> int:
        """Makes this letter, or every one that waits, due now; how many those are."""
        which: ColumnElement[bool] = departures.c.state == DepartureState.QUEUED
        if identifier is not None:
            which = and_(which, departures.c.id == identifier)
        with self._engine.begin() as connection:
            return connection.execute(update(departures).where(which).values(due_ms=self._now_ms())).rowcount

    def withdraw(self, case: CaseId, *, recipient: str | None = None) -> int:
        """Ends what waits in a case (for one recipient) without a word: nobody wants it any more. How many those are.

        A letter that is being sent right now is not called back.
        """
        which = and_(departures.c.state == DepartureState.QUEUED, departures.c.case == case)
        if recipient is not None:
            which = and_(which, departures.c.recipient == self._recipient_mac(recipient))
        with self._engine.begin() as connection:
            rows = connection.execute(select(departures).where(which).with_for_update()).all()
            for row in rows:
                ended = Ruling(state=DepartureState.FAILED)
                write_ruling(connection, row, ended, seals=self._seals, now_ms=self._now_ms())
        for row in rows:
            self._spool.destroy(row.id)
        return len(rows)

    # --- questions --------------------------------------------------------------------------------------------------

    def get(self, identifier: DepartureId) -> Departure | None:
        """The departure of this id, which a delivery report's address carries; None if there is none."""
        return next(iter(self._read(select(departures).where(departures.c.id == identifier))), None)

    def in_state(self, *states: DepartureState, case: CaseId | None = None) -> tuple[Departure, ...]:
        """The departures in one of these states (of a case), oldest first."""
        which: ColumnElement[bool] = departures.c.state.in_(states)
        if case is not None:
            which = and_(which, departures.c.case == case)
        return self._read(select(departures).where(which).order_by(departures.c.created_ms, departures.c.id))

    def notice_times_ms(self, case: CaseId, recipient: str, *, since_ms: int) -> tuple[int, ...]:
        """When notices went, or are to go, to one correspondent of a case: what pace.py asks for."""
        which = and_(
            departures.c.case == case,
            departures.c.recipient == self._recipient_mac(recipient),
            departures.c.mode == "notify",
            departures.c.created_ms >= since_ms,
        )
        with reading(self._engine) as connection:
            return tuple(connection.scalars(select(departures.c.created_ms).where(which)))

    def notice_waits(self, case: CaseId, recipient: str) -> bool:
        """Whether a notice to this correspondent has not been tried yet: it will speak for what comes up until then."""
        which = and_(
            departures.c.case == case,
            departures.c.recipient == self._recipient_mac(recipient),
            departures.c.mode == "notify",
            departures.c.state == DepartureState.QUEUED,
            departures.c.attempts == 0,
        )
        with reading(self._engine) as connection:
            return connection.execute(select(departures.c.id).where(which)).first() is not None

    def next_ms(self) -> int | None:
        """The next moment, after now, at which a letter, a lapsed lease or a word in a case is due; None if none is."""
        with reading(self._engine) as connection:
            moment: int | None = connection.scalar(next_moment(self._now_ms()))
        return moment

    def spooled(self) -> frozenset[DepartureId]:
        """The spool files that letters still need: what a sweep of the spool leaves alone."""
        with reading(self._engine) as connection:
            return frozenset(connection.scalars(select(departures.c.id).where(departures.c.state.in_(STAYS))))

    # --- inside -----------------------------------------------------------------------------------------------------

    def _read(self, query: Select[Any]) -> tuple[Departure, ...]:
        with reading(self._engine) as connection:
            return tuple(read_departures(connection, self._seals, connection.execute(query).all()).values())

    def _opened(self, connection: Connection, identifier: DepartureId) -> Departure | None:
        rows = connection.execute(select(departures).where(departures.c.id == identifier)).all()
        return read_departures(connection, self._seals, rows).get(identifier)

    def _recipient_mac(self, recipient: str) -> str:
        return self._seals.mac("departure recipient", recipient.lower().encode())

    def _clear(self, identifier: DepartureId, ruling: Ruling) -> None:
        """After the commit: a letter that will not be tried again need not lie on this disk."""
        if ruling.state in STAYS:
            return
        if ruling.reason == DAMAGED:
            self._spool.put_aside(identifier)  # a person looks at what could not be read
        else:
            self._spool.destroy(identifier)
