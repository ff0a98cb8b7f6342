"""From the spool into a case: a letter is read, its files are sealed, one message carries it all.

L2 the row stands (250 was said), L3 files sealed and promised, L4 the relay's receipt is durable, L5 the row is done; then the
spool file goes. A crash at L3 or L4 repeats the same promise, and the relay answers with the stored receipt.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from msgspec import structs

from vetrelay.bridge.addressing import case_address
from vetrelay.bridge.cases.answering import answer_arrival
from vetrelay.bridge.cases.bridge import Bridge
from vetrelay.bridge.cases.casemail import FRONT_DOOR, CaseMail, case_mail
from vetrelay.bridge.cases.opened import OpenedLetter, opened_letter
from vetrelay.bridge.cases.reports import take_report
from vetrelay.bridge.cases.suggestions import tell_suggestion
from vetrelay.bridge.cases.telling import is_said, say_in
from vetrelay.bridge.ports import Arrival, ArrivalState
from vetrelay.client.drafts import DraftObject, as_object, media_type_of
from vetrelay.client.end import End
from vetrelay.client.transfer import SealedFile, seal_content, seal_pieces
from vetrelay.errors import Fault, Refusal
from vetrelay.inspection.letter import LetterPart
from vetrelay.inspection.naming import safe_name
from vetrelay.protocol.bymail import Letter, LetterWaiting
from vetrelay.protocol.ids import CaseId
from vetrelay.protocol.log import Head
from vetrelay.telemetry import event_log

OUT_OF_CASE: Final = frozenset({"not_a_member", "not_a_device", "may_not", "case_closed"})
"""What a case answers that takes nothing from the bridge any more: the letter then waits at the front door."""
MEDIA_CHARS: Final = 100


async def bring_in(bridge: Bridge, arrival: Arrival) -> None:
    """Takes one arrival as far as it goes: into its case, or to be told there as waiting. Repeating it changes nothing.

    Raises Fault or a Refusal that may pass while the relay, or the jail, is away.
    """
    try:
        if arrival.kind == "bounce":
            await take_report(bridge, arrival)
            await asyncio.to_thread(_ended, bridge, arrival, ArrivalState.DONE)
        elif arrival.state in {ArrivalState.WAITING, ArrivalState.UNFILED}:
            await _tell_waiting(bridge, arrival)
        else:
            await _post(bridge, arrival)
    except Fault as fault:
        if fault.code != "spool_damaged":
            raise
        # What was written is not what is read: a person must look, and the bytes stay.
        bridge.spool.put_aside(arrival.spool)
        bridge.arrivals.set_state(arrival.id, ArrivalState.BROKEN)
        bridge.events.add(arrival.case, "broken", arrival.id, once_key=f"broken {arrival.id}")
        event_log()("bridge.letter_broken")


async def _post(bridge: Bridge, arrival: Arrival) -> None:
    if arrival.case is None:
        await asyncio.to_thread(bridge.arrivals.set_state, arrival.id, ArrivalState.UNFILED)
        return
    intent = f"letter:{arrival.id}:{arrival.case}"
    try:
        head = await _posted(bridge, arrival, arrival.case, intent)
    except Refusal as refused:
        if refused.code not in OUT_OF_CASE:
            raise
        event_log()("bridge.case_left", code=refused.code)
        await asyncio.to_thread(bridge.arrivals.set_state, arrival.id, ArrivalState.UNFILED)
        return
    bridge.checkpoint("letter.submitted")  # L4: the receipt is durable in the journal
    await answer_arrival(bridge, arrival, head)
    await asyncio.to_thread(_ended, bridge, arrival, ArrivalState.DONE)  # L5
    bridge.checkpoint("letter.done")


_NOTHING: Final = Letter(
    letter="a" * 26,
    way="email",
    address="",
    name="",
    subject="",
    written=None,
    text="",
    folds=(),
    known=False,
    automatic=False,
    encrypted=False,
    signature="none",
    unread=None,
)
"""A letter without a word; stands also where a promise that is in the outbox already has the words."""


def _ended(bridge: Bridge, arrival: Arrival, state: ArrivalState) -> None:
    """The row first, then the bytes: nothing is destroyed that a row still needs."""
    bridge.arrivals.set_state(arrival.id, state)
    if not bridge.arrivals.others_of(arrival.spool):
        bridge.spool.destroy(arrival.spool)


def deny(bridge: Bridge, arrival: Arrival) -> None:
    """Staff do not want it."""
    _ended(bridge, arrival, ArrivalState.DENIED)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """What a letter says, and its files sealed."""

    letter: Letter
    objects: tuple[DraftObject, ...]
    sealed: tuple[SealedFile, ...]


async def _posted(bridge: Bridge, arrival: Arrival, case: CaseId, intent: str) -> Head | None:
    if bridge.end.journal.ever_intended(intent) is not None or is_said(bridge, intent):
        return await say_in(bridge, case, _NOTHING, class_="message", intent=intent)  # promised before a crash
    mail = case_mail(bridge.notes, case)
    made = await (_upload(bridge, arrival) if arrival.kind == "upload" else _letter(bridge, arrival, mail))
    bridge.checkpoint("letter.sealed")  # L3
    return await say_in(
        bridge, case, made.letter, class_="message", intent=intent, objects=made.objects, sealed=made.sealed
    )


async def _letter(bridge: Bridge, arrival: Arrival, mail: CaseMail) -> _Written:
    raw = await asyncio.to_thread(bridge.spool.read, arrival.spool)
    if arrival.case is not None:
        await tell_suggestion(bridge, arrival.case, mail, arrival, raw)
    opened = await opened_letter(bridge, raw, mail.correspondents.values(), address=_address(bridge, arrival))
    del raw
    if arrival.token is not None and opened.read.message_id:
        # Our next letter answers this one, so that their mail program shows both in one thread.
        await asyncio.to_thread(bridge.notes.put, f"thread {arrival.token}", opened.read.message_id.encode())
    sealed, objects = [], []
    for part in opened.parts:
        made = await asyncio.to_thread(seal_content, bridge.end, part.content)
        sealed.append(made)
        objects.append(_object(made, part))
    return _Written(letter=_words(arrival, opened), objects=tuple(objects), sealed=tuple(sealed))


def _address(bridge: Bridge, arrival: Arrival) -> str:
    """The address of ours that a letter came to: our keys carry it as their name."""
    config = bridge.config
    return case_address(arrival.token, config.domain) if arrival.token else f"{config.front_door}@{config.domain}"


def _object(sealed: SealedFile, part: LetterPart) -> DraftObject:
    name = safe_name(part.name, "")
    media = part.media_type[:MEDIA_CHARS] or media_type_of(name)
    return as_object(sealed, media=media, name=name, keep_original=False)


def _words(arrival: Arrival, opened: OpenedLetter) -> Letter:
    read, authenticated = opened.read, arrival.authenticated
    known = authenticated is not None and authenticated.outcome == "pass"
    address = (authenticated.address if authenticated else None) or read.sender_address
    return Letter(
        letter=arrival.id,
        way="email",
        address=address[:400],
        name=read.sender_name[:400],
        subject=read.subject[:400],
        written=read.written_ms,
        text=opened.text,
        folds=opened.folds,
        known=known,
        automatic=arrival.class_ == "auto",
        encrypted=opened.encrypted,
        signature=opened.signature,
        unread=opened.unread,
    )


async def _upload(bridge: Bridge, arrival: Arrival) -> _Written:
    """A file that came by a link: as large as it may be, sealed piece by piece."""
    end: End = bridge.end
    sealed = await asyncio.to_thread(
        lambda: seal_pieces(end, bridge.spool.chunks(arrival.spool), lambda _done_bytes: None)
    )
    name = safe_name(arrival.name or "", "")
    letter = structs.replace(_NOTHING, letter=arrival.id, way="link", address=arrival.mail_from[:400])
    made = as_object(sealed, media=media_type_of(name), name=name, keep_original=False)
    return _Written(letter=letter, objects=(made,), sealed=(sealed,))


async def _tell_waiting(bridge: Bridge, arrival: Arrival) -> None:
    """Tells in the case, or at the front door, that a letter is safe and waits for staff; once."""
    front_door = told_at_the_door(arrival)
    case = told_in(bridge, arrival)
    intent = f"waiting:{arrival.id}:{case}"
    if case is None or is_said(bridge, intent):
        return  # nobody has said yet where unfiled letters go: it stays, and the operator's queue shows it
    raw = b"" if arrival.kind == "upload" else await asyncio.to_thread(bridge.spool.read, arrival.spool)
    opened = await opened_letter(bridge, raw, (), address=_address(bridge, arrival)) if raw else None
    if arrival.state is ArrivalState.UNFILED:
        # What came to the practice's own address is read by its staff, in the case that they keep for it.
        await _posted(bridge, arrival, case, f"letter:{arrival.id}:{case}")
    await say_in(bridge, case, _waiting(arrival, opened, front_door=front_door), class_="control", intent=intent)
    await answer_arrival(bridge, arrival, None)


def told_in(bridge: Bridge, arrival: Arrival) -> CaseId | None:
    """The case in which a waiting arrival is told: its own, or the practice's for letters; None while there is none."""
    if not told_at_the_door(arrival):
        return arrival.case
    door = bridge.notes.get(FRONT_DOOR)
    return None if door is None else door.decode()


def told_at_the_door(arrival: Arrival) -> bool:
    """Whether it belongs to no case, or to none that takes it any more: staff file it."""
    return arrival.state is ArrivalState.UNFILED or arrival.case is None


def is_told(bridge: Bridge, arrival: Arrival) -> bool:
    """Whether there is nothing more to tell of a waiting arrival now."""
    case = told_in(bridge, arrival)
    return case is None or is_said(bridge, f"waiting:{arrival.id}:{case}")


def _waiting(arrival: Arrival, opened: OpenedLetter | None, *, front_door: bool) -> LetterWaiting:
    authenticated = arrival.authenticated
    sender = (authenticated.address if authenticated else None) or (opened.read.sender_address if opened else "")
    return LetterWaiting(
        letter=arrival.id,
        sender=(sender or arrival.mail_from)[:400],
        subject=(opened.read.subject if opened else arrival.name or "")[:400],
        files=len(opened.parts) if opened else 1,
        size=arrival.size_bytes,
        known=authenticated is not None and authenticated.outcome == "pass",
        front_door=front_door,
        reason="front_door" if front_door else "not_listed",
        received=arrival.received_ms,
    )
