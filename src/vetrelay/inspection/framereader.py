"""Takes a job's answer apart, piece by piece, believing nothing: what the frames of results and of letters share."""

import struct
from collections.abc import Mapping
from typing import Any

from vetrelay.inspection.frames import Garbled
from vetrelay.inspection.notes import Note

MAX_NOTES = 32
_NOTE = struct.Struct("<BI")


def cut(text: str, most_bytes: int) -> bytes:
    """The start of a text in so many bytes of UTF-8, no sign cut in two."""
    return text.encode("utf-8", "replace")[:most_bytes].decode("utf-8", "ignore").encode("utf-8")


def encode_notes(notes: Mapping[Note, int]) -> bytes:
    """Notes in the order of their numbers; how many there are stands in the frame's head."""
    return b"".join(_NOTE.pack(note, count) for note, count in sorted(notes.items()))


class FrameReader:
    """Takes one piece after the other from untrusted bytes. Raises Garbled where they end too early or are not sound."""

    def __init__(self, untrusted: bytes | memoryview) -> None:
        self._untrusted = memoryview(untrusted)
        self._position = 0

    def numbers(self, layout: struct.Struct) -> tuple[Any, ...]:
        """The next numbers."""
        return layout.unpack(self.bytes(layout.size))

    def bytes(self, size_bytes: int) -> bytes:
        """Exactly so many bytes."""
        taken = bytes(self._untrusted[self._position : self._position + size_bytes])
        if len(taken) != size_bytes:
            raise Garbled
        self._position += size_bytes
        return taken

    def text(self, size_bytes: int) -> str:
        """So many bytes of UTF-8."""
        try:
            return self.bytes(size_bytes).decode("utf-8")
        except UnicodeDecodeError:
            raise Garbled from None

    def text_of_one_byte(self, most_bytes: int) -> str:
        """A text behind its length in one byte."""
        (size_bytes,) = self.bytes(1)
        if size_bytes > most_bytes:
            raise Garbled
        return self.text(size_bytes)

    def notes(self, count: int) -> dict[Note, int]:
        """So many notes, each once, in their order."""
        told = dict(self._note() for _ in range(count))
        if list(told) != sorted(told) or len(told) != count:
            raise Garbled
        return told

    def _note(self) -> tuple[Note, int]:
        code, count = self.numbers(_NOTE)
        try:
            note = Note(code)
        except ValueError:
            raise Garbled from None
        if count < 1:
            raise Garbled
        return note, count

    def end(self) -> None:
        """Nothing may stand behind the last piece."""
        if self._position != len(self._untrusted):
            raise Garbled
