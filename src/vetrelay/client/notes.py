"""Notes to oneself: small plaintexts that must survive a kill, sealed under a key of this device alone."""

import hashlib
import hmac

from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from vetrelay.client.end import End
from vetrelay.errors import Fault
from vetrelay.protocol.ids import sha256


def _box(end: End) -> SecretBox:
    return SecretBox(sha256(b"VetRelay-v1 local notes\0", end.device.seal_seed))


def seal_note(end: End, plaintext: bytes) -> bytes:
    """The note, readable by this device only."""
    return bytes(_box(end).encrypt(plaintext, end.random_bytes(SecretBox.NONCE_SIZE)))


def open_note(end: End, sealed: bytes) -> bytes:
    """A note of this device. Raises Fault `keyring_damaged` when keyring and journal are not of one device."""
    try:
        return _box(end).decrypt(sealed)
    except CryptoError as wrong:
        raise Fault("keyring_damaged") from wrong


def wish(end: End, *parts: str) -> str:
    """A mark of what a person asked for: the same words give the same mark, and nobody else can guess them from it."""
    key = sha256(b"VetRelay-v1 local wishes\0", end.device.seal_seed)
    digest = hmac.new(key, digestmod=hashlib.sha256)
    for part in parts:
        raw = part.encode("utf-8", "surrogateescape")
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()
