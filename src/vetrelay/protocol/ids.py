"""Ids, hashes and keys as they stand on the wire: canonical base64url without padding (docs/protocol.md, chapter 1).

Inside VetRelay an id *is* its wire text: the patterns below admit only the canonical
form, so two equal ids are equal strings in JSON, in URLs, in the database and in code.
"""

import binascii
import hashlib
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from vetrelay.errors import Refusal

_B = "[A-Za-z0-9_-]"
PATTERN_16: Final = f"^{_B}{{21}}[AQgw]$"
PATTERN_32: Final = f"^{_B}{{42}}[AEIMQUYcgkosw048]$"
PATTERN_64: Final = f"^{_B}{{85}}[AQgw]$"
PATTERN_1216: Final = f"^{_B}{{1621}}[AQgw]$"

# max_length: to Python's `$` a text that ends in a newline has ended before it.
_Text16 = Annotated[str, Meta(pattern=PATTERN_16, max_length=22)]
Hash = Annotated[str, Meta(pattern=PATTERN_32, max_length=43)]
Nonce = _Text16
EnvelopeId = _Text16
PersonId = _Text16
SignKey = Hash
SealKey = Annotated[str, Meta(pattern=PATTERN_1216, max_length=1622)]
SignatureText = Annotated[str, Meta(pattern=PATTERN_64, max_length=86)]
EntryId = Hash
PartyId = Hash
CaseId = Hash
DeviceId = Hash
RelayId = Hash

_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
# What is outside the alphabet, the padding and the standard's own "+/" included, becomes "!", which no decoder takes.
_TO_STANDARD: Final = bytes(
    {"-": ord("+"), "_": ord("/")}.get(chr(code), code if chr(code).isalnum() and code < 128 else ord("!"))
    for code in range(256)
)
_LAST: Final = {2: "AQgw", 3: "AEIMQUYcgkosw048"}  # the characters whose leftover bits are zero, by how many stand over

Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Position = Count
Milliseconds = Count
Bytes = Count


def b64(raw: bytes) -> str:
    """Base64url without padding, the only text form of bytes in VetRelay."""
    return binascii.b2a_base64(raw, newline=False).rstrip(b"=").translate(_TO_URL).decode("ascii")


def unb64(text: str, size_bytes: int | None = None) -> bytes:
    """The bytes of a canonical base64url text; `size_bytes` demands an exact length.

    Raises Refusal `bad_base64` for any other spelling (padding, alphabet, leftover bits, length).
    """
    # This runs over every byte that a relay takes in. So nothing is encoded again to compare: what makes a spelling the
    # canonical one is its alphabet and its last character, and msgspec has the fastest decoder at hand.
    loose = len(text) % 4
    if loose == 1 or (loose and text[-1] not in _LAST[loose]):
        raise Refusal("bad_base64")
    try:
        standard = text.encode("ascii").translate(_TO_STANDARD) + b"=" * (-loose % 4)
        raw = msgspec.convert(standard.decode("ascii"), bytes)
    except (msgspec.ValidationError, UnicodeEncodeError) as wrong:
        raise Refusal("bad_base64") from wrong
    if size_bytes is not None and len(raw) != size_bytes:
        raise Refusal("bad_base64")
    return raw


def sha256(*parts: bytes) -> bytes:
    """SHA-256 over the concatenation of the parts (32 bytes)."""
    return hashlib.sha256(parts[0] if len(parts) == 1 else b"".join(parts)).digest()


def labelled(label: str, *parts: bytes) -> Hash:
    """SHA-256(label, 00, parts): every hash of our own names what it is for."""
    return b64(sha256(label.encode("ascii"), b"\0", *parts))


def device_id(sign: SignKey, seal: SealKey) -> DeviceId:
    """A device's id: the hash of its two public keys."""
    return labelled("VetRelay-v1 device", unb64(sign, 32), unb64(seal, 1216))


def relay_id(log_key: SignKey) -> RelayId:
    """A relay's id: the hash of the key that signs its heads, so that a clinic may move its domain."""
    return labelled("VetRelay-v1 relay", unb64(log_key, 32))


def fingerprint(identifier: Hash) -> str:
    """The short human form of an id: five groups of four hex digits (80 bits)."""
    digits = unb64(identifier, 32)[:10].hex()
    return " ".join(digits[i : i + 4] for i in range(0, 20, 4))
