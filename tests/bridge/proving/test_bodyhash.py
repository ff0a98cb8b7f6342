"""The body's hash taken in pieces is the one that dkimpy takes of the whole."""

import hashlib

import pytest
from dkim.canonicalization import Relaxed, Simple
from hypothesis import example, given
from hypothesis import strategies as st

from tests.bridge.signed_letters import plain_letter, signed
from vetrelay.bridge.proving.bodyhash import BodyHashes
from vetrelay.bridge.proving.firstpass import FirstPass
from vetrelay.bridge.proving.headfields import HEAD_BYTES

PIECES = st.sampled_from([b"\r\n", b"\r", b"\n", b" ", b"\t", b"  ", b"a", b"word", b"\r\n\r\n", b"\0", b" \r\n", b"."])
BODIES = st.lists(st.one_of(PIECES, st.binary(max_size=3)), max_size=30)


def by_dkimpy(body: bytes) -> tuple[bytes, bytes]:
    """As its parser hands a body on: LF has become CRLF."""
    lines = body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    forms = (Simple.canonicalize_body(lines), Relaxed.canonicalize_body(lines))
    return hashlib.sha256(forms[0]).digest(), hashlib.sha256(forms[1]).digest()


@given(BODIES)
@example([b"a\r", b"\r", b"\n"])
@example([b"a\r\r"])
@example([b" ", b"\r\n", b" "])
@example([])
def test_any_body_in_any_pieces_has_the_hashes_that_dkimpy_takes(pieces: list[bytes]) -> None:
    """Both forms; the pieces are fed one by one."""
    taken = BodyHashes()
    for piece in pieces:
        taken.feed(piece)
    assert by_dkimpy(b"".join(pieces)) == (taken.digest("simple"), taken.digest("relaxed"))


@given(BODIES, st.integers(1, 4))
def test_how_a_body_is_cut_changes_nothing(pieces: list[bytes], size_bytes: int) -> None:
    """The same bytes in pieces of one size; asking in between changes nothing either."""
    body = b"".join(pieces)
    taken = BodyHashes()
    for at in range(0, len(body), size_bytes):
        taken.feed(body[at : at + size_bytes])
        taken.digest("relaxed")
    assert by_dkimpy(body) == (taken.digest("simple"), taken.digest("relaxed"))


def test_many_empty_lines_wait_without_being_kept() -> None:
    """A million of them, and then a word."""
    taken = BodyHashes()
    for _ in range(100):
        taken.feed(b"\r\n" * 10_000)
    taken.feed(b"end")
    assert by_dkimpy(b"\r\n" * 1_000_000 + b"end") == (taken.digest("simple"), taken.digest("relaxed"))


def test_a_form_that_was_not_asked_for_has_no_hash() -> None:
    """And costs nothing."""
    taken = BodyHashes(frozenset({"simple"}))
    taken.feed(b"x")
    assert taken.digest("relaxed") is None
    assert taken.digest("simple") is not None


@given(BODIES, st.lists(st.sampled_from([b"A: b", b"C:\r\n d", b"E: f", b"x"]), max_size=4), st.integers(1, 7))
def test_the_head_ends_at_the_first_empty_line(pieces: list[bytes], fields: list[bytes], size_bytes: int) -> None:
    """Wherever the pieces are cut; a letter without a head has an empty one."""
    body = b"".join(pieces)
    whole = b"\r\n".join(fields) + b"\r\n" * (2 if fields else 1) + body
    first = FirstPass()
    for at in range(0, len(whole), size_bytes):
        first.feed(whole[at : at + size_bytes])
    first.finish()
    assert b"\r\n".join(fields) == first.head


def test_a_letter_without_an_end_of_its_head_is_all_head() -> None:
    """Its body is empty."""
    first = FirstPass()
    first.feed(b"From: a@b.example\r\n")
    first.finish()
    assert b"From: a@b.example\r\n" == first.head


@pytest.mark.parametrize("size_bytes", [1000, 65536, 10_000_000])
def test_a_head_over_the_limit_is_cut_off(size_bytes: int) -> None:
    """And is recognised by its length; the rest is not kept."""
    whole = b"X: " + b"y" * (3 * HEAD_BYTES) + b"\r\n\r\nbody"
    first = FirstPass()
    for at in range(0, len(whole), size_bytes):
        first.feed(whole[at : at + size_bytes])
    first.finish()
    assert HEAD_BYTES + 1 == len(first.head)


def test_only_the_forms_that_a_signature_names_are_hashed() -> None:
    """Nothing is hashed for a letter that nobody signed."""
    for raw, forms in (
        (plain_letter(), (False, False)),
        (signed(plain_letter(), forms=(b"relaxed", b"simple")), (True, False)),
        (signed(plain_letter(), forms=(b"simple", b"relaxed")), (False, True)),
    ):
        first = FirstPass()
        first.feed(raw)
        first.finish()
        assert forms == (first.body.digest("simple") is not None, first.body.digest("relaxed") is not None)
