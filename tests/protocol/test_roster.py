"""The roster as a value: who is asked for, and who is found."""

import pytest

from tests.chains import RELAY, ActingParty, RunningCase, named_hash, open_case, refusal_of
from vetrelay.protocol.case import MAX_PARTIES, MemberRole
from vetrelay.protocol.roster import Member, empty_roster, may_admit, may_remove

ROLES: tuple[MemberRole, ...] = ("owner", "care", "consultant", "provider", "bridge")


def full_case() -> tuple[RunningCase, dict[str, ActingParty]]:
    """A clinic's case with one party of each role, an intake, and a second clinic."""
    clinic, intake = ActingParty("clinic", "clinic"), ActingParty("intake", "machine")
    clinic.take(clinic.machines(intake=intake))
    running = open_case(clinic, machines=[intake])
    parties = {"care": clinic, "intake": intake}
    for role in ("owner", "consultant", "provider", "bridge"):
        parties[role] = ActingParty(f"the {role}", "clinic" if role == "consultant" else "household")
        running.admit(parties[role], role, by=clinic)
    parties["second care"] = ActingParty("second clinic", "clinic")
    running.admit(parties["second care"], "care", by=clinic)
    return running, parties


RUNNING, PARTIES = full_case()


@pytest.mark.parametrize("name", PARTIES)
def test_everybody_has_the_role_they_came_for(name: str) -> None:
    """And their devices are found, by id and by key; the intake signs no case statements."""
    party, roster = PARTIES[name], RUNNING.roster
    device = roster.parties[party.id].devices[party.device().id]
    assert name.removeprefix("second ") == roster.role_of(party.id)
    assert (party.id, device) == roster.device(device.id)
    assert (None if name == "intake" else (party.id, device)) == roster.by_sign_key(device.sign)


def test_a_stranger_has_no_role_and_no_device() -> None:
    """Neither has a party whose chain stands in the log but which never joined."""
    stranger = ActingParty("stranger")
    assert RUNNING.roster.role_of(stranger.id) is None
    assert RUNNING.roster.device(stranger.device().id) is None
    assert RUNNING.roster.by_sign_key(stranger.device().sign) is None


def test_members_are_told_by_role_and_in_the_order_of_their_ids() -> None:
    """Recipients are made from this, so the order is the same everywhere."""
    everybody = [member.party for member in RUNNING.roster.active()]
    assert sorted(everybody) == everybody
    assert 6 == len(everybody)
    assert [PARTIES["owner"].id] == [member.party for member in RUNNING.roster.active("owner")]
    clinics = {PARTIES["care"].id, PARTIES["second care"].id, PARTIES["consultant"].id}
    assert clinics == {member.party for member in RUNNING.roster.active("care", "consultant")}


@pytest.mark.parametrize(
    ("admitting", "roles"),
    [
        ("owner", {"owner", "provider"}),
        ("care", set(ROLES)),
        ("consultant", set()),
        ("provider", set()),
        ("bridge", set()),
        ("intake", set()),
        (None, set()),
    ],
)
def test_who_admits_whom(admitting: str | None, roles: set[str]) -> None:
    """(chapter 9) Once the case has had a care party, its owner admits no other."""
    assert roles == {role for role in ROLES if may_admit(RUNNING.roster, admitting, role)}
    assert not may_admit(RUNNING.roster, admitting, "intake")


def test_an_owner_admits_one_care_while_the_case_never_had_one() -> None:
    """(chapter 9) The clinic that the owner turns to."""
    owner = ActingParty("alone")
    assert may_admit(open_case(owner, "owner").roster, "owner", "care")


@pytest.mark.parametrize(
    ("by", "removes"),
    [
        ("owner", {"provider", "bridge"}),
        ("care", {"provider", "consultant", "bridge", "care"}),
        ("second care", {"provider", "consultant", "bridge", "second care"}),
        ("consultant", set()),
        ("provider", set()),
        ("bridge", set()),
        ("intake", set()),
    ],
)
def test_who_removes_whom(by: str, removes: set[str]) -> None:
    """(chapter 9) Nobody removes the last owner; a clinic removes no other clinic of the case."""
    roster = RUNNING.roster
    targets = {name: roster.members[party.id] for name, party in PARTIES.items() if name != "intake"}
    assert removes == {name for name, target in targets.items() if may_remove(roster, PARTIES[by].id, target)}


def test_an_owner_who_is_not_the_last_can_be_removed() -> None:
    """By another owner, by care, or by itself."""
    running, parties = full_case()
    second = ActingParty("second owner")
    running.admit(second, "owner", by=parties["care"])
    target = running.roster.members[second.id]
    for name in ("owner", "care"):
        assert may_remove(running.roster, parties[name].id, target)
    assert may_remove(running.roster, second.id, target)


@pytest.mark.parametrize("role", ROLES)
def test_whoever_could_approve_a_newcomer_may_decline_it(role: MemberRole) -> None:
    """An owner, say, whose invitation fell into wrong hands."""
    waiting = Member(
        party=named_hash("waiting"), role=role, pending=True, by_door=False, invited_by=None, since_n=RUNNING.n
    )
    for name, party in PARTIES.items():
        if may_admit(RUNNING.roster, RUNNING.roster.role_of(party.id), role):
            assert may_remove(RUNNING.roster, party.id, waiting), name


def test_before_its_first_entry_a_case_has_nobody() -> None:
    """No policy, no members, no intake."""
    empty = empty_roster(RELAY, named_hash("case"))
    assert ((), (), None, 0) == (empty.active(), empty.intakes, empty.policy, empty.n)


def test_sixty_four_parties_are_the_most_and_the_intake_is_one_of_them() -> None:
    """A verdict goes to all members and the intake itself; an age header has 64 stanzas at most."""
    owner = ActingParty("owner")
    running = open_case(owner, "owner")
    for number in range(MAX_PARTIES - 2):
        running.admit(ActingParty(f"owner {number}"), "owner", by=owner)
    assert MAX_PARTIES - 1 == len(running.roster.members)
    late = ActingParty("late")
    secret = running.invite(owner, "provider")
    assert "too_many_parties" == refusal_of(running.join, late, secret, "provider")
    running.remove(ActingParty("owner 5"), "owner", by=owner)
    running.join(late, secret, "provider")
    assert late.id in running.roster.members
