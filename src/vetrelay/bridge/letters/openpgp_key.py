"""The bridge's own OpenPGP key: Ed25519 to sign, Curve25519 to be written to, in the form that GnuPG 2.1 and later read.

Made here and not by the library, for three reasons: a key made there asks its correspondents for the packets of RFC 9580,
which GnuPG 2.2 cannot write; it lets them compress, and what is compressed and signed the library does not verify; and
one key must carry the name of whichever case address a letter is from, with the same fingerprint.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from vetrelay.bridge.letters.openpgp_packets import packed
from vetrelay.errors import Fault

_MARK: Final = b"VetRelay mail key 1\0"
_SEED_BYTES: Final = 32
_EDDSA: Final = bytes([22, 9]) + bytes.fromhex("2b06010401da470f01")
_ECDH: Final = bytes([18, 10]) + bytes.fromhex("2b060104019755010501")
CURVE_OID: Final = _ECDH[1:]
# The key derivation's parameters: SHA-256, AES-128 (RFC 9580, 11.5).
KDF: Final = bytes([3, 1, 8, 7])
_SHA512: Final = 10


@dataclass(frozen=True)
class OwnPgp:
    """The bridge's secret key: two seeds and the time it was made. Never printed, stored only sealed."""

    sign_seed: bytes
    open_seed: bytes
    created_s: int

    def __repr__(self) -> str:
        return f"OwnPgp({self.fingerprint})"

    @cached_property
    def fingerprint(self) -> str:
        """Forty hexadecimal digits, lower-case: the primary key's."""
        return _fingerprint(self._primary).hex()

    @cached_property
    def open_fingerprint(self) -> bytes:
        """The subkey's twenty bytes, to which letters are encrypted."""
        return _fingerprint(self._subkey)

    @cached_property
    def opener(self) -> X25519PrivateKey:
        """The secret that opens letters."""
        return X25519PrivateKey.from_private_bytes(self.open_seed)

    def certificate(self, address: str) -> bytes:
        """The public key, with this address as its only name; binary. The same bytes every time."""
        return packed(6, self._primary) + self._named(address) + packed(14, self._subkey) + self._binding

    def secret(self, address: str) -> bytes:
        """The same with the secrets, as the library takes it."""
        primary = self._primary + _secret_part(self.sign_seed)
        subkey = self._subkey + _secret_part(_clamped(self.open_seed)[::-1])
        return packed(5, primary) + self._named(address) + packed(7, subkey) + self._binding

    def to_bytes(self) -> bytes:
        """What is stored, under seal."""
        return _MARK + self.created_s.to_bytes(8, "big") + self.sign_seed + self.open_seed

    @cached_property
    def _primary(self) -> bytes:
        signer = Ed25519PrivateKey.from_private_bytes(self.sign_seed)
        public = signer.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return b"\x04" + self.created_s.to_bytes(4, "big") + _EDDSA + _mpi(b"\x40" + public)

    @cached_property
    def _subkey(self) -> bytes:
        public = self.opener.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return b"\x04" + self.created_s.to_bytes(4, "big") + _ECDH + _mpi(b"\x40" + public) + KDF

    @cached_property
    def _binding(self) -> bytes:
        return self._signed(0x18, _hashed_key(self._primary) + _hashed_key(self._subkey), _subpacket(27, b"\x0c"))

    def _named(self, address: str) -> bytes:
        name = address.encode()
        wishes = (
            _subpacket(27, b"\x03")  # certifies and signs
            + _subpacket(25, b"\x01")  # its main name
            + _subpacket(11, b"\x09\x08\x07")  # AES, the longest first
            + _subpacket(21, b"\x0a\x09\x08")  # SHA-2, the longest first
            + _subpacket(22, b"\x00")  # uncompressed only
            + _subpacket(30, b"\x01")  # version 1 of the sealed packet, which everybody can write
        )
        subject = _hashed_key(self._primary) + b"\xb4" + len(name).to_bytes(4, "big") + name
        return packed(13, name) + self._signed(0x13, subject, wishes)

    def _signed(self, kind: int, subject: bytes, wishes: bytes) -> bytes:
        fingerprint = _fingerprint(self._primary)
        hashed = _subpacket(2, self.created_s.to_bytes(4, "big")) + _subpacket(33, b"\x04" + fingerprint) + wishes
        head = bytes([4, kind, _EDDSA[0], _SHA512]) + len(hashed).to_bytes(2, "big") + hashed
        digest = hashlib.sha512(subject + head + b"\x04\xff" + len(head).to_bytes(4, "big")).digest()
        signature = Ed25519PrivateKey.from_private_bytes(self.sign_seed).sign(digest)
        issuer = _subpacket(16, fingerprint[-8:])
        body = head + len(issuer).to_bytes(2, "big") + issuer + digest[:2] + _mpi(signature[:32]) + _mpi(signature[32:])
        return packed(2, body)


def make_own_pgp(random_bytes: Callable[[int], bytes], *, now_ms: int) -> OwnPgp:
    """A new key. The caller seals and stores `to_bytes()` before anybody is told of it."""
    return OwnPgp(sign_seed=random_bytes(_SEED_BYTES), open_seed=random_bytes(_SEED_BYTES), created_s=now_ms // 1000)


def parse_own_pgp(stored: bytes) -> OwnPgp:
    """The key that `to_bytes` wrote. Raises Fault `mail_key_damaged`."""
    body = stored.removeprefix(_MARK)
    if len(body) != 8 + 2 * _SEED_BYTES or not stored.startswith(_MARK):
        raise Fault("mail_key_damaged")
    return OwnPgp(sign_seed=body[8:40], open_seed=body[40:], created_s=int.from_bytes(body[:8], "big"))


def _clamped(seed: bytes) -> bytes:
    """X25519's scalar as it is used (RFC 7748, 5): other programs expect it stored so."""
    return bytes([seed[0] & 248, *seed[1:31], seed[31] & 127 | 64])


def _mpi(octets: bytes) -> bytes:
    number = int.from_bytes(octets, "big")
    bits = number.bit_length()
    return bits.to_bytes(2, "big") + number.to_bytes((bits + 7) // 8, "big")


def _secret_part(octets: bytes) -> bytes:
    # 0: not locked by a passphrase; the seal around the whole does that.
    secret = _mpi(octets)
    return b"\x00" + secret + (sum(secret) & 0xFFFF).to_bytes(2, "big")


def _hashed_key(body: bytes) -> bytes:
    return b"\x99" + len(body).to_bytes(2, "big") + body


def _fingerprint(body: bytes) -> bytes:
    return hashlib.sha1(_hashed_key(body), usedforsecurity=False).digest()


def _subpacket(kind: int, content: bytes) -> bytes:
    return bytes([1 + len(content), kind]) + content
