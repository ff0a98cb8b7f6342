"""What one peer may ask for: connections, letters, recipients and guesses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from vetrelay.bridge.ports import Reply
from vetrelay.bridge.receiving.session_limits import (
    TOO_MANY_CONNECTIONS,
    TOO_MANY_FROM_YOU,
    TOO_MANY_LETTERS,
    TOO_MANY_RECIPIENTS,
    TOO_MANY_WRONG,
    Allowance,
    Connections,
    place_of_peer,
)
from vetrelay.config import BridgeLimits

LIMITS = replace(
    BridgeLimits(), connections=3, connections_per_address=2, recipients=2, letters_per_session=2, wrong_recipients=2
)
WRONG = Reply(code=550, enhanced="5.1.1", text="No such recipient here")
RELAYING = Reply(code=550, enhanced="5.7.1", text="Relaying denied")
CLOSED = Reply(code=550, enhanced="5.2.1", text="Closed")
BUSY = Reply(code=451, enhanced="4.3.0", text="Later")


def test_one_peer_has_its_share_and_all_together_the_whole() -> None:
    """The share of a peer is 421 4.7.0, the whole is 421 4.3.2."""
    connections = Connections(LIMITS)

    assert [None, None, TOO_MANY_FROM_YOU] == [connections.enter("192.0.2.1") for _ in range(3)]
    assert [None, TOO_MANY_CONNECTIONS] == [connections.enter(f"192.0.2.{last}") for last in (2, 3)]


def test_a_connection_that_leaves_makes_room_for_another() -> None:
    """Nothing but those that were let in is counted."""
    connections = Connections(LIMITS)
    for _ in range(3):
        connections.enter("192.0.2.1")
    connections.leave("192.0.2.1")

    assert connections.enter("192.0.2.1") is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("", "", True),
    ],
)
def test_a_peer_is_an_ipv4_address_or_the_64_bits_of_an_ipv6_customer(one: str, other: str, same: bool) -> None:  # noqa: FBT001  # a parameter
    """Else a customer with 2^64 addresses would be as many peers."""
    assert same == (place_of_peer(one) == place_of_peer(other))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=60))
def test_what_is_remembered_is_never_more_than_what_is_open(steps: list[tuple[bool, int]]) -> None:
    """Refused connections and those that have left leave nothing behind, whoever they were."""
    connections, inside = Connections(LIMITS), []
    for enters, who in steps:
        address = f"192.0.2.{who}"
        if enters:
            if connections.enter(address) is None:
                inside.append(address)
        elif address in inside:
            inside.remove(address)
            connections.leave(address)

        assert len(inside) == connections.count
        assert len(set(inside)) == connections.places


def test_a_session_brings_so_many_letters_and_no_more() -> None:
    """Counted when a letter was read, whatever its answer was."""
    allowance = Allowance(LIMITS)
    for _ in range(2):
        assert allowance.letter() is None
        allowance.letter_taken()

    assert TOO_MANY_LETTERS == allowance.letter()


def test_a_letter_has_so_many_recipients_and_the_rest_goes_into_another() -> None:
    """452 4.5.3 is no end: the sender's server splits."""
    allowance = Allowance(LIMITS)

    assert [None, None, TOO_MANY_RECIPIENTS] == [allowance.recipient(already) for already in range(3)]
    assert not TOO_MANY_RECIPIENTS.close


def test_row_13_one_wrong_guess_too_many_ends_the_session() -> None:
    """Unknown recipients and relaying count together; what is closed or busy is no guess."""
    allowance = Allowance(LIMITS)

    assert CLOSED == allowance.wrong(CLOSED)
    assert BUSY == allowance.wrong(BUSY)
    assert [WRONG, RELAYING, TOO_MANY_WRONG] == [allowance.wrong(refusal) for refusal in (WRONG, RELAYING, WRONG)]
