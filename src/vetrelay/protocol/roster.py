"""The roster: who takes part in a case at one position of its log, as a value (docs/protocol.md, chapter 9).

`authority.apply_entry` computes the next roster from the next entry. Envelopes and grants
do not change it, so one roster stands for a run of positions. Rosters share what did not
change between them, so nobody may change a mapping of one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from vetrelay.errors import Refusal
from vetrelay.protocol.case import MemberRole, Policy
from vetrelay.protocol.ids import CaseId, DeviceId, EntryId, PartyId, RelayId, SignKey
from vetrelay.protocol.partystate import Device, Party

ADMITS: Final[Mapping[str, frozenset[str]]] = {
    "owner": frozenset({"owner", "provider", "care"}),  # care: once, see may_admit
    "care": frozenset({"owner", "care", "consultant", "provider", "bridge"}),
}
REMOVES: Final[Mapping[str, frozenset[str]]] = {
    "owner": frozenset({"owner", "provider", "bridge"}),
    "care": frozenset({"provider", "consultant", "bridge", "owner", "care"}),  # care: its own, see may_remove
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A party's part in the case. `pending` waits for approval and neither reads nor sends.

    `since_n` is where its part began: where it joined, or was approved if it had to wait.
    """

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
    withdrawn: frozenset[SignKey]
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
    def ends_inspect(self) -> bool:
        """Whether senders check their files themselves, so that no machine opens any."""
        return self.policy is not None and self.policy.inspection == "ends"

    @property
    def intakes(self) -> tuple[PartyId, ...]:
        """The machines that the first care party's chain designates, once their own chains are here, by party id.

        Only machines, and none that is a member: no clinic can make a person's devices the case's intake. None at all
        where the ends inspect.
        """
        if self.ends_inspect:
            return ()
        care = sorted(self.active("care"), key=lambda member: member.since_n)
        designated = self.parties[care[0].party].intakes if care else ()
        machines = [self.parties[party] for party in designated if party in self.parties and party not in self.members]
        return tuple(machine.id for machine in machines if machine.kind == "machine")

    @property
    def bridging(self) -> tuple[PartyId, ...]:
        """The email bridges at work in this case, by party id: machines that a care party turned on here.

        Each is the one that the clinic's chain designates, once its own chain is here; no member, and no intake.
        """
        on = {self.parties[member.party].bridge or "" for member in self.active("care") if member.party in self.bridges}
        machines = [self.parties[party] for party in on if party in self.parties and party not in self.members]
        return tuple(
            sorted(machine.id for machine in machines if machine.kind == "machine" and machine.id not in self.intakes)
        )

    def role_of(self, party: PartyId) -> str | None:
        """A party's role: a member's, or `intake` or `bridge` for the case's machines. Pending members have none."""
        member = self.members.get(party)
        if member is not None:
            return None if member.pending else member.role
        if party in self.intakes:
            return "intake"
        return "bridge" if party in self.bridging else None

    def device(self, identifier: DeviceId) -> tuple[PartyId, Device] | None:
        """The active device with this id among those who have a role, and its party."""
        for party in (*self.members, *self.intakes, *self.bridging):
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


def check_inspects(roster: Roster, parties: Iterable[PartyId]) -> None:
    """Where the ends inspect, these parties do, on every device that may send. Raises Refusal `cannot_inspect`."""
    if roster.ends_inspect and not all(roster.parties[party].inspects for party in parties):
        raise Refusal("cannot_inspect")


def check_new_devices(roster: Roster, before: Party | None, after: Party) -> None:
    """(N22) A device stands in one party's chain: else one signature could be laid to two parties.

    Raises Refusal `device_added_twice`.
    """
    known = before.devices if before else {}
    new = {device.sign for device in after.devices.values() if device.id not in known}
    others = (other for other in roster.parties.values() if new and other.id != after.id)
    if any(device.sign in new for other in others for device in other.devices.values()):
        raise Refusal("device_added_twice")


def may_admit(roster: Roster, admitting: str | None, role: str) -> bool:
    """Whether a member of role `admitting` may let a party of `role` in, now."""
    if admitting == "owner" and role == "care":
        return not roster.had_care
    return role in ADMITS.get(admitting or "", frozenset())


def usable_invitation(roster: Roster, key: SignKey, *, time_ms: int) -> Invitation:
    """(N28, N43) The invitation with this key, if opened, not used, not closed, in time, and its opener still may.

    Raises Refusal `invitation_unknown`, `invitation_used`, `invitation_expired`, `may_not`.
    """
    invitation = roster.invitations.get(key)
    if key in roster.spent:
        raise Refusal("invitation_used")
    if invitation is None:
        raise Refusal("invitation_unknown")
    if time_ms > invitation.until_ms:
        raise Refusal("invitation_expired")
    opener = roster.device(invitation.device)
    if opener is None or opener[0] != invitation.party:
        raise Refusal("invitation_unknown")
    if not may_admit(roster, roster.role_of(invitation.party), invitation.role):
        raise Refusal("may_not")
    return invitation


def may_remove(roster: Roster, party: PartyId, target: Member) -> bool:
    """Whether `party` may end `target`'s part: never the last owner; of the care parties, only one's own.

    Whoever could approve a party that waits may also decline it.
    """
    role = roster.role_of(party) or ""
    if target.pending and may_admit(roster, role, target.role):
        return True
    if target.role not in REMOVES.get(role, frozenset()):
        return False
    if target.role == "owner" and not target.pending and len(roster.active("owner")) == 1:
        return False
    return not (role == "care" and target.role == "care" and target.party != party)


def turn_bridge(roster: Roster, clinic: PartyId, *, on: bool, author: Member) -> Roster:
    """The roster with a clinic's email bridge let in or put out. A clinic lets its own machine in, and no other's.

    Raises Refusal `may_not`, `cannot_inspect`.
    """
    if not on:
        return replace(roster, bridges=roster.bridges - {clinic})
    if clinic != author.party or author.role != "care":
        raise Refusal("may_not")
    after = replace(roster, bridges=roster.bridges | {clinic})
    check_inspects(after, after.bridging)
    return after


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
        withdrawn=frozenset(),
        seen=frozenset(),
        bridges=frozenset(),
        had_care=False,
        had_owner=False,
        closed=False,
        hold=False,
        exported_n=0,
        newer=False,
    )
