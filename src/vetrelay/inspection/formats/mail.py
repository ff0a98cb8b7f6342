"""A saved email (RFC 5322): its words as plain text, and its attachments as parts, each to be inspected on its own.

Of its fields only From, To, Cc, Date and Subject stay: the others tell by which computers it came. What was quoted
stays. Letters inside it are parts; how deep they may nest is counted by the parent. Source: attachments.md section 6.
"""

import re
from email.message import Message

from vetrelay.inspection.ask import Ask
from vetrelay.inspection.formats import lettertext, marks, pagetext
from vetrelay.inspection.formats.letterparts import Part, take_apart
from vetrelay.inspection.formats.tally import Tally
from vetrelay.inspection.kinds import KIND_BY_MEDIA_TYPE, KINDS, Kind
from vetrelay.inspection.notes import Note
from vetrelay.inspection.outlines.outline import Content
from vetrelay.inspection.result import RawOutput, RawPart, Result, Role
from vetrelay.inspection.words import Reason, Unfit

KEPT_FIELDS = ("From", "To", "Cc", "Date", "Subject")
MAX_TEXT_BYTES = 5 << 20
# The parts that only hold others do not count as attachments, but must not be without end either.
_PARTS_PER_ATTACHMENT = 5
_ROUTE = re.compile(r"(?i)(received|return-path|delivered-to|message-id|authentication-results|dkim-.*|arc-.*|x-.*)")
_SIGNATURES = frozenset({"application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"})
_LOCKED = frozenset({"multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"})
_LETTERS = frozenset({"message/rfc822", "message/global", "message/news"})

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
    reader = _Reader(content, most=ask.most)
    words = reader.words_of(whole)
    return letter(whole.fields, words, tuple(reader.parts), reader.tally, kind=kind)


def letter(fields: "Message[str, str]", words: str, parts: tuple[RawPart, ...], tally: Tally, *, kind: Kind) -> Result:
    """A letter's result, of whatever kind it was: the kept fields above the words, the parts beside them."""
    tally.add(Note.ROUTE_REMOVED, int(any(_ROUTE.fullmatch(name) for name in fields)))
    tally.add(Note.PARTS_TAKEN_OUT, len(parts))
    said = [(name, lettertext.field_text(fields[name])) for name in KEPT_FIELDS if fields[name]]
    above = "".join(f"{name}: {value}\n" for name, value in said)
    marked, count = marks.with_marks(words.strip("\n"))
    tally.add(Note.UNSEEN_SIGNS_SHOWN, count)
    raw = f"{above}\n{marked}\n".encode("utf-8", "replace")
    if len(raw) > MAX_TEXT_BYTES:
        raw = raw[:MAX_TEXT_BYTES].decode("utf-8", "ignore").encode()
        tally.add(Note.TEXT_SHORTENED)
    output = RawOutput(role=Role.RECORD, kind=Kind.TEXT, content=raw)
    return Result(kind=kind, notes=tally.notes(), items=len(parts), outputs=(output,), parts=parts)


class _Reader:
    """Gathers the words and the parts of one letter."""

    def __init__(self, content: Content, *, most: int) -> None:
        self._content = content
        self._most = most
        self.tally = Tally()
        self.parts: list[RawPart] = []

    def words_of(self, part: Part) -> str:
        """The words of a part; what is no words is put aside as a part of the letter."""
        if part.within:
            words = [self.words_of(inner) for inner in part.within]
            if part.media_type == "multipart/alternative":
                return self._chosen(part, words)
            return "\n\n".join(said for said in words if said.strip())
        if part.media_type in _SIGNATURES:
            return ""
        if self._is_words(part):
            text = lettertext.body_text(self._body(part), part.fields.get_content_charset(""), self.tally)
            if part.media_type != "text/html":
                return text
            self.tally.add(Note.SHOWN_AS_TEXT)
            return pagetext.page_text(text, self.tally)
        self._put_aside(part)
        return ""

    @staticmethod
    def _chosen(part: Part, words: list[str]) -> str:
        """Of several ways to say the same, the plain one; else the last, which its writer held to be the best."""
        said = [(inner, text) for inner, text in zip(part.within, words, strict=True) if text.strip()]
        plain = [text for inner, text in said if inner.media_type == "text/plain"]
        return plain[0] if plain else said[-1][1] if said else ""

    @staticmethod
    def _is_words(part: Part) -> bool:
        if part.media_type not in {"text/plain", "text/html"} and not part.media_type.startswith("multipart/"):
            return False
        return part.fields.get_content_disposition() != "attachment" and not _file_name(part)

    def _body(self, part: Part) -> bytes:
        body = bytes(self._content[part.begin : part.end])
        return lettertext.transferred(body, str(part.fields.get("Content-Transfer-Encoding", "")))

    def _put_aside(self, part: Part) -> None:
        content = self._body(part)
        if not content:
            return
        if len(self.parts) == self._most:
            raise Unfit(Reason.LETTER_TOO_MANY_PARTS)
        # A type that nobody has heard of says nothing of the content.
        media_type = part.media_type if len(part.media_type) <= 100 and part.media_type.isascii() else ""
        name = _file_name(part) or _made_up_name(media_type, len(self.parts) + 1)
        self.parts.append(RawPart(name=name, media_type=media_type, content=content))


def _file_name(part: Part) -> str:
    return lettertext.field_text(part.fields.get_filename() or "")[:200]


def _made_up_name(media_type: str, number: int) -> str:
    if media_type in _LETTERS:
        return f"letter-{number}.eml"
    extensions = KINDS[KIND_BY_MEDIA_TYPE.get(media_type, Kind.UNKNOWN)].extensions
    return f"part-{number}.{extensions[0]}" if extensions else f"part-{number}"
