"""Whether an envelope is believed: the rules at its view and at its position (protocol.md sections 5, 8)."""

from vetrelay.client.end import End
from vetrelay.client.followed import Followed, party_of
from vetrelay.client.journal import LogRow
from vetrelay.errors import Refusal
from vetrelay.protocol.envelope import (
    Envelope,
    check_addressing,
    check_sender,
    check_shape,
    check_supersedes,
    check_view,
    parse_envelope,
)
from vetrelay.protocol.ids import CaseId, EntryId, PartyId
from vetrelay.protocol.log import Kind
from vetrelay.protocol.roster import Roster
from vetrelay.protocol.signature import Signed, parse_wire


def envelope_fault(end: End, followed: Followed, signed: Signed, before: Roster) -> str | None:
    """(5) Why an envelope is not believed, or None. `before` is the roster at the position before its own."""
    try:
        envelope = parse_envelope(signed)
        check_shape(envelope)
        n = followed.tail.n
        check_view(envelope.view, n=n, own_head=followed.heads[envelope.view.n] if envelope.view.n < n else None)
        at_view = followed.roster_at(envelope.view.n)
        sender = check_sender(signed, envelope, at_view=at_view, before=before)
        answered = _answered(end, followed, envelope)
        check_addressing(envelope, at_view=at_view, sender=sender, answered=answered)
        if envelope.derived_from is not None:
            check_supersedes(envelope, followed.verdicts.get(envelope.derived_from))
    except Refusal as broken:
        return broken.code
    return None


def _answered(end: End, followed: Followed, envelope: Envelope) -> tuple[Envelope, PartyId] | None:
    if envelope.derived_from is None:
        return None
    found = envelope_of(end, followed.case, envelope.derived_from)
    sender = party_of(followed.roster, found[2].device) if found else None
    return (found[2], sender) if found and sender else None


def envelope_of(end: End, case: CaseId, entry: EntryId) -> tuple[LogRow, Signed, Envelope] | None:
    """An envelope of the journal by its entry id, if it was for us and is believed."""
    row = end.journal.position_of(case, entry)
    if row is None or row.signed is None or row.fault is not None or row.link.kind is not Kind.ENVELOPE:
        return None
    signed = parse_wire(row.signed)
    return row, signed, parse_envelope(signed)
