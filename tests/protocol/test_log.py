"""The case log: links and heads. What is refused stands in tests/hostile/test_log.py."""

from hypothesis import given
from hypothesis import strategies as st

from tests.chains import RELAY, RELAY_SIGNER, START_MS, named_hash
from vetrelay.protocol.ids import b64, sha256, unb64
from vetrelay.protocol.log import (
    LINK_BYTES,
    Head,
    Kind,
    Link,
    Tail,
    check_head,
    empty_log,
    extend,
    pack_links,
    sign_head,
    unpack_links,
)

CASE = named_hash("case")
LINKS = st.lists(
    st.builds(
        Link,
        time_ms=st.integers(0, 2**53 - 1),
        kind=st.sampled_from(Kind),
        entry=st.binary(min_size=32, max_size=32).map(b64),
    ),
    max_size=8,
)


def tail_of(links: list[Link]) -> Tail:
    """The end of a log with these links."""
    tail = empty_log(CASE)
    for link in links:
        tail = extend(tail, link)
    return tail


@given(LINKS)
def test_links_come_back_from_their_packed_form(links: list[Link]) -> None:
    """Forty-one bytes each."""
    raw = pack_links(links)
    assert (LINK_BYTES * len(links), links) == (len(raw), list(unpack_links(raw)))


@given(LINKS, LINKS)
def test_two_logs_with_the_same_head_are_the_same_log(one: list[Link], other: list[Link]) -> None:
    """Position, time, kind and entry are all hashed in."""
    one.sort(key=lambda link: link.time_ms)
    other.sort(key=lambda link: link.time_ms)
    assert (one == other) == (tail_of(one).head == tail_of(other).head)


def test_a_link_hashes_the_head_before_it() -> None:
    """By hand, from the definition."""
    head_0 = sha256(b"VetRelay-v1 log\0", unb64(CASE))
    assert b64(head_0) == empty_log(CASE).head
    entry = sha256(b"an entry")
    packed = START_MS.to_bytes(8, "big") + b"\x03" + entry
    head_1 = sha256(b"VetRelay-v1 link\0", head_0, (1).to_bytes(8, "big"), packed)
    link = Link(time_ms=START_MS, kind=Kind.ENVELOPE, entry=b64(entry))
    assert packed == link.pack()
    assert Tail(n=1, head=b64(head_1), time_ms=START_MS) == extend(empty_log(CASE), link)


def test_two_entries_may_be_of_one_instant() -> None:
    """Time never decreases; it may stand still."""
    link = Link(time_ms=START_MS, kind=Kind.CASE, entry=named_hash("entry"))
    assert 2 == tail_of([link, link]).n


def test_a_receipt_is_a_head_that_names_its_entry() -> None:
    """Signed by the relay's log key, for this case."""
    tail = Tail(n=7, head=named_hash("head"), time_ms=START_MS)
    receipt = sign_head(
        tail,
        RELAY_SIGNER,
        relay=RELAY,
        case=CASE,
        epoch=2,
        time_ms=START_MS + 5,
        entry=named_hash("entry"),
        backed_up_n=6,
    )
    expected = Head(
        v=1,
        relay=RELAY,
        case=CASE,
        epoch=2,
        n=7,
        head=tail.head,
        time=START_MS + 5,
        entry=named_hash("entry"),
        backed_up_n=6,
    )
    assert expected == check_head(receipt, relay=RELAY, case=CASE)
