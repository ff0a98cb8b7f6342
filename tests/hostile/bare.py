"""A scanner of its own for what a picture may still carry: it shares no line with the product's."""

import struct
import zlib

_JPEG_PARTS = {0xC0, 0xC1, 0xC2, 0xC4, 0xDA, 0xDB, 0xDD}
_PNG_PARTS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}


def leftovers(content: bytes) -> list[str]:
    """What is in this JPEG or PNG beside the picture itself; empty for a bare one."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return _png_leftovers(content)
    if content.startswith(b"\xff\xd8"):
        return _jpeg_leftovers(content)
    return ["neither JPEG nor PNG"]


def _png_leftovers(content: bytes) -> list[str]:
    found: list[str] = []
    position = 8
    kind = b""
    while kind != b"IEND":
        size, kind = struct.unpack_from(">I4s", content, position)
        body = content[position + 8 : position + 8 + size]
        (checksum,) = struct.unpack_from(">I", content, position + 8 + size)
        if zlib.crc32(kind + body) != checksum:
            found.append(f"a wrong checksum of {kind!r}")
        if kind not in _PNG_PARTS:
            found.append(f"a chunk {kind!r}")
        position += 12 + size
    return found + (["bytes after the end"] if position != len(content) else [])


def _jpeg_leftovers(content: bytes) -> list[str]:
    found: list[str] = []
    position = 2
    while content[position : position + 2] != b"\xff\xd9":
        if content[position] != 0xFF:
            return [*found, "no marker where one must be"]
        marker = content[position + 1]
        (size,) = struct.unpack_from(">H", content, position + 2)
        body = content[position + 4 : position + 2 + size]
        if marker == 0xE0 and body[:5] == b"JFIF\0" and size == 16:
            pass
        elif marker not in _JPEG_PARTS:
            found.append(f"a segment {marker:02x} {body[:20]!r}")
        position += 2 + size
        if marker == 0xDA:
            position = _after_scan(content, position)
    return found + (["bytes after the end"] if position + 2 != len(content) else [])


def _after_scan(content: bytes, position: int) -> int:
    while True:
        position = content.index(b"\xff", position)
        if content[position + 1] != 0 and not 0xD0 <= content[position + 1] <= 0xD7:
            return position
        position += 2
