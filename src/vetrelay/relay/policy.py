"""The relay's own rules, as pure functions of values: how much, how often, and who is meant."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from vetrelay.config import RelayLimits as Limits
from vetrelay.errors import Fault, Refusal
from vetrelay.protocol.envelope import Envelope
from vetrelay.protocol.ids import DeviceId, PartyId
from vetrelay.protocol.roster import Roster

__all__ = [
    "Allowance",
    "Limits",
    "check_disk",
    "concerned",
    "delivered_to",
    "devices_of",
    "may_read",
    "spend",
]


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
    return replace(allowance, left=left - 1, at_ms=max(now_ms, allowance.at_ms))


def check_disk(free_bytes: int, limits: Limits) -> None:
    """Raises Fault `storage_full` when so little is left that the next write might not end well."""
    if free_bytes < limits.min_free_bytes:
        raise Fault("storage_full")


def concerned(roster: Roster) -> dict[PartyId, str]:
    """Whom a case concerns: every member, a newcomer who waits as `pending`, and the case's intake."""
    parties: dict[PartyId, str] = {
        member.party: "pending" if member.pending else member.role for member in roster.members.values()
    }
    intake = roster.intake
    if intake is not None:
        parties.setdefault(intake, "intake")
    return parties


def devices_of(roster: Roster, parties: Iterable[PartyId]) -> list[DeviceId]:
    """The active devices of these parties that have an inbox; a recovery kit has none."""
    return [
        device.id
        for party in parties
        if party in roster.parties
        for device in roster.parties[party].active
        if device.role != "recovery"
    ]


def delivered_to(roster: Roster, envelope: Envelope) -> set[PartyId]:
    """The parties an envelope is delivered to: its recipients, and the intake where it carries a slip."""
    parties = {unit.party for unit in envelope.recipients}
    if roster.intake is not None and envelope.of_role("slip"):
        parties.add(roster.intake)
    return parties & concerned(roster).keys()


def may_read(asker: PartyId, *, recipients: Iterable[PartyId], slip_for: PartyId | None) -> bool:
    """Whether a party is shown an envelope's clear part: its recipients, and whoever its slip is for."""
    return asker == slip_for or asker in recipients
