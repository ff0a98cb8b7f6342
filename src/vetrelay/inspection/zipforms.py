"""The records of a ZIP file as they stand in its bytes: layouts, marks, flags, and what a number may stand for.

Source: PKWARE APPNOTE 6.3.10, sections 4.3 to 4.6. Shared by the reader of strangers' packs and the writer of ours.
"""

import struct

from vetrelay.inspection.words import Reason, Unfit

STORED, DEFLATED = 0, 8
UTF8_NAMES = 1 << 11

LOCAL = struct.Struct("<4s5H3I2H")
CENTRAL = struct.Struct("<4s6H3I5H2I")
END = struct.Struct("<4s4H2IH")
END_64 = struct.Struct("<4sQ2H2I4Q")
LOCATOR_64 = struct.Struct("<4sIQI")
LOCAL_MARK, CENTRAL_MARK, END_MARK = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
END_64_MARK, LOCATOR_64_MARK, DESCRIPTOR_MARK = b"PK\x06\x06", b"PK\x06\x07", b"PK\x07\x08"
LONG_DESCRIPTOR, SHORT_DESCRIPTOR = struct.Struct("<I2Q"), struct.Struct("<3I")

LOCKED = 1 << 0 | 1 << 6 | 1 << 13
DESCRIPTOR_FOLLOWS = 1 << 3
KNOWN_FLAGS = LOCKED | DESCRIPTOR_FOLLOWS | UTF8_NAMES | 1 << 1 | 1 << 2
ZIP64_FIELD, UNICODE_NAME_FIELD = 0x0001, 0x7075
IN_64_BITS = 0xFFFF_FFFF
COUNT_IN_64_BITS = 0xFFFF


def read_extra(raw: bytes) -> dict[int, bytes]:
    """The extra fields; each once, filling their room exactly."""
    fields: dict[int, bytes] = {}
    position = 0
    while position < len(raw):
        if len(raw) - position < 4:
            raise Unfit(Reason.PACK_DISAGREES)
        tag, size = struct.unpack_from("<2H", raw, position)
        position += 4 + size
        if position > len(raw) or (tag in fields and tag in {ZIP64_FIELD, UNICODE_NAME_FIELD}):
            raise Unfit(Reason.PACK_DISAGREES)
        fields[tag] = raw[position - size : position]
    return fields


def in_full(field: bytes | None, numbers: tuple[int, ...]) -> tuple[int, ...]:
    """The numbers, each taken from the zip64 field where it says so; the field holds exactly these."""
    elsewhere = [index for index, number in enumerate(numbers) if number == IN_64_BITS]
    if field is None and not elsewhere:
        return numbers
    if field is None or len(field) != 8 * len(elsewhere) or not elsewhere:
        raise Unfit(Reason.PACK_DISAGREES)
    full = list(numbers)
    for index, number in zip(elsewhere, struct.unpack(f"<{len(elsewhere)}Q", field), strict=True):
        full[index] = number
    return tuple(full)
