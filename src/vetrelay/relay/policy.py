"""The relay's own rules, as pure functions of values: how much, how often, and who is meant."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from vetrelay.config import RelayLimits as Limits
from vetrelay.errors import Fault, Refusal
from vetrelay.protocol.envelope import Envelope
from vetrelay.protocol.ids import DeviceId, PartyId
from vetrelay.protocol.roster import Roster

__all__ = [
    "Allowance",
    "Limits",
    "Reach",
    "check_disk",
    "concerned",
    "delivered_to",
    "devices_of",
    "may_read",
    "reach_of",
    "spend",
]


MAX_REACHES: Final = 4096
_REACHES: Final[OrderedDict[int, tuple[Roster, "Reach"]]] = OrderedDict()


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """How many requests a device has left, and when that was so: refilled evenly, never above one minute's worth."""

    left: float
    at_ms: int


def spend(allowance: Allowance | None, *, now_ms: int, per_minute: int) -> Allowance:
    """The allowance after one more request. Raises Refusal `too_fast` with `retry_after_seconds`."""
    if allowance is None:
        return Allowance(left=per_minute - 1.0, at_ms=now_ms)
    gained = max(0, now_ms - allowance.at_ms) * per_minute / 60_000
    left = min(float(per_minute), allowance.left + gained)
    if left < 1:
        raise Refusal("too_fast", retry_after_seconds=1 + int((1 - left) * 60 / per_minute))
    return Allowance(left=left - 1, at_ms=max(now_ms, allowance.at_ms))


def check_disk(free_bytes: int, limits: Limits) -> None:
    """Raises Fault `storage_full` when so little is left that the next write might not end well."""
    if free_bytes < limits.min_free_bytes:
        raise Fault("storage_full")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Whom a roster reaches: everybody concerned, with their roles, and each party's devices that have an inbox."""

    roles: Mapping[PartyId, str]
    devices: Mapping[PartyId, tuple[DeviceId, ...]]


def reach_of(roster: Roster) -> Reach:
    """Whom a case concerns: every member, a newcomer who waits as `pending`, and the case's intakes and bridges.

    A recovery kit has no inbox. Asked several times per envelope, so remembered for the rosters asked about last; a
    roster is a value that never changes, and the memory holds on to it, so that its identity names it.
    """
    known = _REACHES.get(id(roster))
    if known is None:
        known = _REACHES[id(roster)] = (roster, _reach(roster))
        if len(_REACHES) > MAX_REACHES:
            _REACHES.popitem(last=False)
    return known[1]


def concerned(roster: Roster) -> Mapping[PartyId, str]:
    """The parties that a case concerns, and how: by role, or `pending`."""
    return reach_of(roster).roles


def devices_of(roster: Roster, parties: Iterable[PartyId]) -> list[DeviceId]:
    """The devices of these parties that have an inbox."""
    devices = reach_of(roster).devices
    return [device for party in parties for device in devices.get(party, ())]


def _reach(roster: Roster) -> Reach:
    roles: dict[PartyId, str] = {
        member.party: "pending" if member.pending else member.role for member in roster.members.values()
    }
    for intake in roster.intakes:
        roles.setdefault(intake, "intake")
    for bridge in roster.bridging:
        roles.setdefault(bridge, "bridge")
    devices = {
        party: tuple(device.id for device in roster.parties[party].active if device.role != "recovery")
        for party in roles
    }
    return Reach(roles=roles, devices=devices)


def delivered_to(roster: Roster, envelope: Envelope) -> set[PartyId]:
    """The parties an envelope is delivered to: its recipients, and the intakes where it carries a slip."""
    roles = concerned(roster)
    parties = {unit.party for unit in envelope.recipients}
    if envelope.of_role("slip"):
        parties.update(party for party, role in roles.items() if role == "intake")
    return parties & roles.keys()


def may_read(asker: PartyId, *, recipients: Iterable[PartyId], slip_for: PartyId | None) -> bool:
    """Whether a party is shown an envelope's clear part: its recipients, and whoever its slip is for."""
    return asker == slip_for or asker in recipients
