"""The outer form of OpenPGP: armor, packets and their lengths (RFC 4880, 4 and 6; RFC 9580, 4 and 6).

Only the framing, and every step bounded; what the packets mean stands elsewhere.
"""

import base64
import binascii
import bz2
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from vetrelay.errors import Refusal

_PACKETS: Final = 1000
# The RFC's least length of a first partial chunk; smaller ones only cost time.
_PARTIAL_BYTES: Final = 512
_ARMOR_BEGIN: Final = re.compile(rb"-----BEGIN PGP [A-Z ,/0-9]{1,40}-----[ \t]*\r?(?=\n)")
_ARMOR_END: Final = b"\n-----END PGP "


class Tag(IntEnum):
    """The kinds of packets that can stand in a letter."""

    PKESK = 1
    SIGNATURE = 2
    SKESK = 3
    ONE_PASS = 4
    COMPRESSED = 8
    SED = 9
    MARKER = 10
    LITERAL = 11
    SEIPD = 18
    AED = 20
    PADDING = 21


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """One packet: its kind's number and its body, partial lengths joined."""

    tag: int
    body: bytes


def dearmored(untrusted: bytes) -> bytes:
    """The bytes inside the first ASCII armor; what is not armored comes back as it is. Raises Refusal `letter_altered`."""
    if untrusted[:1] and untrusted[0] & 0x80:
        return untrusted
    begin = _ARMOR_BEGIN.search(untrusted)
    end = untrusted.find(_ARMOR_END, begin.end()) if begin else -1
    if begin is None or end < 0:
        return untrusted
    # Headers end with an empty line; the checksum line is optional and no protection (RFC 9580, 6.1).
    lines = untrusted[begin.end() : end].replace(b"\r\n", b"\n")
    _, blank, body = lines.partition(b"\n\n")
    body = (body if blank else lines).translate(None, b" \t\r\n")
    if len(body) % 4 == 1 and body[-5:-4] == b"=":
        body = body[:-5]
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error:
        raise Refusal("letter_altered") from None


def packets(untrusted: bytes) -> Iterator[Packet]:
    """Every packet in turn. Raises Refusal `letter_altered` where the bytes are no packets, or too many."""
    at = 0
    for _ in range(_PACKETS):
        if at == len(untrusted):
            return
        packet, at = _packet(untrusted, at)
        yield packet
    raise Refusal("letter_altered")


def _packet(untrusted: bytes, at: int) -> tuple[Packet, int]:
    first = untrusted[at]
    if not first & 0x80:
        raise Refusal("letter_altered")
    if not first & 0x40:
        return _old_packet(untrusted, at)
    chunks: list[bytes] = []
    tag, at, partial = first & 0x3F, at + 1, True
    while partial:
        length, at, partial = _new_length(untrusted, at)
        chunks.append(_taken(untrusted, at, length))
        at += length
    return Packet(tag=tag, body=b"".join(chunks)), at


def _old_packet(untrusted: bytes, at: int) -> tuple[Packet, int]:
    tag, kind = untrusted[at] >> 2 & 0x0F, untrusted[at] & 3
    if kind == 3:
        return Packet(tag=tag, body=untrusted[at + 1 :]), len(untrusted)
    octets = 1 << kind
    length = int.from_bytes(_taken(untrusted, at + 1, octets), "big")
    at += 1 + octets
    return Packet(tag=tag, body=_taken(untrusted, at, length)), at + length


def _new_length(untrusted: bytes, at: int) -> tuple[int, int, bool]:
    first = _taken(untrusted, at, 1)[0]
    if first < 192:
        return first, at + 1, False
    if first < 224:
        return (first - 192 << 8) + _taken(untrusted, at + 1, 1)[0] + 192, at + 2, False
    if first == 255:
        return int.from_bytes(_taken(untrusted, at + 1, 4), "big"), at + 5, False
    length = 1 << (first & 0x1F)
    if length < _PARTIAL_BYTES:
        raise Refusal("letter_altered")
    return length, at + 1, True


def _taken(untrusted: bytes, at: int, count: int) -> bytes:
    taken = untrusted[at : at + count]
    if len(taken) != count:
        raise Refusal("letter_altered")
    return taken


def packed(tag: int, body: bytes) -> bytes:
    """A packet in the new format with a five-octet length, which every program reads."""
    return bytes([0xC0 | tag, 255]) + len(body).to_bytes(4, "big") + body


def uncompressed(body: bytes, *, limit_bytes: int) -> bytes:
    """What a compressed-data packet holds. Raises Refusal `letter_altered`, `too_large` above the limit."""
    if not body:
        raise Refusal("letter_altered")
    algorithm, content = body[0], body[1:]
    if algorithm == 0:
        return content
    try:
        if algorithm == 3:
            bunzip = bz2.BZ2Decompressor()
            whole, rest = bunzip.decompress(content, limit_bytes + 1), not bunzip.eof
        elif algorithm in {1, 2}:
            inflate = zlib.decompressobj(-15 if algorithm == 1 else 15)
            whole, rest = inflate.decompress(content, limit_bytes + 1), not inflate.eof
        else:
            raise Refusal("letter_locked")
    except (OSError, ValueError, zlib.error):
        raise Refusal("letter_altered") from None
    if len(whole) > limit_bytes:
        raise Refusal("too_large")
    if rest:
        raise Refusal("letter_altered")
    return whole
