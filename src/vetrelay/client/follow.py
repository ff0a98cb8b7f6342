"""Following a case: fetch what is new, check every link, compute the roster, keep it (protocol.md section 5).

What must hold before this end believes a position:

(1) The signed bytes hash to the entry that the link names.
(2) Time does not run backwards; kinds are known.
(3) Statements follow from the roster before them, by the same pure function that the relay runs.
(4) When the page's end is reached, our head equals the relay's signed head; it is never behind what we knew.
(5) An envelope satisfies the rules at its view and its position; if not it is kept, and never shown as a message.

(1) to (4) failing means that the relay is dishonest or broken: the case is blocked for sending and the evidence kept.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from vetrelay.client.end import End
from vetrelay.client.journal import CaseRow, LogRow
from vetrelay.client.wire import CaseInbox, Item
from vetrelay.errors import Fault, Refusal
from vetrelay.protocol.authority import apply_entry
from vetrelay.protocol.envelope import Envelope, check_addressing, check_sender, check_shape, parse_envelope
from vetrelay.protocol.ids import CaseId, EntryId, Hash, PartyId, unb64
from vetrelay.protocol.log import STALE_HEAD_MS, Head, Kind, Link, Tail, check_head, check_same_past, empty_log, extend
from vetrelay.protocol.roster import Roster, empty_roster
from vetrelay.protocol.signature import Signed, parse_wire, wire

AWAY: Final = frozenset({"unreachable", "relay_failed", "busy"})
"""Faults that say no more than that the relay cannot be asked now."""


@dataclass(kw_only=True)
class Followed:
    """A case as this end has it in memory: every head, every roster, by position. Grows as the log grows."""

    relay: Hash
    case: CaseId
    tail: Tail
    heads: list[Hash]
    rosters: list[Roster]

    @property
    def roster(self) -> Roster:
        """Who takes part now."""
        return self.rosters[-1]

    def roster_at(self, n: int) -> Roster:
        """Who took part at position `n`."""
        return next(roster for roster in reversed(self.rosters) if roster.n <= n)

    def push(self, link: Link, signed: Signed | None) -> None:
        """One more position; steps (2) and (3)."""
        tail = extend(self.tail, link)
        if link.kind in (Kind.CASE, Kind.PARTY):
            if signed is None:
                raise Refusal("entry_differs")
            after = apply_entry(self.roster, signed, kind=link.kind, n=tail.n, time_ms=link.time_ms)
            self.rosters.append(after)
        self.tail = tail
        self.heads.append(tail.head)

    @contextmanager
    def restored_on_error(self) -> Iterator[None]:
        """What is pushed inside stays only if nothing is raised: memory never runs ahead of the journal."""
        tail, heads, rosters = self.tail, len(self.heads), len(self.rosters)
        try:
            yield
        except BaseException:
            self.tail = tail
            del self.heads[heads:], self.rosters[rosters:]
            raise


def begin(relay: Hash, case: CaseId) -> Followed:
    """A case of which nothing is known."""
    empty = empty_log(case)
    return Followed(relay=relay, case=case, tail=empty, heads=[empty.head], rosters=[empty_roster(relay, case)])


def recall(end: End, case: CaseId) -> Followed:
    """A case as the journal has it, without asking the relay."""
    followed = begin(end.keyring.relay, case)
    catch_up(end, followed)
    return followed


def catch_up(end: End, followed: Followed) -> None:
    """Takes over what the journal has beyond this: another task may follow the same case."""
    for row in end.journal.log(followed.case, after=followed.tail.n):
        followed.push(row.link, parse_wire(row.signed) if row.signed else None)


async def follow(end: End, case: CaseId, *, known: Followed | None = None, wait_seconds: int = 0) -> Followed:
    """The case up to the relay's newest head, checked and kept.

    Raises Refusal `log_forked`, `log_shortened`, `entry_differs`, `time_backwards`, `wrong_relay`, or the rule that a
    statement broke: the case is then blocked, and the evidence stands in the journal.
    """
    followed = known or begin(end.keyring.relay, case)
    while True:
        catch_up(end, followed)
        asked_n = followed.tail.n
        page = await end.api.case_inbox(case, after=asked_n, wait_seconds=wait_seconds)
        catch_up(end, followed)
        if followed.tail.n != asked_n:
            continue  # another task has taken a page of this case meanwhile: this one is out of date
        try:
            head = _take_page(end, followed, page)
        except Refusal as dishonest:
            _block(end, case, dishonest.code, wire(page.head))
            raise
        if followed.tail.n >= head.n:
            return followed
        wait_seconds = 0


def _take_page(end: End, followed: Followed, page: CaseInbox) -> Head:
    head = check_head(page.head, relay=followed.relay, case=followed.case)
    check_same_past(followed.tail, head)
    row = end.journal.case(followed.case)
    with followed.restored_on_error(), end.journal.transaction():
        for item in page.items:
            kept = _take_item(end, followed, item)
            end.journal.append_log(followed.case, kept)
            for part in item.objects:
                payload = unb64(part.payload) if part.payload is not None else None
                end.journal.save_object(followed.case, part.h0, unb64(part.header), payload)
        if followed.tail.n == head.n and followed.tail.head != head.head:
            raise Refusal("log_forked", n=head.n)
        after = replace(row, tail=followed.tail, newest_head=wire(page.head), head_time_ms=head.time)
        end.journal.save_case(after)
    return head


def _take_item(end: End, followed: Followed, item: Item) -> LogRow:
    try:
        link = Link(time_ms=item.time, kind=Kind(item.kind), entry=item.entry)
    except ValueError as newer:
        raise Refusal("newer_version") from newer
    if item.n != followed.tail.n + 1 or (item.signed is not None and item.signed.entry_id() != item.entry):
        raise Refusal("entry_differs")
    before = followed.roster
    followed.push(link, item.signed)
    fault = None
    if link.kind is Kind.ENVELOPE and item.signed is not None:
        fault = envelope_fault(end, followed, item.signed, before)
    return LogRow(n=item.n, link=link, signed=wire(item.signed) if item.signed else None, fault=fault)


def envelope_fault(end: End, followed: Followed, signed: Signed, before: Roster) -> str | None:
    """(5) Why an envelope is not believed, or None. `before` is the roster at the position before its own."""
    try:
        envelope = parse_envelope(signed)
        check_shape(envelope)
        # Rule (i): what the sender saw at its view is what we saw there, or one of us is on a fork (N25).
        if envelope.view.n >= len(followed.heads) or followed.heads[envelope.view.n] != envelope.view.head:
            return "log_forked"
        at_view = followed.roster_at(envelope.view.n)
        sender = check_sender(signed, envelope, at_view=at_view, before=before)
        answered = _answered(end, followed, envelope)
        check_addressing(envelope, at_view=at_view, sender=sender, answered=answered)
    except Refusal as broken:
        return broken.code
    return None


def _answered(end: End, followed: Followed, envelope: Envelope) -> tuple[Envelope, PartyId] | None:
    if envelope.derived_from is None:
        return None
    found = envelope_of(end, followed.case, envelope.derived_from)
    sender = party_of(followed.roster, found[2].device) if found else None
    return (found[2], sender) if found and sender else None


def party_of(roster: Roster, device: str) -> PartyId | None:
    """The party a device belongs to or belonged to."""
    return next((party.id for party in roster.parties.values() if device in party.devices), None)


def envelope_of(end: End, case: CaseId, entry: EntryId) -> tuple[LogRow, Signed, Envelope] | None:
    """An envelope of the journal by its entry id, if it was for us and is believed."""
    row = end.journal.position_of(case, entry)
    if row is None or row.signed is None or row.fault is not None or row.link.kind is not Kind.ENVELOPE:
        return None
    signed = parse_wire(row.signed)
    return row, signed, parse_envelope(signed)


def _block(end: End, case: CaseId, code: str, kept: bytes) -> None:
    row: CaseRow = end.journal.case(case)
    with end.journal.transaction():
        end.journal.keep_evidence(case, code, kept, at_ms=end.now_ms())
        end.journal.save_case(replace(row, blocked=code))


async def follow_or_recall(end: End, case: CaseId, *, known: Followed | None = None) -> tuple[Followed, bool]:
    """The newest state of a case, and True; what this end knows, and False, while the relay cannot be reached.

    Raises Fault `unreachable` for a case of which nothing is known yet, and what `follow` raises.
    """
    try:
        return await follow(end, case, known=known), True
    except Fault as fault:
        if fault.code not in AWAY or not end.journal.case(case).tail.n:
            raise
        return recall(end, case), False


def check_may_send(end: End, followed: Followed, *, reached: bool = True) -> None:
    """Sending needs a case that is not blocked, a head that is not old, and software as new as the case's.

    `reached` is False while the relay is away: then its word cannot be fresh, and what is sealed now waits here.
    Raises Refusal: what blocked it, `head_stale` (N26), `newer_version` (N50).
    """
    row = end.journal.case(followed.case)
    if row.blocked:
        raise Refusal(row.blocked)
    if reached and end.now_ms() - row.head_time_ms > STALE_HEAD_MS:
        raise Refusal("head_stale")
    if followed.roster.newer:
        raise Refusal("newer_version")
