"""What makes a letter that comes again the same one: its Message-ID, what its author wrote in its head, and its body.

Not the bytes as they came: a server that tries again may have signed anew, or have sent it another way round.
"""

import hashlib
from typing import Final

from vetrelay.bridge.proving.firstpass import FirstPass
from vetrelay.bridge.proving.headfields import split_fields

AUTHORED: Final = frozenset(
    {
        "from", "sender", "reply-to", "to", "cc", "date", "message-id", "in-reply-to", "subject",
        "mime-version", "content-type", "content-transfer-encoding", "content-disposition", "auto-submitted",
    }
)  # fmt: skip


class SameLetter:
    """Reads a letter as it streams by, beside `first`, which is fed here too; nothing of the body is kept."""

    def __init__(self, first: FirstPass) -> None:
        self._first = first
        self._headless = first.body  # replaced when the head has ended
        self._early = bytearray()
        self._body = hashlib.sha256()

    def feed(self, chunk: bytes) -> None:
        """Takes the next bytes."""
        if self._first.body is not self._headless:
            self._body.update(chunk)
            self._first.feed(chunk)
            return
        self._early += chunk
        self._first.feed(chunk)
        if self._first.body is not self._headless:
            self._body.update(memoryview(self._early)[len(self._first.head) :])
            self._early.clear()

    def digest(self) -> bytes:
        """32 bytes, the same for the same letter. After `first.finish`."""
        head = self._first.head
        fields = split_fields(head)
        whole = hashlib.sha256(self._body.digest())
        if fields is None:
            whole.update(head)
        else:
            for field in fields:
                if field.name in AUTHORED:
                    whole.update(b"%s:%d:%s" % (field.name.encode(), len(field.value), field.value))
        return whole.digest()
