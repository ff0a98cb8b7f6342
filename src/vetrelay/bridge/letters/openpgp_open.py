"""Opening an OpenPGP letter that is sealed to the bridge's key: version 4 keys, and the sealed packet of version 1.

Done here, with the primitives of `cryptography`, because the library's own call unpacks compressed content without a
bound and refuses to verify what is compressed and signed, which is what GnuPG sends by default. Nothing is handed out
before the integrity check of the whole has held.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

from vetrelay.bridge.letters.openpgp_key import CURVE_OID, KDF, OwnPgp
from vetrelay.bridge.letters.openpgp_packets import Packet, Tag, packed, packets, uncompressed
from vetrelay.errors import Refusal

_ECDH: Final = 18
_KEY_BYTES: Final = {7: 16, 8: 24, 9: 32}  # AES-128, -192, -256
_MDC_BYTES: Final = 22
_NESTING: Final = 3
_IGNORED: Final = frozenset({Tag.MARKER, Tag.PADDING, Tag.SKESK})
_SIGNING: Final = frozenset({Tag.SIGNATURE, Tag.ONE_PASS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """What was under the seal: the content, and the packets to verify if there is a signature."""

    content: bytes
    signed: bytes | None


def opened_packets(untrusted: bytes, own: OwnPgp) -> tuple[bytes, bool]:
    """The packets inside, and whether they were really sealed: a message of plain packets comes back as it is.

    Raises Refusal `letter_for_another`, `letter_locked` (an encryption of a kind that is not read), `letter_altered`.
    """
    found = [packet for packet in packets(untrusted) if packet.tag not in _IGNORED]
    if not any(packet.tag in {Tag.PKESK, Tag.SEIPD, Tag.SED, Tag.AED} for packet in found):
        return untrusted, False
    *keys, sealed = found or [Packet(tag=0, body=b"")]
    if any(key.tag != Tag.PKESK for key in keys):
        # Packets before or after the sealed one would be spliced into it in somebody's reading.
        raise Refusal("letter_altered")
    if sealed.tag != Tag.SEIPD or sealed.body[:1] != b"\x01":
        raise Refusal("letter_locked" if _meant_for(keys, own) else "letter_for_another")
    return _unsealed(sealed.body[1:], _session_key(keys, own)), True


def inside(untrusted_packets: bytes, *, limit_bytes: int) -> Inside:
    """The one literal packet and its signatures. Raises Refusal `letter_altered`, `letter_locked`, `too_large`."""
    layer = untrusted_packets
    for _ in range(_NESTING):
        found = [packet for packet in packets(layer) if packet.tag not in _IGNORED]
        if len(found) == 1 and found[0].tag == Tag.COMPRESSED:
            layer = uncompressed(found[0].body, limit_bytes=limit_bytes)
            continue
        literals = [packet for packet in found if packet.tag == Tag.LITERAL]
        if len(literals) != 1 or any(packet.tag not in _SIGNING | {Tag.LITERAL} for packet in found):
            raise Refusal("letter_altered")
        signed = b"".join(packed(packet.tag, packet.body) for packet in found) if len(found) > 1 else None
        return Inside(content=_literal(literals[0].body), signed=signed)
    raise Refusal("letter_altered")


def _literal(body: bytes) -> bytes:
    # Format, length of the name, name, date; then the content (RFC 9580, 5.9).
    start = 2 + (body[1] if len(body) > 1 else 0) + 4
    if len(body) < start:
        raise Refusal("letter_altered")
    return body[start:]


def _meant_for(keys: Iterable[Packet], own: OwnPgp) -> bool:
    return any(_names(key.body, own) for key in keys)


def _names(body: bytes, own: OwnPgp) -> bool:
    # Version 3 names a key id, of zeros for "try yours"; version 6 a length, a version and the fingerprint.
    if body[:1] == b"\x03":
        return body[1:9] in {own.open_fingerprint[-8:], bytes(8)}
    return body[:1] == b"\x06" and body[3:23] == own.open_fingerprint


def _session_key(keys: list[Packet], own: OwnPgp) -> tuple[int, bytes]:
    """(cipher, key) from the first packet that opens."""
    ours = [key.body for key in keys if _names(key.body, own)]
    if not ours:
        raise Refusal("letter_for_another")
    for body in ours:
        if body[0] == 3 and body[9:10] == bytes([_ECDH]):
            unwrapped = _unwrapped(body[10:], own)
            if unwrapped is not None:
                return unwrapped
    hidden = all(body[1:9] == bytes(8) for body in ours)
    raise Refusal("letter_for_another" if hidden else "letter_locked")


def _unwrapped(fields: bytes, own: OwnPgp) -> tuple[int, bytes] | None:
    """ECDH of RFC 9580, 11.5: None where the packet is not sealed to this key."""
    point_bytes = (int.from_bytes(fields[:2], "big") + 7) // 8
    point, wrapped = fields[2 : 2 + point_bytes], fields[3 + point_bytes :]
    if point_bytes != 33 or point[:1] != b"\x40" or len(point) != 33:
        return None
    try:
        shared = own.opener.exchange(X25519PublicKey.from_public_bytes(point[1:]))
        context = CURVE_OID + bytes([_ECDH]) + KDF + b"Anonymous Sender    " + own.open_fingerprint
        wrapping = hashlib.sha256(b"\x00\x00\x00\x01" + shared + context).digest()[: _KEY_BYTES[KDF[3]]]
        unwrapped = aes_key_unwrap(wrapping, wrapped)
    except (InvalidUnwrap, InvalidKey, ValueError):
        return None
    cipher = unwrapped[0]
    if cipher not in _KEY_BYTES:
        raise Refusal("letter_locked")
    key = unwrapped[1 : 1 + _KEY_BYTES[cipher]]
    checksum = unwrapped[1 + len(key) : 3 + len(key)]
    if len(key) != _KEY_BYTES[cipher] or checksum != (sum(key) & 0xFFFF).to_bytes(2, "big"):
        return None
    return cipher, key


def _unsealed(sealed: bytes, session: tuple[int, bytes]) -> bytes:
    """The packets under a version 1 seal, once its SHA-1 of everything has held (RFC 9580, 5.13.1)."""
    decryptor = Cipher(algorithms.AES(session[1]), CFB(bytes(16))).decryptor()
    plain = decryptor.update(sealed) + decryptor.finalize()
    digest = hashlib.sha1(plain[:-20], usedforsecurity=False).digest()
    # The repeated octets 16 and 17 are not looked at: a different answer for them would be an oracle.
    if len(plain) < 18 + _MDC_BYTES or not hmac.compare_digest(b"\xd3\x14" + digest, plain[-_MDC_BYTES:]):
        raise Refusal("letter_altered")
    return plain[18:-_MDC_BYTES]
