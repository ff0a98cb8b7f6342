"""What a letter that came in whole becomes: an arrival for each recipient, or the answer that refuses it.

Gathers what the rules need to know; the rules themselves are screening.py's, and are pure.
"""

from dataclasses import dataclass

from vetrelay.bridge.addressing import BounceAddress, CaseAddress, FrontDoor, bounce_is_ours, parse_recipient
from vetrelay.bridge.ports import Arrival, Arriving, Reply
from vetrelay.bridge.proving.firstpass import FirstPass
from vetrelay.bridge.proving.letterhead import read_letterhead
from vetrelay.bridge.proving.screening import Recipient, ToBounce, ToCase, ToFrontDoor, answer_to_all, screen
from vetrelay.bridge.receiving.mailroom import Mailroom
from vetrelay.bridge.store.sealing import new_id
from vetrelay.protocol.ids import CaseId


@dataclass(frozen=True, slots=True, kw_only=True)
class _Addressed:
    """One recipient, with what the tables say of it. `token` names the departure where it is a bounce address."""

    rule: Recipient
    case: CaseId | None
    token: str | None


async def judge(
    room: Mailroom, arriving: Arriving, first: FirstPass, *, spool: str, size_bytes: int
) -> Reply | tuple[Arrival, ...]:
    """Authenticates and screens a letter; `first` is finished. What is refused and concerns a case is told there."""
    letterhead = read_letterhead(first.head)
    authenticated = await room.authentication.of(
        letterhead, head=first.head, body=first.body, peer=arriving.peer, mail_from=arriving.mail_from
    )
    addressed = await _addressed(room, arriving, author=authenticated.address)
    screenings = [
        screen(
            letterhead,
            authenticated,
            one.rule,
            null_sender=not arriving.mail_from,
            loop_key=room.seals.loop_key,
            web_url=room.config.web_url,
        )
        for one in addressed
    ]
    refusal = answer_to_all(screenings)
    if refusal is not None:
        for one, screening in zip(addressed, screenings, strict=True):
            if screening.event is not None and one.case is not None:
                await room.tell(screening.event, one.case, authenticated.domain or "")
        return refusal
    received_ms = room.now_ms()
    return tuple(
        Arrival(
            # The first one has the spool file's own id: drawn when the letter's first byte was written.
            id=new_id(room.random_bytes) if number else spool,
            spool=spool,
            kind="bounce" if isinstance(one.rule, ToBounce) else "letter",
            state=screening.state,
            class_=screening.class_,
            case=one.case,
            token=one.token,
            received_ms=received_ms,
            size_bytes=size_bytes,
            peer=arriving.peer,
            mail_from=arriving.mail_from,
            authenticated=authenticated,
        )
        for number, (one, screening) in enumerate(zip(addressed, screenings, strict=True))
    )


async def _addressed(room: Mailroom, arriving: Arriving, *, author: str | None) -> tuple[_Addressed, ...]:
    """Each recipient once, however often and in whatever spelling it was named."""
    found: dict[tuple[CaseId | None, str | None], _Addressed] = {}
    for recipient in arriving.recipients:
        one = await _one_addressed(room, recipient, is_null_sender=not arriving.mail_from, author=author or "")
        found.setdefault((one.case, one.token), one)
    return tuple(found.values())


async def _one_addressed(room: Mailroom, recipient: str, *, is_null_sender: bool, author: str) -> _Addressed:
    """Looked at again, though RCPT did: a case may have closed since. Whatever is nothing any more is a bounce not ours."""
    match parse_recipient(recipient, domain=room.config.domain, front_door=room.config.front_door):
        case CaseAddress(token=token):
            known = await room.ask(lambda: room.addresses.by_token(token))
            if known is not None:
                listed = await room.ask(lambda: room.addresses.listed(author, case=known.case))
                rule = ToCase(listed=listed, closed=known.closed or known.revoked)
                return _Addressed(rule=rule, case=known.case, token=token)
        case FrontDoor() as door:
            listed = await room.ask(lambda: room.addresses.listed(author))
            is_open = door.always_open or room.front_door_open()
            return _Addressed(rule=ToFrontDoor(listed=listed, is_open=is_open), case=None, token=None)
        case BounceAddress() as bounce if is_null_sender and bounce_is_ours(bounce, room.seals.bounce_key):
            ours = await room.ask(lambda: room.knows_departure(bounce.departure))
            return _Addressed(rule=ToBounce(ours=ours), case=None, token=bounce.departure)
        case _:
            pass
    return _Addressed(rule=ToBounce(ours=False), case=None, token=recipient)
