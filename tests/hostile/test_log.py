"""N23, N24, N25, N50, N52, N53: what a dishonest relay can do to a log, and how it is found out."""

from typing import Any

import pytest
from msgspec.structs import replace

from tests.chains import (
    RELAY,
    RELAY_SIGNER,
    START_MS,
    STEP_MS,
    ActingParty,
    RunningCase,
    named_hash,
    open_case,
    refusal_of,
    seed,
)
from vetrelay.protocol.identity import signer_from
from vetrelay.protocol.log import (
    Head,
    Kind,
    Link,
    Tail,
    check_head,
    check_same_past,
    empty_log,
    extend,
    pack_links,
    unpack_links,
)
from vetrelay.protocol.signature import Signed, sign

CASE = named_hash("case")


def link(name: str, number: int) -> Link:
    """A link by the name of its entry."""
    return Link(time_ms=START_MS + number * STEP_MS, kind=Kind.ENVELOPE, entry=named_hash(name))


def tail_of(*links: Link) -> Tail:
    """Where a log with these links ends."""
    tail = empty_log(CASE)
    for each in links:
        tail = extend(tail, each)
    return tail


def head_of(tail: Tail, **change: Any) -> Head:
    """The relay's word on a log that ends there."""
    body = Head(
        v=1,
        relay=RELAY,
        case=CASE,
        epoch=0,
        n=tail.n,
        head=tail.head,
        time=START_MS,
        entry=None,
        backed_up_n=0,
    )
    return replace(body, **change)


A, B, C, OTHER = link("a", 0), link("b", 1), link("c", 2), link("other", 1)
KNOWN = tail_of(A, B)
OFFERED = {
    "N23 the same log": ("success", tail_of(A, B)),
    "N23 a longer log": ("success", tail_of(A, B, C)),
    "N23 a shorter log": ("log_shortened", tail_of(A)),
    "N23 an empty log": ("log_shortened", tail_of()),
    "N24 another entry at the same position": ("log_forked", tail_of(A, OTHER)),
    "N23 the same entries in another order": ("log_forked", tail_of(link("b", 0), link("a", 1))),
    "N23 the same entry at another time": ("log_forked", tail_of(A, link("b", 2))),
    "N23 the same entry as another kind": (
        "log_forked",
        tail_of(A, Link(time_ms=B.time_ms, kind=Kind.CASE, entry=B.entry)),
    ),
}


@pytest.mark.parametrize(("code", "offered"), OFFERED.values(), ids=OFFERED.keys())
def test_a_kept_head_finds_out_another_past(code: str, offered: Tail) -> None:
    """Whoever keeps one head notices; the caller keeps both as evidence, and sends nothing more."""
    assert code == refusal_of(check_same_past, KNOWN, head_of(offered))


def test_a_longer_log_with_another_past_is_found_out_on_the_way_to_its_head() -> None:
    """(N23) Its links, taken from the kept head on, do not end in the head that the relay signed."""
    forked = head_of(tail_of(A, OTHER, C))
    assert "success" == refusal_of(check_same_past, KNOWN, forked)
    assert forked.head != extend(KNOWN, C).head


def test_a_left_out_link_changes_every_head_after_it() -> None:
    """(N23) A gap cannot be closed: the position is hashed in."""
    assert tail_of(A, C).head != tail_of(A, B, C).head
    assert tail_of(A, A).head != tail_of(A).head


def test_time_never_runs_backwards() -> None:
    """(N52) By one millisecond; zero is before everything."""
    earlier = Link(time_ms=B.time_ms - 1, kind=B.kind, entry=C.entry)
    assert "time_backwards" == refusal_of(extend, KNOWN, earlier)
    assert "success" == refusal_of(extend, empty_log(CASE), Link(time_ms=0, kind=B.kind, entry=C.entry))


STRANGER = signer_from(seed("another relay"))
GOOD = head_of(KNOWN)
HEADS: dict[str, tuple[str, Signed]] = {
    "N53 signed by another key": ("wrong_relay", sign("head", GOOD, [STRANGER])),
    "N53 another key's signature under this key": (
        "bad_signature",
        replace(
            sign("head", GOOD, [RELAY_SIGNER]),
            sigs=(replace(sign("head", GOOD, [STRANGER]).sigs[0], key=RELAY_SIGNER(b"").key),),
        ),
    ),
    "N53 of another relay, with this relay's key": (
        "wrong_relay",
        sign("head", head_of(KNOWN, relay=named_hash("relay")), [RELAY_SIGNER]),
    ),
    "of another case": ("wrong_case", sign("head", head_of(KNOWN, case=named_hash("x")), [RELAY_SIGNER])),
    "unsigned": ("wrong_relay", replace(sign("head", GOOD, [RELAY_SIGNER]), sigs=())),
    "signed twice": ("wrong_relay", sign("head", GOOD, [RELAY_SIGNER, RELAY_SIGNER])),
    "N18 a session": ("wrong_type", sign("session", GOOD, [RELAY_SIGNER])),
    "N18 a session relabelled": ("bad_signature", replace(sign("session", GOOD, [RELAY_SIGNER]), type="head")),
    "N50 version 2": ("newer_version", sign("head", head_of(KNOWN, v=2), [RELAY_SIGNER])),
    "a position below zero": ("bad_json", sign("head", head_of(KNOWN, n=-1), [RELAY_SIGNER])),
    "no head": ("bad_body", sign("head", head_of(KNOWN, head=None), [RELAY_SIGNER])),
}


@pytest.mark.parametrize(("code", "signed"), HEADS.values(), ids=HEADS.keys())
def test_a_head_is_the_relays_own_word_on_this_case(code: str, signed: Signed) -> None:
    """(N53) The relay's id is the hash of its log key, so no list of keys is needed."""
    assert code == refusal_of(check_head, signed, relay=RELAY, case=CASE)


def test_an_honest_head_is_taken() -> None:
    """The table above is not simply a wall."""
    assert GOOD == check_head(sign("head", GOOD, [RELAY_SIGNER]), relay=RELAY, case=CASE)


PACKED = pack_links([A, B])
LINKS = {
    "cut short": ("bad_body", PACKED[:-1]),
    "a byte too many": ("bad_body", PACKED + b"\x01"),
    "a time no number holds": ("bad_body", b"\xff" * 8 + PACKED[8:]),
    "2^53 milliseconds": ("bad_body", (2**53).to_bytes(8, "big") + PACKED[8:]),
    "N50 a kind that is not known": ("newer_version", PACKED[:8] + b"\x07" + PACKED[9:]),
    "N50 kind zero": ("newer_version", PACKED[:8] + b"\x00" + PACKED[9:]),
    "good": ("success", PACKED),
    "none": ("success", b""),
}


@pytest.mark.parametrize(("code", "raw"), LINKS.values(), ids=LINKS.keys())
def test_packed_links_are_whole_and_of_known_kinds(code: str, raw: bytes) -> None:
    """What another language's numbers cannot hold is refused here too."""
    assert code == refusal_of(unpack_links, raw)


def test_two_ends_on_two_forks_find_out_at_the_next_message() -> None:
    """(N25) Every envelope carries the head its sender saw."""
    clinic, owner = ActingParty("clinic", "clinic"), ActingParty("owner")

    def side(label: str) -> RunningCase:
        running = open_case(clinic)
        running.admit(owner, "owner", by=clinic)
        running.send(running.envelope(owner, label=label), owner)
        return running

    shown_to_owner, shown_to_clinic = side("told to one"), side("told to the other")
    message = owner.sign(shown_to_owner.envelope(owner, label="next"), kind="envelope")
    assert "log_forked" == refusal_of(shown_to_clinic.check_envelope, message)
    assert "success" == refusal_of(shown_to_owner.check_envelope, message)
