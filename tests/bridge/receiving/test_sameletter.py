"""What makes two letters the same, whatever pieces they came in and whatever their way added."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from vetrelay.bridge.proving.firstpass import FirstPass
from vetrelay.bridge.proving.headfields import HEAD_BYTES
from vetrelay.bridge.receiving.sameletter import SameLetter

HEAD = b"From: a@b.example\r\nSubject: Record\r\nMessage-ID: <1@b.example>\r\n"
BODY = b"One line.\r\n\r\nAnother, with 20 ml.\r\n"


def digest_of(*pieces: bytes) -> bytes:
    """The mark of a letter that came in these pieces."""
    first = FirstPass()
    same = SameLetter(first)
    for piece in pieces:
        same.feed(piece)
    first.finish()
    return same.digest()


WHOLE = digest_of(HEAD + b"\r\n" + BODY)


@given(cuts=st.lists(st.integers(0, len(HEAD + BODY) + 2), max_size=6))
def test_the_pieces_make_no_difference(cuts: list[int]) -> None:
    """Cut anywhere, in the middle of the head's end too."""
    content = HEAD + b"\r\n" + BODY
    edges = [0, *sorted(cuts), len(content)]
    assert WHOLE == digest_of(*(content[start:end] for start, end in itertools.pairwise(edges)))


def test_what_the_way_added_makes_no_difference() -> None:
    """Trace fields and signatures, on top or between."""
    for way in (b"Received: by x\r\n\tfor y\r\n", b"DKIM-Signature: v=1; t=3\r\n", b"X-Queue: 7\r\n"):
        assert WHOLE == digest_of(way + HEAD + b"\r\n" + BODY)
        assert WHOLE == digest_of(HEAD + way + b"\r\n" + BODY)


def test_what_its_author_wrote_makes_all_the_difference() -> None:
    """Another field's value, a field moved into another, one more line, one byte of the body."""
    others = {
        digest_of(HEAD.replace(b"<1@", b"<2@") + b"\r\n" + BODY),
        digest_of(HEAD.replace(b"Record", b"record") + b"\r\n" + BODY),
        digest_of(HEAD + b"Cc: c@b.example\r\n\r\n" + BODY),
        digest_of(HEAD + b"\r\n" + BODY.replace(b"20", b"21")),
        digest_of(HEAD + b"\r\n" + BODY + b"\r\n"),
        digest_of(HEAD + b"\r\n"),
        digest_of(HEAD),
        digest_of(b"\r\n" + BODY),
        digest_of(),
    }
    assert WHOLE not in others
    assert len(others) >= 8  # a head without a body may come with its empty line or without


def test_a_head_beyond_its_limit_still_has_a_mark() -> None:
    """It is compared whole."""
    filler = b"X-Filler: " + b"x" * HEAD_BYTES + b"\r\n"
    one = digest_of(filler + HEAD + b"\r\n" + BODY)
    assert one == digest_of(filler + HEAD + b"\r\n", BODY)
    assert one != digest_of(filler + HEAD + b"\r\n" + BODY + b"x")
