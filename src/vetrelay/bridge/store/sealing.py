"""What hides the words in the bridge's tables: sealed columns, and keyed hashes where a column must be found again.

One key, the spool's (spool.key), is the root; every purpose has a key of its own, derived from it.
"""

import hashlib
import hmac
from base64 import b32encode
from collections.abc import Callable
from functools import cached_property
from typing import Final

from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from vetrelay.errors import Fault

KEY_BYTES: Final = 32
MAC_BYTES: Final = 16
_LABEL: Final = b"VetRelay-v1 bridge "


def base32(raw: bytes) -> str:
    """Lower-case base32 (RFC 4648) without padding: safe in addresses, file names and columns. 16 bytes become 26 letters."""
    return b32encode(raw).decode("ascii").rstrip("=").lower()


def new_id(random_bytes: Callable[[int], bytes]) -> str:
    """The id of an arrival, a departure or a spool file: 26 letters, 128 random bits."""
    return base32(random_bytes(16))


class Seals:
    """Seals and hashes under keys derived from `key` (32 bytes)."""

    def __init__(self, key: bytes, random_bytes: Callable[[int], bytes]) -> None:
        self._key = key
        self._random_bytes = random_bytes
        self._box = SecretBox(self.key_for("columns"))
        self._macs = self.key_for("macs")

    def key_for(self, purpose: str) -> bytes:
        """A key (32 bytes) for one purpose: the same each time, and saying nothing of the others."""
        return hmac.digest(self._key, _LABEL + purpose.encode(), "sha256")

    @cached_property
    def bounce_key(self) -> bytes:
        """What the addresses that reports come back to are made with (addressing.bounce_address)."""
        return self.key_for("bounce")

    @cached_property
    def loop_key(self) -> bytes:
        """What our letters' loop marks are made with (loops.loop_mark)."""
        return self.key_for("loop")

    def seal(self, content: bytes) -> bytes:
        """The content, encrypted and authenticated (XSalsa20-Poly1305)."""
        return bytes(self._box.encrypt(content, self._random_bytes(SecretBox.NONCE_SIZE)))

    def open(self, sealed: bytes) -> bytes:
        """What was sealed. Raises Fault `spool_damaged` when it was changed, or sealed under another key."""
        try:
            return self._box.decrypt(sealed)
        except (CryptoError, ValueError) as wrong:
            raise Fault("spool_damaged") from wrong

    def mac(self, purpose: str, *parts: bytes) -> str:
        """A keyed hash of the parts, 26 letters of base32: equal for equal parts, and nothing to whoever lacks the key."""
        digest = hmac.new(self._macs, digestmod=hashlib.sha256)
        for part in (purpose.encode(), *parts):
            # Each with its length, so that no two lists of parts run together into the same bytes.
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
        return base32(digest.digest()[:MAC_BYTES])
