"""One attachment on its way into the jail: nothing is opened before it is whole, nothing handed on before it is right."""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vetrelay.errors import Refusal
from vetrelay.intake.attachment import open_payload
from vetrelay.intake.sealed_source import SealedSource
from vetrelay.protocol.age.stream import CHUNK_BYTES, StreamSealer
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


@contextlib.contextmanager
def spooled(payload: bytes) -> Iterator[BinaryIO]:
    """A payload as it was fetched."""
    with tempfile.TemporaryFile() as file:
        file.write(payload)
        file.flush()
        yield file


@pytest.fixture(scope="module")
def source() -> Iterator[SealedSource]:
    """A sound payload, checked and opened."""
    with spooled(sealed()) as file:
        yield open_payload(file, p=hashed(sealed()), key=KEY, plain_sha256=hashed(PLAIN))


def test_a_payload_is_read_at_any_place_without_being_opened_whole(source: SealedSource) -> None:
    """Across chunks, at the end, beyond it."""
    assert len(PLAIN) == source.size_bytes
    for offset, size_bytes in [
        (0, 10),
        (CHUNK_BYTES - 3, 7),
        (5, 2 * CHUNK_BYTES),
        (len(PLAIN) - 4, 100),
        (len(PLAIN), 1),
        (0, 0),
    ]:
        assert PLAIN[offset : offset + size_bytes] == source.read(offset, size_bytes)
    assert PLAIN == source.read(0, len(PLAIN))


@given(st.integers(0, 3 * CHUNK_BYTES + 40), st.integers(0, 3 * CHUNK_BYTES + 40))
def test_any_range_is_the_range_of_the_plaintext(source: SealedSource, offset: int, size_bytes: int) -> None:
    """Wherever it begins and ends."""
    assert PLAIN[offset : offset + size_bytes] == source.read(offset, size_bytes)


def test_an_empty_file_is_a_file() -> None:
    """It is for the inspection to say that it is empty."""
    payload = sealed(b"")
    with spooled(payload) as file:
        source = open_payload(file, p=hashed(payload), key=KEY, plain_sha256=hashed(b""))
        assert (0, b"") == (source.size_bytes, source.read(0, 10))


def test_a_spool_that_changes_afterwards_is_never_read_as_something_else() -> None:
    """Every chunk is authenticated again when it is read."""
    with spooled(sealed()) as file:
        source = open_payload(file, p=hashed(sealed()), key=KEY, plain_sha256=hashed(PLAIN))
        os.pwrite(file.fileno(), bytes([sealed()[5000] ^ 1]), 5000)
        with pytest.raises(OSError, match="spool"):
            source.read(0, 10)
        assert PLAIN[CHUNK_BYTES : CHUNK_BYTES + 9] == source.read(CHUNK_BYTES, 9)


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
def test_what_is_not_as_its_author_signed_it_is_refused(
    payload: bytes, p: str, key: bytes, plain_sha256: str, code: str
) -> None:
    """(N01, N12) Each way has its code."""
    with spooled(payload) as file, pytest.raises(Refusal) as refusal:
        open_payload(file, p=p, key=key, plain_sha256=plain_sha256)
    assert code == refusal.value.code
