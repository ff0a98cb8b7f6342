"""How often we write to one correspondent: the arithmetic that no machine on the other side can get around."""

from collections.abc import Iterator
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from vetrelay.bridge.sending.pace import DAY_MS, HOUR_MS, MINUTE_MS, PER_DAY, Cause, Slot, notice_slot

NOW_MS = 1_800_000_000_000


def test_the_first_notice_goes_at_once() -> None:
    """Nothing went before."""
    assert Slot(at_ms=NOW_MS, digest=False) == notice_slot([], now_ms=NOW_MS)


def test_a_second_notice_within_ten_minutes_waits_and_speaks_for_all() -> None:
    """One in ten minutes; the one that waited is a digest."""
    sent = [NOW_MS - 4 * MINUTE_MS]
    assert Slot(at_ms=NOW_MS + 6 * MINUTE_MS, digest=True) == notice_slot(sent, now_ms=NOW_MS)
    assert Slot(at_ms=NOW_MS, digest=False) == notice_slot([NOW_MS - 10 * MINUTE_MS], now_ms=NOW_MS)


def test_the_21st_notice_of_a_day_waits_until_a_day_after_the_first() -> None:
    """20 a day, in any 24 hours."""
    sent = [NOW_MS - (PER_DAY - at) * HOUR_MS for at in range(PER_DAY)]
    assert Slot(at_ms=sent[0] + DAY_MS, digest=True) == notice_slot(sent, now_ms=NOW_MS)
    assert Slot(at_ms=NOW_MS, digest=False) == notice_slot(sent[1:], now_ms=NOW_MS)


def test_an_answer_of_our_own_goes_only_to_whom_nothing_went_for_a_day() -> None:
    """ "Received, waiting to be filed": once a day, and never after any other notice."""
    assert Slot(at_ms=NOW_MS, digest=False) == notice_slot([], now_ms=NOW_MS, cause="answer")
    assert None is notice_slot([NOW_MS - DAY_MS + 1], now_ms=NOW_MS, cause="answer")
    assert Slot(at_ms=NOW_MS, digest=False) == notice_slot([NOW_MS - DAY_MS], now_ms=NOW_MS, cause="answer")


@given(st.lists(st.integers(min_value=0, max_value=2 * DAY_MS), max_size=300))
def test_whatever_comes_up_the_caps_hold(moments: list[int]) -> None:
    """Two notices stand ten minutes apart, and no 24 hours hold more than 20, whenever members write."""
    sent: list[int] = []
    for moment in sorted(moments):
        slot = notice_slot(sent, now_ms=NOW_MS + moment)
        assert slot is not None
        if not sent or sent[-1] <= NOW_MS + moment:  # else one waits already, and speaks for this too
            sent.append(slot.at_ms)
    assert all(later - earlier >= 10 * MINUTE_MS for earlier, later in pairwise(sent))
    assert all(later - earlier >= DAY_MS for earlier, later in zip(sent, sent[PER_DAY:], strict=False))


def ping_pong(cause: Cause, *, delay_ms: int) -> Iterator[int]:
    """Two bridges facing each other, each of which takes every letter of the other for something new to write about.

    A member writes once at the first; from there on, machines. Gives the time of each letter, for six hours.
    """
    sent: tuple[list[int], list[int]] = ([NOW_MS], [])
    yield NOW_MS
    side, now_ms = 1, NOW_MS + delay_ms
    while now_ms < NOW_MS + 6 * HOUR_MS:
        slot = notice_slot(sent[side], now_ms=now_ms, cause=cause)
        if slot is None:
            return
        sent[side].append(slot.at_ms)
        yield slot.at_ms
        side, now_ms = 1 - side, slot.at_ms + delay_ms


def test_row_21_two_bridges_facing_each_other_exchange_fewer_than_three_letters_an_hour() -> None:
    """Even where neither recognises the other's letters as a machine's: in no hour are there three."""
    for delay_ms in (1, 1000, MINUTE_MS, 29 * MINUTE_MS, 59 * MINUTE_MS):
        letters = list(ping_pong("letter", delay_ms=delay_ms))
        assert all(third - first >= HOUR_MS for first, third in zip(letters, letters[2:], strict=False))
        assert 2 == len(list(ping_pong("answer", delay_ms=delay_ms)))
