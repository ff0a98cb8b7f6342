"""One member of a pack, inflated: exactly what the pack's list said of it, or nothing. Runs in the jail.

The parent has read the list (`inspection.archive`) and hands over the member's packed bytes alone; what is in them is
looked at here for the first time.
"""

import zlib

from vetrelay.inspection.outlines.outline import Content
from vetrelay.inspection.words import Reason, Unfit

_STORED, _DEFLATED = 0, 8
_STEP_BYTES = 1 << 20


def prepare() -> None:
    """Walks inflating once, so that nothing of it is first met in the jail."""
    for sample in (b"", b"sample" * 100):
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        packed = packer.compress(sample) + packer.flush()
        inflate(packed, method=_DEFLATED, plain_bytes=len(sample), crc=zlib.crc32(sample))


def inflate(content: Content, *, method: int, plain_bytes: int, crc: int) -> bytes:
    """The member's own bytes: so many, with this CRC-32.

    Never holds more than `plain_bytes` and one step. Raises Unfit: PACK_DISAGREES where the packed bytes end early, go
    on, or give anything else than what was said; PACK_METHOD_UNKNOWN for another method than stored or deflated.
    """
    if method == _STORED:
        plain = bytes(content[:])
    elif method == _DEFLATED:
        plain = _inflated(content, plain_bytes)
    else:
        raise Unfit(Reason.PACK_METHOD_UNKNOWN)
    if len(plain) != plain_bytes or zlib.crc32(plain) != crc:
        raise Unfit(Reason.PACK_DISAGREES)
    return plain


def _inflated(content: Content, plain_bytes: int) -> bytes:
    unpacker = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    plain = bytearray()
    position = 0
    packed = b""
    try:
        while not unpacker.eof:
            if not packed:
                packed = bytes(content[position : position + _STEP_BYTES])
                position += len(packed)
            step = unpacker.decompress(packed, _STEP_BYTES)
            plain += step
            # Without more input and without output there will never be any more.
            if len(plain) > plain_bytes or (not packed and not step):
                raise Unfit(Reason.PACK_DISAGREES)
            packed = unpacker.unconsumed_tail
    except zlib.error:
        raise Unfit(Reason.PACK_DISAGREES) from None
    if unpacker.unused_data or position < len(content):
        raise Unfit(Reason.PACK_DISAGREES)
    return bytes(plain)
