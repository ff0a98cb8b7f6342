"""Envelopes: who speaks to whom, and to whose keys. What is refused stands in tests/hostile/test_envelope_rules.py."""

from typing import get_args

import pytest
from msgspec.structs import replace

from tests.chains import ActingParty, RunningCase, objects, open_case, refusal_of, verdict_on
from vetrelay.protocol.case import Policy
from vetrelay.protocol.envelope import (
    AUDIENCE_ROLES,
    CLASS_AUDIENCES,
    SENDS,
    Audience,
    Envelope,
    EnvelopeClass,
    check_addressing,
    check_sender,
    parse_envelope,
    recipients_of,
    slip_units,
)
from vetrelay.protocol.statement import render

ROLES = ("owner", "care", "consultant", "provider", "bridge", "intake")


def full_case(policy: Policy | None = None) -> tuple[RunningCase, dict[str, ActingParty]]:
    """A case with one party of each role, and an intake."""
    clinic, intake = ActingParty("clinic", "clinic"), ActingParty("intake", "machine")
    clinic.take(clinic.device_add("desk", role="desk"))
    clinic.take(clinic.machines(intake=intake))
    running = open_case(clinic, machines=[intake])
    parties = {"care": clinic, "intake": intake}
    for role in ("owner", "consultant", "provider", "bridge"):
        parties[role] = ActingParty(role)
        running.admit(parties[role], role, by=clinic)
    if policy is not None:
        running.set_policy(policy, clinic)
    return running, parties


RUNNING, PARTIES = full_case()


def test_an_envelope_comes_back_from_its_bytes() -> None:
    """The class is called `class` on the wire; absent is null."""
    envelope = RUNNING.envelope(PARTIES["owner"])
    signed = PARTIES["owner"].sign(envelope, kind="envelope")
    assert envelope == parse_envelope(signed)
    assert b'"class":"message"' in render(envelope)
    assert b'"verdict":null' in render(envelope)


def test_the_classes_that_a_role_may_send_are_those_of_the_design() -> None:
    """(chapter 10) Written out once more, so that a slip of the hand shows."""
    assert {
        "owner": {"message", "control", "receipt"},
        "care": {"reply", "internal", "notice", "control", "receipt"},
        "consultant": {"reply", "internal", "control", "receipt"},
        "provider": {"message", "control", "receipt"},
        "bridge": {"message", "control", "receipt"},
        "intake": {"verdict"},
    } == SENDS
    assert set(get_args(EnvelopeClass)) == set(CLASS_AUDIENCES)
    assert {
        "case": {"owner", "care", "consultant", "bridge"},
        "team": {"care", "consultant"},
        "own": set(),
    } == AUDIENCE_ROLES


@pytest.mark.parametrize("class_", get_args(EnvelopeClass))
@pytest.mark.parametrize("role", ROLES)
def test_who_sends_what(role: str, class_: EnvelopeClass) -> None:
    """(chapter 10) The table, cell by cell, for the classes that answer nothing."""
    audience: Audience = "own" if class_ == "internal" else "case"
    sender = PARTIES[role]
    envelope = RUNNING.envelope(sender, class_, audience)
    signed = sender.sign(envelope, kind="envelope")
    expected = "success" if class_ in SENDS[role] else "may_not"
    assert expected == refusal_of(check_sender, signed, envelope, at_view=RUNNING.roster, before=RUNNING.roster)


@pytest.mark.parametrize("audience", get_args(Audience))
@pytest.mark.parametrize("role", ROLES[:-1])
def test_who_speaks_to_whom(role: str, audience: Audience) -> None:
    """Whoever speaks to an audience is in it; everybody may write for their own party; a provider reaches the case."""
    envelope = RUNNING.envelope(PARTIES[role], "control", audience)
    allowed = audience == "own" or role in AUDIENCE_ROLES[audience] or (role, audience) == ("provider", "case")
    code = refusal_of(check_addressing, envelope, at_view=RUNNING.roster, sender=PARTIES[role].id, answered=None)
    assert ("success" if allowed else "may_not") == code


@pytest.mark.parametrize(
    ("sender", "audience", "readers"),
    [
        ("owner", "case", {"owner", "care", "consultant", "bridge"}),
        ("provider", "case", {"owner", "care", "consultant", "bridge", "provider"}),
        ("care", "team", {"care", "consultant"}),
        ("care", "own", {"care"}),
        ("owner", "own", {"owner"}),
    ],
)
def test_recipients_are_the_audience_and_the_senders_party(sender: str, audience: Audience, readers: set[str]) -> None:
    """As units of their newest generation, in the order of their ids."""
    party = PARTIES[sender].id
    units = recipients_of(RUNNING.roster, audience, sender=party, own=party)
    assert sorted(PARTIES[name].id for name in readers) == [unit.party for unit in units]
    assert {("all", 0)} == {(unit.group, unit.gen) for unit in units}


def test_an_object_is_sealed_to_the_newest_generation() -> None:
    """A rotation at the view is followed; one after it makes the envelope stale."""
    running, parties = full_case()
    owner = parties["owner"]
    owner.take(owner.rotate())
    running.tell(owner)
    units = recipients_of(running.roster, "case", sender=owner.id, own=owner.id)
    assert {owner.id: 1} == {unit.party: unit.gen for unit in units if unit.gen}


def test_a_verdict_goes_to_the_audience_of_what_it_answers_and_to_the_intake() -> None:
    """(chapter 10) Also to the sender of the files, who may be in no audience."""
    running, parties = full_case()
    readers = {
        ("owner", "message", "case"): {"owner", "care", "consultant", "bridge", "intake"},
        ("provider", "message", "case"): {"owner", "care", "consultant", "bridge", "provider", "intake"},
        ("consultant", "internal", "team"): {"care", "consultant", "intake"},
        ("care", "internal", "own"): {"care", "intake"},
    }
    for (sender, class_, audience), expected in readers.items():
        label = f"{sender} {audience}"
        asked = running.envelope(parties[sender], class_, audience, label=label, named=objects(label, files=1))  # type: ignore[arg-type]  # keys of a dict are not known to be classes
        answered = running.send(asked, parties[sender])
        verdict = verdict_on(running, answered, parties["intake"], label=f"on {label}")
        running.send(verdict, parties["intake"])
        assert sorted(parties[name].id for name in expected) == [unit.party for unit in verdict.recipients]


def test_a_verdict_is_not_sealed_to_a_sender_who_left() -> None:
    """Neither in the case's audience nor in its own."""
    running, parties = full_case()
    sent = running.envelope(parties["provider"], "control", "own", named=objects("x-ray", files=1))
    answered = running.send(sent, parties["provider"])
    running.remove(parties["provider"], "provider", by=parties["owner"])
    verdict = verdict_on(running, answered, parties["intake"])
    assert [parties["intake"].id] == [unit.party for unit in verdict.recipients]
    assert "success" == refusal_of(running.send, verdict, parties["intake"])


def test_files_need_no_slip_where_the_ends_inspect() -> None:
    """(chapter 10) And may have none."""
    running, parties = full_case(Policy(inspection="ends", urgency=False, retention=90))
    for slip, code in ((False, "success"), (True, "bad_objects")):
        named = objects(f"photo {slip}", files=1, slip=slip)
        assert code == refusal_of(
            running.send, running.envelope(parties["owner"], named=named, label=f"{slip}"), parties["owner"]
        )


def test_urgency_shows_outside_only_where_the_clinic_lets_it() -> None:
    """(chapter 19) It is clear text at the relay."""
    for shown, code in ((True, "success"), (False, "may_not")):
        running, parties = full_case(Policy(inspection="intake", urgency=shown, retention=90))
        envelope = replace(running.envelope(parties["owner"]), urgency="urgent")
        assert code == refusal_of(running.send, envelope, parties["owner"])


def test_a_slip_is_for_the_intake_alone() -> None:
    """In its newest generation; without an intake there is no slip."""
    running, parties = full_case()
    intake = parties["intake"]
    intake.take(intake.rotate())
    running.tell(intake)
    assert [(intake.id, 1)] == [(unit.party, unit.gen) for unit in slip_units(running.roster)]
    parties["care"].take(parties["care"].machines())
    running.tell(parties["care"])
    assert "no_intake" == refusal_of(slip_units, running.roster)


def test_an_addition_between_view_and_position_does_no_harm() -> None:
    """(chapter 10) It is sealed for those who were there; the newcomer reads from the next one on."""
    running, parties = full_case()
    envelope = running.envelope(parties["owner"])
    running.admit(ActingParty("second owner"), "owner", by=parties["care"])
    assert "success" == refusal_of(running.send, envelope, parties["owner"])


def test_a_device_that_was_added_after_the_view_may_send() -> None:
    """(chapter 10, rule iii) It is active where the envelope stands."""
    running, parties = full_case()
    owner = parties["owner"]
    view = running.n
    owner.take(owner.device_add("tablet", admin=True))
    running.tell(owner)
    envelope: Envelope = running.envelope(owner, device="tablet", view_n=view)
    assert "success" == refusal_of(running.send, envelope, owner, "tablet")


@pytest.mark.parametrize(
    ("sender", "class_", "code"),
    [
        ("owner", "message", "case_closed"),
        ("care", "reply", "case_closed"),
        ("care", "internal", "case_closed"),
        ("care", "notice", "case_closed"),
        ("care", "control", "success"),
        ("owner", "receipt", "success"),
    ],
)
def test_what_is_still_said_in_a_closed_case(sender: str, class_: EnvelopeClass, code: str) -> None:
    """Nothing is said any more; that something was read still is."""
    running, parties = full_case()
    running.close(parties["owner"])
    audience: Audience = "own" if class_ == "internal" else "case"
    assert code == refusal_of(running.send, running.envelope(parties[sender], class_, audience), parties[sender])


def test_a_verdict_still_comes_in_a_closed_case() -> None:
    """Whoever closed it while files were being checked gets to read them."""
    running, parties = full_case()
    answered = running.send(running.envelope(parties["owner"], named=objects("photo", files=2)), parties["owner"])
    running.close(parties["owner"])
    verdict = verdict_on(running, answered, parties["intake"], codes=("clean", "refused"))
    assert "success" == refusal_of(running.send, verdict, parties["intake"])
