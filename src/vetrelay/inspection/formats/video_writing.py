"""Writing that hides between the frames of H.264 and HEVC: user data that encoders and cameras put into the stream.

A message of this kind (SEI payload type 4 or 5) is text or numbers for whoever reads it: an encoder's settings, a
camera's serial, a position. It takes no part in drawing a frame, so that frames come out identical without it. Other
messages (display, colour, timing) stay. Sources: ITU-T H.264 section 7.3.2.3 and annex D, H.265 section 7.3.5.

Known limit: writing in AV1 metadata and in the padding of sound frames stays.
"""

from collections.abc import Iterator

_USER_DATA = frozenset({4, 5})
_LENGTHS_IN_H264, _LENGTHS_IN_HEVC = 4, 21
_CONFIGURATION = 1
_H264_MESSAGES, _HEVC_MESSAGES = frozenset({6}), frozenset({39, 40})
# Unit types that no standard has given a meaning; 62 carries Dolby's colours.
_H264_UNSPECIFIED = frozenset({0, *range(24, 32)})
_HEVC_UNSPECIFIED = frozenset({*range(48, 62), 63})
_HEVC_PARAMETERS = frozenset({32, 33, 34})
_ARRAYS_AT = 22


class WritingFilter:
    """Takes writing out of the packets of one track; `took` tells whether there was any."""

    def __init__(self, codec: str, configuration: bytes) -> None:
        self._hevc = codec == "hevc"
        self._header_bytes = 2 if self._hevc else 1
        self._messages = _HEVC_MESSAGES if self._hevc else _H264_MESSAGES
        self._unspecified = _HEVC_UNSPECIFIED if self._hevc else _H264_UNSPECIFIED
        at = _LENGTHS_IN_HEVC if self._hevc else _LENGTHS_IN_H264
        known = codec in {"h264", "hevc"} and len(configuration) > at and configuration[0] == _CONFIGURATION
        self._length_bytes = (configuration[at] & 3) + 1 if known else 0
        self.took = False

    @property
    def expects(self) -> bool:
        """Whether packets of this track can hold writing that is found here."""
        return self._length_bytes > 0

    def bare_configuration(self, configuration: bytes) -> bytes:
        """The decoder's configuration without messages: HEVC's may hold some (ISO/IEC 14496-15, 8.3.2.1)."""
        if not self._hevc or not self._length_bytes or len(configuration) <= _ARRAYS_AT:
            return configuration
        position, kept = _ARRAYS_AT + 1, []
        for _ in range(configuration[_ARRAYS_AT]):
            start = position
            position += 3
            for _ in range(int.from_bytes(configuration[start + 1 : start + 3], "big")):
                position += 2 + int.from_bytes(configuration[position : position + 2], "big")
            if position > len(configuration):
                return configuration
            if configuration[start] & 0x3F in _HEVC_PARAMETERS:
                kept.append(configuration[start:position])
            else:
                self.took = True
        return configuration[:_ARRAYS_AT] + bytes([len(kept)]) + b"".join(kept)

    def bare(self, packet: bytes) -> bytes | None:
        """The packet without writing; None where it has none, or is not made of units with their lengths."""
        if not self._length_bytes:
            return None
        kept, changed = [], False
        for unit in self._units(packet):
            if not unit:
                return None
            bare = self._bare_unit(unit)
            changed |= bare != unit
            if bare:
                kept.append(len(bare).to_bytes(self._length_bytes, "big") + bare)
        # A packet of nothing but writing stays, because a frame's time hangs on it.
        if not changed or not kept:
            return None
        self.took = True
        return b"".join(kept)

    def _units(self, packet: bytes) -> Iterator[bytes]:
        position = 0
        while position < len(packet):
            start = position + self._length_bytes
            position = start + int.from_bytes(packet[position:start], "big")
            if position > len(packet):
                yield b""  # not what it should be: the packet is left as it is
                return
            yield packet[start:position]

    def _bare_unit(self, unit: bytes) -> bytes:
        kind = unit[0] >> 1 & 0x3F if self._hevc else unit[0] & 0x1F
        if kind in self._unspecified:
            return b""
        if kind not in self._messages:
            return unit
        raw = unit[self._header_bytes :].replace(b"\x00\x00\x03", b"\x00\x00")
        messages = list(_messages(raw))
        kept = [whole for payload, whole in messages if payload not in _USER_DATA]
        if len(kept) == len(messages):
            return unit
        if not kept:
            return b""
        return unit[: self._header_bytes] + _escaped(b"".join(kept) + b"\x80")


def _messages(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """Each message's payload type, and the message whole."""
    position = 0
    while position + 2 < len(raw):
        start = position
        payload, position = _number(raw, position)
        size, position = _number(raw, position)
        position += size
        yield payload, raw[start:position]


def _number(raw: bytes, position: int) -> tuple[int, int]:
    """A number written as a row of 255s and a rest."""
    total = 0
    while position < len(raw) and raw[position] == 0xFF:
        total += 0xFF
        position += 1
    return total + (raw[position] if position < len(raw) else 0), position + 1


def _escaped(raw: bytes) -> bytes:
    """With the bytes that keep a start code from appearing by chance."""
    out = bytearray()
    zeros = 0
    for byte in raw:
        if zeros >= 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = 0 if byte else zeros + 1
    return bytes(out)
