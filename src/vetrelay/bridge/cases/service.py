"""The bridge's work on the case's side: takes news over, carries words out, brings letters in. Several cases at once, each in order."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from msgspec import structs

from vetrelay.bridge.cases.bridge import Bridge
from vetrelay.bridge.cases.casemail import FRONT_DOOR, CaseMail, Words, case_mail, keep_case_mail, taken_over
from vetrelay.bridge.cases.inbound import bring_in, deny, is_told, told_at_the_door
from vetrelay.bridge.cases.outbound import carry_out, queue_notice
from vetrelay.bridge.cases.telling import announce, settle_addresses, tell_delivery, tell_event
from vetrelay.bridge.ports import Arrival, ArrivalState, Delivery, Departure, DepartureState
from vetrelay.client.follow import Followed, follow
from vetrelay.client.news import take_news
from vetrelay.client.outbox import deliver_all
from vetrelay.client.persist import FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, may_pass, persist
from vetrelay.client.rotate import DAY_MS, begin_rotation, complete_rotation, drop_old_keys, may_drop
from vetrelay.errors import Refusal, VetRelayError
from vetrelay.protocol.ids import CaseId
from vetrelay.telemetry import event_log, place_of

HOUSEKEEPING_SECONDS: Final = 15 * 60
LOOK_SOON_SECONDS: Final = 1
LOOK_AGAIN_SECONDS: Final = 20
"""How often files that are being checked, and cases that may have put the bridge out, are looked at."""
TRIES: Final = 8
"""After so many faults of ours with one letter, a person must look."""


def tidy(bridge: Bridge) -> None:
    """Mends what a kill left: files that no row names go, and what is too old to be sent a second time is forgotten."""
    bridge.spool.sweep(bridge.arrivals.spools() | bridge.departures.spooled() | bridge.unfinished())
    bridge.arrivals.sweep()
    bridge.events.sweep()


async def work(bridge: Bridge) -> None:
    """Works until it is cancelled. Raises the Refusal that says that this device may not read its inbox any more."""
    event_log()("bridge.works", jobs=len(bridge.arrivals.pending()))
    bridge.arrived.set()
    bridge.said.set()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_read_inbox(bridge))
            group.create_task(_keep_carrying_out(bridge))
            group.create_task(_keep_bringing_in(bridge))
            group.create_task(_keep_looking(bridge))
            group.create_task(_keep_house(bridge))
    except ExceptionGroup as ended:
        raise ended.exceptions[0] from None  # what ended one task has ended them all


# --- what is said in cases ------------------------------------------------------------------------------------------


async def _read_inbox(bridge: Bridge) -> None:
    while True:
        await persist(partial(_read_once, bridge))


async def _read_once(bridge: Bridge) -> None:
    # Durable before acknowledged: `take_over` has committed when `take_news` acknowledges (O1).
    keep = partial(take_over, bridge)
    await take_news(bridge.end, wait_seconds=bridge.config.wait_seconds, known=bridge.known, keep=keep)
    bridge.read_to_the_end_ms = bridge.end.now_ms()


def take_over(bridge: Bridge, followed: Followed) -> None:
    """What was newly said in a case, durably: who takes part by email, what staff decided, what is to be carried out."""
    case, end = followed.case, bridge.end
    before = case_mail(bridge.notes, case)
    if before.upto_n >= followed.tail.n:
        return
    after, words = taken_over(end, followed, before)
    settle_addresses(bridge, case, after)
    _decide(bridge, case, words)
    for struck in before.correspondents.keys() - after.correspondents.keys():
        bridge.departures.withdraw(case, recipient=struck)
    for address in before.plain - after.plain:
        _call_back(bridge, case, after, address)
    keep_case_mail(bridge.notes, case, after)
    bridge.checkpoint("news.kept")
    bridge.said.set()
    bridge.arrived.set()


def _call_back(bridge: Bridge, case: CaseId, mail: CaseMail, address: str) -> None:
    """The owner withdrew: what was composed in the open is not sent any more, and a notice tells of it instead."""
    queued = bridge.departures.in_state(DepartureState.QUEUED, case=case)
    waiting = [one for one in queued if one.recipient == address and one.answers is not None]
    bridge.departures.withdraw(case, recipient=address)
    if waiting:
        _notify_instead(bridge, mail, waiting[-1], once="withdrawn")


def _notify_instead(bridge: Bridge, mail: CaseMail, departure: Departure, *, once: str) -> None:
    """A notice in the place of a letter that does not go; what it would have said stands on the sealed page."""
    known = mail.correspondents.get(departure.recipient)
    if departure.case is None or departure.answers is None or known is None:
        return
    for correspondence in bridge.addresses.of_case(departure.case):
        if correspondence.address == departure.recipient and not correspondence.revoked:
            queue_notice(
                bridge,
                correspondence,
                reference=known.reference,
                once=f"{once} {departure.id}",
                answers=departure.answers,
                cause="member",
            )


def _decide(bridge: Bridge, case: CaseId, words: Words) -> None:
    """Staff's rulings. A letter of another case is none of theirs; it goes only where who decides is care as well."""
    if words.front_door is not None:
        if words.front_door:
            bridge.notes.put(FRONT_DOOR, case.encode())
        elif bridge.notes.get(FRONT_DOOR) == case.encode():
            bridge.notes.delete(FRONT_DOOR)
    door = bridge.notes.get(FRONT_DOOR) == case.encode()
    for ruling, party in zip(words.rulings, words.ruled_by, strict=True):
        arrival = bridge.arrivals.get(ruling.letter)
        if arrival is None or not _is_theirs(arrival, case, door=door):
            continue
        if not ruling.take:
            deny(bridge, arrival)
            continue
        into = ruling.into or case
        if into == case or bridge.followed(into).roster.role_of(party) == "care":
            bridge.arrivals.set_state(arrival.id, ArrivalState.TAKEN, case=into)


def _is_theirs(arrival: Arrival, case: CaseId, *, door: bool) -> bool:
    if arrival.state not in {ArrivalState.WAITING, ArrivalState.UNFILED}:
        return False
    return door if told_at_the_door(arrival) else arrival.case == case


async def _keep_carrying_out(bridge: Bridge) -> None:
    while True:
        bridge.said.clear()
        for row in bridge.end.journal.cases():
            await _patiently(partial(_carry_out_of, bridge, row.id))
        await bridge.said.wait()


async def _carry_out_of(bridge: Bridge, case: CaseId) -> None:
    mail = case_mail(bridge.notes, case)
    if not mail.on:
        return
    await announce(bridge, case, mail)
    for outgoing in mail.outgoing:
        if not await carry_out(bridge, case, mail, outgoing):
            return  # its files are being checked; what was said after it waits, so that letters keep their order
        bridge.checkpoint("outgoing.queued")
        now = case_mail(bridge.notes, case)
        rest = tuple(one for one in now.outgoing if one.entry != outgoing.entry)
        keep_case_mail(bridge.notes, case, structs.replace(now, outgoing=rest))


async def told(bridge: Bridge, delivery: Delivery) -> None:
    """The sender's word on a letter: told in the case; what was too much for the mailbox goes again as a notice."""
    departure = delivery.departure
    await tell_delivery(bridge, delivery)
    if delivery.state == "downgraded" and departure.case is not None:
        _notify_instead(bridge, case_mail(bridge.notes, departure.case), departure, once="downgraded")


# --- letters --------------------------------------------------------------------------------------------------------


async def _keep_bringing_in(bridge: Bridge) -> None:
    room = asyncio.Semaphore(bridge.config.limits.parallel_letters)
    at_work: dict[CaseId, asyncio.Task[None]] = {}
    async with asyncio.TaskGroup() as group:
        while True:
            bridge.arrived.clear()
            by_case: defaultdict[CaseId, list[Arrival]] = defaultdict(list)
            for arrival in _to_bring_in(bridge):
                by_case[arrival.case or ""].append(arrival)
            for case in by_case.keys() - at_work.keys():
                task = at_work[case] = group.create_task(_bring_in_order(bridge, room, by_case[case]))
                task.add_done_callback(partial(_ended, bridge, at_work, case))
            for event in bridge.events.pending():
                await _patiently(partial(tell_event, bridge, event))
            await bridge.arrived.wait()


def _ended(bridge: Bridge, at_work: dict[CaseId, asyncio.Task[None]], case: CaseId, task: asyncio.Task[None]) -> None:
    del at_work[case]
    if not task.cancelled() and task.exception() is None and any(one.case == case for one in _to_bring_in(bridge)):
        asyncio.get_running_loop().call_later(LOOK_SOON_SECONDS, bridge.arrived.set)


def _to_bring_in(bridge: Bridge) -> list[Arrival]:
    waiting = (*bridge.arrivals.in_state(ArrivalState.WAITING), *bridge.arrivals.in_state(ArrivalState.UNFILED))
    return [*bridge.arrivals.pending(), *(one for one in waiting if not is_told(bridge, one))]


async def _bring_in_order(bridge: Bridge, room: asyncio.Semaphore, arrivals: list[Arrival]) -> None:
    for arrival in arrivals:
        async with room:
            if not await _patiently(partial(_bring_in, bridge, arrival)):
                return  # the order of a case is kept: what came after it waits too


async def _bring_in(bridge: Bridge, arrival: Arrival) -> None:
    try:
        await bring_in(bridge, arrival)
    except VetRelayError:
        raise
    except Exception:
        if bridge.arrivals.count_try(arrival.id) >= TRIES:
            bridge.arrivals.set_state(arrival.id, ArrivalState.BROKEN)  # its bytes stay for a person to look at
            bridge.events.add(arrival.case, "broken", arrival.id, once_key=f"broken {arrival.id}")
        raise


# --- beside ---------------------------------------------------------------------------------------------------------


async def _keep_looking(bridge: Bridge) -> None:
    """What no bell rings for: files that have been checked for long, and cases that have put the bridge out."""
    while True:
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
        bridge.said.set()
        bridge.arrived.set()
        for row in bridge.end.journal.cases():
            if case_mail(bridge.notes, row.id).on:
                await _patiently(partial(_still_in, bridge, row.id))


async def _still_in(bridge: Bridge, case: CaseId) -> None:
    try:
        followed = bridge.known[case] = await follow(bridge.end, case, known=bridge.known.get(case))
    except Refusal as refused:
        if refused.code != "not_a_member":
            raise
        # (43) Nobody tells who was put out: letters are refused from here on, and none leaves.
        bridge.known.pop(case, None)
        out = structs.replace(case_mail(bridge.notes, case), on=False, outgoing=())
        settle_addresses(bridge, case, out)
        bridge.departures.withdraw(case)
        keep_case_mail(bridge.notes, case, out)
        event_log()("bridge.case_left", code=refused.code)
    else:
        take_over(bridge, followed)


async def _keep_house(bridge: Bridge) -> None:
    while True:
        bridge.end = begin_rotation(bridge.end, every_ms=bridge.config.rotate_days * DAY_MS)
        try:
            bridge.end = await persist(lambda: complete_rotation(bridge.end))
        except Refusal as refused:
            event_log()("machine.rotation_refused", code=refused.code)
        await _patiently(partial(deliver_all, bridge.end))
        idle = not any(case_mail(bridge.notes, row.id).outgoing for row in bridge.end.journal.cases())
        if may_drop(bridge.end, idle=idle, read_to_the_end_ms=bridge.read_to_the_end_ms):
            bridge.end = drop_old_keys(bridge.end)
        await asyncio.to_thread(tidy, bridge)
        await asyncio.sleep(HOUSEKEEPING_SECONDS)


async def _patiently(step: Callable[[], Awaitable[object]]) -> bool:
    """One step, tried again while it may pass; False when it failed for now, so that other cases go on."""
    wait_seconds = FIRST_WAIT_SECONDS
    for _ in range(4):
        try:
            await step()
        except VetRelayError as stopped:
            event_log()("bridge.waits", code=stopped.code)
            if not may_pass(stopped):
                return False
        except Exception as error:  # noqa: BLE001 - a fault of ours with one letter or case must not stop the others
            event_log()("bridge.failed", error=type(error).__name__, where=place_of(error))
        else:
            return True
        await asyncio.sleep(wait_seconds)
        wait_seconds = min(2 * wait_seconds, LONGEST_WAIT_SECONDS)
    return False
