"""What is derived from a one-time secret (docs/protocol.md, chapter 7): HKDF-SHA256, empty salt, one label per use."""

from typing import Final, Literal

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SECRET_BYTES: Final = 16
Use = Literal["invite/sign", "invite/seal", "door/sign", "offer/sign", "kit/sign", "kit/seal"]


def derive(secret: bytes, use: Use) -> bytes:
    """32 bytes for one use of a 16-byte secret: the seed of a signing key, or of an age identity."""
    info = b"VetRelay-v1/" + use.encode("ascii")
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret)
