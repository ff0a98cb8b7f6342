"""What became of one try to hand a letter over: four answers, and nothing of what the peer said in words.

Codes are a peer's three digits (RFC 5321, 4.2) and its enhanced code (RFC 3463); its sentences never leave smtp_out.py,
for they quote addresses.
"""

from dataclasses import dataclass
from typing import Literal

Trouble = Literal["no_answer", "no_connection", "dns", "tls", "login", "put_off", "lost", "fault"]
"""Why a letter waits. `lost`: the connection ended after DATA, so that it may have been taken; `fault`: we failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """The peer said 2xx after the last byte: the letter is its own now. `queue_id` is how it names it, if it said so."""

    code: int
    queue_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """5xx to MAIL, RCPT, DATA or the letter, or what amounts to it: trying again would change nothing."""

    code: int
    enhanced: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """4xx, or no conversation at all."""

    trouble: Trouble
    code: int | None = None
    enhanced: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsUnverified:
    """It was to go over a verified connection, and there was none: not a byte of the letter left."""

    offered: bool


Outcome = Handed | Refused | Later | TlsUnverified


def reason_of(outcome: Outcome) -> str | None:
    """The outcome as a few letters for the case: codes or the trouble's name; never an address, never the peer's text."""
    match outcome:
        case Handed():
            return None
        case TlsUnverified():
            return "no_verified_tls"
        case Later(code=None):
            return outcome.trouble
        case Refused() | Later():
            return f"{outcome.code} {outcome.enhanced}" if outcome.enhanced else str(outcome.code)
