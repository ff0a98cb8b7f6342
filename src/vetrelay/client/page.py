"""Taking a page of a case's queue over: every link, statement, head and envelope checked, then kept, or the relay blocked.

What must hold before this end believes a position:

(1) The signed bytes hash to the entry that the link names.
(2) Time does not run backwards; kinds are known.
(3) Statements follow from the roster before them, by the same pure function that the relay runs.
(4) When the page's end is reached, our head equals the relay's signed head; it is never behind what we knew.
(5) An envelope satisfies the rules at its view and its position; if not it is kept, and never shown as a message.

(1) to (4) failing means that the relay is dishonest or broken: the case is blocked for sending and the evidence kept.
"""

from dataclasses import replace

from vetrelay.client.belief import envelope_fault
from vetrelay.client.end import End
from vetrelay.client.followed import Followed
from vetrelay.client.journal import CaseRow, LogRow
from vetrelay.client.wire import CaseInbox, Item
from vetrelay.errors import Refusal
from vetrelay.protocol.envelope import Envelope, parse_envelope
from vetrelay.protocol.ids import CaseId, EntryId, b64, sha256, unb64
from vetrelay.protocol.log import Head, Kind, Link, check_same_past
from vetrelay.protocol.signature import Signed, parse_wire, wire
from vetrelay.protocol.statement import convert, parse_signed, render


def take_page(end: End, followed: Followed, page: CaseInbox, head: Head) -> bool:
    """Takes a page over, all of it or nothing; False when the journal has moved on meanwhile.

    `head` is the page's, signed by this relay: from here on, what does not hold is the relay's own contradiction.
    """
    try:
        with followed.restored_on_error(), end.journal.transaction():
            row = end.journal.case(followed.case)
            if row.tail != followed.tail:
                return False
            _check_past(followed, row, head)
            for item in page.items:
                _take_item(end, followed, item)
            _check_heads(end, followed, row, page, head)
            end.journal.save_followed(_row_after(end, followed, row, page.head, head))
    except Refusal as dishonest:
        if dishonest.code != "newer_version":
            _block(end, followed, page, dishonest.code)
        raise
    return True


def _check_past(followed: Followed, row: CaseRow, head: Head) -> None:
    """(4) A head is never behind what was known, and never another one for the same position (N23, N24)."""
    check_same_past(followed.tail, head)
    known = _head_of(row)
    if known is not None and head.n < known.n:
        raise Refusal("log_shortened", known_n=known.n, offered_n=head.n)
    if known is not None and head.n == known.n and head.head != known.head:
        raise Refusal("log_forked", n=head.n)


def _check_heads(end: End, followed: Followed, row: CaseRow, page: CaseInbox, head: Head) -> None:
    """(4) The page ends where its head says, and every head that was ever promised for a position stands there."""
    if followed.tail.n > head.n or (not page.items and followed.tail.n < head.n):
        raise Refusal("entry_differs", n=followed.tail.n)
    expected = [*end.journal.expected_heads(followed.case, upto=followed.tail.n).items(), (head.n, head.head)]
    known = _head_of(row)
    if known is not None:
        expected.append((known.n, known.head))
    for n, promised in expected:
        if n <= followed.tail.n and followed.heads[n] != promised:
            raise Refusal("log_forked", n=n)
    end.journal.drop_expected_heads(followed.case, upto=followed.tail.n)


def _head_of(row: CaseRow) -> Head | None:
    return convert(parse_signed(parse_wire(row.newest_head).content()), Head) if row.newest_head else None


def _row_after(end: End, followed: Followed, row: CaseRow, signed: Signed, head: Head) -> CaseRow:
    others = (member.since_n for member in followed.roster.active() if member.party != end.keyring.party)
    return replace(
        row,
        tail=followed.tail,
        newest_head=wire(signed),
        head_time_ms=max(row.head_time_ms, head.time),  # (N26) an old head, served again, is no younger for it
        newcomer_n=max(others, default=0),
    )


def _take_item(end: End, followed: Followed, item: Item) -> None:
    if item.kind not in set(Kind):
        raise Refusal("newer_version")
    link = Link(time_ms=item.time, kind=Kind(item.kind), entry=item.entry)
    if item.n != followed.tail.n + 1 or (item.signed is not None and not _is_entry(item.signed, item.entry)):
        raise Refusal("entry_differs", n=item.n)
    before = followed.roster
    followed.push(link, item.signed)
    fault, answers = None, None
    if link.kind is Kind.ENVELOPE and item.signed is not None:
        fault = envelope_fault(end, followed, item.signed, before)
        envelope = _envelope_if_any(item.signed)
        if envelope is not None:
            _keep_objects(end, envelope, item)
            answers = envelope.derived_from if fault is None else None
    if answers is not None:
        followed.rule(answers, link.entry)
    if fault == "log_forked":  # (N25) an honest relay takes no envelope whose view is not its own log
        _block_for(end, followed.case, "log_forked", {"envelope": item.signed, "n": item.n})
    signed = wire(item.signed) if item.signed is not None else None
    row = LogRow(n=item.n, link=link, signed=signed, fault=fault, answers=answers)
    end.journal.append_log(followed.case, row)


def _is_entry(signed: Signed, entry: EntryId) -> bool:
    try:
        return signed.entry_id() == entry
    except Refusal:
        return False


def _envelope_if_any(signed: Signed) -> Envelope | None:
    try:
        return parse_envelope(signed)
    except Refusal:
        return None


def _keep_objects(end: End, envelope: Envelope, item: Item) -> None:
    """Keeps the parts that came along and are what the author signed; others are as good as missing (N13)."""
    named = {ref.h0: ref for ref in envelope.objects}
    for part in item.objects:
        try:
            header = unb64(part.header)
            payload = unb64(part.payload) if part.payload is not None else None
        except Refusal:
            continue
        is_named = part.h0 in named and b64(sha256(header)) == part.h0
        if is_named and (payload is None or b64(sha256(payload)) == named[part.h0].p):
            end.journal.save_object(envelope.case, part.h0, header, payload)


def _block(end: End, followed: Followed, page: CaseInbox, code: str) -> None:
    """Stops sending, and keeps what the relay said now beside the newest word of its own that contradicts it."""
    known = end.journal.case(followed.case).newest_head
    evidence: dict[str, object] = {
        "known": parse_wire(known) if known else None,
        "offered": page.head,
        "after": {"n": followed.tail.n, "head": followed.tail.head},
        "items": [
            {"n": item.n, "time": item.time, "kind": item.kind, "entry": item.entry, "signed": item.signed}
            for item in page.items
        ],
    }
    with end.journal.transaction():
        _block_for(end, followed.case, code, evidence)


def _block_for(end: End, case: CaseId, code: str, evidence: dict[str, object]) -> None:
    end.journal.block(case, code, render(evidence), at_ms=end.now_ms())
