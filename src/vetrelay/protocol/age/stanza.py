"""One recipient stanza of an age header: its value, its base64, and the shape of the hybrid kind.

Nothing here is secret: the blind relay counts and measures stanzas with it.
Source: C2SP age.md, "Recipient stanza" and "The mlkem768x25519 recipient type".
"""

import binascii
from dataclasses import dataclass

from vetrelay.errors import Refusal

HYBRID_KIND = "mlkem768x25519"
FILE_KEY_BYTES = 16
WRAPPED_KEY_BYTES = FILE_KEY_BYTES + 16  # the file key and its Poly1305 tag
KEM_CIPHERTEXT_BYTES = 1088
X25519_BYTES = 32
ENCAPSULATION_BYTES = KEM_CIPHERTEXT_BYTES + X25519_BYTES

_FIELD_PRIME = 2**255 - 19
# The u-coordinates of order 1, 2, 4 and 8 on Curve25519 and its twist, reduced. Multiplied by
# any X25519 scalar (a multiple of 8) each gives zero: a "shared secret" that everybody knows.
_LOW_ORDER = frozenset(
    {
        0,
        1,
        _FIELD_PRIME - 1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
    }
)


@dataclass(frozen=True, slots=True)
class Stanza:
    """`kind` and `args` stand on the stanza's first line, `body` below it."""

    kind: str
    args: tuple[str, ...]
    body: bytes


def encode_base64(payload: bytes) -> bytes:
    """Standard alphabet, no padding: the only base64 of age headers."""
    return binascii.b2a_base64(payload, newline=False).rstrip(b"=")


def decode_base64(text: bytes) -> bytes:
    """Bytes of canonical, unpadded, standard base64; else Refusal("age_header")."""
    try:
        payload = binascii.a2b_base64(text + b"=" * (-len(text) % 4), strict_mode=True)
    except binascii.Error:
        raise Refusal("age_header") from None
    # Decoders forgive stray bits, padding and line ends; a second spelling would be malleability.
    if encode_base64(payload) != text:
        raise Refusal("age_header")
    return payload


def is_low_order(point: bytes) -> bool:
    """Whether an X25519 public value (32 bytes) would give the all-zero shared secret (RFC 7748, 6.1)."""
    masked = int.from_bytes(point, "little") & (2**255 - 1)
    return masked % _FIELD_PRIME in _LOW_ORDER


def hybrid_encapsulation(stanza: Stanza) -> bytes:
    """The 1120 byte encapsulation of a hybrid stanza, after every check that needs no key.

    Raises Refusal("age_header") for another number of arguments, another size of
    encapsulation or body, non-canonical base64, or a low-order X25519 half.
    """
    if len(stanza.args) != 1 or len(stanza.body) != WRAPPED_KEY_BYTES:
        raise Refusal("age_header")
    encapsulation = decode_base64(stanza.args[0].encode("ascii"))
    if len(encapsulation) != ENCAPSULATION_BYTES or is_low_order(encapsulation[KEM_CIPHERTEXT_BYTES:]):
        raise Refusal("age_header")
    return encapsulation
