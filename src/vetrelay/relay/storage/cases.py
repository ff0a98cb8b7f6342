"""Cases: their logs and where these end, whom they concern, and their invitations' cards.

How a case stands is computed from its log by the protocol's one function, and remembered: it is read again only by a
process that has forgotten it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Row, bindparam, delete, insert, literal_column, select

from vetrelay.protocol.authority import apply_entry
from vetrelay.protocol.ids import CaseId, EntryId, Hash, PartyId, SignKey
from vetrelay.protocol.log import Head, Kind, Link, Tail, empty_log
from vetrelay.protocol.roster import Roster, empty_roster
from vetrelay.protocol.signature import parse_wire
from vetrelay.protocol.statement import convert, parse_signed
from vetrelay.relay.storage.batch import Batch
from vetrelay.relay.storage.schema import cards, case_parties, cases, entries
from vetrelay.relay.tables import Card, Entry, Standing

_CASE: Final = select(cases).where(cases.c.id == bindparam("case"))
_ROSTER_ENTRIES: Final = (
    select(entries.c.n, entries.c.time_ms, entries.c.kind, entries.c.signed)
    .where(
        entries.c.case == bindparam("of_case"),
        entries.c.kind < literal_column("3"),  # CASE and PARTY; spelled as the partial index spells it
        entries.c.n <= bindparam("upto_n"),
    )
    .order_by(entries.c.n)
)
_ENTRY: Final = select(entries).where(entries.c.case == bindparam("of_case"), entries.c.entry == bindparam("of_entry"))
_RECEIPT_AT: Final = select(entries.c.receipt).where(
    entries.c.case == bindparam("of_case"), entries.c.n == bindparam("at_n")
)
_PAGE: Final = (
    select(entries)
    .where(entries.c.case == bindparam("of_case"), entries.c.n > bindparam("after_n"))
    .order_by(entries.c.n)
    .limit(bindparam("at_most"))
)
_LINKS: Final = (
    select(entries.c.time_ms, entries.c.kind, entries.c.entry)
    .where(entries.c.case == bindparam("of_case"), entries.c.n > bindparam("after_n"))
    .order_by(entries.c.n)
    .limit(bindparam("at_most"))
)
_PARTIES: Final = select(case_parties.c.party, case_parties.c.role).where(case_parties.c.case == bindparam("of_case"))
_ROLE: Final = select(case_parties.c.role).where(
    case_parties.c.case == bindparam("of_case"), case_parties.c.party == bindparam("of_party")
)
_LEAVE: Final = delete(case_parties).where(
    case_parties.c.case == bindparam("of_case"), case_parties.c.party == bindparam("of_party")
)
_OPEN_OF: Final = (
    select(case_parties.c.case)
    .join(cases, cases.c.id == case_parties.c.case)
    .where(case_parties.c.party == bindparam("of_party"), cases.c.closed_ms.is_(None))
    .order_by(case_parties.c.case)
)
_CARD: Final = select(cards.c.entry, cards.c.content).where(
    cards.c.case == bindparam("of_case"), cards.c.key == bindparam("of_key")
)
_KEEP_CARD: Final = insert(cards)


class SqlCases:
    """The tables of cases."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    def standing(self, case: CaseId) -> Standing | None:
        """A case as it stands in this transaction, or None where there is none."""
        batch = self._batch
        known = batch.standings.get(case) or batch.memory.standings.get(case)
        if known is not None:
            return known
        row = batch.row(_CASE, {"case": case})
        if row is None:
            return None
        standing = self._computed(row)
        batch.memory.standings.put_newer(case, standing, order=lambda other: other.tail.n)
        return standing

    def roster_at(self, case: CaseId, n: int) -> Roster:
        """The roster at any position of the log, computed anew where it is not at hand."""
        standing = self.standing(case)
        known = standing.roster_at(n) if standing else None
        if known is not None:
            return known
        roster = empty_roster(self._batch.memory.relay, case)
        for row in self._batch.rows(_ROSTER_ENTRIES, {"of_case": case, "upto_n": n}):
            roster = apply_entry(roster, parse_wire(row.signed), kind=Kind(row.kind), n=row.n, time_ms=row.time_ms)
        return roster

    def head_at(self, case: CaseId, n: int) -> Hash | None:
        """The log's head at a position, or None beyond its end."""
        known = self._batch.memory.heads.get((case, n))
        if known is not None:
            return known
        if n == 0:
            return empty_log(case).head
        row = self._batch.row(_RECEIPT_AT, {"of_case": case, "at_n": n})
        if row is None:
            return None
        head = convert(parse_signed(parse_wire(row.receipt).content()), Head).head
        self._batch.memory.heads.put((case, n), head)
        return head

    def receipt(self, case: CaseId, entry: EntryId) -> bytes | None:
        """The stored receipt of an entry of this case."""
        found = self.entry(case, entry)
        return None if found is None else found.receipt

    def entry(self, case: CaseId, entry: EntryId) -> Entry | None:
        """An entry of this case."""
        row = self._batch.row(_ENTRY, {"of_case": case, "of_entry": entry})
        return None if row is None else _entry(row)

    def page(self, case: CaseId, *, after: int, limit: int) -> Iterator[Entry]:
        """The log from the position after `after`, in order; nothing is read beyond what is taken."""
        return map(_entry, self._batch.each_row(_PAGE, {"of_case": case, "after_n": after, "at_most": limit}))

    def links(self, case: CaseId, *, after: int, limit: int) -> Sequence[Link]:
        """The same positions of the log as bare links."""
        rows = self._batch.rows(_LINKS, {"of_case": case, "after_n": after, "at_most": limit})
        return [Link(time_ms=row.time_ms, kind=Kind(row.kind), entry=row.entry) for row in rows]

    def append(self, standing: Standing, added: Sequence[Entry], *, parties: Mapping[PartyId, str] | None) -> None:
        """Add entries, the first ones too; `standing` is the case after them.

        `parties`, when given, replaces whom the case concerns.
        """
        batch, case, tail = self._batch, standing.case, standing.tail
        for entry in added:
            values = {
                "case": case,
                "n": entry.n,
                "time_ms": entry.time_ms,
                "kind": int(entry.kind),
                "entry": entry.entry,
                "signed": entry.signed,
                "receipt": entry.receipt,
            }
            batch.insert(entries, values)
        if added[0].n == 1:
            batch.insert(cases, _row(standing, created_ms=added[0].time_ms))
        else:
            end = {
                "n": tail.n,
                "head": tail.head,
                "time_ms": tail.time_ms,
                "used_bytes": standing.used_bytes,
            }
            batch.set_later(cases, case, end)
        batch.standings[case] = standing
        batch.heads[case, tail.n] = tail.head
        if parties is not None:
            batch.set_later(cases, case, {"closed_ms": tail.time_ms if standing.roster.closed else None})
            self._concern(case, parties)

    def role(self, case: CaseId, party: PartyId) -> str | None:
        """How a case concerns a party now, or None."""
        row = self._batch.row(_ROLE, {"of_case": case, "of_party": party})
        return None if row is None else row.role

    def open_of(self, party: PartyId) -> Sequence[CaseId]:
        """The cases that concern a party and are not closed."""
        return [row.case for row in self._batch.rows(_OPEN_OF, {"of_party": party})]

    def add_card(self, case: CaseId, key: SignKey, card: Card) -> None:
        """Keep what an invitation shows."""
        self._batch.write(_KEEP_CARD, {"case": case, "key": key, "entry": card.entry, "content": card.content})

    def card(self, case: CaseId, key: SignKey) -> Card | None:
        """What an invitation shows."""
        row = self._batch.row(_CARD, {"of_case": case, "of_key": key})
        return None if row is None else Card(entry=row.entry, content=row.content)

    def _computed(self, row: Row[Any]) -> Standing:
        tail = Tail(n=row.n, head=row.head, time_ms=row.time_ms)
        standing = Standing(
            case=row.id,
            tail=empty_log(row.id),
            epoch=row.epoch,
            backed_up_n=row.backed_up_n,
            used_bytes=row.used_bytes,
            past=((0, empty_roster(self._batch.memory.relay, row.id)),),
        )
        for entry in self._batch.rows(_ROSTER_ENTRIES, {"of_case": row.id, "upto_n": tail.n}):
            signed, kind = parse_wire(entry.signed), Kind(entry.kind)
            roster = apply_entry(standing.roster, signed, kind=kind, n=entry.n, time_ms=entry.time_ms)
            standing = standing.after(Tail(n=entry.n, head="", time_ms=entry.time_ms), roster)
        return standing.after(tail)

    def _concern(self, case: CaseId, parties: Mapping[PartyId, str]) -> None:
        known = {row.party: row.role for row in self._batch.rows(_PARTIES, {"of_case": case})}
        for party, role in known.items():
            if parties.get(party) != role:
                self._batch.write(_LEAVE, {"of_case": case, "of_party": party})
        for party, role in parties.items():
            if known.get(party) != role:
                self._batch.insert(case_parties, {"case": case, "party": party, "role": role})


def _entry(row: Row[Any]) -> Entry:
    return Entry(
        n=row.n,
        time_ms=row.time_ms,
        kind=Kind(row.kind),
        entry=row.entry,
        signed=row.signed,
        receipt=row.receipt,
    )


def _row(standing: Standing, *, created_ms: int) -> Mapping[str, object]:
    return {
        "id": standing.case,
        "created_ms": created_ms,
        "n": standing.tail.n,
        "head": standing.tail.head,
        "time_ms": standing.tail.time_ms,
        "epoch": standing.epoch,
        "backed_up_n": standing.backed_up_n,
        "used_bytes": standing.used_bytes,
        "closed_ms": None,
    }
