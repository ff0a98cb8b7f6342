"""Roster(n): what a log adds up to. What is refused stands in tests/hostile/test_case_chain.py."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as with_fields

from tests.chains import (
    DEFAULT_POLICY,
    STEP_MS,
    ActingParty,
    RunningCase,
    open_case,
    refusal_of,
    seed,
)
from vetrelay.protocol.authority import apply_entry
from vetrelay.protocol.case import Exported, Hold, MemberRole
from vetrelay.protocol.derive import derive
from vetrelay.protocol.envelope import audience_parties, slip_units
from vetrelay.protocol.identity import sign_key_of, signer_from
from vetrelay.protocol.log import Kind
from vetrelay.protocol.party import parse_statement
from vetrelay.protocol.roster import Roster, empty_roster
from vetrelay.protocol.signature import parse_wire, wire


def replayed(running: RunningCase) -> list[Roster]:
    """The rosters of a log as another end computes them, from the wire form."""
    rosters = [empty_roster(running.relay, running.case)]
    for at, logged in enumerate(running.log, start=1):
        signed = parse_wire(wire(logged.signed))
        rosters.append(apply_entry(rosters[-1], signed, kind=logged.kind, n=at, time_ms=logged.time_ms))
    return rosters


def clinic_case(*extra: ActingParty) -> tuple[RunningCase, ActingParty, ActingParty, ActingParty]:
    """A clinic's case with an intake and an owner; `extra` clinics join as care."""
    clinic, intake, owner = ActingParty("clinic", "clinic"), ActingParty("intake", "machine"), ActingParty("owner")
    clinic.take(clinic.machines(intake=intake))
    running = open_case(clinic, machines=[intake])
    running.admit(owner, "owner", by=clinic)
    for other in extra:
        running.admit(other, "care", by=clinic)
    return running, clinic, intake, owner


def test_two_ends_compute_the_same_rosters() -> None:
    """Pure: the log is all there is."""
    running, clinic, _, owner = clinic_case()
    running.close(owner)
    running.reopen(clinic)
    assert running.rosters == replayed(running)


def test_the_first_owner_comes_in_at_once_and_everybody_else_waits() -> None:
    """(chapter 9) An invitation for a first owner needs no approval; whoever waits has no role."""
    clinic = ActingParty("clinic", "clinic")
    running = open_case(clinic)
    first, second = ActingParty("first"), ActingParty("second")
    running.join(first, running.invite(clinic, "owner", approve=False), "owner")
    assert "owner" == running.roster.role_of(first.id)
    running.join(second, running.invite(clinic, "owner"), "owner")
    assert running.roster.role_of(second.id) is None
    running.approve(second, "owner", by=first)
    assert "owner" == running.roster.role_of(second.id)


def test_of_two_invitations_for_a_first_owner_the_second_has_to_wait() -> None:
    """What counts is whether there is an owner when it is used, not when it was opened."""
    clinic = ActingParty("clinic", "clinic")
    running = open_case(clinic)
    first, second = ActingParty("first"), ActingParty("second")
    secrets = [running.invite(clinic, "owner", approve=False) for _ in range(2)]
    running.join(first, secrets[0], "owner")
    running.join(second, secrets[1], "owner")
    assert ("owner", None) == (running.roster.role_of(first.id), running.roster.role_of(second.id))


def test_an_owner_brings_in_one_clinic_through_its_door() -> None:
    """(chapter 9) The door is the clinic's standing consent: care at once, until staff accept."""
    owner, clinic = ActingParty("owner"), ActingParty("clinic", "clinic")
    door = seed("door", 16)
    clinic.take(clinic.door(door))
    running = open_case(owner, "owner")
    running.join(clinic, running.invite(owner, "care"), "care", second=signer_from(derive(door, "door/sign")))
    member = running.roster.members[clinic.id]
    assert (True, False, "care", True) == (member.by_door, member.pending, member.role, running.roster.had_care)
    running.approve(clinic, "care", by=clinic)
    assert not running.roster.members[clinic.id].by_door


def test_a_clinic_declines_a_case_that_came_through_its_door() -> None:
    """(chapter 9) Its own party.remove; after that the case has had its care."""
    owner, clinic = ActingParty("owner"), ActingParty("clinic", "clinic")
    door = seed("door", 16)
    clinic.take(clinic.door(door))
    running = open_case(owner, "owner")
    running.join(clinic, running.invite(owner, "care"), "care", second=signer_from(derive(door, "door/sign")))
    running.remove(clinic, "care", by=clinic)
    assert (None, True) == (running.roster.role_of(clinic.id), running.roster.had_care)


# --- the case's intake ------------------------------------------------------------------------------------------------


def test_the_intake_is_what_the_first_clinics_chain_designates() -> None:
    """(chapter 9) Withdrawn, replaced, and given back."""
    running, clinic, intake, _ = clinic_case()
    other = ActingParty("another intake", "machine")
    seen = [running.roster.intakes]
    for designated in (None, other, intake):
        clinic.take(clinic.machines(intake=designated))
        if designated is other:
            running.tell(other)
        running.tell(clinic)
        seen.append(running.roster.intakes)
    assert [(intake.id,), (), (other.id,), (intake.id,)] == seen


def test_several_intakes_stand_side_by_side() -> None:
    """By party id, each once its chain is there; a slip is for all of them."""
    running, clinic, intake, _ = clinic_case()
    second, unseen = ActingParty("second intake", "machine"), ActingParty("unseen intake", "machine")
    running.tell(second)
    clinic.take(clinic.machines(intake=intake, beside=[second, unseen]))
    running.tell(clinic)
    assert tuple(sorted((intake.id, second.id))) == running.roster.intakes
    assert running.roster.intakes == tuple(unit.party for unit in slip_units(running.roster))
    assert ["intake", "intake", None] == [running.roster.role_of(one.id) for one in (intake, second, unseen)]
    found = running.roster.device(second.device().id)
    assert found is not None
    assert second.id == found[0]


def test_a_machine_is_the_intake_only_once_its_chain_is_in_the_log() -> None:
    """Before that nobody could seal to it."""
    clinic, intake = ActingParty("clinic", "clinic"), ActingParty("intake", "machine")
    clinic.take(clinic.machines(intake=intake))
    running = open_case(clinic)
    before = running.roster.intakes
    running.tell(intake)
    assert [(), (intake.id,)] == [before, running.roster.intakes]


@pytest.mark.parametrize("kind", ["household", "clinic"])
def test_only_a_machine_can_be_the_intake(kind: str) -> None:
    """A clinic cannot make a person's devices read everybody's files as "the file check"."""
    clinic = ActingParty("clinic", "clinic")
    somebody = ActingParty("somebody", kind)  # type: ignore[arg-type]  # both are kinds
    clinic.take(clinic.machines(intake=somebody))
    running = open_case(clinic, machines=[somebody])
    assert () == running.roster.intakes


def test_a_member_is_not_the_intake_besides() -> None:
    """One party, one role."""
    clinic, machine = ActingParty("clinic", "clinic"), ActingParty("bridge", "machine")
    running = open_case(clinic)
    running.admit(machine, "bridge", by=clinic)
    clinic.take(clinic.machines(intake=machine))
    running.tell(clinic)
    assert ((), "bridge") == (running.roster.intakes, running.roster.role_of(machine.id))


# --- the case's bridge ------------------------------------------------------------------------------------------------


def bridged_case() -> tuple[RunningCase, ActingParty, ActingParty, ActingParty]:
    """A clinic's case whose clinic has adopted an email bridge; it is off."""
    clinic, bridge, owner = ActingParty("clinic", "clinic"), ActingParty("bridge", "machine"), ActingParty("owner")
    clinic.take(clinic.machines(bridge=bridge))
    running = open_case(clinic, machines=[bridge])
    running.admit(owner, "owner", by=clinic)
    return running, clinic, bridge, owner


def test_a_bridge_takes_part_where_its_clinic_turned_it_on_and_only_there() -> None:
    """Adopted once; in each case it is let in by name, reads what is for the case, and can be put out."""
    running, clinic, bridge, _ = bridged_case()
    before = running.roster
    running.bridge(clinic, on=True)
    during = running.roster
    running.bridge(clinic, on=False)
    assert [(), (bridge.id,), ()] == [roster.bridging for roster in (before, during, running.roster)]
    assert [None, "bridge", None] == [roster.role_of(bridge.id) for roster in (before, during, running.roster)]
    audience = audience_parties(during, "case", own=clinic.id)
    assert audience == audience_parties(before, "case", own=clinic.id) | {bridge.id}
    assert bridge.id not in audience_parties(during, "team", own=clinic.id)


def test_a_bridge_that_is_put_out_makes_older_views_stale() -> None:
    """(43) What was still sealed to it is not taken any more; letting it in narrows nothing."""
    running, clinic, _, _ = bridged_case()
    narrowed_n = running.roster.narrowed_n
    running.bridge(clinic, on=True)
    assert narrowed_n == running.roster.narrowed_n
    running.bridge(clinic, on=False)
    assert running.n == running.roster.narrowed_n


def test_an_owner_puts_a_bridge_out_and_lets_none_in() -> None:
    """Email is the clinic's to offer and the owner's to decline."""
    running, clinic, _, owner = bridged_case()
    assert "may_not" == refusal_of(running.bridge, owner, on=True, of=clinic)
    running.bridge(clinic, on=True)
    running.bridge(owner, on=False, of=clinic)
    assert () == running.roster.bridging


def test_a_clinic_lets_in_its_own_bridge_alone() -> None:
    """Another clinic's machine comes in by that clinic's word, or not at all."""
    running, clinic, _, _ = bridged_case()
    other = ActingParty("other", "clinic")
    assert "may_not" == refusal_of(running.bridge, clinic, on=True, of=other)


def test_a_bridge_leaves_with_its_clinic_and_changes_with_its_word() -> None:
    """It stands in the case by its clinic's chain and part, and by nothing else."""
    running, clinic, bridge, _ = bridged_case()
    second = ActingParty("second", "machine")
    running.bridge(clinic, on=True)
    running.tell(second)
    clinic.take(clinic.machines(bridge=second))
    running.tell(clinic)
    changed = running.roster.bridging
    running.remove(clinic, "care", by=clinic)
    assert [(second.id,), ()] == [changed, running.roster.bridging]
    assert running.roster.role_of(bridge.id) is None


def test_the_second_clinics_intake_takes_over_only_when_the_first_leaves() -> None:
    """(chapter 9) And narrows, so that nothing sealed to the old one is taken any more."""
    second, machine = ActingParty("second", "clinic"), ActingParty("second intake", "machine")
    second.take(second.machines(intake=machine))
    running, clinic, intake, _ = clinic_case(second)
    running.tell(machine)
    assert (intake.id,) == running.roster.intakes
    running.remove(clinic, "care", by=clinic)
    assert ((machine.id,), running.n) == (running.roster.intakes, running.roster.narrowed_n)


def test_a_clinic_that_waited_longest_does_not_displace_the_intake_when_it_is_approved() -> None:
    """An approval narrows nothing, so it must not change who the files go to."""
    owner, early, late = ActingParty("owner"), ActingParty("early", "clinic"), ActingParty("late", "clinic")
    machines = {clinic.name: ActingParty(f"{clinic.name} intake", "machine") for clinic in (early, late)}
    for clinic in (early, late):
        clinic.take(clinic.machines(intake=machines[clinic.name]))
    door = seed("door", 16)
    late.take(late.door(door))
    running = open_case(owner, "owner")
    running.join(early, running.invite(owner, "care"), "care")
    running.join(late, running.invite(owner, "care"), "care", second=signer_from(derive(door, "door/sign")))
    for machine in machines.values():
        running.tell(machine)
    assert (machines["late"].id,) == running.roster.intakes
    running.approve(early, "care", by=late)
    assert (machines["late"].id,) == running.roster.intakes


# --- narrowing --------------------------------------------------------------------------------------------------------

SECOND = ActingParty("second", "clinic")
Step = Callable[[RunningCase, ActingParty, ActingParty, ActingParty], object]


NARROWS: dict[str, tuple[bool, Step]] = {
    "a member's rotate": (True, lambda r, _c, _i, o: (o.take(o.rotate()), r.tell(o))),
    "the intake's rotate": (True, lambda r, _c, i, _o: (i.take(i.rotate()), r.tell(i))),
    "a member's device.role": (
        True,
        lambda r, c, _i, _o: (c.take(c.device_role("first", role="desk", admin=True)), r.tell(c)),
    ),
    "a member's machines": (True, lambda r, c, _i, _o: (c.take(c.machines()), r.tell(c))),
    "party.remove": (True, lambda r, _c, _i, _o: r.remove(SECOND, "care", by=SECOND)),
    "policy": (True, lambda r, c, _i, _o: r.set_policy(DEFAULT_POLICY, c)),
    "close": (True, lambda r, _c, _i, o: r.close(o)),
    "reopen": (False, lambda r, _c, _i, o: r.reopen(o)),
    "a member's device.add": (False, lambda r, c, _i, _o: (c.take(c.device_add("desk")), r.tell(c))),
    "a member's door": (False, lambda r, c, _i, _o: (c.take(c.door(seed("d", 16))), r.tell(c))),
    "hold": (False, lambda r, c, _i, _o: r.say(Hold(v=1, case=r.case, nonce=r.fresh(), on=True), c)),
    "invite.open": (False, lambda r, c, _i, _o: r.invite(c, "provider")),
    "a newcomer": (False, lambda r, c, _i, _o: r.admit(ActingParty("provider"), "provider", by=c)),
    "a newcomer with a long past": (False, lambda r, c, _i, _o: r.admit(rotated("old"), "provider", by=c)),
    "a rotate of a party that waits": (False, lambda r, c, _i, _o: waiting_rotates(r, c)),
}


def rotated(name: str, times: int = 8) -> ActingParty:
    """A household that rotated more often than the relay takes in an hour."""
    party = ActingParty(name)
    for _ in range(times):
        party.take(party.rotate())
    return party


def waiting_rotates(running: RunningCase, clinic: ActingParty) -> None:
    """A party joins, waits, and rotates."""
    waiting = ActingParty("waiting")
    running.join(waiting, running.invite(clinic, "provider"), "provider")
    waiting.take(waiting.rotate())
    running.tell(waiting)


@pytest.mark.parametrize(("narrows", "step"), NARROWS.values(), ids=NARROWS.keys())
def test_what_takes_something_away_narrows_and_nothing_else_does(narrows: bool, step: Step) -> None:  # noqa: FBT001  # a column of the table
    """(chapter 10, rule ii) Additions never cause a 409, however long the newcomer's chain is."""
    running, clinic, intake, owner = clinic_case(SECOND)
    before = running.roster.narrowed_n
    step(running, clinic, intake, owner)
    assert (running.n if narrows else before) == running.roster.narrowed_n


def test_a_party_that_left_narrows_nothing_any_more() -> None:
    """Its chain may go on in the log; nobody seals to it."""
    running, clinic, _, _ = clinic_case()
    gone = ActingParty("gone")
    running.admit(gone, "provider", by=clinic)
    running.remove(gone, "provider", by=clinic)
    narrowed = running.roster.narrowed_n
    gone.take(gone.rotate())
    assert running.tell(gone) > narrowed == running.roster.narrowed_n


def test_a_party_that_left_comes_back_with_the_rest_of_its_chain() -> None:
    """Each statement of a chain stands once in a log."""
    running, clinic, _, _ = clinic_case()
    provider = ActingParty("provider")
    running.admit(provider, "provider", by=clinic)
    running.remove(provider, "provider", by=clinic)
    provider.take(provider.rotate())
    narrowed = running.roster.narrowed_n
    running.admit(provider, "provider", by=clinic)
    assert ("provider", 1) == (
        running.roster.role_of(provider.id),
        running.roster.parties[provider.id].generation.gen,
    )
    assert narrowed == running.roster.narrowed_n
    assert running.rosters == replayed(running)


# --- the rest ---------------------------------------------------------------------------------------------------------


def test_thirty_two_invitations_may_be_open() -> None:
    """Closed ones, used ones and those that ran out are not open."""
    clinic = ActingParty("clinic", "clinic")
    running = open_case(clinic)
    soon = running.now_ms + 100 * STEP_MS
    secrets = [running.invite(clinic, "provider", until=soon) for _ in range(32)]
    assert "too_many_invitations" == refusal_of(running.invite, clinic, "provider")
    running.say(running.invite_close(sign_key_of(derive(secrets[0], "invite/sign"))), clinic)
    running.invite(clinic, "provider")
    assert "too_many_invitations" == refusal_of(running.invite, clinic, "provider")
    running.join(ActingParty("provider"), secrets[1], "provider")
    running.invite(clinic, "provider")
    assert "too_many_invitations" == refusal_of(running.invite, clinic, "provider")
    running.now_ms = soon + 1
    running.invite(clinic, "provider")


def test_an_exported_mark_never_goes_beyond_the_log_nor_back() -> None:
    """(relay.md, retention) A purge asks for it."""
    running, clinic, _, owner = clinic_case()
    running.send(running.envelope(owner), owner)
    running.send(running.envelope(clinic, "reply", label="reply"), clinic)
    length = running.n
    marks = []
    for n in (length, 2**53 - 1, 1):
        running.say(Exported(v=1, case=running.case, nonce=running.fresh(), n=n), clinic)
        marks.append(running.roster.exported_n)
    assert [length, length + 1, length + 1] == marks


def test_closing_holding_and_policy_are_the_newest_word() -> None:
    """Each replaces what was said before."""
    running, clinic, _, owner = clinic_case()
    running.close(owner)
    running.reopen(clinic)
    assert [True, False] == [roster.closed for roster in running.rosters[-2:]]
    policy = with_fields(DEFAULT_POLICY, inspection="ends")
    running.set_policy(policy, clinic)
    assert policy == running.roster.policy
    running.say(Hold(v=1, case=running.case, nonce=running.fresh(), on=True), clinic)
    assert running.roster.hold


def test_an_envelope_leaves_the_roster_as_it_is() -> None:
    """So one roster stands for a run of positions."""
    running, _, _, owner = clinic_case()
    before = running.roster
    running.send(running.envelope(owner), owner)
    assert running.roster is before


def test_a_newer_statement_is_told_and_changes_nothing() -> None:
    """(N50) "Made by a newer version": reading goes on, sending asks for an update."""
    running, clinic, _, owner = clinic_case()
    before = running.roster
    hold = Hold(v=1, case=running.case, nonce=running.fresh(), on=True)
    running.say(with_fields(hold, v=2), owner)
    assert replace(before, n=running.n, newer=True, seen=running.roster.seen) == running.roster
    running.close(clinic)
    assert (True, True) == (running.roster.closed, running.roster.newer)


def case_of_the_future() -> tuple[RunningCase, ActingParty]:
    """A case in which a clinic's newer software said something, and a device that it may have added."""
    running, clinic, _, _ = clinic_case()
    clinic.devices["future"] = ActingParty("future").device()
    newer: Any = parse_statement(clinic.rotate().content())
    clinic.take(clinic.sign(with_fields(newer, v=2)))
    running.tell(clinic)
    return running, clinic


def test_what_does_not_follow_after_a_newer_statement_is_passed_over() -> None:
    """(N50) To newer software that device may be known; here it changes nothing, and is not called forged."""
    running, clinic = case_of_the_future()
    before = running.roster
    running.append(Kind.CASE, running.sign(running.written()["close"], clinic, "future"))
    assert replace(before, n=running.n) == running.roster
    running.tell(ActingParty("newcomer"))
    assert running.rosters == replayed(running)


def test_what_is_wrong_in_any_version_is_refused_after_a_newer_statement_too() -> None:
    """(N50) "Newer" excuses no stolen signature and no broken body."""
    running, clinic = case_of_the_future()
    bodies = running.written()
    hold, close = running.sign(bodies["hold"], clinic), running.sign(bodies["close"], clinic)
    assert "bad_signature" == refusal_of(running.append, Kind.CASE, with_fields(hold, sigs=close.sigs))
    assert "wrong_type" == refusal_of(running.append, Kind.PARTY, hold)
    assert "bad_body" == refusal_of(running.say, with_fields(bodies["hold"], on=None), clinic)
    running.append(Kind.CASE, hold)
    assert "statement_repeated" == refusal_of(running.append, Kind.CASE, hold)


def test_a_relay_knows_a_newer_statement_by_the_roster_after_it() -> None:
    """(N50) It appends nothing after which `newer` is set, so that no old client is ever stopped by it."""
    running, clinic, _, owner = clinic_case()
    hold = Hold(v=1, case=running.case, nonce=running.fresh(), on=True)
    for body, expected in ((hold, False), (with_fields(hold, v=2), True)):
        signed = running.sign(body, clinic)
        after = apply_entry(running.roster, signed, kind=Kind.CASE, n=running.n + 1, time_ms=running.now_ms)
        assert expected == after.newer
    newer: Any = parse_statement(owner.rotate().content())
    signed = owner.sign(with_fields(newer, v=2))
    assert apply_entry(running.roster, signed, kind=Kind.PARTY, n=running.n + 1, time_ms=running.now_ms).newer


# --- any history ------------------------------------------------------------------------------------------------------

NAMES = ("clinic", "second clinic", "owner", "second owner", "provider")
ROLES: tuple[MemberRole, ...] = ("owner", "care", "consultant", "provider", "bridge")
ACTIONS = st.tuples(st.integers(0, 11), st.sampled_from(NAMES), st.sampled_from(NAMES), st.sampled_from(ROLES))


def act(running: RunningCase, parties: dict[str, ActingParty], action: tuple[int, str, str, MemberRole]) -> None:
    """One thing that somebody tries; most of it is refused."""
    what, by_name, of_name, role = action
    by, of = parties[by_name], parties[of_name]
    secrets = [seed(f"history {number}", 16) for number in range(4)]
    attempts: tuple[Callable[[], object], ...] = (
        lambda: running.invite(by, role, label=f"history {running.n % 4}"),
        lambda: running.invite(by, "owner", label=f"history {running.n % 4}", approve=False),
        *(lambda secret=secret: running.join(of, secret, role) for secret in secrets),
        lambda: running.approve(of, role, by=by),
        lambda: running.remove(of, role, by=by),
        lambda: (by.take(by.rotate()), running.tell(by)),
        lambda: running.close(by),
        lambda: running.set_policy(DEFAULT_POLICY, by),
        lambda: running.say(running.invite_close(sign_key_of(derive(secrets[0], "invite/sign"))), by),
    )
    refusal_of(attempts[what])


@settings(max_examples=40, deadline=None)
@given(st.lists(ACTIONS, max_size=25), st.sampled_from(["owner", "care"]))
def test_any_history_adds_up_to_the_same_in_one_go_and_in_steps(
    actions: list[tuple[int, str, str, MemberRole]], role: str
) -> None:
    """Whatever people try: both ends agree, and what must always hold does."""
    parties = {name: ActingParty(name, "clinic" if "clinic" in name else "household") for name in NAMES}
    running = open_case(parties["owner" if role == "owner" else "clinic"], role)
    for action in actions:
        act(running, parties, action)
    assert running.rosters == replayed(running)
    for before, after in zip(running.rosters, running.rosters[1:], strict=False):
        assert before.narrowed_n <= after.narrowed_n <= after.n
        assert before.had_care <= after.had_care
        assert before.seen <= after.seen
        assert not before.active("owner") or after.active("owner")
        assert after.members.keys() <= after.parties.keys()


def test_a_case_of_many_parties_with_many_devices_is_read_in_moments() -> None:
    """A roster shares with the one before it whatever did not change."""
    clinic = ActingParty("clinic", "clinic")
    running = open_case(clinic)
    for number in range(8):
        party = ActingParty(f"owner {number}")
        for device in range(11):
            party.take(party.device_add(f"device {device}"))
        running.admit(party, "owner", by=clinic)
    assert 8 * 12 + 1 == sum(len(party.devices) for party in running.roster.parties.values())
    assert running.rosters[-1].parties[clinic.id] is running.rosters[2].parties[clinic.id]
    assert running.rosters == replayed(running)
