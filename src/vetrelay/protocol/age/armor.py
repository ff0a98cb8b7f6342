"""Reading ASCII armor: stock files may come in it, what VetRelay seals never does.

Strict PEM (C2SP age.md, "ASCII armor"; RFC 7468 strict): 64 characters a line, the
last one shorter or as long, canonical padded base64, LF or CRLF. White space is
allowed around the whole and nowhere inside.
"""

import base64
import binascii

from vetrelay.errors import Refusal

_BEGIN = b"-----BEGIN AGE ENCRYPTED FILE-----"
_END = b"-----END AGE ENCRYPTED FILE-----"
_LINE_CHARS = 64
_WHITE_SPACE = b" \t\r\n"


def read_armor(raw: bytes) -> bytes:
    """The age file inside the armor; Refusal("age_armor") for any other spelling of it."""
    lines = raw.strip(_WHITE_SPACE).replace(b"\r\n", b"\n").split(b"\n")
    if len(lines) < 2 or lines[0] != _BEGIN or lines[-1] != _END:
        raise Refusal("age_armor")
    body_lines = lines[1:-1]
    if any(len(line) != _LINE_CHARS for line in body_lines[:-1]):
        raise Refusal("age_armor")
    # No line at all is good armor around an empty file; an empty line is a second spelling of it.
    if body_lines and not 0 < len(body_lines[-1]) <= _LINE_CHARS:
        raise Refusal("age_armor")
    text = b"".join(body_lines)
    try:
        age_file = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise Refusal("age_armor") from None
    if base64.b64encode(age_file) != text:
        raise Refusal("age_armor")
    return age_file
