"""What the bridge tells in a case: addresses, letters that wait, events, how far an answer went. Each once, however often it dies."""

from dataclasses import replace
from typing import Final

import msgspec

from vetrelay.bridge.addressing import case_address, new_token
from vetrelay.bridge.cases.bridge import Bridge
from vetrelay.bridge.cases.casemail import CaseMail
from vetrelay.bridge.cases.ownkeys import own_pgp
from vetrelay.bridge.cases.shelf import take_off_shelf
from vetrelay.bridge.ports import Delivery
from vetrelay.bridge.store.addresses import Correspondence
from vetrelay.bridge.store.events import Event
from vetrelay.client.drafts import DraftObject
from vetrelay.client.end import RandomBytes
from vetrelay.client.outbox import deliver, forget, promise_envelope
from vetrelay.client.persist import may_pass
from vetrelay.client.say import draft_of
from vetrelay.client.transfer import SealedFile
from vetrelay.errors import Refusal
from vetrelay.protocol.bymail import ByMail, EventWord, Mailbox, MailEvent
from vetrelay.protocol.bymail import Delivery as DeliveryWord
from vetrelay.protocol.envelope import EnvelopeClass
from vetrelay.protocol.ids import CaseId
from vetrelay.protocol.log import Head

CODE_DIGITS: Final = 8
BEGIN_ANEW: Final = frozenset({"case_full", "spool_lost"})
"""What ends a promise, but not what it was about: there may be room later, and the letter is still in our spool."""


def is_said(bridge: Bridge, intent: str) -> bool:
    """Whether this was said, and its receipt was kept. The outbox forgets what is a day old; this does not."""
    return bridge.notes.get(f"said {intent}") is not None


async def say_in(
    bridge: Bridge,
    case: CaseId,
    content: ByMail,
    *,
    class_: EnvelopeClass,
    intent: str,
    objects: tuple[DraftObject, ...] = (),
    sealed: tuple[SealedFile, ...] = (),
) -> Head | None:
    """Says this in a case, once for this intent, whatever happened before; its receipt, or None if it was said long ago.

    Raises what the case refuses for good, and Fault while the relay is away: then it stands in the outbox.
    """
    end = bridge.end
    promised = end.journal.ever_intended(intent)
    if promised is None and is_said(bridge, intent):
        return None
    if promised is None:
        draft = draft_of(end, case, class_=class_, audience="case", content=content, objects=objects)
        promised = await promise_envelope(end, intent, draft, sealed, once=True)
        bridge.checkpoint("said.promised")
    try:
        head = await deliver(end, promised)
    except Refusal as refused:
        if refused.code in BEGIN_ANEW:
            forget(end, promised)
        raise
    bridge.notes.put(f"said {intent}", b"1")
    end.journal.report(promised.id)
    return head


async def announce(bridge: Bridge, case: CaseId, mail: CaseMail) -> None:
    """Every correspondent's own address, upload link and code, told in the case when they are new."""
    pgp = own_pgp(bridge).fingerprint.upper()
    for correspondence in bridge.addresses.of_case(case):
        if correspondence.revoked or correspondence.address not in mail.correspondents:
            continue
        told = Mailbox(
            address=correspondence.address,
            mail=case_address(correspondence.token, bridge.config.domain),
            upload=f"{bridge.pages_url}/u/{correspondence.upload_token}",
            code=correspondence.code,
            pgp=pgp,
        )
        mark = bridge.seals.mac("mailbox", repr(told).encode())
        await say_in(bridge, case, told, class_="control", intent=f"mailbox:{case}:{mark}")


def settle_addresses(bridge: Bridge, case: CaseId, mail: CaseMail) -> None:
    """An address for each correspondent of a case, none for those struck off; closed with the case. Durable when it returns.

    Who is struck off has nothing on their sealed page any more.
    """
    addresses, end = bridge.addresses, bridge.end
    standing = {one.address: one for one in addresses.of_case(case) if not one.revoked}
    for address, one in standing.items():
        if address not in mail.correspondents or not mail.on:
            take_off_shelf(bridge.notes, one.token)
            addresses.revoke(one.token)
        elif one.closed != mail.closed:
            addresses.put(replace(one, closed=mail.closed))
    if not mail.on:
        return
    for address in mail.correspondents.keys() - standing.keys():
        addresses.put(
            Correspondence(
                case=case,
                token=new_token(end.random_bytes),
                address=address,
                upload_token=new_token(end.random_bytes),
                code=new_code(end.random_bytes),
                closed=mail.closed,
                created_ms=end.now_ms(),
            )
        )


def new_code(random_bytes: RandomBytes) -> str:
    """Eight digits, told by another way than email: they open the sealed page."""
    return f"{int.from_bytes(random_bytes(16), 'big') % 10**CODE_DIGITS:0{CODE_DIGITS}}"


async def tell_event(bridge: Bridge, event: Event) -> None:
    """One event of the mail's side, in the case's time line; where no case is named, it is only counted."""
    if event.case is not None:
        what = MailEvent(what=msgspec.convert(event.what, EventWord), about=event.domain, detail=None, at=event.at_ms)
        await say_or_leave(bridge, event.case, what, class_="control", intent=f"event:{event.id}")
    bridge.events.done(event.id)


async def tell_delivery(bridge: Bridge, delivery: Delivery) -> None:
    """How far something went, as a receipt in its case. Returns when it stands there, or can never stand there; raises what may pass."""
    departure = delivery.departure
    if departure.case is None or departure.answers is None:
        return
    word = DeliveryWord(
        answers=departure.answers,
        address=departure.recipient,
        state=delivery.state,
        mode=departure.mode,
        at=delivery.at_ms,
        reason=delivery.reason,
    )
    intent = f"delivery:{departure.id}:{delivery.state}"
    await say_or_leave(bridge, departure.case, word, class_="receipt", intent=intent)


async def say_or_leave(
    bridge: Bridge, case: CaseId, content: ByMail, *, class_: EnvelopeClass, intent: str
) -> Head | None:
    """As `say_in`; None where the case takes nothing from this bridge any more. Raises what may pass: the caller comes again."""
    try:
        return await say_in(bridge, case, content, class_=class_, intent=intent)
    except Refusal as refused:
        if may_pass(refused):
            raise
        return None
