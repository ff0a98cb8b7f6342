"""The secret halves: how an identity finds its file key among a header's stanzas.

The only module of this package that holds a secret key, and so the one that the
blind relay may never import. VetRelay makes hybrid identities; X25519 and passphrases
are read only, so that any age file can be opened (C2SP age.md).
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from vetrelay.errors import Refusal
from vetrelay.protocol.age import bech32
from vetrelay.protocol.age.recipients import HYBRID_INFO, HYBRID_SUITE
from vetrelay.protocol.age.stanza import (
    HYBRID_KIND,
    WRAPPED_KEY_BYTES,
    X25519_BYTES,
    Stanza,
    decode_base64,
    hybrid_encapsulation,
    is_low_order,
)

SEED_BYTES = 32
HYBRID_PREFIX = "AGE-SECRET-KEY-PQ-"
X25519_PREFIX = "AGE-SECRET-KEY-"
X25519_KIND = "X25519"
SCRYPT_KIND = "scrypt"

_KEM_SEED_BYTES = 64
_SALT_BYTES = 16
# 2^20 blocks of 1 KiB: a stanza may ask for 1 GiB of memory, four times what stock age writes.
_MAX_WORK_FACTOR = 20
_WORK_FACTOR = re.compile(r"[1-9][0-9]?")
_ZERO_NONCE = bytes(12)  # every wrapping key seals one file key, once


class Identity(Protocol):
    """Whatever can look for its file key in a header."""

    def unwrap(self, stanzas: Sequence[Stanza]) -> bytes | None:
        """The file key (16 bytes), or None where no stanza is for this identity.

        Raises Refusal("age_header") for a stanza of its kind in a wrong shape.
        """
        ...


def _open_wrapped(wrapping_key: bytes, body: bytes) -> bytes | None:
    try:
        return ChaCha20Poly1305(wrapping_key).decrypt(_ZERO_NONCE, body, None)
    except InvalidTag:
        return None


class HybridIdentity:
    """The post-quantum identity of a party or device, from its 32 byte seed.

    The seed expands through SHAKE256 into the ML-KEM-768 seed and the X25519 scalar
    (C2SP age.md). It is never part of a `repr`.
    """

    __slots__ = ("_private_key", "_seed", "recipient")

    recipient: bytes
    """The public half, 1216 bytes."""

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_BYTES:
            raise Refusal("age_text")
        expanded = hashlib.shake_256(seed).digest(_KEM_SEED_BYTES + X25519_BYTES)
        kem = MLKEM768PrivateKey.from_seed_bytes(expanded[:_KEM_SEED_BYTES])
        curve = X25519PrivateKey.from_private_bytes(expanded[_KEM_SEED_BYTES:])
        self._seed = seed
        self._private_key = MLKEM768X25519PrivateKey(kem, curve)
        self.recipient = kem.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()

    @property
    def text(self) -> str:
        """`AGE-SECRET-KEY-PQ-1…`: the whole secret, for export to stock age."""
        return bech32.encode(HYBRID_PREFIX, self._seed)

    def unwrap(self, stanzas: Sequence[Stanza]) -> bytes | None:
        """See `Identity.unwrap`."""
        for stanza in stanzas:
            if stanza.kind != HYBRID_KIND:
                continue
            encapsulation = hybrid_encapsulation(stanza)
            try:
                return HYBRID_SUITE.decrypt(encapsulation + stanza.body, self._private_key, HYBRID_INFO)
            except InvalidTag:
                continue
        return None


class X25519Identity:
    """An identity of age's first kind, for reading stock files only."""

    __slots__ = ("_private_key", "_public")

    def __init__(self, scalar: bytes) -> None:
        if len(scalar) != X25519_BYTES:
            raise Refusal("age_text")
        self._private_key = X25519PrivateKey.from_private_bytes(scalar)
        self._public = self._private_key.public_key().public_bytes_raw()

    def unwrap(self, stanzas: Sequence[Stanza]) -> bytes | None:
        """See `Identity.unwrap`."""
        for stanza in stanzas:
            if stanza.kind != X25519_KIND:
                continue
            if len(stanza.args) != 1 or len(stanza.body) != WRAPPED_KEY_BYTES:
                raise Refusal("age_header")
            share = decode_base64(stanza.args[0].encode("ascii"))
            if len(share) != X25519_BYTES or is_low_order(share):
                raise Refusal("age_header")
            shared = self._private_key.exchange(X25519PublicKey.from_public_bytes(share))
            kdf = HKDF(algorithm=SHA256(), length=32, salt=share + self._public, info=b"age-encryption.org/v1/X25519")
            file_key = _open_wrapped(kdf.derive(shared), stanza.body)
            if file_key is not None:
                return file_key
        return None


class ScryptIdentity:
    """A passphrase, for reading stock files only."""

    __slots__ = ("_passphrase",)

    def __init__(self, passphrase: bytes) -> None:
        self._passphrase = passphrase

    def unwrap(self, stanzas: Sequence[Stanza]) -> bytes | None:
        """See `Identity.unwrap`; a passphrase stanza that is not alone is a bad header."""
        if all(stanza.kind != SCRYPT_KIND for stanza in stanzas):
            return None
        stanza = stanzas[0]
        if len(stanzas) != 1 or len(stanza.args) != 2 or len(stanza.body) != WRAPPED_KEY_BYTES:
            raise Refusal("age_header")
        salt, work_factor = decode_base64(stanza.args[0].encode("ascii")), stanza.args[1]
        # Two digits at most, so that no hostile decimal is ever turned into a number of any size.
        if len(salt) != _SALT_BYTES or not _WORK_FACTOR.fullmatch(work_factor) or int(work_factor) > _MAX_WORK_FACTOR:
            raise Refusal("age_header")
        wrapping_key = hashlib.scrypt(
            self._passphrase,
            salt=b"age-encryption.org/v1/scrypt" + salt,
            n=1 << int(work_factor),
            r=8,
            p=1,
            maxmem=2**31 - 1,  # the library's ceiling; the work factor's is what bounds it
            dklen=32,
        )
        return _open_wrapped(wrapping_key, stanza.body)


def parse_identity(text: str) -> HybridIdentity | X25519Identity:
    """The identity that `AGE-SECRET-KEY-PQ-1…` or `AGE-SECRET-KEY-1…` writes; else Refusal("age_text")."""
    prefix, secret = bech32.decode(text)
    if prefix == HYBRID_PREFIX:
        return HybridIdentity(secret)
    if prefix == X25519_PREFIX:
        return X25519Identity(secret)
    raise Refusal("age_text")


def unwrap(stanzas: Sequence[Stanza], identities: Iterable[Identity]) -> bytes:
    """The file key that the first fitting identity finds.

    Raises Refusal("age_no_match") where none fits, Refusal("age_header") for a stanza
    in a wrong shape and for a passphrase stanza beside another one.
    """
    if len(stanzas) > 1 and any(stanza.kind == SCRYPT_KIND for stanza in stanzas):
        raise Refusal("age_header")
    for identity in identities:
        file_key = identity.unwrap(stanzas)
        if file_key is not None:
            return file_key
    raise Refusal("age_no_match")
