"""What both kinds of sealed letters share: the value of one that was opened, and the cut between outside and inside.

A letter is composed in the open form first. Sealing leaves outside what carries it; Subject is emptied there. Inside stand the
content and a copy of the headers, so that the reader's program shows the real ones (RFC 9788; "protected headers" of
older programs).
"""

import base64
import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final, Literal

from vetrelay.bridge.letters.lettermime import base64_lines, boundary, crlf, multipart

OUTER_SUBJECT: Final = "..."
_PROTECTED: Final = ("from", "to", "date", "subject", "message-id", "reply-to", "in-reply-to", "references")
_HEADER: Final = re.compile(rb"(?:[!-9;-~]+):(?:[^\r\n]|\r\n[ \t])*\r\n")
Unfit = Literal["expired", "not_yet_valid", "revoked", "not_for_encryption", "too_weak", "unknown_kind"]
"""Why nothing may be sealed to a key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A sealed or signed part, opened: the MIME entity inside, and whose signature holds over it.

    `signature`: "good" is by one of the known keys, whose `signer_fingerprint` it is; "unknown" is by a key that nobody
    approved; "bad" does not hold. `sealed` is False for what only looked sealed and was readable to everyone.
    """

    content: bytes
    signer_fingerprint: str | None
    signature: Literal["good", "unknown", "none", "bad"]
    sealed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A composed letter in two: header lines that stay outside, and the MIME entity that is sealed.

    `date_ms` is the moment in its Date: at that moment a key must be one that may be sealed to.
    """

    outside: bytes
    inside: bytes
    date_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedParts:
    """The two parts of a multipart/signed entity: the exact bytes that are signed, and the signature, decoded."""

    signed: bytes
    signature: bytes
    kind: Literal["pgp", "smime"]


def cut(letter: bytes) -> Cut:
    """Splits a letter composed by letter.py. Its header lines are CRLF-ended and well formed: they are ours."""
    head, _, body = letter.partition(b"\r\n\r\n")
    outside: list[bytes] = []
    content: list[bytes] = []
    copies: list[bytes] = []
    date_ms = 0
    for match in _HEADER.finditer(head + b"\r\n"):
        line = match[0]
        name = line.partition(b":")[0].decode("ascii").lower()
        if name == "mime-version":
            continue
        if name == "content-type":
            content.append(line.removesuffix(b"\r\n") + b';\r\n protected-headers="v1"; hp="cipher"\r\n')
            continue
        if name.startswith("content-"):
            content.append(line)
            continue
        if name == "date":
            date_ms = int(parsedate_to_datetime(line.partition(b":")[2].decode("ascii").strip()).timestamp() * 1000)
        carried = f"Subject: {OUTER_SUBJECT}\r\n".encode() if name == "subject" else line
        outside.append(carried)
        if name in _PROTECTED:
            # What stands outside is told inside too, so that a changed or added outer header is noticed (RFC 9788, 2.2).
            copies += [line, b"HP-Outer: " + carried]
    return Cut(outside=b"".join(outside), inside=b"".join([*copies, *content, b"\r\n", body]), date_ms=date_ms)


def signed_entity(inside: bytes, signature: bytes, *, seed: str) -> bytes:
    """A multipart/signed of S/MIME (RFC 8551, 3.5.3): `inside` is signed as it stands here."""
    signature_part = (
        b'Content-Type: application/pkcs7-signature; name="smime.p7s"\r\nContent-Transfer-Encoding: base64\r\n'
        b'Content-Disposition: attachment; filename="smime.p7s"\r\n\r\n' + base64_lines(signature)
    )
    content_type = 'multipart/signed; protocol="application/pkcs7-signature";\r\n micalg=sha-256'
    return multipart(b"", content_type, [inside, signature_part], mark=boundary(seed, "signed"))


def signed_parts(untrusted_entity: bytes) -> SignedParts | None:
    """The parts of an entity that is multipart/signed at its top, byte for byte; None if it is anything else."""
    head, found, _ = untrusted_entity.partition(b"\r\n\r\n")
    if not found:
        head, found, _ = (untrusted_entity := crlf(untrusted_entity)).partition(b"\r\n\r\n")
    flat = re.sub(rb"\r\n[ \t]+", b" ", head)
    declared = re.search(rb"(?im)^content-type:[ \t]*multipart/signed[ \t]*;([^\r\n]*)", flat)
    mark = declared and re.search(rb'(?i)\bboundary[ \t]*=[ \t]*(?:"([^"\r\n]{1,70})"|([^\s;"]{1,70}))', declared[1])
    if not declared or not mark:
        return None
    edge = b"\r\n--" + (mark[1] or mark[2])
    pieces = untrusted_entity[len(head) + 2 :].split(edge)
    # Before the first edge, two parts, and what follows the last edge.
    if len(pieces) != 4 or not pieces[3].startswith(b"--"):
        return None
    signed, signature = (piece.partition(b"\r\n")[2] for piece in pieces[1:3])
    body = signature.partition(b"\r\n\r\n")[2]
    if b"pgp-signature" in declared[1].lower():
        return SignedParts(signed=signed, signature=body, kind="pgp")
    return SignedParts(signed=signed, signature=_decoded(body), kind="smime")


def _decoded(body: bytes) -> bytes:
    try:
        return base64.b64decode(body)
    except ValueError:
        return b""
