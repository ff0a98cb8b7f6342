"""The public halves: the hybrid recipient that VetRelay seals to, and how a file key is wrapped to it.

X-Wing-like hybrid of ML-KEM-768 and X25519 through HPKE with HKDF-SHA256 and
ChaCha20-Poly1305 (C2SP age.md, "The mlkem768x25519 recipient type"). HPKE draws its
own encapsulation randomness: the library has no seed parameter.
"""

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, MLKEM768X25519PublicKey, Suite

from vetrelay.errors import Refusal
from vetrelay.protocol.age import bech32
from vetrelay.protocol.age.stanza import (
    ENCAPSULATION_BYTES,
    FILE_KEY_BYTES,
    HYBRID_KIND,
    X25519_BYTES,
    Stanza,
    encode_base64,
    is_low_order,
)

KEM_PUBLIC_BYTES = 1184
RECIPIENT_BYTES = KEM_PUBLIC_BYTES + X25519_BYTES
RECIPIENT_PREFIX = "age1pq"

HYBRID_SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
HYBRID_INFO = b"age-encryption.org/mlkem768x25519"


def _public_key(recipient: bytes) -> MLKEM768X25519PublicKey:
    if len(recipient) != RECIPIENT_BYTES or is_low_order(recipient[KEM_PUBLIC_BYTES:]):
        raise Refusal("bad_key")
    try:
        kem = MLKEM768PublicKey.from_public_bytes(recipient[:KEM_PUBLIC_BYTES])
    except ValueError:  # FIPS 203 section 7.2: a coefficient that is not reduced
        raise Refusal("bad_key") from None
    return MLKEM768X25519PublicKey(kem, X25519PublicKey.from_public_bytes(recipient[KEM_PUBLIC_BYTES:]))


def check_recipient(recipient: bytes) -> None:
    """Refusal("bad_key") unless `recipient` is 1216 bytes, valid ML-KEM-768, and X25519 of full order."""
    _public_key(recipient)


def wrap(recipient: bytes, file_key: bytes) -> Stanza:
    """A stanza that gives `file_key` (16 bytes) to the holder of `recipient` (1216 bytes).

    Raises Refusal("bad_key") as `check_recipient` does.
    """
    if len(file_key) != FILE_KEY_BYTES:
        raise ValueError("an age file key has 16 bytes")
    sealed = HYBRID_SUITE.encrypt(file_key, _public_key(recipient), HYBRID_INFO)
    encapsulation, body = sealed[:ENCAPSULATION_BYTES], sealed[ENCAPSULATION_BYTES:]
    return Stanza(HYBRID_KIND, (encode_base64(encapsulation).decode("ascii"),), body)


def recipient_text(recipient: bytes) -> str:
    """`age1pq1…`, the form that stock age takes after `-r`."""
    check_recipient(recipient)
    return bech32.encode(RECIPIENT_PREFIX, recipient)


def parse_recipient(text: str) -> bytes:
    """The 1216 bytes of an `age1pq1…` text.

    Raises Refusal("age_text") for another text (an older suite too: N20), Refusal("bad_key") for a bad key.
    """
    prefix, recipient = bech32.decode(text)
    if prefix != RECIPIENT_PREFIX:
        raise Refusal("age_text")
    check_recipient(recipient)
    return recipient
