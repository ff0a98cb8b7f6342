"""The clear part of an age file: parse it, render it, check its MAC, judge its shape.

Strict in what it takes, because every leniency is a second spelling of one header:
LF only, one space between arguments, canonical unpadded base64, a body that ends
with a line shorter than 64 characters. The MAC covers the received bytes, never a
re-rendering of them (C2SP age.md, "Header"). No secret-key operation stands here:
the blind relay imports this module.
"""

import binascii
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from vetrelay.errors import Refusal
from vetrelay.protocol.age.stanza import (
    HYBRID_KIND,
    X25519_BYTES,
    Stanza,
    decode_base64,
    encode_base64,
    hybrid_encapsulation,
    is_low_order,
)

__all__ = [
    "MAX_ARGUMENT_LINE_BYTES",
    "MAX_HEADER_BYTES",
    "MAX_STANZAS",
    "Header",
    "Stanza",
    "check_mac",
    "check_sealed_shape",
    "header_mac",
    "parse_header",
    "render_header",
]

MAX_HEADER_BYTES = 256 * 1024
MAX_STANZAS = 64
MAX_ARGUMENT_LINE_BYTES = 4096  # the hybrid's is 1513; hostile lines must not be split into arguments

_VERSION_LINE = b"age-encryption.org/v1\n"
_BODY_LINE_CHARS = 64
_MAC_BYTES = 32
_MAC_LINE_REST_BYTES = 45  # after the three dashes: a space, 43 characters, LF
_LF = ord("\n")
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_LAST_OF_32 = b"AEIMQUYcgkosw048"  # of 32 bytes in base64, the last character has two bits to spare
_HYBRID_START = f"-> {HYBRID_KIND} ".encode()
# What a hybrid stanza and a MAC line look like, with A for every base64 character: 1120, 32 and 32 bytes.
_HYBRID = _HYBRID_START + b"A" * 1494 + b"\n" + b"A" * 43 + b"\n"
_HYBRID_BYTES = len(_HYBRID)
_MAC_LINE = b"--- " + b"A" * 43 + b"\n"
_AROUND = tuple(part.translate(None, _BASE64) for part in (_VERSION_LINE, _HYBRID, _MAC_LINE))
_ARGUMENT_LINE = re.compile(rb"-> ([\x21-\x7e]+(?: [\x21-\x7e]+)*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A parsed header: its stanzas in order, its 32 byte MAC, and its length in the buffer."""

    stanzas: tuple[Stanza, ...]
    mac: bytes
    size_bytes: int

    @property
    def authenticated_bytes(self) -> int:
        """How many leading bytes the MAC covers: everything through the three dashes."""
        return self.size_bytes - _MAC_LINE_REST_BYTES


def _line_at(raw: bytes, start: int, *, limit_bytes: int) -> bytes:
    """The line from `start` without its LF; looks at no byte beyond the limit."""
    end = raw.find(b"\n", start, min(start + limit_bytes + 1, MAX_HEADER_BYTES))
    if end < 0:
        raise Refusal("age_header")
    return raw[start:end]


def _parse_stanza(raw: bytes, start: int) -> tuple[Stanza, int]:
    """The stanza at `start` and the position after it."""
    line = _line_at(raw, start, limit_bytes=MAX_ARGUMENT_LINE_BYTES)
    arguments = _ARGUMENT_LINE.fullmatch(line)
    if arguments is None:
        raise Refusal("age_header")
    kind, *args = arguments[1].decode("ascii").split(" ")
    position = start + len(line) + 1
    body = bytearray()
    while True:
        line = _line_at(raw, position, limit_bytes=_BODY_LINE_CHARS)
        body += decode_base64(line)
        position += len(line) + 1
        if len(line) < _BODY_LINE_CHARS:
            return Stanza(kind, tuple(args), bytes(body)), position


def parse_header(raw: bytes) -> Header:
    """The age header that `raw` is or begins with.

    Raises Refusal("age_header") for anything but the one spelling of C2SP age.md,
    for no stanza, more than 64 stanzas, or more than 256 KiB. Memory stays below a
    small multiple of the header limit whatever `raw` holds.
    """
    if not raw.startswith(_VERSION_LINE):
        raise Refusal("age_header")
    position = len(_VERSION_LINE)
    stanzas: list[Stanza] = []
    while raw.startswith(b"-> ", position):
        if len(stanzas) == MAX_STANZAS:
            raise Refusal("age_header")
        stanza, position = _parse_stanza(raw, position)
        stanzas.append(stanza)
    if not stanzas or not raw.startswith(b"--- ", position):
        raise Refusal("age_header")
    line = _line_at(raw, position, limit_bytes=_MAC_LINE_REST_BYTES + 2)
    mac = decode_base64(line[4:])
    if len(mac) != _MAC_BYTES:
        raise Refusal("age_header")
    return Header(stanzas=tuple(stanzas), mac=mac, size_bytes=position + len(line) + 1)


def header_mac(authenticated: bytes, file_key: bytes) -> bytes:
    """HMAC-SHA256 of the bytes through the three dashes, under the key that `file_key` derives (32 bytes)."""
    mac_key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"header").derive(file_key)
    return hmac.digest(mac_key, authenticated, "sha256")


def check_mac(raw_header: bytes, file_key: bytes) -> None:
    """Check the MAC of the header that `raw_header` begins with, in constant time.

    Raises Refusal("age_header") where it is no header, Refusal("age_mac") where the
    file key is not the one it was made with, or a byte of it changed.
    """
    header = parse_header(raw_header)
    if not hmac.compare_digest(header.mac, header_mac(raw_header[: header.authenticated_bytes], file_key)):
        raise Refusal("age_mac")


def _render_stanza(stanza: Stanza) -> bytes:
    lines = [b"-> " + " ".join((stanza.kind, *stanza.args)).encode("ascii")]
    body = encode_base64(stanza.body)
    # Ends with a line shorter than 64 characters: an empty one after a body of full lines.
    lines += [body[start : start + _BODY_LINE_CHARS] for start in range(0, len(body) + 1, _BODY_LINE_CHARS)]
    return b"\n".join(lines) + b"\n"


def render_header(stanzas: Sequence[Stanza], file_key: bytes) -> bytes:
    """The header bytes for `stanzas`, closed with the MAC of `file_key` (16 bytes).

    Refuses, with "age_header", what would not parse back: no stanza, too many, too long,
    an argument that is empty or holds a space.
    """
    authenticated = b"".join((_VERSION_LINE, *map(_render_stanza, stanzas), b"---"))
    raw_header = authenticated + b" " + encode_base64(header_mac(authenticated, file_key)) + b"\n"
    # What we write, every strict reader must read as the same stanzas.
    if parse_header(raw_header).stanzas != tuple(stanzas):
        raise Refusal("age_header")
    return raw_header


def _has_sealed_layout(raw_header: bytes, recipients: int) -> bool:
    """Whether a header is `recipients` strict hybrid stanzas and a MAC line, seen from its layout alone.

    All of these have one length, so the few bytes that are not base64 stand at known places: a relay, which asks this
    for every object, needs no parsing to say yes. It says no to everything else, of which the parser then tells what
    it is.
    """
    stanzas_end = len(_VERSION_LINE) + recipients * _HYBRID_BYTES
    if not 1 <= recipients <= MAX_STANZAS or len(raw_header) != stanzas_end + len(_MAC_LINE):
        return False
    # As many bytes outside the alphabet as the layout has; the places of all of them are looked at below.
    if raw_header.translate(None, _BASE64) != _AROUND[0] + _AROUND[1] * recipients + _AROUND[2]:
        return False
    if not raw_header.startswith(_VERSION_LINE) or not raw_header.startswith(b"--- ", stanzas_end):
        return False
    if raw_header[-1:] != b"\n" or raw_header[-2] not in _LAST_OF_32:
        return False
    for start in range(len(_VERSION_LINE), stanzas_end, _HYBRID_BYTES):
        line_end = start + _HYBRID.index(b"\n")
        if not raw_header.startswith(_HYBRID_START, start) or raw_header[line_end] != _LF:
            return False
        if raw_header[start + _HYBRID_BYTES - 1] != _LF or raw_header[start + _HYBRID_BYTES - 2] not in _LAST_OF_32:
            return False
        # 46 characters are the last 34 bytes of the encapsulation; the X25519 half is 32 of them.
        if raw_header[line_end - 1] not in b"AQgw":
            return False
        if is_low_order(binascii.a2b_base64(raw_header[line_end - 46 : line_end] + b"==")[-X25519_BYTES:]):
            return False
    return True


def check_sealed_shape(raw_header: bytes, recipients: int) -> None:
    """What the relay demands of an object's age header in a submit: N06, N11, N20.

    The header fills the buffer and has exactly `recipients` (at least one) stanzas,
    each a well-shaped mlkem768x25519 one. Raises Refusal("age_header") where it is
    no strict age header (armor, CRLF, limits), else Refusal("sealed_shape").
    """
    if _has_sealed_layout(raw_header, recipients):
        return
    header = parse_header(raw_header)
    if header.size_bytes != len(raw_header) or recipients < 1 or len(header.stanzas) != recipients:
        raise Refusal("sealed_shape")
    if any(stanza.kind != HYBRID_KIND for stanza in header.stanzas):
        raise Refusal("sealed_shape")
    for stanza in header.stanzas:
        hybrid_encapsulation(stanza)
