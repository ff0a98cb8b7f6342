"""The retry decision over whole days, with a clock of the test's own: when a letter is tried, and what is told when."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from vetrelay.bridge.ports import DeliveryState, Departure, DepartureState, Mode
from vetrelay.bridge.sending.outcome import Handed, Later, Outcome, Refused, TlsUnverified
from vetrelay.bridge.sending.retry import (
    DELAYED_MS,
    HOUR_MS,
    MINUTE_MS,
    NOT_YET_MS,
    Patience,
    Ruling,
    next_word_ms,
    ruling_on,
    step_ms,
    word_due,
)

START_MS = 1_800_000_000_000
LETTER = Departure(
    id="a" * 26,
    state=DepartureState.SENDING,
    case="case",
    answers="entry",
    recipient="desk@clinic.example",
    mode="notify",
    person=False,
    demands_tls=False,
    created_ms=START_MS,
    due_ms=START_MS,
    attempts=1,
    message_id="<1@bridge.example>",
)
NO_ANSWER = Later(trouble="no_answer")


def middle(_size_bytes: int) -> bytes:
    """Dice that fall in the middle: no jitter."""
    return b"\x80\x00\x00\x00"


def ruled(departure: Departure, outcome: Outcome, *, after_ms: int = 0) -> Ruling:
    """The ruling so long after the start, without jitter."""
    return ruling_on(departure, outcome, now_ms=START_MS + after_ms, random_bytes=middle)


def life(outcome: Callable[[int], Outcome], letter: Departure = LETTER) -> list[tuple[int, str]]:
    """What happens to a letter, by minute after its start: "try", and each word that is told in the case."""
    now_ms, told, happened = START_MS, set[DeliveryState](), list[tuple[int, str]]()
    letter = replace(letter, attempts=0)
    word_ms = next_word_ms(START_MS, now_ms=START_MS)

    def say(word: DeliveryState | None) -> None:
        if word is not None and word not in told:
            told.add(word)
            happened.append(((now_ms - START_MS) // MINUTE_MS, word))

    while letter.state is not DepartureState.FAILED and letter.state is not DepartureState.HANDED:
        now_ms = min(letter.due_ms, word_ms or letter.due_ms)
        if word_ms is not None and word_ms <= now_ms:
            say(word_due(START_MS, now_ms=now_ms))
            word_ms = next_word_ms(START_MS, now_ms=now_ms)
        if letter.due_ms <= now_ms:
            happened.append(((now_ms - START_MS) // MINUTE_MS, "try"))
            letter = replace(letter, attempts=letter.attempts + 1)
            ruling = ruling_on(letter, outcome(now_ms - START_MS), now_ms=now_ms, random_bytes=middle)
            letter = replace(letter, state=ruling.state, due_ms=ruling.due_ms or now_ms)
            say(ruling.say)
    return happened


def test_row_24_a_peer_that_is_down_for_48_hours_is_tried_and_told_of_at_30_minutes_4_hours_and_48_hours() -> None:
    """The whole 48 hours: every try, and the three words, each once."""
    happened = life(lambda _age_ms: NO_ANSWER)
    tries = [minute for minute, what in happened if what == "try"]
    assert [0, 1, 6, 21, 51, 111, 231, *range(471, 2880, 240), 2880] == tries
    assert [(30, "not_yet"), (240, "delayed"), (2880, "failed")] == [each for each in happened if each[1] != "try"]


def test_row_23_a_peer_that_greylists_for_five_minutes_gets_the_letter_at_the_third_try() -> None:
    """450 at first, 250 after five minutes: handed over in the sixth minute, and nobody is worried."""
    greylisted = Later(trouble="put_off", code=450, enhanced="4.2.0")
    happened = life(lambda age_ms: greylisted if age_ms < 5 * MINUTE_MS else Handed(code=250))
    assert [(0, "try"), (1, "try"), (6, "try"), (6, "emailed")] == happened


def test_row_24_a_refusal_ends_a_notice_at_once() -> None:
    """5xx: one try, and the case hears of it."""
    assert [(0, "try"), (0, "failed")] == life(lambda _age_ms: Refused(code=500, enhanced="5.3.0"))


@pytest.mark.parametrize("mode", ["pgp", "smime", "plain"])
@pytest.mark.parametrize(
    ("refusal", "word"),
    [
        (Refused(code=550, enhanced="5.7.1"), "downgraded"),
        (Refused(code=552, enhanced="5.2.2"), "downgraded"),
        (Refused(code=554, enhanced="5.3.4"), "downgraded"),
        (Refused(code=550, enhanced="5.1.1"), "failed"),
        (Refused(code=550), "failed"),
    ],
)
def test_a_full_letter_that_is_refused_for_what_it_holds_becomes_a_notice(
    mode: Mode, refusal: Refused, word: DeliveryState
) -> None:
    """Policy and size: the clinic gets a link instead; an address that does not exist stays one."""
    assert word == ruled(replace(LETTER, mode=mode), refusal).say


def test_a_notice_is_never_downgraded() -> None:
    """There is nothing below a notice."""
    assert "failed" == ruled(LETTER, Refused(code=550, enhanced="5.7.1")).say


def test_the_reason_that_is_told_is_a_code_and_nothing_of_the_peers_words() -> None:
    """Codes, or the trouble's name."""
    assert "550 5.1.1" == ruled(LETTER, Refused(code=550, enhanced="5.1.1")).reason
    assert "no_answer" == ruled(LETTER, NO_ANSWER, after_ms=48 * HOUR_MS).reason


def test_row_25_a_letter_that_demands_tls_waits_half_an_hour_for_it_and_then_becomes_a_notice() -> None:
    """Never sent without, never silently dropped: five tries, and the word "downgraded"."""
    demanding = replace(LETTER, mode="plain", demands_tls=True)
    happened = life(lambda _age_ms: TlsUnverified(offered=False), demanding)
    assert [(0, "try"), (1, "try"), (6, "try"), (21, "try")] == happened[:4]
    assert (30, "downgraded") == happened[-1]
    assert "failed" not in {what for _, what in happened}


def test_a_notice_on_a_route_that_must_be_verified_is_tried_for_48_hours() -> None:
    """A notice cannot become less than it is: it waits for the route like for any other trouble."""
    happened = life(lambda _age_ms: TlsUnverified(offered=True))
    assert (48 * 60, "failed") == happened[-1]


def test_a_letter_that_nobody_could_try_for_three_days_is_tried_before_it_is_given_up() -> None:
    """The bridge was switched off: the first try after that counts, and may still hand it over."""
    assert DepartureState.HANDED is ruled(LETTER, Handed(code=250), after_ms=72 * HOUR_MS).state
    assert "failed" == ruled(LETTER, NO_ANSWER, after_ms=72 * HOUR_MS).say
    assert "delayed" == word_due(START_MS, now_ms=START_MS + 72 * HOUR_MS)
    assert None is next_word_ms(START_MS, now_ms=START_MS + 72 * HOUR_MS)


def test_the_jitter_stays_within_a_tenth() -> None:
    """The lowest and the highest dice, for each of the first ten tries."""
    for attempts in range(1, 11):
        lowest, step, highest = (step_ms(attempts, die.__mul__) for die in (b"\0", b"\x80", b"\xff"))
        assert round(step * 0.9) == pytest.approx(lowest, rel=0.001)
        assert round(step * 1.1) == pytest.approx(highest, rel=0.001)


def test_an_operator_who_retries_for_one_hour_only_gives_up_after_one_hour() -> None:
    """`retry_hours` in the settings."""
    patience = Patience(retry_ms=HOUR_MS)
    ruling = ruling_on(
        replace(LETTER, attempts=5), NO_ANSWER, now_ms=START_MS + 51 * MINUTE_MS, random_bytes=middle, patience=patience
    )
    assert START_MS + HOUR_MS == ruling.due_ms
    last = ruling_on(LETTER, NO_ANSWER, now_ms=START_MS + HOUR_MS, random_bytes=middle, patience=patience)
    assert "failed" == last.say


def test_the_words_are_due_at_their_times_and_not_before() -> None:
    """30 minutes and 4 hours after the letter was to leave first."""
    assert [None, "not_yet", "not_yet", "delayed"] == [
        word_due(START_MS, now_ms=START_MS + age_ms)
        for age_ms in (NOT_YET_MS - 1, NOT_YET_MS, DELAYED_MS - 1, DELAYED_MS)
    ]
