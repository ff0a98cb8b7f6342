"""Sealing: to hybrid parties only, each once, named by hashes; what comes out is a plain age file."""

import dataclasses
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vectors.generate_seal import SEAL_JSON, generate
from vetrelay.errors import Refusal
from vetrelay.protocol.age import bech32
from vetrelay.protocol.age.file import open_file
from vetrelay.protocol.age.header import check_sealed_shape
from vetrelay.protocol.age.identities import HybridIdentity
from vetrelay.protocol.age.stream import sealed_size
from vetrelay.protocol.seal import Sealed, seal_bytes, seal_header

FILE_KEY, NONCE = bytes(range(16)), bytes(range(16, 32))
OWNER, CLINIC = HybridIdentity(bytes(range(32))), HybridIdentity(bytes(range(32, 64)))
READERS = [OWNER.recipient, CLINIC.recipient]


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=200_000))
def test_every_recipient_opens_what_was_sealed(plaintext: bytes) -> None:
    """As a whole age file, with any of the identities, by the codec that opens any age file."""
    sealed = seal_bytes(plaintext, READERS, file_key=FILE_KEY, nonce=NONCE)

    assert sealed_size(len(plaintext)) == len(sealed.payload)
    for identity in (OWNER, CLINIC):
        assert plaintext == b"".join(open_file(sealed.age_file, [identity]))


def test_an_object_is_named_by_the_hashes_of_its_two_halves() -> None:
    """h0 is of the header, p of the payload, and the file is one after the other."""
    sealed = seal_bytes(b"Luna", READERS, file_key=FILE_KEY, nonce=NONCE)

    assert hashlib.sha256(sealed.header).digest() == sealed.h0
    assert hashlib.sha256(sealed.payload).digest() == sealed.p
    assert sealed.header + sealed.payload == sealed.age_file


def test_the_payload_does_not_depend_on_the_readers() -> None:
    """Sealing again for other readers makes another header, over the same payload."""
    first = seal_bytes(b"Luna", READERS, file_key=FILE_KEY, nonce=NONCE)
    second = seal_bytes(b"Luna", READERS[:1], file_key=FILE_KEY, nonce=NONCE)

    assert first.p == second.p
    assert first.h0 != second.h0


def test_a_sealed_object_is_frozen_and_shows_no_bytes() -> None:
    """A value: it neither changes nor fills a log."""
    sealed = Sealed(b"header", b"payload")

    assert "payload" not in repr(sealed)
    with pytest.raises(dataclasses.FrozenInstanceError):
        sealed.header = b"other"  # type: ignore[misc]  # that it cannot be set is the test


@pytest.mark.parametrize("count", [1, 2, 64])
def test_a_header_has_one_stanza_per_recipient(count: int) -> None:
    """Up to the 64 parties of a case, in the shape that a relay demands."""
    recipients = [HybridIdentity(bytes([number] * 32)).recipient for number in range(count)]

    check_sealed_shape(seal_header(recipients, FILE_KEY), count)


BAD = {
    "nobody": ([], "bad_recipients"),
    "one twice": ([OWNER.recipient, CLINIC.recipient, OWNER.recipient], "bad_recipients"),
    "65": ([HybridIdentity(bytes([number] * 32)).recipient for number in range(65)], "bad_recipients"),
    "N20 an X25519 recipient": ([OWNER.recipient, OWNER.recipient[1184:]], "bad_key"),
    "an identity's text": ([OWNER.text.encode()], "bad_key"),
    "a recipient's text": ([bech32.encode("age1pq", OWNER.recipient).encode()], "bad_key"),
    "low order": ([OWNER.recipient[:1184] + bytes(32)], "bad_key"),
}


@pytest.mark.parametrize(("recipients", "code"), BAD.values(), ids=BAD.keys())
def test_nothing_is_sealed_to_a_wrong_list_of_readers(recipients: list[bytes], code: str) -> None:
    """N11, N20: none, one twice, too many, or one that is no valid hybrid recipient."""
    with pytest.raises(Refusal) as caught:
        seal_bytes(b"Luna", recipients, file_key=FILE_KEY, nonce=NONCE)

    assert code == caught.value.code


def test_the_vectors_are_what_their_script_writes() -> None:
    """Regenerating tests/vectors/seal.json changes nothing."""
    assert SEAL_JSON.read_text() == generate()
