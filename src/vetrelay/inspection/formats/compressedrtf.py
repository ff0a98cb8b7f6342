"""RTF as Outlook packs it into a letter (LZFu, [MS-OXRTFCP]): a window of 4 KiB that begins with what most RTF has."""

import struct
from collections.abc import Iterable

from vetrelay.inspection.words import Reason, Unfit

MAX_PLAIN_BYTES = 10 << 20
_HEAD = struct.Struct("<II4sI")
_COMPRESSED, _PLAIN = b"LZFu", b"MELA"
_WINDOW_BYTES = 4096
_START = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript "
    b"\\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par "
    b"\\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)


def unpacked(content: bytes) -> bytes:
    """The RTF. Raises Unfit: DAMAGED, UNPACKS_TOO_LARGE."""
    if len(content) < _HEAD.size:
        raise Unfit(Reason.DAMAGED)
    _packed_bytes, plain_bytes, how, _crc = _HEAD.unpack_from(content)
    if plain_bytes > MAX_PLAIN_BYTES:
        raise Unfit(Reason.UNPACKS_TOO_LARGE)
    body = content[_HEAD.size :]
    if how == _PLAIN:
        return body[:plain_bytes]
    if how != _COMPRESSED:
        raise Unfit(Reason.DAMAGED)
    return _unpacked(body, plain_bytes)


def _unpacked(body: bytes, plain_bytes: int) -> bytes:
    window = bytearray(_START.ljust(_WINDOW_BYTES, b"\0"))
    write, position = len(_START), 0
    plain = bytearray()
    while position < len(body) and len(plain) < plain_bytes:
        flags, position = body[position], position + 1
        for bit in range(8):
            if flags >> bit & 1:
                if position + 2 > len(body):
                    return bytes(plain[:plain_bytes])
                pair, position = int.from_bytes(body[position : position + 2], "big"), position + 2
                read, length = pair >> 4, (pair & 15) + 2
                if read == write:
                    return bytes(plain[:plain_bytes])
                taken: Iterable[int] = (window[(read + step) % _WINDOW_BYTES] for step in range(length))
            else:
                taken = body[position : position + 1]
                position += 1
            # A run may read what it has just written: byte by byte.
            for byte in taken:
                window[write] = byte
                write = (write + 1) % _WINDOW_BYTES
                plain.append(byte)
    return bytes(plain[:plain_bytes])
