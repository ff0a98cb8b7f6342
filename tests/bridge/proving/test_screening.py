"""The table of the design (email.md 7.1, section 8), a row each."""

from dataclasses import replace
from itertools import product
from typing import get_args

import pytest

from vetrelay.bridge.loops import is_our_mark, loop_mark
from vetrelay.bridge.ports import ArrivalState, Authenticated, Outcome
from vetrelay.bridge.proving.letterhead import LOOP_FIELD, Letterhead, read_letterhead
from vetrelay.bridge.proving.screening import (
    Disposition,
    Recipient,
    Screening,
    ToBounce,
    ToCase,
    ToFrontDoor,
    answer_to_all,
    is_listed,
    screen,
)

KEY = b"k" * 32
PERSON = Letterhead(author="vet@clinic.example")
CASE = ToCase(listed=frozenset({"vet@clinic.example", "@hospital.example"}))
DOOR = ToFrontDoor(listed=frozenset({"vet@clinic.example"}))


def authenticated(outcome: Outcome, address: str | None = "vet@clinic.example", **more: object) -> Authenticated:
    domain = address.rpartition("@")[2] if address else None
    plain = Authenticated(outcome=outcome, address=address, domain=domain, policy=None, spf="none", dkim=())
    return replace(plain, **more)  # type: ignore[arg-type]  # fields by name, as the test gives them


PASS = authenticated("pass")


def screened(
    recipient: Recipient = CASE,
    letterhead: Letterhead = PERSON,
    found: Authenticated = PASS,
    *,
    null_sender: bool = False,
) -> Screening:
    return screen(
        letterhead, found, recipient, null_sender=null_sender, loop_key=KEY, web_url="https://mail.practice.example/"
    )


def told(screening: Screening) -> tuple[str, str, str]:
    return screening.disposition, screening.reason, screening.class_


def code(screening: Screening) -> str:
    assert "refuse" == screening.disposition
    assert screening.reply is not None
    return f"{screening.reply.code} {screening.reply.enhanced}"


def test_a_listed_correspondents_proven_letter_is_taken() -> None:
    """By address, and by domain."""
    assert ("take", "listed", "person") == told(screened())
    assert ("take", "listed", "person") == told(screened(found=authenticated("pass", "any@hospital.example")))
    assert ArrivalState.RECEIVED == screened().state


def test_a_proven_stranger_with_a_good_token_waits_and_is_not_told() -> None:
    """A colleague of the clinic's to whom a letter was handed on."""
    found = screened(found=authenticated("pass", "colleague@clinic.example"))
    assert ("wait", "not_listed", "person") == told(found)
    assert ArrivalState.WAITING == found.state
    assert not found.may_answer


def test_row_18_without_proof_even_a_listed_name_waits() -> None:
    """No DMARC record, and neither DKIM nor SPF is aligned."""
    assert ("wait", "not_proven", "person") == told(screened(found=authenticated("none")))
    assert ("wait", "not_proven", "person") == told(screened(found=authenticated("none", None)))


@pytest.mark.parametrize(
    ("spf", "dkim", "expected"),
    [("fail", (), "550 5.7.26"), ("none", (), "550 5.7.26"), ("pass", (), "550 5.7.1"), ("fail", ("x",), "550 5.7.1")],
)
def test_row_16_what_the_domain_disowns_is_refused_and_told(spf: str, dkim: tuple[str, ...], expected: str) -> None:
    """With RFC 7372's code where every check failed."""
    found = screened(found=authenticated("fail", policy="reject", spf=spf, dkim=dkim))
    assert (expected, "claim_refused") == (code(found), found.event)
    assert "clinic" not in str(found.reply)


def test_row_19_what_cannot_be_asked_is_asked_again() -> None:
    """The sender keeps the letter."""
    for recipient in (CASE, DOOR):
        assert "451 4.4.3" == code(screened(recipient, found=authenticated("temporary")))


AUTOMATIC = [
    replace(PERSON, auto_submitted="auto-replied"),
    replace(PERSON, precedence="bulk"),
    replace(PERSON, precedence="junk"),
    replace(PERSON, precedence="auto_reply"),
    replace(PERSON, autoreply=True),
    replace(PERSON, content_type="multipart/report"),
]


@pytest.mark.parametrize("letterhead", AUTOMATIC)
def test_row_21_what_a_machine_wrote_is_of_class_auto(letterhead: Letterhead) -> None:
    """An absence note, a bulk letter, a report."""
    assert ("auto", "listed", "auto") == told(screened(letterhead=letterhead))
    assert ("unfiled", "front_door", "auto") == told(screened(DOOR, letterhead))
    assert not screened(DOOR, letterhead).may_answer


def test_a_null_sender_to_a_case_is_of_class_auto() -> None:
    """Whatever its head says."""
    assert ("auto", "listed", "auto") == told(screened(null_sender=True))
    assert ArrivalState.RECEIVED == screened(null_sender=True).state


def test_saying_that_a_machine_wrote_opens_no_case() -> None:
    """One field in the head must not do what only proof does: it waits, as class auto."""
    for letterhead in AUTOMATIC:
        assert ("wait", "not_proven", "auto") == told(screened(CASE, letterhead, authenticated("none")))
    stranger = authenticated("pass", "thief@thief.example")
    assert ("wait", "not_listed", "auto") == told(screened(found=stranger, null_sender=True))


def test_row_22_a_report_to_a_bounce_address_of_ours_is_a_bounce() -> None:
    """Whoever sends it: reports are rarely signed. Some say what they are instead of a null sender."""
    failed = authenticated("fail", None, policy="reject")
    assert ("bounce", "report", "auto") == told(screened(ToBounce(ours=True), PERSON, failed, null_sender=True))
    assert ("bounce", "report", "auto") == told(screened(ToBounce(ours=True), AUTOMATIC[-1], failed))
    assert "550 5.7.1" == code(screened(ToBounce(ours=True)))


def test_row_22_a_forged_or_forgotten_bounce_address_is_nobody() -> None:
    """The same words as for any wrong recipient."""
    assert "550 5.1.1" == code(screened(ToBounce(ours=False), null_sender=True))


@pytest.mark.parametrize(
    "letterhead",
    [
        replace(PERSON, from_list=True),
        replace(PERSON, received=51),
        replace(PERSON, loop_marks=("x.y", loop_mark(KEY, "<1@practice.example>"))),
    ],
)
def test_what_goes_round_in_circles_is_refused(letterhead: Letterhead) -> None:
    """A list, too many stations, our own mark; nothing is told in the case."""
    doors: tuple[Recipient, ...] = (CASE, DOOR)
    for recipient, null_sender in product(doors, (False, True)):
        found = screened(recipient, letterhead, null_sender=null_sender)
        assert ("554 5.4.6", None) == (code(found), found.event)


def test_a_mark_that_is_not_ours_and_fifty_stations_are_no_circle() -> None:
    """Anybody may write such a field."""
    letterhead = replace(PERSON, received=50, loop_marks=(loop_mark(b"another", "<1@x>"), "", "x", "ü" * 200))
    assert "take" == screened(letterhead=letterhead).disposition


def test_our_mark_is_read_back_from_a_letters_head() -> None:
    """Folded or not; it says nothing of the letter."""
    mark = loop_mark(KEY, "<secret@practice.example>")
    read = read_letterhead(f"From: a@b.example\r\n{LOOP_FIELD}:\r\n {mark}".encode())
    assert (True, False) == (is_our_mark(read.loop_marks[0], KEY), is_our_mark(mark, b"other"))
    assert "secret" not in mark


def test_row_32_a_head_that_is_too_much_waits_unread() -> None:
    """Held as one opaque file; not refused, and nothing of it believed."""
    for recipient in (CASE, DOOR):
        found = screened(recipient, Letterhead(oversized=True), authenticated("none", None))
        assert ("wait", "unreadable_head", "person") == told(found)


def test_row_43_a_closed_case_takes_nothing() -> None:
    """The answer says where to look, and the care team hears of it."""
    found = screened(replace(CASE, closed=True))
    assert ("550 5.2.1", "case_closed") == (code(found), found.event)
    assert "550 5.2.1 Case closed, see https://mail.practice.example" == str(found.reply)


def test_the_front_door_takes_the_proven_and_the_listed_and_lets_strangers_wait() -> None:
    """Section 8: never a no to a clinic that means well."""
    stranger = authenticated("pass", "new@other.example")
    assert ("unfiled", "front_door", "person") == told(screened(DOOR, found=stranger))
    assert ("unfiled", "front_door", "person") == told(screened(DOOR, found=authenticated("none")))
    assert ("wait", "not_proven", "person") == told(screened(DOOR, found=authenticated("none", "new@other.example")))
    assert ArrivalState.UNFILED == screened(DOOR).state


def test_only_a_proven_person_at_the_front_door_may_hear_that_the_letter_waits() -> None:
    """Never a forged sender, never a machine."""
    assert screened(DOOR).may_answer
    assert not screened(DOOR, found=authenticated("none")).may_answer
    assert not screened(DOOR, null_sender=True).may_answer
    assert not screened().may_answer


def test_a_front_door_that_there_is_not_is_nobody() -> None:
    """As any wrong recipient."""
    assert "550 5.1.1" == code(screened(replace(DOOR, is_open=False)))


def test_a_listed_domain_is_that_domain_and_no_other() -> None:
    """Neither its subdomains nor names that end alike."""
    listed = frozenset({"@clinic.example", "one@lab.example"})
    assert is_listed("anyone@clinic.example", listed)
    assert is_listed("one@lab.example", listed)
    for other in ("a@x.clinic.example", "a@xclinic.example", "two@lab.example", "@clinic.example@thief.example", None):
        assert not is_listed(other, listed)


def test_every_letter_has_one_of_six_fates_and_only_a_no_has_an_answer() -> None:
    """All rows of all inputs: the set is closed."""
    heads = [PERSON, Letterhead(oversized=True), replace(PERSON, from_list=True), *AUTOMATIC]
    outcomes: list[Outcome] = ["pass", "fail", "none", "temporary"]
    doors: list[Recipient] = [CASE, replace(CASE, closed=True), DOOR, replace(DOOR, is_open=False)]
    doors += [ToBounce(ours=True), ToBounce(ours=False)]
    addresses = ["vet@clinic.example", "new@other.example", None]
    seen = set()
    for letterhead, outcome, address, recipient, null in product(heads, outcomes, addresses, doors, (False, True)):
        found = screened(recipient, letterhead, authenticated(outcome, address), null_sender=null)
        seen.add(found.disposition)
        assert ("refuse" == found.disposition) == (found.reply is not None)
        if found.disposition == "take":
            assert ("pass", "person", CASE) == (outcome, found.class_, recipient)
        if found.reply is None:
            assert (null or letterhead.automatic or isinstance(recipient, ToBounce)) == (found.class_ == "auto")
    assert set(get_args(Disposition)) == seen


def test_one_no_is_a_no_for_the_whole_letter_and_a_lasting_one_comes_first() -> None:
    """All recipients or none."""
    yes, later, no = screened(), screened(found=authenticated("temporary")), screened(ToBounce(ours=False))
    assert answer_to_all([yes, yes]) is None
    assert later.reply == answer_to_all([yes, later])
    assert no.reply == answer_to_all([later, no, yes])
