"""What a delivery report says about a letter of ours: pure (RFC 3464; email.md, 7.1 and row 22).

That a report is about us is proven by the address it came to (the envelope sender of the try, with its code), never by
what it quotes; a second report of the same thing changes nothing, and a failure is the last word.
"""

from dataclasses import dataclass
from typing import Final

from vetrelay.bridge.ports import Departure, DepartureState
from vetrelay.bridge.sending.retry import Ruling, given_up, too_full

ENDED: Final = frozenset({"failed", "downgraded"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One recipient's part of a delivery report: `action` and `status` as the report spells them, untrusted.

    `untrusted_recipient` is its Final-Recipient without the type, None where there is none.
    """

    untrusted_action: str
    untrusted_status: str
    untrusted_recipient: str | None = None


def ruling_on_report(departure: Departure, report: Report) -> Ruling | None:
    """What the report changes; None where it says nothing, or nothing new."""
    if departure.state is DepartureState.FAILED or departure.told & ENDED:
        return None
    status = enhanced_code(report.untrusted_status)
    match report.untrusted_action.strip().lower():
        case "failed":
            return given_up(departure, too_full=too_full(None, status), reason=status or "bounced")
        case "delayed" if departure.state is DepartureState.HANDED and "delayed" not in departure.told:
            return Ruling(state=departure.state, say="delayed", reason=status)
        case "delivered" | "expanded" if departure.state is not DepartureState.DELIVERED and _is_theirs(
            departure, report
        ):
            # Not only of a letter handed over: where the 250 was lost, this is how we learn that it was taken.
            return Ruling(state=DepartureState.DELIVERED, say="delivered", reason=status)
        case _:  # "relayed" only says that no more reports will come
            return None


def enhanced_code(untrusted_status: str) -> str | None:
    """The enhanced code at the start of a text, as RFC 3463 spells it (class.subject.detail); None if there is none."""
    first = untrusted_status.strip().partition(" ")[0]
    parts = first.split(".")
    well_formed = len(parts) == 3 and parts[0] in {"2", "4", "5"}
    if well_formed and all(part.isascii() and part.isdigit() and len(part) <= 3 for part in parts):
        return first
    return None


def _is_theirs(departure: Departure, report: Report) -> bool:
    """Only the recipient's own mailbox can say that it has the letter: not the one that somebody forwards to."""
    named = report.untrusted_recipient
    return named is None or named.strip().strip("<>").lower() == departure.recipient.lower()
