"""How often one correspondent of one case is written to by ourselves: pure (email.md, 7.5).

A notice goes at most once in 10 minutes and 20 times a day; what comes up meanwhile goes together in one, the digest.
What no member wrote is held far shorter, so that two machines that answer each other cannot keep each other going: a
notice about somebody's *letter* follows any notice by an hour, and an *answer* of our own ("received") goes only to whom
nothing went for a day. Whatever the other side does, we send one letter an hour that a member did not cause; two bridges
facing each other therefore stay below three letters an hour together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
PER_DAY: Final = 20

Cause = Literal["member", "letter", "answer"]
"""Why we would write: a member wrote in the case; another correspondent's letter came into it; their own letter came."""
GAPS_MS: Final[dict[Cause, int]] = {"member": 10 * MINUTE_MS, "letter": HOUR_MS, "answer": DAY_MS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """When a notice may go. `digest`: it had to wait, so it speaks for everything that came up until then."""

    at_ms: int
    digest: bool


def notice_slot(sent_ms: Sequence[int], *, now_ms: int, cause: Cause = "member") -> Slot | None:
    """When the next notice may go, given those that went or are planned to (case, correspondent), in any order.

    None: never, because an answer that comes a day late answers nothing.
    """
    past = sorted(sent_ms)
    at_ms = now_ms
    if past:
        at_ms = max(at_ms, past[-1] + GAPS_MS[cause])
    if len(past) >= PER_DAY:
        at_ms = max(at_ms, past[-PER_DAY] + DAY_MS)
    if at_ms > now_ms and cause == "answer":
        return None
    return Slot(at_ms=at_ms, digest=at_ms > now_ms)
