"""The structure of sound files, and of AVI: whether one is whole.

RIFF (WAV, AVI) and Ogg say how long each part is; AMR and MP3 are rows of frames whose length stands in each header.
Sources: RFC 3533 (Ogg), RFC 4867 section 5 (AMR), ISO/IEC 11172-3 (MP3), the Xing header as LAME writes it.
"""

from vetrelay.inspection.outlines.outline import Content, number
from vetrelay.inspection.words import Reason, Unfit

_MAX_PARTS = 2_000_000
# A recorder that could not go back to fill in the size leaves one of these.
_SIZE_UNKNOWN = frozenset({0, 0xFFFFFFFF})
_OGG_HEADER_BYTES = 27
_AMR_NARROW, _AMR_WIDE = b"#!AMR\n", b"#!AMR-WB\n"
# Bytes of a frame by its type, with its first byte (RFC 4867, tables 1 of sections 3.6 and 4.3).
_NARROW_BYTES = (13, 14, 16, 18, 20, 21, 27, 32, 6, 0, 0, 0, 0, 0, 0, 1)
_WIDE_BYTES = (18, 24, 33, 37, 41, 47, 51, 59, 61, 6, 0, 0, 0, 0, 1, 1)
_KBITS_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBITS_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8000)}
_TAILS = (b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"3DI", b"ID3")


def check_riff(content: Content) -> None:
    """WAV and AVI: the whole, and each part of it, must be there. Raises Unfit."""
    size = int.from_bytes(content[4:8], "little")
    if size not in _SIZE_UNKNOWN and 8 + size > len(content):
        raise Unfit(Reason.INCOMPLETE)
    position = 12
    while position + 8 <= len(content):
        name = bytes(content[position : position + 4])
        size = int.from_bytes(content[position + 4 : position + 8], "little")
        if name in {b"data", b"LIST"} and size in _SIZE_UNKNOWN:
            return
        if name in {b"data", b"LIST", b"fmt "} and position + 8 + size > len(content):
            raise Unfit(Reason.INCOMPLETE)
        position += 8 + size + size % 2


def check_ogg(content: Content) -> None:
    """Every page must be whole. Raises Unfit."""
    position = 0
    for _ in range(_MAX_PARTS):
        if position == len(content):
            return
        if bytes(content[position : position + 4]) != b"OggS"[: len(content) - position]:
            raise Unfit(Reason.DAMAGED)
        segments = number(content, position + _OGG_HEADER_BYTES - 1, 1)
        table = bytes(content[position + _OGG_HEADER_BYTES : position + _OGG_HEADER_BYTES + segments])
        position += _OGG_HEADER_BYTES + segments + sum(table)
        if len(table) != segments or position > len(content):
            raise Unfit(Reason.INCOMPLETE)
    raise Unfit(Reason.DAMAGED)


def check_amr(content: Content) -> None:
    """Nothing but whole frames may follow the mark. Raises Unfit."""
    head = bytes(content[: len(_AMR_WIDE)])
    wide = head == _AMR_WIDE
    if not wide and not head.startswith(_AMR_NARROW):
        raise Unfit(Reason.DAMAGED)
    lengths = _WIDE_BYTES if wide else _NARROW_BYTES
    position = len(_AMR_WIDE if wide else _AMR_NARROW)
    while position < len(content):
        length = lengths[content[position] >> 3 & 15]
        if not length:
            raise Unfit(Reason.DAMAGED)
        position += length
    if position > len(content):
        raise Unfit(Reason.INCOMPLETE)


def check_mp3(content: Content) -> None:
    """Walks the frames: the last must be whole, and there must be as many as the first one says. Raises Unfit."""
    position = first = _after_id3(content)
    frames = 0
    while position < len(content):
        length = mp3_frame_bytes(content, position)
        if length is None:
            break
        if position + length > len(content):
            raise Unfit(Reason.INCOMPLETE)
        position += length
        frames += 1
    if not frames:
        # Some writers pad between the label and the first frame: the demuxer then finds it.
        if first >= len(content):
            raise Unfit(Reason.INCOMPLETE)
        return
    tail = bytes(content[position : position + len(_TAILS[2])])
    whole = position == len(content) or tail.startswith(_TAILS)
    if len(content) - position < 4 and not whole:
        raise Unfit(Reason.INCOMPLETE)
    promised = _promised_frames(content, first)
    if promised is not None and whole and frames - 1 < promised:
        raise Unfit(Reason.INCOMPLETE)


def _after_id3(content: Content) -> int:
    if bytes(content[:3]) != b"ID3":
        return 0
    # Seven bits of each byte count (ID3v2.4 section 3.1); a footer repeats the header.
    size = sum((number(content, 6 + index, 1) & 0x7F) << 7 * (3 - index) for index in range(4))
    return 10 + size + (10 if number(content, 5, 1) & 0x10 else 0)


def mp3_frame_bytes(content: Content, position: int = 0) -> int | None:
    """The length of the Layer III frame that starts here; None where none does, or where it does not say."""
    header = bytes(content[position : position + 4])
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return None
    version, bits, rate = header[1] >> 3 & 3, header[2] >> 4, header[2] >> 2 & 3
    if version not in _RATES or bits in {0, 15} or rate == 3:
        return None
    kbits, samples = (_KBITS_1, 1152) if version == 3 else (_KBITS_2, 576)
    return samples // 8 * kbits[bits] * 1000 // _RATES[version][rate] + (header[2] >> 1 & 1)


def _promised_frames(content: Content, first: int) -> int | None:
    """How many frames the Xing header announces, which stands in a frame of its own."""
    head = bytes(content[first : first + 64])
    for mark in (b"Xing", b"Info"):
        at = head.find(mark, 4, 44)
        if at > 0 and head[at + 7] & 1:
            return int.from_bytes(head[at + 8 : at + 12], "big")
    return None
