"""Whether a letter is from whom it says: SPF, DKIM and DMARC put together, in one place and once."""

import asyncio
from typing import Final

from vetrelay.bridge.ports import Authenticated, Outcome, Peer
from vetrelay.bridge.proving.bodyhash import BodyHashes
from vetrelay.bridge.proving.dkim_verify import Signed, signed_by
from vetrelay.bridge.proving.dmarc import Demand, aligned, demand_of, organization_of
from vetrelay.bridge.proving.letterhead import Letterhead
from vetrelay.bridge.proving.sender_policy import CHECK_SECONDS, PolicyResult, SenderPolicies
from vetrelay.bridge.resolver import Resolver
from vetrelay.errors import Fault

NOBODY: Final = Authenticated(outcome="none", address=None, domain=None, policy=None, spf="none", dkim=())
"""What is said of a letter that names no one author: nothing is proven, and nobody's policy is asked for."""


class Authentication:
    """Asks DNS and decides. `close` it when the bridge stops."""

    def __init__(self, resolver: Resolver, *, check_seconds: float = CHECK_SECONDS) -> None:
        self._resolver = resolver
        self._policies = SenderPolicies(resolver, check_seconds=check_seconds)
        self._check_seconds = check_seconds
        organization_of("example")  # reads the list of public suffixes now, and not while a letter waits

    def close(self) -> None:
        """No further checks."""
        self._policies.close()

    async def of(
        self, letterhead: Letterhead, *, head: bytes, body: BodyHashes, peer: Peer, mail_from: str
    ) -> Authenticated:
        """Who a letter is from. `head` and `body` are what `FirstPass` kept. Raises nothing."""
        if letterhead.author is None or letterhead.oversized:
            return NOBODY
        domain = letterhead.author.rpartition("@")[2]
        try:
            async with asyncio.timeout(self._check_seconds + 1):  # SPF ends by itself; a slow peer's key may not
                sent, signed, demand = await asyncio.gather(
                    self._policies.check(peer, mail_from),
                    signed_by(head, body, self._resolver),
                    _demand_or_none(domain, self._resolver),
                )
        except TimeoutError:
            sent, signed, demand = PolicyResult(result="temperror", domain=None), Signed(), None
        return Authenticated(
            outcome=_outcome(domain, sent=sent, signed=signed, demand=demand),
            address=letterhead.author,
            domain=domain,
            policy=demand.policy if demand is not None else None,
            spf=sent.result,
            dkim=signed.by,
        )


async def _demand_or_none(domain: str, resolver: Resolver) -> Demand | None:
    try:
        return await demand_of(domain, resolver)
    except Fault:
        return None


def _outcome(domain: str, *, sent: PolicyResult, signed: Signed, demand: Demand | None) -> Outcome:
    """RFC 7489 6.6.2. Only what could have been aligned makes it worth asking again."""
    if demand is None:
        return "temporary"
    same_sender = aligned(sent.domain, domain, strict=demand.strict_spf)
    if same_sender and sent.result == "pass":
        return "pass"
    if any(aligned(each, domain, strict=demand.strict_dkim) for each in signed.by):
        return "pass"
    if same_sender and sent.result == "temperror":
        return "temporary"
    if any(aligned(each, domain, strict=demand.strict_dkim) for each in signed.unanswered):
        return "temporary"
    return "fail" if demand.policy in ("quarantine", "reject") else "none"
