"""Roster(n) as one pure function, with the tables of who may (docs/protocol.md, chapter 9).

The relay runs it before it appends, every client before it believes: neither needs the other's word.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from vetrelay.errors import Refusal
from vetrelay.protocol.case import (
    MAX_OPEN_INVITATIONS,
    MAX_PARTIES,
    Bridge,
    CaseOpen,
    CaseStatement,
    Close,
    Exported,
    Hold,
    InCase,
    InviteClose,
    InviteOpen,
    NewerInCase,
    PartyAdd,
    PartyApprove,
    PartyRemove,
    PolicyChange,
    RelayMove,
    Reopen,
    parse_case_statement,
)
from vetrelay.protocol.case import is_narrowing as narrows_case
from vetrelay.protocol.ids import SignKey
from vetrelay.protocol.log import Kind
from vetrelay.protocol.party import parse_statement
from vetrelay.protocol.partystate import Device, Party, extend_party, is_narrowing
from vetrelay.protocol.roster import (
    Invitation,
    Member,
    Roster,
    check_inspects,
    check_new_devices,
    may_admit,
    may_remove,
    turn_bridge,
    usable_invitation,
)
from vetrelay.protocol.signature import Signed, check_sign_key, verify

WRITES: Final[Mapping[str, tuple[type[InCase], ...]]] = {
    "owner": (Close, Reopen, Bridge),  # Bridge: off alone
    "care": (PolicyChange, Close, Reopen, Hold, Exported, RelayMove, Bridge),
}
TYPE_OF_KIND: Final = {Kind.CASE: "case", Kind.PARTY: "party"}
ALWAYS_REFUSED: Final = frozenset(
    {"wrong_type", "bad_json", "bad_body", "bad_base64", "bad_key", "bad_signature", "too_large", "statement_repeated"}
)
"""What is wrong in any version: nothing that came before can excuse it."""


def apply_entry(roster: Roster, signed: Signed, *, kind: Kind, n: int, time_ms: int) -> Roster:
    """The roster after the entry at position `n`; kinds other than CASE and PARTY leave it as it is.

    Raises Refusal with the rule's code: the relay then does not append, and a client knows its relay is dishonest.

    (N50) A statement of a later version changes nothing but `newer`. From there on this roster is not the whole
    truth, so what does not follow from it is passed over, not called forged. A client then no longer sends. A relay
    never lets it come so far: it appends nothing after which `newer` is set, and answers `newer_version`.
    """
    if kind not in TYPE_OF_KIND:
        return roster
    if signed.type != TYPE_OF_KIND[kind]:
        raise Refusal("wrong_type")
    follow = _party_entry if kind is Kind.PARTY else _case_entry
    try:
        return follow(roster, signed, n=n, time_ms=time_ms)
    except Refusal as refusal:
        if not roster.newer or refusal.code in ALWAYS_REFUSED:
            raise
        return replace(roster, n=n)


def _case_entry(roster: Roster, signed: Signed, *, n: int, time_ms: int) -> Roster:
    entry = signed.entry_id()
    if entry in roster.seen:
        raise Refusal("statement_repeated")
    statement = parse_case_statement(signed.content())
    if isinstance(statement, CaseOpen):
        after = _opened(roster, statement, signed, n=n)
    else:
        if statement.case != roster.case or roster.policy is None:
            raise Refusal("wrong_case")
        if isinstance(statement, PartyAdd):
            after = _party_added(roster, statement, signed, n=n, time_ms=time_ms)
        else:
            after = _member_statement(roster, statement, signed, n=n, time_ms=time_ms)
    if isinstance(statement, PartyAdd | PartyApprove):
        check_inspects(after, [statement.party])
    elif not roster.ends_inspect:
        check_inspects(after, (*after.members, *after.bridging))
    narrowed_n = n if narrows_case(statement) else after.narrowed_n
    return replace(after, n=n, narrowed_n=narrowed_n, seen=after.seen | {entry})


def _party_entry(roster: Roster, signed: Signed, *, n: int, time_ms: int) -> Roster:
    statement = parse_statement(signed.content())
    party = roster.parties.get(statement.party) if statement.party else None
    after = extend_party(party, signed, time_ms=time_ms)
    if party is None and after.id in roster.parties:
        raise Refusal("chain_moved")
    check_new_devices(roster, party, after)
    # A newcomer's chain is told whole before its party.add: its old rotates narrow nothing for anybody here.
    narrows = party is not None and roster.role_of(party.id) is not None and is_narrowing(signed)
    return replace(
        roster,
        n=n,
        parties={**roster.parties, after.id: after},
        narrowed_n=n if narrows else roster.narrowed_n,
        newer=roster.newer or after.newer,
    )


def _opened(roster: Roster, statement: CaseOpen, signed: Signed, *, n: int) -> Roster:
    party = roster.parties.get(statement.by.party)
    device = party.devices.get(statement.by.device) if party else None
    if roster.policy is not None or signed.entry_id() != roster.case or party is None or device is None:
        raise Refusal("wrong_case")
    if statement.relay != roster.relay:
        raise Refusal("wrong_relay")
    if not device.active or device.role == "recovery":
        raise Refusal("not_a_device")
    verify(signed, "case", [device.sign])
    opener = Member(party=party.id, role=statement.role, pending=False, by_door=False, invited_by=None, since_n=n)
    return replace(
        roster,
        policy=statement.policy,
        members={party.id: opener},
        had_care=statement.role == "care",
        had_owner=statement.role == "owner",
    )


def _author(roster: Roster, signed: Signed) -> tuple[Member, Device]:
    key = signed.sigs[0].key if len(signed.sigs) == 1 else ""
    found = roster.by_sign_key(key)
    if found is None:
        raise Refusal("not_a_member")
    party, device = found
    if device.role == "recovery":
        raise Refusal("not_a_device")
    verify(signed, "case", [key])
    return roster.members[party], device


def _party_added(roster: Roster, statement: PartyAdd, signed: Signed, *, n: int, time_ms: int) -> Roster:
    invitation = usable_invitation(roster, statement.invite, time_ms=time_ms)
    party = roster.parties.get(statement.party)
    # (N46) The joiner's chain stands in the log before this, and the statement names its very end.
    if party is None or (party.seq, party.head) != (statement.party_seq, statement.party_head):
        raise Refusal("chain_moved")
    if statement.role != invitation.role:
        raise Refusal("may_not")
    if statement.party in roster.members:
        raise Refusal("already_a_member")
    # The intake is one of the parties: its verdict is sealed to all members and itself, at most 64 stanzas.
    if len(roster.members) >= MAX_PARTIES - 1:
        raise Refusal("too_many_parties")
    by_door = _consent(party, signed, invite=statement.invite, time_ms=time_ms)
    if by_door and statement.role != "care":
        raise Refusal("may_not")
    # Judged here, not where it was opened: of two invitations for a first owner, the second finds one there.
    pending = not by_door and (invitation.approve or roster.had_owner)
    member = Member(
        party=party.id,
        role=statement.role,
        pending=pending,
        by_door=by_door,
        invited_by=invitation.party,
        since_n=n,
    )
    return _with_member(roster, member, used=statement.invite)


def _consent(party: Party, signed: Signed, *, invite: SignKey, time_ms: int) -> bool:
    """Checks both signatures; True when the party's open door key stands for it, False for one of its devices."""
    second = signed.sigs[1].key if len(signed.sigs) == 2 else ""  # the invitation and the joiner
    device, door = party.by_sign_key(second), party.doors.get(second)
    if (device is None and door is None) or second == invite:
        raise Refusal("bad_signature")
    if device is not None and device.role == "recovery":  # (N31)
        raise Refusal("not_a_device")
    if device is None and door is not None and (door.closed or (door.until_ms is not None and time_ms > door.until_ms)):
        raise Refusal("door_closed")  # (N55)
    verify(signed, "case", [invite, second])
    return device is None


def _with_member(roster: Roster, member: Member, *, used: SignKey | None = None) -> Roster:
    settled = not member.pending
    return replace(
        roster,
        members={**roster.members, member.party: member},
        invitations={key: kept for key, kept in roster.invitations.items() if key != used},
        spent=roster.spent | {used} if used else roster.spent,
        had_care=roster.had_care or (settled and member.role == "care"),
        had_owner=roster.had_owner or (settled and member.role == "owner"),
    )


def _member_statement(
    roster: Roster, statement: CaseStatement | NewerInCase, signed: Signed, *, n: int, time_ms: int
) -> Roster:
    author, device = _author(roster, signed)
    match statement:
        case NewerInCase():
            return replace(roster, newer=True)
        case InviteOpen():
            return _invited(roster, statement, author=author, device=device, time_ms=time_ms)
        case InviteClose():
            invitation = roster.invitations.get(statement.key)
            if invitation is None:
                raise Refusal("invitation_unknown")
            if author.role != "care" and invitation.party != author.party:
                raise Refusal("may_not")
            kept = {key: other for key, other in roster.invitations.items() if key != statement.key}
            return replace(roster, invitations=kept, withdrawn=roster.withdrawn | {statement.key})
        case PartyApprove():
            return _approved(roster, statement, author=author, n=n)
        case PartyRemove():
            target = roster.members.get(statement.party)
            if target is None or target.role != statement.role:
                raise Refusal("not_a_member")
            if not may_remove(roster, author.party, target):
                raise Refusal("may_not")
            rest = {party: member for party, member in roster.members.items() if party != target.party}
            return replace(roster, members=rest, bridges=roster.bridges - {target.party})
        case _:
            return _written(roster, statement, author=author, n=n)


def _invited(roster: Roster, statement: InviteOpen, *, author: Member, device: Device, time_ms: int) -> Roster:
    check_sign_key(statement.key)
    if not may_admit(roster, author.role, statement.role):
        raise Refusal("may_not")
    # (chapter 9) Everybody waits for approval, except the first owner of a case.
    if not statement.approve and (statement.role != "owner" or roster.had_owner):
        raise Refusal("may_not")
    if statement.key in (roster.spent | roster.withdrawn | roster.invitations.keys()):
        raise Refusal("invitation_used")
    # One that ran out is no longer open, though nobody closed it.
    if sum(other.until_ms >= time_ms for other in roster.invitations.values()) >= MAX_OPEN_INVITATIONS:
        raise Refusal("too_many_invitations")
    if statement.until < time_ms:
        raise Refusal("invitation_expired")
    invitation = Invitation(
        key=statement.key,
        role=statement.role,
        until_ms=statement.until,
        approve=statement.approve,
        card=statement.card,
        party=author.party,
        device=device.id,
    )
    return replace(roster, invitations={**roster.invitations, statement.key: invitation})


def _approved(roster: Roster, statement: PartyApprove, *, author: Member, n: int) -> Roster:
    target = roster.members.get(statement.party)
    if target is None or target.role != statement.role:
        raise Refusal("not_a_member")
    if target.by_door and target.party == author.party:
        return _with_member(roster, replace(target, by_door=False))
    if not target.pending:
        raise Refusal("already_a_member")
    if not may_admit(roster, author.role, target.role):
        raise Refusal("may_not")
    return _with_member(roster, replace(target, pending=False, since_n=n))


def _written(roster: Roster, statement: CaseStatement, *, author: Member, n: int) -> Roster:
    if not isinstance(statement, WRITES.get(author.role, ())):
        raise Refusal("may_not")
    match statement:
        case PolicyChange():
            return replace(roster, policy=statement.policy)
        case Close():
            return replace(roster, closed=True)
        case Reopen():
            return replace(roster, closed=False)
        case Hold():
            return replace(roster, hold=statement.on)
        case Exported():
            return replace(roster, exported_n=max(roster.exported_n, min(statement.n, n - 1)))
        case Bridge():
            return turn_bridge(roster, statement.party, on=statement.on, author=author)
        case RelayMove():
            # What a move means for clients comes with its command; here it is only known to be allowed.
            return roster
        case _:
            raise Refusal("bad_body")
