"""A saved email (RFC 5322): its words as plain text, and its attachments as parts, each to be inspected on its own.

Of its fields only From, To, Cc, Date and Subject stay: the others tell by which computers it came. What was quoted
stays. Letters inside it are parts; how deep they may nest is counted by the parent. Source: attachments.md section 6.
"""

import re

from vetrelay.inspection.ask import Ask
from vetrelay.inspection.formats import lettertext, marks, pagetext
from vetrelay.inspection.formats.letterfields import Fields
from vetrelay.inspection.formats.letterparts import take_apart
from vetrelay.inspection.formats.letterwords import SIGNATURES, Reader
from vetrelay.inspection.formats.tally import Tally
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.notes import Note
from vetrelay.inspection.outlines.outline import Content
from vetrelay.inspection.result import RawOutput, RawPart, Result, Role
from vetrelay.inspection.words import Reason, Unfit

KEPT_FIELDS = ("From", "To", "Cc", "Date", "Subject")
MAX_TEXT_BYTES = 5 << 20
# The parts that only hold others do not count as attachments, but must not be without end either.
_PARTS_PER_ATTACHMENT = 5
_ROUTE = re.compile(r"(?i)(received|return-path|delivered-to|message-id|authentication-results|dkim-.*|arc-.*|x-.*)")
_LOCKED = frozenset({"multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"})

_SAMPLE = b"""Received: from a by b\r
From: =?utf-8?q?Dr=2E_J=C3=BCrgen?= <vet@example.org>\r
To: owner@example.org\r
Date: Mon, 6 May 2024 07:08:09 +0200\r
Subject: =?utf-8?b?THVuYQ==?=\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary="outer"\r
\r
--outer\r
Content-Type: multipart/alternative; boundary=inner\r
\r
--inner\r
Content-Type: text/html; charset=iso-8859-1\r
Content-Transfer-Encoding: quoted-printable\r
\r
<p>Luna ist wieder gesund. <img src=3D"https://example.org/pixel.gif"></p>\r
--inner--\r
--outer\r
Content-Type: text/plain; charset=utf-8\r
Content-Disposition: attachment; filename*=utf-8''values%20%E2%82%AC.txt\r
Content-Transfer-Encoding: base64\r
\r
MSAyIDMK\r
--outer\r
Content-Type: message/rfc822\r
\r
From: a@example.org\r
Subject: inside\r
\r
Hello\r
--outer--\r
"""
_PLAIN_SAMPLE = (
    b"From: vet@example.org\r\nSubject: Luna\r\nDate: Mon, 6 May 2024 07:08:09 +0200\r\n\r\nAll is well.\r\n"
)


def prepare() -> None:
    """Loads the encodings and walks what a letter walks."""
    lettertext.prepare()
    pagetext.prepare()


def samples() -> tuple[bytes, ...]:
    """A letter with everything, and one of plain words."""
    return (_SAMPLE, _PLAIN_SAMPLE)


def normalize(content: Content, kind: Kind, ask: Ask) -> Result:
    """The letter's text, and its parts (at most `ask.most`).

    Raises Unfit: LETTER_LOCKED where it is encrypted, LETTER_TOO_MANY_PARTS, LETTER_TOO_DEEP, DAMAGED.
    """
    try:
        return _taken_apart(content, kind, ask)
    except (Unfit, MemoryError):
        raise
    except Exception:  # noqa: BLE001 - the standard library's header parser raises anything at a stranger's letter
        raise Unfit(Reason.DAMAGED) from None


def _taken_apart(content: Content, kind: Kind, ask: Ask) -> Result:
    whole = take_apart(content, most_parts=_PARTS_PER_ATTACHMENT * ask.most)
    if whole.media_type in _LOCKED:
        raise Unfit(Reason.LETTER_LOCKED)
    reader = Reader(content, most=ask.most, left_out=SIGNATURES)
    words = reader.words_of(whole)
    parts = tuple(RawPart(name=one.name, media_type=one.media_type, content=one.content) for one in reader.parts)
    return letter(whole.fields, words, parts, reader.tally, kind=kind)


def letter(fields: Fields, words: str, parts: tuple[RawPart, ...], tally: Tally, *, kind: Kind) -> Result:
    """A letter's result, of whatever kind it was: the kept fields above the words, the parts beside them."""
    tally.add(Note.ROUTE_REMOVED, int(any(_ROUTE.fullmatch(name) for name in fields)))
    tally.add(Note.PARTS_TAKEN_OUT, len(parts))
    said = [(name, lettertext.field_text(fields.get(name))) for name in KEPT_FIELDS if fields.get(name)]
    above = "".join(f"{name}: {value}\n" for name, value in said)
    marked, count = marks.with_marks(words.strip("\n"))
    tally.add(Note.UNSEEN_SIGNS_SHOWN, count)
    raw = f"{above}\n{marked}\n".encode("utf-8", "replace")
    if len(raw) > MAX_TEXT_BYTES:
        raw = raw[:MAX_TEXT_BYTES].decode("utf-8", "ignore").encode()
        tally.add(Note.TEXT_SHORTENED)
    output = RawOutput(role=Role.RECORD, kind=Kind.TEXT, content=raw)
    return Result(kind=kind, notes=tally.notes(), items=len(parts), outputs=(output,), parts=parts)
