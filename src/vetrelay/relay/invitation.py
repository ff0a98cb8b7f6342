"""An invitation as its holder sees it before joining: who has its key asks, and the key is in nobody's guess."""

from dataclasses import dataclass

from vetrelay.errors import Refusal
from vetrelay.protocol.ids import CaseId, SignKey
from vetrelay.protocol.roster import usable_invitation
from vetrelay.relay.ports import RelayServices, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Invited:
    """The signed statement that opened an invitation, in wire form, and the sealed card that came with it."""

    signed: bytes
    card: bytes | None


async def look_at_invitation(relay: RelayServices, case: CaseId, key: SignKey) -> Invited:
    """An open invitation. Raises Refusal `invitation_unknown`, `invitation_used`, `invitation_expired`, `may_not`."""
    return await relay.reader.run(lambda store: _invited(relay, store, case, key))


def _invited(relay: RelayServices, store: Store, case: CaseId, key: SignKey) -> Invited:
    standing = store.cases.standing(case)
    if standing is None:
        raise Refusal("invitation_unknown")
    usable_invitation(standing.roster, key, time_ms=relay.now_ms())
    card = store.cases.card(case, key)
    entry = store.cases.entry(case, card.entry) if card is not None else None
    if card is None or entry is None:
        raise Refusal("invitation_unknown")
    return Invited(signed=entry.signed, card=card.content)
