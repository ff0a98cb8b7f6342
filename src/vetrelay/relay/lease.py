"""Lease: several intakes (or bridges) of a case share its work, and one that dies leaves it to the others.

A lease ends by itself at a time of this relay's clock, is extended by asking again, given back by `done`, and ended by
the verdict it was taken for.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from vetrelay.errors import Refusal
from vetrelay.relay.leases import Lease, Place
from vetrelay.relay.ports import AskingDevice, RelayServices, Store

MAX_PLACES: Final = 100
MAX_SECONDS: Final = 300
INTAKE: Final = "intake"
WORKERS: Final = frozenset({INTAKE, "bridge"})
"""The roles whose work is shared."""


class LeaseState(StrEnum):
    """What a device is told of an envelope that it wants to work on."""

    GRANTED = "granted"
    TAKEN = "taken"
    ANSWERED = "answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leased:
    """The answer for one envelope; `until_ms` is None where a verdict stands: there is nothing more to do."""

    place: Place
    state: LeaseState
    until_ms: int | None


async def lease(relay: RelayServices, asker: AskingDevice, wanted: Sequence[Place], *, seconds: int) -> list[Leased]:
    """Take or extend leases, for `seconds` from now; what another device has stays with it.

    Raises Refusal `not_a_member`, `may_not` for a role that does no shared work, `not_found` for what is no envelope,
    `too_many_leases`; then nothing was granted.
    """
    places = list(dict.fromkeys(wanted))

    def look(store: Store) -> list[Leased]:
        return _looked_at(relay, store, asker, places, seconds=seconds)

    def take(store: Store) -> list[Leased]:
        answers = look(store)
        for answer in answers:
            if answer.state is LeaseState.GRANTED and answer.until_ms is not None:
                store.leases.grant(Lease(place=answer.place, device=asker.device, until_ms=answer.until_ms))
        return answers

    # Read first: whoever has no business here, or comes too late, costs the one writer nothing.
    answers = await relay.reader.run(look)
    if not any(answer.state is LeaseState.GRANTED for answer in answers):
        return answers
    return await relay.writer.run(take)


async def done(relay: RelayServices, asker: AskingDevice, places: Sequence[Place]) -> int:
    """Give leases back, so that others may begin at once; how many. What the asker does not have is passed over."""
    unique = list(dict.fromkeys(places))
    in_force = await relay.reader.run(lambda store: store.leases.in_force(unique, now_ms=relay.now_ms()))
    own = [place for place, lease in in_force.items() if lease.device == asker.device]
    return await relay.writer.run(lambda store: store.leases.end(own, asker.device)) if own else 0


def _looked_at(
    relay: RelayServices, store: Store, asker: AskingDevice, places: Sequence[Place], *, seconds: int
) -> list[Leased]:
    now_ms = relay.now_ms()
    roles = _roles(store, asker, places)
    in_force = store.leases.in_force(places, now_ms=now_ms)
    answers = list[Leased]()
    for place in places:
        if store.envelopes.answered(place.case, place.entry) is None:
            raise Refusal("not_found")
        kept = in_force.get(place)
        if roles[place.case] == INTAKE and store.envelopes.standing_verdict(place.case, place.entry) is not None:
            answers.append(Leased(place=place, state=LeaseState.ANSWERED, until_ms=None))
        elif kept is not None and kept.device != asker.device:
            answers.append(Leased(place=place, state=LeaseState.TAKEN, until_ms=kept.until_ms))
        else:
            answers.append(Leased(place=place, state=LeaseState.GRANTED, until_ms=now_ms + seconds * 1000))
    more = sum(answer.state is LeaseState.GRANTED and answer.place not in in_force for answer in answers)
    if store.leases.count(asker.device, now_ms=now_ms) + more > relay.limits.leases_per_device:
        raise Refusal("too_many_leases")
    return answers


def _roles(store: Store, asker: AskingDevice, places: Iterable[Place]) -> dict[str, str]:
    """How each case concerns the asker, whose device is still active and does work that is shared."""
    device = store.parties.device(asker.device)
    roles = dict[str, str]()
    for case in dict.fromkeys(place.case for place in places):
        role = store.cases.role(case, asker.party)
        if role is None or device is None or not device.active:
            raise Refusal("not_a_member")
        if role not in WORKERS:
            raise Refusal("may_not")
        roles[case] = role
    return roles
