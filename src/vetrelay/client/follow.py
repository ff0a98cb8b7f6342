"""Following a case up to the relay's newest head (protocol.md section 5), and whether one may send into it."""

from typing import Final

from vetrelay.client.belief import envelope_fault, envelope_of
from vetrelay.client.end import End
from vetrelay.client.followed import Followed, begin, catch_up, party_of, recall
from vetrelay.client.page import take_page
from vetrelay.client.partykeys import fetch_party_keys
from vetrelay.errors import Fault, Refusal
from vetrelay.protocol.envelope import AFTER_CLOSE, EnvelopeClass
from vetrelay.protocol.ids import CaseId
from vetrelay.protocol.log import STALE_HEAD_MS, check_head

__all__ = [
    "AWAY",
    "Followed",
    "begin",
    "check_may_send",
    "envelope_fault",
    "envelope_of",
    "follow",
    "follow_or_recall",
    "party_of",
    "recall",
]

AWAY: Final = frozenset({"unreachable", "relay_failed", "busy"})
"""Faults that say no more than that the relay cannot be asked now."""
MOST_RESTARTS: Final = 16  # another process may write between two looks at the journal, but not every time


async def follow(end: End, case: CaseId, *, known: Followed | None = None, wait_seconds: int = 0) -> Followed:
    """The case up to the relay's newest head, checked and kept; with the keys that this party has got since.

    Raises Refusal `log_forked`, `log_shortened`, `entry_differs`, `time_backwards`, or the rule that a statement
    broke: the case is then blocked, and the evidence stands in the journal. Raises Refusal `newer_version` (N50),
    `wrong_relay` for a head that is not signed by this relay (N53); Fault `party_key_differs`, `journal_damaged`.
    """
    followed, restarts = known or begin(end.keyring.relay, case), 0
    while True:
        catch_up(end, followed)
        if followed.tail != end.journal.case(case).tail:
            restarts += 1
            if restarts > MOST_RESTARTS:
                raise Fault("journal_damaged")
            followed = begin(end.keyring.relay, case)  # what memory has is not what was kept
            continue
        asked_n = followed.tail.n
        page = await end.api.case_inbox(case, after=asked_n, wait_seconds=wait_seconds)
        catch_up(end, followed)
        head = check_head(page.head, relay=followed.relay, case=case)
        if followed.tail.n == asked_n and take_page(end, followed, page, head):
            wait_seconds = 0
            if followed.tail.n >= head.n:
                break
        # Else another task or process has taken a page of this case meanwhile: this one is out of date.
    own = followed.roster.parties.get(end.keyring.party)
    if own is not None and own.kind != "machine":  # a machine makes its keys itself, and forgets them
        await fetch_party_keys(end, own)
    return followed


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


def check_may_send(end: End, followed: Followed, *, reached: bool = True, class_: EnvelopeClass | None = None) -> None:
    """Sending needs a case that is not blocked, a head that is not old, and software as new as the case's.

    `reached` is False while the relay is away: then its word cannot be fresh, and what is sealed now waits here.
    Raises Refusal: what blocked it, `head_stale` (N26), `newer_version` (N50); `case_closed` for an envelope of a
    class that a closed case does not take.
    """
    row = end.journal.case(followed.case)
    if row.blocked:
        raise Refusal(row.blocked)
    if reached and end.now_ms() - row.head_time_ms > STALE_HEAD_MS:
        raise Refusal("head_stale")
    if followed.roster.newer:
        raise Refusal("newer_version")
    if class_ is not None and followed.roster.closed and class_ not in AFTER_CLOSE:
        raise Refusal("case_closed")
