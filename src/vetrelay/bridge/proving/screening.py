"""What happens to a letter that came in whole: the table of email.md 7.1, pure. The first rule that applies decides.

 1. a delivery report goes to the letter it is about; nothing else reaches a bounce address
 2. a closed case, and a front door that the practice does not have, take nothing
 3. what goes round in circles is refused: our own mark, a mailing list, too many stations
 4. what cannot be decided now is asked for again; what the From domain disowns is refused, and told in the case
 5. a head that cannot be read safely waits, unread
 6. what a listed correspondent provably wrote is taken; the rest waits for staff

A letter that no person wrote is of class `auto` wherever it goes: no push, and never a letter in answer. It is taken
only from whom a letter would be taken: otherwise one field in the head would open the case to anybody.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final, Literal

from vetrelay.bridge.loops import MOST_RECEIVED, is_our_mark
from vetrelay.bridge.ports import ArrivalClass, ArrivalState, Authenticated, Reply
from vetrelay.bridge.proving.letterhead import Letterhead

Disposition = Literal["take", "wait", "unfiled", "auto", "bounce", "refuse"]
Reason = Literal[
    "listed",
    "not_listed",
    "not_proven",
    "unreadable_head",
    "front_door",
    "report",
    "no_such_recipient",
    "reports_only",
    "closed",
    "loop",
    "unanswered",
    "claim_refused",
]
Event = Literal["claim_refused", "case_closed"]

NO_SUCH: Final = Reply(code=550, enhanced="5.1.1", text="There is no such recipient here")
REPORTS_ONLY: Final = Reply(code=550, enhanced="5.7.1", text="This address takes delivery reports only")
LOOP: Final = Reply(code=554, enhanced="5.4.6", text="This letter goes round in circles, or comes from a mailing list")
ASK_AGAIN: Final = Reply(
    code=451, enhanced="4.4.3", text="The sender's domain cannot be asked just now, try again later"
)
_DISOWNED: Final = "The sender's domain demands checks that this letter does not pass (DMARC)"
NOT_ALIGNED: Final = Reply(code=550, enhanced="5.7.1", text=_DISOWNED)
ALL_FAILED: Final = Reply(code=550, enhanced="5.7.26", text=_DISOWNED)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToCase:
    """A case's address. `listed` are the case's correspondents by email: `name@domain`, or `@domain` for all of it."""

    listed: AbstractSet[str]
    closed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ToFrontDoor:
    """The practice's own address. `listed` are all its correspondents; `is_open` is True for postmaster and abuse."""

    listed: AbstractSet[str]
    is_open: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ToBounce:
    """The envelope sender of a departure. `ours`: its mark holds, and the departure is still known."""

    ours: bool


Recipient = ToCase | ToFrontDoor | ToBounce


@dataclass(frozen=True, slots=True, kw_only=True)
class Screening:
    """What happens to one letter at one recipient.

    `reply` stands for `refuse` alone. `event` is told in the case, with the domain and the outcome and nothing else.
    `may_answer`: a content-free "received, waiting to be filed" may go back, once a day.
    """

    disposition: Disposition
    reason: Reason
    class_: ArrivalClass = "person"
    reply: Reply | None = None
    event: Event | None = None
    may_answer: bool = False

    @property
    def state(self) -> ArrivalState:
        """Where its arrival begins. Raises KeyError for a refused letter, which has none."""
        return _STATES[self.disposition]


_STATES: Final = {
    "take": ArrivalState.RECEIVED,
    "auto": ArrivalState.RECEIVED,
    "bounce": ArrivalState.RECEIVED,
    "wait": ArrivalState.WAITING,
    "unfiled": ArrivalState.UNFILED,
}


def screen(
    letterhead: Letterhead,
    authenticated: Authenticated,
    recipient: Recipient,
    *,
    null_sender: bool,
    loop_key: bytes,
    web_url: str,
) -> Screening:
    """Decides. `null_sender`: MAIL FROM was `<>`; `loop_key` made our marks; `web_url` is where cases are looked at."""
    automatic = null_sender or letterhead.automatic
    if isinstance(recipient, ToBounce):
        return _report(recipient, automatic=automatic)
    if isinstance(recipient, ToFrontDoor) and not recipient.is_open:
        return _refuse("no_such_recipient", NO_SUCH)
    if isinstance(recipient, ToCase) and recipient.closed:
        return _refuse("closed", case_closed(web_url), event="case_closed")
    refused = _by_letter(letterhead, authenticated, loop_key=loop_key)
    return refused or _by_author(letterhead, authenticated, recipient, automatic=automatic)


def _report(recipient: ToBounce, *, automatic: bool) -> Screening:
    """Rule 1. A report has a null sender, or says that a machine wrote it (RFC 3461 6.1, RFC 3834 3.3)."""
    if not recipient.ours:
        return _refuse("no_such_recipient", NO_SUCH)
    return (
        Screening(disposition="bounce", reason="report", class_="auto")
        if automatic
        else _refuse("reports_only", REPORTS_ONLY)
    )


def _by_letter(letterhead: Letterhead, authenticated: Authenticated, *, loop_key: bytes) -> Screening | None:
    """Rules 3 and 4: the same for every recipient."""
    ours = any(is_our_mark(mark, loop_key) for mark in letterhead.loop_marks)
    if ours or letterhead.from_list or letterhead.received > MOST_RECEIVED:
        return _refuse("loop", LOOP)
    if authenticated.outcome == "temporary":
        return _refuse("unanswered", ASK_AGAIN)
    if authenticated.outcome == "fail":
        # RFC 7372 3.3 has a code of its own for a letter that fails every check, not only the alignment.
        some_passed = authenticated.spf == "pass" or authenticated.dkim
        return _refuse("claim_refused", NOT_ALIGNED if some_passed else ALL_FAILED, event="claim_refused")
    return None


def _by_author(
    letterhead: Letterhead, authenticated: Authenticated, recipient: ToCase | ToFrontDoor, *, automatic: bool
) -> Screening:
    """Rules 5 and 6."""
    class_: ArrivalClass = "auto" if automatic else "person"
    proven = authenticated.outcome == "pass"
    listed = is_listed(authenticated.address, recipient.listed)
    if letterhead.oversized:
        return Screening(disposition="wait", reason="unreadable_head", class_=class_)
    if isinstance(recipient, ToFrontDoor) and (proven or listed):
        answer = proven and not automatic
        return Screening(disposition="unfiled", reason="front_door", class_=class_, may_answer=answer)
    if isinstance(recipient, ToCase) and proven and listed:
        return Screening(disposition="auto" if automatic else "take", reason="listed", class_=class_)
    return Screening(disposition="wait", reason="not_listed" if proven else "not_proven", class_=class_)


def answer_to_all(screenings: Sequence[Screening]) -> Reply | None:
    """One answer for one letter to several recipients: None if all take it, else the first no, a lasting one first.

    A letter is taken for all of them or for none (7.2): its sender hears of a no, and nobody gets it twice.
    """
    refusals = [each.reply for each in screenings if each.reply is not None]
    return min(refusals, key=lambda reply: reply.code < 500, default=None)


def is_listed(address: str | None, listed: AbstractSet[str]) -> bool:
    """Whether an author (lower-case) is one of these: by address, or by the very domain after the at sign."""
    return address is not None and (address in listed or "@" + address.rpartition("@")[2] in listed)


def case_closed(web_url: str) -> Reply:
    """That this case takes no letters any more, and where it can be asked about."""
    return Reply(code=550, enhanced="5.2.1", text=f"Case closed, see {web_url.rstrip('/')}")


def _refuse(reason: Reason, reply: Reply, *, event: Event | None = None) -> Screening:
    return Screening(disposition="refuse", reason=reason, reply=reply, event=event)
