"""A sealed payload read like a file: any part of its plaintext, decrypted when it is asked for and kept nowhere."""

import os
from typing import BinaryIO

from vetrelay.errors import Refusal
from vetrelay.protocol.age.stream import CHUNK_BYTES, NONCE_BYTES, StreamSeeker


class SealedSource:
    """The plaintext of a payload that was checked whole before (`vetrelay.intake.attachment.open_payload`)."""

    def __init__(self, payload: BinaryIO, key: bytes) -> None:
        self._payload = payload  # kept, or it would be closed under us
        self._descriptor = payload.fileno()
        sealed_bytes = os.fstat(self._descriptor).st_size
        nonce = os.pread(self._descriptor, NONCE_BYTES, 0)
        self._seeker = StreamSeeker(key, nonce, sealed_bytes=sealed_bytes)

    @property
    def size_bytes(self) -> int:
        """How long the plaintext is."""
        return self._seeker.plain_bytes

    def read(self, offset: int, size_bytes: int) -> bytes:
        """Exactly these bytes; fewer only where the plaintext ends. Raises OSError."""
        end = min(offset + size_bytes, self.size_bytes)
        if end <= offset:
            return b""
        first = offset // CHUNK_BYTES
        plain = b"".join(self._chunk(number) for number in range(first, (end - 1) // CHUNK_BYTES + 1))
        return plain[offset - first * CHUNK_BYTES : end - first * CHUNK_BYTES]

    def _chunk(self, number: int) -> bytes:
        place, sealed_bytes = self._seeker.place(number)
        try:
            return self._seeker.open(number, os.pread(self._descriptor, sealed_bytes, place))
        except Refusal as changed:  # all of it opened a moment ago: it is the disk's doing, not the sender's
            raise OSError("the spool changed under our hands") from changed
