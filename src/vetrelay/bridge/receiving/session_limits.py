"""How much one peer may ask for: connections at once, and letters and wrong guesses in one session. Pure counting."""

import ipaddress
from collections import Counter
from typing import Final

from vetrelay.bridge.ports import Reply
from vetrelay.config import BridgeLimits

TOO_MANY_CONNECTIONS: Final = Reply(
    code=421, enhanced="4.3.2", text="Too many connections here just now, try again later", close=True
)
TOO_MANY_FROM_YOU: Final = Reply(
    code=421, enhanced="4.7.0", text="Too many connections from your address, try again later", close=True
)
TOO_MANY_LETTERS: Final = Reply(
    code=421, enhanced="4.7.0", text="Enough letters for one session, connect again", close=True
)
TOO_MANY_WRONG: Final = Reply(code=421, enhanced="4.7.0", text="Too many unknown recipients, goodbye", close=True)
TOO_MANY_RECIPIENTS: Final = Reply(
    code=452, enhanced="4.5.3", text="Too many recipients, send the rest in another letter"
)


def place_of_peer(address: str) -> str:
    """What counts as one peer: an IPv4 address, or the /64 that one IPv6 customer has; anything else is itself."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


class Connections:
    """The connections that are open, all in all and per peer."""

    def __init__(self, limits: BridgeLimits) -> None:
        self._limits = limits
        self._open: Counter[str] = Counter()
        self.count = 0

    def enter(self, address: str) -> Reply | None:
        """Counts a connection in, or says why it is not taken; only one that was taken is to `leave`."""
        place = place_of_peer(address)
        # First the peer's own: one that opens many is told that it is too many of its own, however full it is.
        if self._open[place] >= self._limits.connections_per_address:
            return TOO_MANY_FROM_YOU
        if self.count >= self._limits.connections:
            if not self._open[place]:
                del self._open[place]
            return TOO_MANY_CONNECTIONS
        self._open[place] += 1
        self.count += 1
        return None

    def leave(self, address: str) -> None:
        """Counts a connection out."""
        place = place_of_peer(address)
        self.count -= 1
        self._open[place] -= 1
        if not self._open[place]:
            del self._open[place]

    @property
    def places(self) -> int:
        """How many peers are remembered: never more than there are connections."""
        return len(self._open)


class Allowance:
    """What is left to one session."""

    __slots__ = ("_letters", "_most_recipients", "_wrong")

    def __init__(self, limits: BridgeLimits) -> None:
        self._letters = limits.letters_per_session
        self._wrong = limits.wrong_recipients
        self._most_recipients = limits.recipients

    def letter(self) -> Reply | None:
        """At MAIL: None, or that this session has brought all the letters it may."""
        return None if self._letters else TOO_MANY_LETTERS

    def letter_taken(self) -> None:
        """A letter was read to its dot, whatever the answer was."""
        self._letters -= 1

    def recipient(self, already: int) -> Reply | None:
        """At RCPT, with so many recipients accepted: None, or that the rest goes into another letter."""
        return None if already < self._most_recipients else TOO_MANY_RECIPIENTS

    def wrong(self, refusal: Reply) -> Reply:
        """The answer to a recipient who was refused: one guess too many ends the session instead."""
        if refusal.code != 550 or refusal.enhanced not in {"5.1.1", "5.7.1"}:
            return refusal
        if not self._wrong:
            return TOO_MANY_WRONG
        self._wrong -= 1
        return refusal
