"""Sealing: an object is an age header and a payload, made for parties and named by their hashes.

Only to hybrid recipients: one suite, no negotiation (protocol chapter 1). What comes
out, header ‖ payload, is a plain age file that stock age opens.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from vetrelay.errors import Refusal
from vetrelay.protocol.age.header import MAX_STANZAS, render_header
from vetrelay.protocol.age.recipients import wrap
from vetrelay.protocol.age.stream import StreamSealer


@dataclass(frozen=True)
class Sealed:
    """A sealed object: `header` is H0 of the design, `payload` is P."""

    header: bytes = field(repr=False)
    payload: bytes = field(repr=False)

    @cached_property
    def h0(self) -> bytes:
        """SHA-256 of the header: the object's name."""
        return hashlib.sha256(self.header).digest()

    @cached_property
    def p(self) -> bytes:
        """SHA-256 of the payload: its blob's name."""
        return hashlib.sha256(self.payload).digest()

    @property
    def age_file(self) -> bytes:
        """Header and payload in one: boxes, `back` and cards travel like this."""
        return self.header + self.payload


def seal_header(recipients: Sequence[bytes], file_key: bytes) -> bytes:
    """An age header that gives `file_key` (16 bytes) to each of `recipients` (1216 bytes each).

    Raises Refusal("bad_recipients") for none, more than 64, or one twice, and
    Refusal("bad_key") for one that is no valid hybrid recipient.
    """
    if not 1 <= len(recipients) <= MAX_STANZAS or len(set(recipients)) != len(recipients):
        raise Refusal("bad_recipients")
    return render_header([wrap(recipient, file_key) for recipient in recipients], file_key)


def seal_bytes(plaintext: bytes, recipients: Sequence[bytes], *, file_key: bytes, nonce: bytes) -> Sealed:
    """Seal a plaintext held in memory; `file_key` and `nonce` are 16 fresh random bytes each.

    Raises as `seal_header` does.
    """
    header = seal_header(recipients, file_key)
    sealer = StreamSealer(file_key, nonce)
    return Sealed(header, b"".join(sealer.update(plaintext) + sealer.finish()))
