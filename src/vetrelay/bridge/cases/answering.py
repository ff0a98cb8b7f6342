"""What the bridge itself answers a letter with: a confirmation for who asked for it, "waiting to be filed" for a front-door letter.

Never to what a machine wrote, and never to who could not be proved to have written (RFC 3834, section 2).
"""

import asyncio

import msgspec

from vetrelay.bridge.cases.bridge import Bridge
from vetrelay.bridge.cases.casemail import case_mail
from vetrelay.bridge.cases.outbound import links_of, posting_to
from vetrelay.bridge.letters.letter import (
    About,
    Filed,
    Links,
    Posting,
    compose_confirmation,
    compose_waiting,
    short_name,
)
from vetrelay.bridge.loops import loop_mark
from vetrelay.bridge.ports import Arrival, ArrivalState
from vetrelay.bridge.sending.pace import DAY_MS, PER_DAY, notice_slot
from vetrelay.protocol.log import Head


async def answer_arrival(bridge: Bridge, arrival: Arrival, head: Head | None) -> None:
    """Answers its writer where an answer is due; once. `head` is the receipt of the message that carries it."""
    authenticated = arrival.authenticated
    proved = authenticated is not None and authenticated.outcome == "pass" and authenticated.address
    if arrival.class_ != "person" or arrival.kind != "letter" or not arrival.mail_from or not proved:
        return
    if arrival.state is ArrivalState.UNFILED:
        await asyncio.to_thread(_say_received, bridge, proved)
    elif head is not None:
        await asyncio.to_thread(_confirm, bridge, arrival, head)
    bridge.leaving.set()


def _say_received(bridge: Bridge, address: str) -> None:
    """Content-free, at most once a day to one address."""
    end, config = bridge.end, bridge.config
    day = end.now_ms() // DAY_MS
    message_id = f"<{end.random_bytes(16).hex()}@{config.hostname}>"
    posting = Posting(
        message_id=message_id,
        date_ms=end.now_ms(),
        sender=f"{config.front_door}@{config.domain}",
        recipient=address,
        loop_mark=loop_mark(bridge.seals.loop_key, message_id),
        from_name=config.from_name,
    )
    letter = compose_waiting(posting, about=None, links=Links(upload=f"{bridge.pages_url}/u"))
    bridge.departures.add(
        letter,
        once=f"received {address} {day}",
        recipient=address,
        message_id=message_id,
        mode="notify",
        person=False,
    )


def _confirm(bridge: Bridge, arrival: Arrival, head: Head) -> None:
    correspondence = bridge.addresses.by_token(arrival.token or "")
    if correspondence is None or correspondence.revoked:
        return
    correspondent = case_mail(bridge.notes, correspondence.case).correspondents.get(correspondence.address)
    if correspondent is None or not correspondent.confirm or correspondence.address.startswith("@"):
        return
    due_ms = _slot_ms(bridge, correspondence.token)
    if due_ms is None:
        return
    posting, message_id = posting_to(bridge, correspondence)
    letter = compose_confirmation(
        posting,
        about=About(short=short_name(correspondence.token), reference=correspondent.reference),
        filed=Filed(position=head.n, head=head.head),
        links=links_of(bridge, correspondence),
    )
    bridge.departures.add(
        letter,
        once=f"confirm {arrival.id}",
        recipient=correspondence.address,
        message_id=message_id,
        mode="notify",
        person=False,
        case=correspondence.case,
        due_ms=due_ms,
    )


def _slot_ms(bridge: Bridge, token: str) -> int | None:
    """When the next confirmation to this correspondent may go: one an hour, so that what answers by itself is not kept going.

    None when as many as a day may have are under way.
    """
    now_ms, key = bridge.end.now_ms(), f"confirmed {token}"
    kept = bridge.notes.get(key)
    times: list[int] = msgspec.json.decode(kept, type=list[int]) if kept is not None else []
    recent = [time_ms for time_ms in times if time_ms > now_ms - DAY_MS]
    slot = notice_slot(recent, now_ms=now_ms, cause="letter")
    if slot is None or len(recent) >= PER_DAY:
        return None
    bridge.notes.put(key, msgspec.json.encode([*recent, slot.at_ms]))
    return slot.at_ms
