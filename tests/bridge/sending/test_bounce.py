"""What delivery reports change: a failure is told once, a second report changes nothing, and codes are only codes."""

from dataclasses import replace

import pytest

from tests.bridge.sending.test_retry import LETTER
from vetrelay.bridge.ports import DepartureState
from vetrelay.bridge.sending.bounce import Report, enhanced_code, ruling_on_report

HANDED = replace(LETTER, state=DepartureState.HANDED, told=frozenset({"emailed"}))


def report(action: str, status: str = "5.1.1", recipient: str | None = "desk@clinic.example") -> Report:
    """One recipient's part of a report."""
    return Report(untrusted_action=action, untrusted_status=status, untrusted_recipient=recipient)


def test_row_22_a_report_of_failure_is_told_once_and_a_second_one_changes_nothing() -> None:
    """State failed; after that, no report counts."""
    ruling = ruling_on_report(HANDED, report("failed"))
    assert ruling is not None
    assert (DepartureState.FAILED, "failed", "5.1.1") == (ruling.state, ruling.say, ruling.reason)
    failed = replace(HANDED, state=DepartureState.FAILED, told=frozenset({"emailed", "failed"}))
    assert {None} == {ruling_on_report(failed, report(action)) for action in ("failed", "delayed", "delivered")}


def test_a_report_of_delay_is_told_once_and_leaves_the_letter_where_it_is() -> None:
    """Unless the case knows already that it is delayed."""
    ruling = ruling_on_report(HANDED, report("delayed", "4.4.1"))
    assert ruling is not None
    assert (DepartureState.HANDED, "delayed") == (ruling.state, ruling.say)
    assert None is ruling_on_report(replace(HANDED, told=frozenset({"emailed", "delayed"})), report("delayed", "4.4.1"))


def test_a_report_of_success_is_told_and_a_failure_after_it_still_is() -> None:
    """A mailbox that took the letter may yet lose it."""
    ruling = ruling_on_report(HANDED, report("Delivered", "2.0.0"))
    assert ruling is not None
    assert (DepartureState.DELIVERED, "delivered") == (ruling.state, ruling.say)
    delivered = replace(HANDED, state=DepartureState.DELIVERED, told=frozenset({"emailed", "delivered"}))
    assert None is ruling_on_report(delivered, report("delivered", "2.0.0"))
    later = ruling_on_report(delivered, report("failed", "5.0.0"))
    assert later is not None
    assert "failed" == later.say


def test_only_the_recipients_own_mailbox_says_that_it_has_the_letter() -> None:
    """Where somebody forwards to is not where we wrote to; "relayed" says nothing at all."""
    assert None is ruling_on_report(HANDED, report("delivered", "2.0.0", "elsewhere@other.example"))
    assert None is not ruling_on_report(HANDED, report("delivered", "2.0.0", "<Desk@Clinic.Example>"))
    assert None is not ruling_on_report(HANDED, report("delivered", "2.0.0", None))
    assert None is ruling_on_report(HANDED, report("relayed", "2.0.0"))


def test_a_letter_whose_250_was_lost_is_delivered_when_a_report_says_so() -> None:
    """It is not sent again."""
    ruling = ruling_on_report(replace(LETTER, state=DepartureState.QUEUED), report("delivered", "2.0.0"))
    assert ruling is not None
    assert DepartureState.DELIVERED is ruling.state


def test_a_full_letter_that_bounces_for_what_it_holds_becomes_a_notice() -> None:
    """The peer took it, and its filter behind did not."""
    full = replace(HANDED, mode="pgp")
    assert ["downgraded", "downgraded", "failed"] == [
        ruling.say
        for status in ("5.7.1", "5.2.3", "5.1.1")
        if (ruling := ruling_on_report(full, report("failed", status))) is not None
    ]


@pytest.mark.parametrize(
    ("untrusted", "code"),
    [
        ("5.1.1", "5.1.1"),
        (" 4.4.7 (delivery time expired)", "4.4.7"),
        ("2.0.0 Ok: queued", "2.0.0"),
        ("9.1.1", None),
        ("5.1", None),
        ("5.1.1234", None),
        ("5.x.1", None),
        ("5.².1", None),
        ("desk@clinic.example", None),
        ("", None),
    ],
)
def test_an_enhanced_code_is_three_numbers_or_nothing(untrusted: str, code: str | None) -> None:
    """Whatever else stands there never reaches a case or a log."""
    assert code == enhanced_code(untrusted)
