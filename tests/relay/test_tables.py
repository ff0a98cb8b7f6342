"""How a case stands, position by position."""

from dataclasses import replace

from tests.chains import ActingParty, open_case
from vetrelay.protocol.log import Tail
from vetrelay.protocol.roster import Roster
from vetrelay.relay.tables import MAX_PAST, Standing


def tail(n: int) -> Tail:
    """An end of a log."""
    return Tail(n=n, head=f"head {n}", time_ms=n)


def begun() -> tuple[Standing, Roster]:
    """A case that has just begun, and its roster."""
    roster = open_case(ActingParty("clinic", "clinic")).roster
    first = Standing(case="c", tail=tail(2), epoch=0, backed_up_n=0, used_bytes=5, past=((0, roster),))
    return first, roster


def changed(roster: Roster, *, narrowed_n: int) -> Roster:
    """The same roster, narrowed there."""
    return replace(roster, narrowed_n=narrowed_n)


def test_a_roster_stands_from_its_position_until_the_next() -> None:
    """Envelopes change nothing; what lies beyond the tail has none."""
    standing, roster = begun()
    later = changed(roster, narrowed_n=0)
    standing = standing.after(tail(3)).after(tail(4), later).after(tail(5))
    assert [roster, roster, later, later] == [standing.roster_at(n) for n in (2, 3, 4, 5)]
    assert standing.roster_at(6) is None
    assert later is standing.roster


def test_rosters_from_before_a_narrowing_are_not_kept() -> None:
    """Nobody may send under a view that old."""
    standing, roster = begun()
    narrowed = changed(roster, narrowed_n=4)
    standing = standing.after(tail(3), changed(roster, narrowed_n=0)).after(tail(4), narrowed)
    assert standing.roster_at(3) is None
    assert narrowed is standing.roster_at(4)
    assert 1 == len(standing.past)


def test_the_rosters_that_are_kept_are_bounded() -> None:
    """A member who opens and closes invitations for ever makes nobody remember for ever."""
    standing, roster = begun()
    for n in range(3, 3 * MAX_PAST):
        standing = standing.after(tail(n), changed(roster, narrowed_n=0))
    assert MAX_PAST == len(standing.past)
    assert standing.roster is standing.roster_at(3 * MAX_PAST - 1)


def test_what_an_envelope_adds_is_counted() -> None:
    """Room is counted where the log is."""
    standing, roster = begun()
    assert 12 == standing.after(tail(3), more_bytes=7).used_bytes
    assert 5 == standing.after(tail(3), roster).used_bytes
