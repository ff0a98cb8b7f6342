"""BER made DER: Thunderbird, Apple Mail and `openssl -stream` write lengths that are not known in advance (X.690, 8.1.3.6).

The library that opens S/MIME reads DER only. Only what carries a sealed content is rewritten so; a signature never is.
"""

from dataclasses import dataclass
from typing import Final

from vetrelay.errors import Refusal

_DEPTH: Final = 32
_ELEMENTS: Final = 300_000
_CONSTRUCTED: Final = 0x20
# Sets are put in order, which costs: none that is real (recipients, attributes) comes near this.
_SET_BYTES: Final = 1024 * 1024
OCTETS: Final = 0x04
OID: Final = 0x06
SEQUENCE: Final = 0x30
SET: Final = 0x31


@dataclass(frozen=True, slots=True)
class Element:
    """One element: its tag, and its children or, of a primitive one, its content."""

    tag: int
    content: bytes
    children: tuple["Element", ...]

    def to_der(self) -> bytes:
        """The element in DER, which `read_ber` has made ready: sets in order, strings whole."""
        content = b"".join(child.to_der() for child in self.children) if self.tag & _CONSTRUCTED else self.content
        return bytes([self.tag]) + _length(len(content)) + content


def read_ber(untrusted: bytes) -> Element:
    """The one element that these bytes are. Raises Refusal `letter_altered`."""
    # Bytes after the end are not read: line ends after a decoded part are the usual ones.
    return _Reader(untrusted).element(0)


class _Reader:
    """Where the reading stands; every step looks at the bounds."""

    def __init__(self, untrusted: bytes) -> None:
        self._bytes = untrusted
        self._at = 0
        self._left = _ELEMENTS

    def element(self, depth: int) -> Element:
        self._left -= 1
        if depth > _DEPTH or self._left < 0:
            raise Refusal("letter_altered")
        tag = self._taken(1)[0]
        if tag & 0x1F == 0x1F:
            raise Refusal("letter_altered")
        length = self._length()
        if not tag & _CONSTRUCTED:
            if length is None:
                raise Refusal("letter_altered")
            return Element(tag, self._taken(length), ())
        start = self._at
        end = None if length is None else start + length
        children: list[Element] = []
        while not self._ended(end):
            children.append(self.element(depth + 1))
        if tag == SET and self._at - start > _SET_BYTES:
            raise Refusal("letter_altered")
        return _ready(tag, children)

    def _ended(self, end: int | None) -> bool:
        if end is not None:
            if self._at > end:
                raise Refusal("letter_altered")
            return self._at == end
        if self._bytes[self._at : self._at + 2] != b"\0\0":
            return False
        self._at += 2
        return True

    def _length(self) -> int | None:
        first = self._taken(1)[0]
        if first < 0x80:
            return first
        if first == 0x80:
            return None
        if first > 0x84:
            raise Refusal("letter_altered")
        return int.from_bytes(self._taken(first & 0x7F), "big")

    def _taken(self, count: int) -> bytes:
        taken = self._bytes[self._at : self._at + count]
        if len(taken) != count:
            raise Refusal("letter_altered")
        self._at += count
        return taken


def _ready(tag: int, children: list[Element]) -> Element:
    if tag == OCTETS | _CONSTRUCTED:
        return Element(OCTETS, _joined(children), ())
    if tag == SET:
        children.sort(key=Element.to_der)
    if tag == SEQUENCE and [child.tag for child in children] == [OID, SEQUENCE, 0xA0]:
        # EncryptedContentInfo: the [0] is a string in pieces, not something that holds other things (RFC 5652, 6.1).
        children[2] = Element(0x80, _joined(list(children[2].children)), ())
    return Element(tag, b"", tuple(children))


def _joined(pieces: list[Element]) -> bytes:
    if any(piece.tag != OCTETS for piece in pieces):
        raise Refusal("letter_altered")
    return b"".join(piece.content for piece in pieces)


def _length(count: int) -> bytes:
    if count < 0x80:
        return bytes([count])
    octets = count.to_bytes((count.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(octets)]) + octets
