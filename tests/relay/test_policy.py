"""The relay's own rules: how often, how much, who is reached."""

import pytest

from tests.chains import START_MS, ActingParty, RunningCase, objects, open_case, refusal_of
from vetrelay.errors import Fault, Refusal
from vetrelay.relay.policy import Allowance, Limits, check_disk, concerned, delivered_to, devices_of, may_read, spend

MINUTE_MS = 60_000


def spent(times: int, *, per_minute: int, every_ms: int = 0) -> Allowance | None:
    """The allowance after so many requests at even distances."""
    allowance: Allowance | None = None
    for number in range(times):
        allowance = spend(allowance, now_ms=START_MS + number * every_ms, per_minute=per_minute)
    return allowance


def test_a_minutes_worth_may_come_at_once() -> None:
    """And not one more; the refusal says how long to wait."""
    allowance = spent(10, per_minute=10)
    with pytest.raises(Refusal) as refused:
        spend(allowance, now_ms=START_MS, per_minute=10)
    assert ("too_fast", 7) == (refused.value.code, refused.value.facts["retry_after_seconds"])


def test_whoever_waits_as_told_may_go_on() -> None:
    """The seconds named are enough."""
    allowance = spent(10, per_minute=10)
    assert spend(allowance, now_ms=START_MS + 7_000, per_minute=10).left < 1


def test_an_even_pace_is_never_refused() -> None:
    """Ten a minute, one every six seconds, for ever."""
    spent(1_000, per_minute=10, every_ms=6_000)


def test_nobody_saves_up_more_than_a_minutes_worth() -> None:
    """A device that was silent for a year is no more welcome to flood than another."""
    allowance = spend(spent(1, per_minute=10), now_ms=START_MS + 10**9, per_minute=10)
    assert 9 == allowance.left


def test_a_clock_that_goes_back_gives_nothing_and_takes_nothing() -> None:
    """The allowance counts from the latest time that was seen."""
    allowance = spend(spent(1, per_minute=10), now_ms=START_MS - MINUTE_MS, per_minute=10)
    assert Allowance(left=8, at_ms=START_MS) == allowance


def test_nothing_is_accepted_when_the_disk_is_nearly_full() -> None:
    """Below the limit the next write might not end well."""
    limits = Limits(min_free_bytes=1_000)
    check_disk(1_000, limits)
    with pytest.raises(Fault, match="storage_full"):
        check_disk(999, limits)


def standing() -> tuple[RunningCase, dict[str, ActingParty]]:
    """A clinic with an intake and a recovery kit, an owner, and a newcomer who waits."""
    clinic, intake = ActingParty("clinic", "clinic"), ActingParty("intake", "machine")
    clinic.take(clinic.device_add("desk", role="desk"))
    clinic.take(clinic.device_add("kit", role="recovery"))
    clinic.take(clinic.machines(intake=intake))
    running = open_case(clinic, machines=[intake])
    owner, newcomer = ActingParty("owner"), ActingParty("newcomer")
    running.admit(owner, "owner", by=clinic)
    running.join(newcomer, running.invite(clinic, "owner"), "owner")
    return running, {"clinic": clinic, "intake": intake, "owner": owner, "newcomer": newcomer}


def test_a_case_concerns_its_members_those_who_wait_and_its_intake() -> None:
    """Each by role; whoever waits has none yet."""
    running, parties = standing()
    expected = {
        parties["clinic"].id: "care",
        parties["owner"].id: "owner",
        parties["newcomer"].id: "pending",
        parties["intake"].id: "intake",
    }
    assert expected == concerned(running.roster)


def test_a_removed_party_is_concerned_no_more() -> None:
    """Nothing is delivered to it from there on (N35)."""
    running, parties = standing()
    running.remove(parties["newcomer"], "owner", by=parties["clinic"])
    assert parties["newcomer"].id not in concerned(running.roster)


def test_a_recovery_kit_has_no_inbox() -> None:
    """It signs `device.add` and sessions; nobody reads with it."""
    running, parties = standing()
    clinic = parties["clinic"]
    expected = {clinic.device().id, clinic.device("desk").id}
    assert expected == set(devices_of(running.roster, [clinic.id, "somebody else"]))


def test_an_envelope_reaches_its_recipients_and_with_files_the_intake() -> None:
    """The slip is for the intake, which is no recipient."""
    running, parties = standing()
    owner, clinic, intake = (parties[name].id for name in ("owner", "clinic", "intake"))
    plain = running.envelope(parties["owner"])
    assert {owner, clinic} == delivered_to(running.roster, plain)
    filed = running.envelope(parties["owner"], named=objects("x", files=1))
    assert {owner, clinic, intake} == delivered_to(running.roster, filed)


def test_who_may_read_is_who_it_is_sealed_to() -> None:
    """A recipient, or whoever its slip is for; nobody else, member or not."""
    assert may_read("a", recipients=["a", "b"], slip_for=None)
    assert may_read("c", recipients=["a", "b"], slip_for="c")
    assert not may_read("c", recipients=["a", "b"], slip_for=None)


def test_a_refusal_is_no_accident_of_who_asks() -> None:
    """The same pace for everybody: the rule knows no device."""
    assert "too_fast" == refusal_of(spend, spent(1, per_minute=1), now_ms=START_MS, per_minute=1)
