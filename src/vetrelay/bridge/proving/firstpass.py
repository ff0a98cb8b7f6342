"""What is learned from a letter's bytes the one time they go by: its head, and the hashes of its body.

The head is kept (it is bounded), the body is not. Which hashes are taken is known before the body begins: only those
that a signature in the head asks for.
"""

import re
from typing import Final

from vetrelay.bridge.proving.bodyhash import BodyHashes
from vetrelay.bridge.proving.dkim_verify import forms_wanted
from vetrelay.bridge.proving.headfields import HEAD_BYTES

_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
_NO_HEAD: Final = re.compile(rb"\r?\n")


class FirstPass:
    """Fed a letter's bytes in any pieces, and then `finish`ed.

    `head` is everything before the first empty line, without it; cut off behind `HEAD_BYTES`, where the letterhead
    then says `oversized`. `body` is complete after `finish`.
    """

    def __init__(self) -> None:
        self.head = b""
        self.body = BodyHashes(frozenset())
        self._kept: bytearray | None = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Takes the next bytes, line ends as they came."""
        if self._kept is None:
            self.body.feed(chunk)
            return
        searched = max(0, len(self._kept) - 3)  # an end of four bytes may stand across two pieces
        self._kept += chunk
        self._look(searched)

    def finish(self) -> None:
        """The letter is whole."""
        if self._kept is not None:
            self._end_of_head(len(self._kept), len(self._kept))

    def _look(self, searched: int) -> None:
        assert self._kept is not None  # told to mypy: only called while the head is being gathered
        no_head = _NO_HEAD.match(self._kept) if searched == 0 else None
        found = no_head or _HEAD_END.search(self._kept, searched)
        if found is not None and found.start() <= HEAD_BYTES:
            self._end_of_head(*found.span())
        elif len(self._kept) > HEAD_BYTES + 4:
            self._end_of_head(HEAD_BYTES + 1, len(self._kept))

    def _end_of_head(self, end: int, body: int) -> None:
        assert self._kept is not None  # the same
        self.head = bytes(self._kept[:end])
        rest = bytes(self._kept[body:])
        self._kept = None
        self.body = BodyHashes(forms_wanted(self.head))
        self.body.feed(rest)
