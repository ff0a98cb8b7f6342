"""Receipts and page heads: signed by the log key, and the same bytes to whoever asks again soon."""

from tests.chains import RELAY, RELAY_SIGNER, START_MS, named_hash
from vetrelay.protocol.log import Head, Tail, check_head
from vetrelay.protocol.signature import parse_wire
from vetrelay.relay.heads import FRESH_MS, KEPT, Heads
from vetrelay.relay.tables import Standing

CASE = named_hash("case")


def standing(n: int, *, case: str = CASE, time_ms: int = START_MS) -> Standing:
    """A case whose log ends there."""
    tail = Tail(n=n, head=named_hash(f"head {n}"), time_ms=time_ms)
    return Standing(case=case, tail=tail, epoch=2, backed_up_n=1, used_bytes=0, past=())


def read(raw: bytes, case: str = CASE) -> Head:
    """A head as a client checks it."""
    return check_head(parse_wire(raw), relay=RELAY, case=case)


def test_a_receipt_says_where_the_entry_stands_and_when_it_was_accepted() -> None:
    """And how much of the log is in a backup, and since which restore."""
    head = read(Heads(RELAY, RELAY_SIGNER).receipt(standing(7), named_hash("entry")))
    assert (7, named_hash("head 7"), START_MS, named_hash("entry"), 2, 1) == (
        head.n, head.head, head.time, head.entry, head.epoch, head.backed_up_n,
    )  # fmt: skip


def test_a_page_head_is_as_old_as_the_page() -> None:
    """Its time is when it was read: a client that sees no fresh one for a day sends nothing (N26)."""
    head = read(Heads(RELAY, RELAY_SIGNER).page(standing(7), now_ms=START_MS + 5_000))
    assert (START_MS + 5_000, None) == (head.time, head.entry)


def test_readers_within_a_second_get_the_same_head() -> None:
    """Signing is what a page costs most; a second later it is fresh again."""
    heads = Heads(RELAY, RELAY_SIGNER)
    first = heads.page(standing(7), now_ms=START_MS)
    assert first is heads.page(standing(7), now_ms=START_MS + FRESH_MS - 1)
    assert START_MS + FRESH_MS == read(heads.page(standing(7), now_ms=START_MS + FRESH_MS)).time


def test_a_log_that_went_on_has_another_head_at_once() -> None:
    """However soon."""
    heads = Heads(RELAY, RELAY_SIGNER)
    heads.page(standing(7), now_ms=START_MS)
    assert 8 == read(heads.page(standing(8), now_ms=START_MS)).n


def test_a_clock_that_goes_back_makes_no_head_older_than_its_log() -> None:
    """And no head of the future is kept for later."""
    heads = Heads(RELAY, RELAY_SIGNER)
    assert START_MS == read(heads.page(standing(7), now_ms=START_MS - 60_000)).time
    heads.page(standing(8), now_ms=START_MS + 60_000)
    assert START_MS == read(heads.page(standing(8), now_ms=START_MS)).time


def test_the_heads_that_are_kept_are_bounded() -> None:
    """The oldest go."""
    heads = Heads(RELAY, RELAY_SIGNER)
    for number in range(KEPT + 3):
        heads._pages[f"case {number}"] = (0, 0, b"")
    heads.page(standing(1), now_ms=START_MS)
    assert len(heads._pages) <= KEPT + 3
