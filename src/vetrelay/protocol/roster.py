"""The roster: who takes part in a case at one position of its log, as a value (protocol.md section 5).

`authority.apply_entry` computes the next roster from the next entry. Envelopes and grants
do not change it, so one roster stands for a run of positions.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from vetrelay.protocol.case import MemberRole, Policy
from vetrelay.protocol.ids import CaseId, DeviceId, EntryId, PartyId, RelayId, SignKey
from vetrelay.protocol.partystate import Device, Party


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A party's part in the case. `pending` waits for approval and neither reads nor sends."""

    party: PartyId
    role: MemberRole
    pending: bool
    by_door: bool
    invited_by: PartyId | None
    since_n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """An open invitation, and who opened it."""

    key: SignKey
    role: MemberRole
    until_ms: int
    approve: bool
    card: str | None
    party: PartyId
    device: DeviceId


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """Who takes part in a case at one position, with the chains of everybody concerned."""

    relay: RelayId
    case: CaseId
    n: int
    narrowed_n: int
    policy: Policy | None
    parties: Mapping[PartyId, Party]
    members: Mapping[PartyId, Member]
    invitations: Mapping[SignKey, Invitation]
    spent: frozenset[SignKey]
    seen: frozenset[EntryId]
    bridges: frozenset[PartyId]
    had_care: bool
    had_owner: bool
    closed: bool
    hold: bool
    exported_n: int
    newer: bool

    def active(self, *roles: str) -> tuple[Member, ...]:
        """Approved members with one of these roles (all roles when none is named), by party id."""
        wanted = [m for m in self.members.values() if not m.pending and (not roles or m.role in roles)]
        return tuple(sorted(wanted, key=lambda member: member.party))

    @property
    def intake(self) -> PartyId | None:
        """The machine that the first care party's chain designates, once its own chain is here."""
        care = sorted(self.active("care"), key=lambda member: member.since_n)
        machine = self.parties[care[0].party].intake if care else None
        return machine if machine in self.parties else None

    def role_of(self, party: PartyId) -> str | None:
        """A party's role: a member's, or `intake` for the case's machine. Pending members have none."""
        member = self.members.get(party)
        if member is not None:
            return None if member.pending else member.role
        return "intake" if party == self.intake else None

    def device(self, identifier: DeviceId) -> tuple[PartyId, Device] | None:
        """The active device with this id among those who have a role, and its party."""
        for party in (*self.members, *([self.intake] if self.intake else [])):
            device = self.parties[party].devices.get(identifier)
            if device is not None and device.active and self.role_of(party):
                return party, device
        return None

    def by_sign_key(self, key: SignKey) -> tuple[PartyId, Device] | None:
        """The active device that signs with this key among those who have a role, and its party."""
        for party in self.members:
            device = self.parties[party].by_sign_key(key)
            if device is not None and self.role_of(party):
                return party, device
        return None


def empty_roster(relay: RelayId, case: CaseId) -> Roster:
    """The roster of a case before its first entry."""
    return Roster(
        relay=relay,
        case=case,
        n=0,
        narrowed_n=0,
        policy=None,
        parties={},
        members={},
        invitations={},
        spent=frozenset(),
        seen=frozenset(),
        bridges=frozenset(),
        had_care=False,
        had_owner=False,
        closed=False,
        hold=False,
        exported_n=0,
        newer=False,
    )
