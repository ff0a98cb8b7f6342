"""One attachment on its way into the jail: nothing is opened before it is whole, nothing handed on before it is right."""

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vetrelay.errors import Refusal
from vetrelay.inspection.handover import is_sealed
from vetrelay.intake.attachment import open_payload, plain_size
from vetrelay.protocol.age.stream import CHUNK_BYTES, StreamSealer, sealed_size
from vetrelay.protocol.ids import b64

KEY, NONCE = bytes(range(16)), bytes(16)
PLAIN = os.urandom(3 * CHUNK_BYTES + 17)


def sealed(plain: bytes = PLAIN) -> bytes:
    """The payload that seals a plaintext."""
    sealer = StreamSealer(KEY, NONCE)
    return b"".join(sealer.update(plain) + sealer.finish())


def hashed(content: bytes) -> str:
    """Its name."""
    return b64(hashlib.sha256(content).digest())


def pieces(payload: bytes, size_bytes: int = 100_000) -> list[bytes]:
    """As they come over the wire."""
    return [payload[at : at + size_bytes] for at in range(0, len(payload), size_bytes)]


def open_descriptors() -> int:
    """How many this process has."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_payload_is_opened_into_memory_that_nobody_can_change() -> None:
    """The descriptor holds the whole plaintext, and is sealed: the jail may map it."""
    descriptor = open_payload(pieces(sealed()), p=hashed(sealed()), key=KEY, plain_sha256=hashed(PLAIN))
    try:
        assert PLAIN == os.pread(descriptor, len(PLAIN) + 1, 0)
        assert is_sealed(descriptor)
    finally:
        os.close(descriptor)


def test_an_empty_file_is_a_file() -> None:
    """It is for the inspection to say that it is empty."""
    payload = sealed(b"")
    descriptor = open_payload([payload], p=hashed(payload), key=KEY, plain_sha256=hashed(b""))
    assert 0 == os.fstat(descriptor).st_size
    os.close(descriptor)


@pytest.mark.parametrize(
    ("payload", "p", "key", "plain_sha256", "code"),
    [
        (sealed()[:-1], hashed(sealed()), KEY, hashed(PLAIN), "payload_differs"),
        (sealed() + b"\0", hashed(sealed()), KEY, hashed(PLAIN), "payload_differs"),
        (sealed()[:-1], hashed(sealed()[:-1]), KEY, hashed(PLAIN), "cannot_open"),
        (sealed() + b"\0", hashed(sealed() + b"\0"), KEY, hashed(PLAIN), "cannot_open"),
        (sealed()[: 16 + CHUNK_BYTES + 16], hashed(sealed()[: 16 + CHUNK_BYTES + 16]), KEY, "", "cannot_open"),
        (sealed(), hashed(sealed()), bytes(16), hashed(PLAIN), "cannot_open"),
        (sealed(), hashed(sealed()), KEY, hashed(b"another"), "plaintext_differs"),
        (b"", hashed(b""), KEY, hashed(b""), "cannot_open"),
    ],
    ids=[
        "cut",
        "longer",
        "cut by its author",
        "longer by its author",
        "last chunk gone",
        "key",
        "plaintext",
        "nothing",
    ],
)
def test_what_is_not_as_its_author_signed_it_is_refused_and_leaves_nothing(
    payload: bytes, p: str, key: bytes, plain_sha256: str, code: str
) -> None:
    """(N01, N12) Each way has its code, and no memory with a part of the plaintext stays behind."""
    before = open_descriptors()
    with pytest.raises(Refusal) as refusal:
        open_payload(pieces(payload), p=p, key=key, plain_sha256=plain_sha256)
    assert (code, before) == (refusal.value.code, open_descriptors())


@given(st.integers(min_value=0, max_value=1 << 33))
def test_the_size_of_the_plaintext_is_known_before_it_is_fetched(plain_bytes: int) -> None:
    """It follows from the size of the payload."""
    assert plain_bytes == plain_size(sealed_size(plain_bytes))
