"""A letter as bytes: MIME with the standard library, every line end CRLF, the same bytes for the same values.

Headers keep long words whole (message ids, addresses of pages, keys): folding stands only between words (RFC 5322, 2.2.3),
where the library would wrap a long word into an encoded one that no program could thread by.
"""

import base64
import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from typing import Any, Final, Literal

_COLUMNS: Final = 76
_WHOLE_WORDS: Final = frozenset(
    {"message-id", "in-reply-to", "references", "autocrypt", "list-unsubscribe", "x-vetrelay-loop"}
)
_NAME_CHARACTERS: Final = 200
_BASE64_COLUMNS: Final = 76
_LINE_ENDS: Final = str.maketrans({"\r": "\n", "\u2028": "\n", "\u2029": "\n", "\v": "\n", "\f": "\n", "\x85": "\n"})
# 25 MB is what large providers take. A file grows by 4/3 when it becomes a letter, and by 4/3 again inside a sealed one.
PLAIN_BYTES: Final = 18_000_000
SEALED_BYTES: Final = 13_500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A file that goes along. `name` is anyone's; `content_type` is type/subtype."""

    name: str
    content_type: str
    content: bytes


class _WholeWords(EmailPolicy):
    """The library's SMTP policy, but for headers whose words must stay as they are."""

    def fold(self, name: str, value: Any) -> str:
        return folded(name, str(value)) if name.lower() in _WHOLE_WORDS else super().fold(name, value)

    def fold_binary(self, name: str, value: Any) -> bytes:
        if name.lower() in _WHOLE_WORDS:
            return folded(name, str(value)).encode("ascii", "replace")
        return super().fold_binary(name, value)


POLICY: Final = _WholeWords(linesep=SMTP.linesep, max_line_length=_COLUMNS)


def folded(name: str, value: str) -> str:
    """A header, with CRLF at its end, broken only where there is a space."""
    lines = [f"{name}:"]
    for word in value.split():
        if len(lines[-1]) + 1 + len(word) > _COLUMNS and lines[-1] not in {" ", f"{name}:"}:
            lines.append("")
        lines[-1] += f" {word}"
    return "\r\n".join(lines) + "\r\n"


def one_line(text: str, characters: int = _NAME_CHARACTERS) -> str:
    """Text for a header or a file's name: no control or direction characters, one line, not long."""
    kept = "".join(" " if unicodedata.category(one) in {"Cc", "Cf", "Zl", "Zp", "Cs"} else one for one in text)
    return " ".join(kept.split())[:characters]


def plain_lines(text: str) -> str:
    """A person's text, whole: its line ends all alike, and a blank for each control character that no program shows."""
    lines = text.replace("\r\n", "\n").translate(_LINE_ENDS)
    return "".join(one if one in "\n\t" or unicodedata.category(one) != "Cc" else " " for one in lines).strip("\n")


def fits(sizes_bytes: Iterable[int], *, mode: Literal["plain", "pgp", "smime"]) -> bool:
    """Whether files of these sizes can go along by email at all; if not, the letter tells the link instead."""
    return sum(sizes_bytes) <= (PLAIN_BYTES if mode == "plain" else SEALED_BYTES)


def letter_bytes(
    headers: Sequence[tuple[str, str]], text: str, html: str, *, parts: Sequence[Part], seed: str
) -> bytes:
    """The whole letter. `seed` (the message id) makes the boundaries, so that they are the same every time."""
    message = EmailMessage(policy=POLICY)
    for name, value in headers:
        message[name] = value
    message["MIME-Version"] = "1.0"
    # Quoted-printable: never a line above 76 characters, still readable as it is, and no "=_" of a boundary in it.
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    for part in parts:
        main, _, sub = _content_type(part).partition("/")
        message.add_attachment(b"", maintype=main, subtype=sub, filename=one_line(part.name) or "file", cte="base64")
    _set_boundaries(message, seed)
    whole = crlf(message.as_bytes())
    return _with_contents(whole, parts, boundary(seed, "0")) if parts else whole


def multipart(outside: bytes, content_type: str, parts: Iterable[bytes], *, mark: str) -> bytes:
    """A letter, or an entity, of these parts, each whole with its own headers. `content_type` has its parameters."""
    edge = b"--" + mark.encode()
    head = outside + f'MIME-Version: 1.0\r\nContent-Type: {content_type};\r\n boundary="{mark}"\r\n\r\n'.encode()
    pieces = [head]
    for part in parts:
        pieces += [edge, b"\r\n", part, b"\r\n"]
    return b"".join([*pieces, edge, b"--\r\n"])


def base64_lines(content: bytes) -> bytes:
    """Base64 in lines of 76, CRLF."""
    encoded = base64.b64encode(content)
    lines = (encoded[at : at + _BASE64_COLUMNS] for at in range(0, len(encoded), _BASE64_COLUMNS))
    return b"".join(line + b"\r\n" for line in lines)


def _with_contents(whole: bytes, parts: Sequence[Part], mark: str) -> bytes:
    # The library writes the frame; the files go in here, because it would take a second for what takes a tenth.
    edge = b"--" + mark.encode()
    head, words, *frames = whole.split(edge)
    pieces = [head, words]
    for frame, part in zip(frames, parts, strict=False):
        pieces.append(frame.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + base64_lines(part.content) + b"\r\n")
    return edge.join([*pieces, frames[-1]])


def boundary(seed: str, what: str) -> str:
    """A boundary that cannot stand in quoted-printable or base64 text."""
    return "=_" + hashlib.sha256(f"{what} {seed}".encode()).hexdigest()[:32]


def crlf(untrusted: bytes) -> bytes:
    """The same lines, every end CRLF."""
    return untrusted.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")


def _content_type(part: Part) -> str:
    # A type that is none, or would nest MIME in MIME, goes as plain bytes: it is a file, whatever it calls itself.
    clean = re.fullmatch(r"[a-z0-9!#$&^_.+-]{1,63}/[a-z0-9!#$&^_.+-]{1,63}", part.content_type.lower())
    if clean is None or clean[0].startswith(("multipart/", "message/", "text/")):
        return "application/octet-stream"
    return clean[0]


def _set_boundaries(message: EmailMessage, seed: str) -> None:
    for at, piece in enumerate(message.walk()):
        if piece.is_multipart():
            piece.set_boundary(boundary(seed, str(at)))
        if at:
            del piece["MIME-Version"]
