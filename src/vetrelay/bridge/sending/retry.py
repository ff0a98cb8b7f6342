"""What follows from a try: pure. When to try again, when to give up, and what to tell in the case, once each (email.md, 7.3).

All times count from the moment at which the letter was to leave first (`Departure.created_ms`). Tries follow each other
after 1, 5, 15, 30 minutes, 1 and 2 hours, then every 4 hours, each ±10 %, until 48 hours have passed; the last try falls
on that moment. A try after a lost answer is the same letter: same Message-ID, same envelope sender.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from vetrelay.bridge.ports import DeliveryState, Departure, DepartureState
from vetrelay.bridge.sending.outcome import Handed, Later, Outcome, Refused, TlsUnverified, reason_of

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
STEPS_MS: Final = (MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS, 30 * MINUTE_MS, HOUR_MS, 2 * HOUR_MS)
LAST_STEP_MS: Final = 4 * HOUR_MS
NOT_YET_MS: Final = 30 * MINUTE_MS
DELAYED_MS: Final = 4 * HOUR_MS
JITTER: Final = 0.1
TOO_MUCH: Final = frozenset({"5.2.3", "5.3.4"})  # RFC 3463: the message is longer than the mailbox or the system takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to go on: with any letter, and with one that finds no verified connection before it becomes a notice."""

    retry_ms: int = 48 * HOUR_MS
    unverified_ms: int = NOT_YET_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What to record of a departure in one transaction: its state, its next try, and what to tell in the case."""

    state: DepartureState
    say: DeliveryState | None = None
    reason: str | None = None
    due_ms: int | None = None
    queue_id: str | None = None


def ruling_on(
    departure: Departure,
    outcome: Outcome,
    *,
    now_ms: int,
    random_bytes: Callable[[int], bytes],
    patience: Patience | None = None,
) -> Ruling:
    """What follows from this outcome of the departure's newest try; `departure.attempts` counts that try too."""
    patience = patience or Patience()
    age_ms = now_ms - departure.created_ms
    reason = reason_of(outcome)
    match outcome:
        case Handed():
            return Ruling(state=DepartureState.HANDED, say="emailed", queue_id=outcome.queue_id)
        case Refused():
            return given_up(departure, too_full=too_full(outcome.code, outcome.enhanced), reason=reason)
        case TlsUnverified() if departure.demands_tls and age_ms >= patience.unverified_ms:
            return given_up(departure, too_full=True, reason=reason)
        case Later() | TlsUnverified():
            if age_ms >= patience.retry_ms:
                return given_up(departure, too_full=False, reason=reason)
            due_ms = now_ms + step_ms(departure.attempts, random_bytes)
            last_ms = departure.created_ms + patience.retry_ms
            if isinstance(outcome, TlsUnverified) and departure.demands_tls:
                last_ms = departure.created_ms + patience.unverified_ms
            return Ruling(state=DepartureState.QUEUED, reason=reason, due_ms=min(due_ms, last_ms))


def given_up(departure: Departure, *, too_full: bool, reason: str | None) -> Ruling:
    """The end of a departure. One that held content, and may not go for what it holds, becomes a notice with a link."""
    downgrade = too_full and departure.mode != "notify"
    return Ruling(state=DepartureState.FAILED, say="downgraded" if downgrade else "failed", reason=reason)


def too_full(code: int | None, enhanced: str | None) -> bool:
    """Whether a refusal is about what the letter holds: policy (5.7.x) or size (552), not about who it is for."""
    return code == 552 or (enhanced is not None and (enhanced.startswith("5.7.") or enhanced in TOO_MUCH))


def step_ms(attempts: int, random_bytes: Callable[[int], bytes]) -> int:
    """The time to the next try after `attempts` of them, ±10 %: letters that failed together do not return together."""
    step = STEPS_MS[attempts - 1] if 1 <= attempts <= len(STEPS_MS) else LAST_STEP_MS
    share = int.from_bytes(random_bytes(4)) / 0xFFFFFFFF  # 0..1
    return round(step * (1 - JITTER + 2 * JITTER * share))


def word_due(created_ms: int, *, now_ms: int) -> DeliveryState | None:
    """What a letter that has not left yet deserves to have told by now; the later word covers the earlier."""
    if now_ms - created_ms >= DELAYED_MS:
        return "delayed"
    return "not_yet" if now_ms - created_ms >= NOT_YET_MS else None


def next_word_ms(created_ms: int, *, now_ms: int) -> int | None:
    """When there will be the next word to tell about a letter that stays; None after the last."""
    coming = (created_ms + NOT_YET_MS, created_ms + DELAYED_MS)
    return next((moment for moment in coming if moment > now_ms), None)
