"""One letter along its route: hosts in order, until one of them took it or said no for good."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from vetrelay.bridge.sending.outcome import Handed, Later, Outcome, Refused, TlsUnverified
from vetrelay.bridge.sending.route import Hop, Routes
from vetrelay.bridge.sending.smtp_out import Enveloped, Voice, hand_over
from vetrelay.bridge.store.spool import no_checkpoint
from vetrelay.errors import Fault

TLS_FAILED: Final = Later(trouble="tls")


async def deliver(
    sent: Enveloped, *, routes: Routes, voice: Voice, checkpoint: Callable[[str], None] = no_checkpoint
) -> Outcome:
    """Tries the hosts of the recipient's domain, each once. Raises nothing.

    Of several outcomes that leave the letter here, the one that says most counts: no verified connection before a
    peer's code, and that before no connection.
    """
    domain = sent.recipient.rpartition("@")[2].lower()
    try:
        way = await routes.to(domain)
    except Fault:
        return Later(trouble="dns")
    if not isinstance(way, tuple):
        return way
    best: Outcome = Later(trouble="no_connection")
    for hop in way:
        outcome = await _try(sent, hop, voice, checkpoint)
        if isinstance(outcome, Handed | Refused) or outcome == Later(trouble="lost"):
            return outcome  # after a lost answer no other host is asked: the first may have the letter
        best = max(best, outcome, key=_weight)
    return best


async def _try(sent: Enveloped, hop: Hop, voice: Voice, checkpoint: Callable[[str], None]) -> Outcome:
    outcome = await hand_over(sent, hop, voice=voice, checkpoint=checkpoint)
    if outcome == TLS_FAILED and hop.tls == "opportunistic" and hop.login is None:
        # RFC 7435: where nobody demands TLS, a host whose TLS is broken still gets its mail.
        outcome = await hand_over(sent, replace(hop, tls="off"), voice=voice, checkpoint=checkpoint)
    return outcome


def _weight(outcome: Outcome) -> int:
    if isinstance(outcome, TlsUnverified):
        return 2
    return 1 if isinstance(outcome, Later) and outcome.code is not None else 0
