"""A whole letter (RFC 5322) as a value: who it says it is from, all its words, its files, how it is protected.

A letter in it is a file of its own, and its words stand here too, three deep; Outlook's winmail.dat is a file, and what
is in it are files beside it. Source: email.md section 4.
"""

from vetrelay.inspection.formats import (
    deliveryreport,
    fold,
    letterfields,
    lettertext,
    mail,
    marks,
    tnef,
)
from vetrelay.inspection.formats.letterparts import Part, take_apart
from vetrelay.inspection.formats.letterwords import Reader, together
from vetrelay.inspection.formats.partnames import LETTERS
from vetrelay.inspection.formats.protection import Protected, protected
from vetrelay.inspection.letterframe import SignedRange
from vetrelay.inspection.letterread import (
    MAX_ADDRESS_CHARS,
    MAX_NAME_CHARS,
    MAX_SUBJECT_CHARS,
    MAX_TEXT_CHARS,
    LetterPart,
    LetterRead,
)
from vetrelay.inspection.notes import Note
from vetrelay.inspection.outlines.outline import Content
from vetrelay.inspection.words import Reason, Unfit

MAX_DEPTH = 10
MAX_FORWARDED = 3
_PARTS_PER_FILE = 5
_MOST_PARTS_WITHIN = 1000
_MAX_DATE_CHARS = 100
_OUTLOOKS = frozenset({"application/ms-tnef", "application/vnd.ms-tnef"})
_FORWARDED_MARK = "--- forwarded letter"
_LONG_TEXT_NAME = "letter-text.txt"
_GOES_ON = "--- the letter goes on in the file letter-text.txt ---"
_SAMPLE_SIGNED = (
    b"From: vet@example.org\r\nTo: a@example.org\r\nContent-Type: multipart/signed; boundary=s\r\n\r\n--s\r\n"
    b"Content-Type: text/plain; format=flowed\r\n\r\nLuna is \r\nwell.\r\n\r\nOn 6 May 2024, a@example.org wrote:\r\n"
    b"> How is she?\r\n--s\r\nContent-Type: application/pgp-signature\r\n\r\nx\r\n--s--\r\n"
)


def prepare() -> None:
    """Walks every path once, so that nothing of it is first met in the jail."""
    deliveryreport.prepare()
    winmail = b"Content-Type: application/ms-tnef\r\n\r\n" + tnef.samples()[0]
    for sample in (*mail.samples(), _SAMPLE_SIGNED, winmail):
        read(sample, most=100)


def read(content: Content, *, most: int) -> tuple[LetterRead, SignedRange | None]:
    """The letter with at most so many files, and where its signed range is.

    Raises Unfit: DAMAGED, LETTER_TOO_DEEP, LETTER_TOO_MANY_PARTS, NESTED_TOO_DEEP.
    """
    try:
        return _read(content, most=most)
    except (Unfit, MemoryError):
        raise
    except Exception:  # noqa: BLE001 - the standard library raises anything at a stranger's letter
        raise Unfit(Reason.DAMAGED) from None


def _read(content: Content, *, most: int) -> tuple[LetterRead, SignedRange | None]:
    whole = take_apart(content, most_parts=_PARTS_PER_FILE * most, most_depth=MAX_DEPTH)
    letter = _Letter(content, most=most)
    reader = letter.reader
    found = protected(whole, reader)
    text = letter.text_of(found.readable) if found.readable is not None else ""
    name, address = letterfields.sender(whole.fields)
    return (
        LetterRead(
            sender_name=name[:MAX_NAME_CHARS],
            sender_address=address[:MAX_ADDRESS_CHARS],
            subject=lettertext.field_text(whole.fields.get("Subject"))[:MAX_SUBJECT_CHARS],
            written_ms=letterfields.written_ms(whole.fields),
            message_id=letterfields.first_id(whole.fields, "Message-ID"),
            in_reply_to=letterfields.first_id(whole.fields, "In-Reply-To")
            or letterfields.last_id(whole.fields, "References"),
            text=text,
            folds=fold.folds(text.partition(_FORWARDED_MARK)[0]),
            parts=_parts(found, reader),
            report=deliveryreport.report_of(content, whole, reader),
            protection=found.protection,
            notes=reader.tally.notes(),
        ),
        found.signed,
    )


def _parts(found: Protected, reader: Reader) -> tuple[LetterPart, ...]:
    if found.ciphertext is None:
        reader.tally.add(Note.PARTS_TAKEN_OUT, len(reader.parts))
        return tuple(reader.parts)
    name = "encrypted.asc" if found.protection.startswith("pgp") else "smime.p7m"
    media_type = "application/octet-stream" if found.protection.startswith("pgp") else "application/pkcs7-mime"
    return (LetterPart(name=name, media_type=media_type, content=reader.body(found.ciphertext)),)


class _Letter:
    """One letter, or one that stands in so many others."""

    def __init__(self, content: Content, *, most: int, depth: int = 0) -> None:
        self.reader = Reader(content, most=most, told_of=self._told_of)
        self._content = content
        self._most = most
        self._depth = depth
        self._outlooks_words: list[str] = []

    def words_of(self, part: Part) -> str:
        """All the words; those of a winmail.dat only where the letter has not said them itself. Raises Unfit."""
        words = self.reader.words_of(part)
        if not words.strip() and not self.reader.parts:
            # Boundaries that contradict one another: better everything as it stands than nothing.
            words = lettertext.body_text(bytes(self._content[part.begin : part.end]), "", self.reader.tally)
        if not self._outlooks_words:
            return words
        said = " ".join(words.split())
        return together([words, *(one for one in self._outlooks_words if " ".join(one.split()) not in said)])

    def text_of(self, part: Part) -> str:
        """The words as a text with a mark for every unseen sign; what is too long for it is a file too. Raises Unfit."""
        words = self.words_of(part).encode("utf-8", "replace").decode().strip("\n")
        text, marked = marks.with_marks(words)
        self.reader.tally.add(Note.UNSEEN_SIGNS_SHOWN, marked)
        if len(text) <= MAX_TEXT_CHARS:
            return text
        self.reader.add(LetterPart(name=_LONG_TEXT_NAME, media_type="text/plain", content=f"{text}\n".encode()))
        self.reader.tally.add(Note.TEXT_SHORTENED)
        beginning, _, _ = text[: MAX_TEXT_CHARS - len(_GOES_ON) - 2].rpartition("\n")
        return f"{beginning}\n\n{_GOES_ON}"

    def _told_of(self, part: LetterPart) -> str:
        if part.media_type in LETTERS and self._depth < MAX_FORWARDED:
            return _forwarded(part.content, depth=self._depth + 1)
        if part.media_type in _OUTLOOKS or part.name.lower() == "winmail.dat":
            self._expand(part)
        return ""

    def _expand(self, part: LetterPart) -> None:
        """The files in a winmail.dat stand beside it. Raises Unfit(LETTER_TOO_MANY_PARTS)."""
        try:
            opened = tnef.read(part.content, most=self._most)
        except Unfit as unfit:
            if unfit.reason is Reason.LETTER_TOO_MANY_PARTS:
                raise
            return  # the original is there, and whoever inspects it says what is wrong with it
        for one in opened.parts:
            self.reader.add(LetterPart(name=one.name, media_type=one.media_type, content=one.content))
        self._outlooks_words.append(opened.words)


def _forwarded(content: bytes, *, depth: int) -> str:
    """The words of a letter in the letter, below a line that says whose they are said to be. Its files stay in it."""
    try:
        whole = take_apart(content, most_parts=_MOST_PARTS_WITHIN, most_depth=MAX_DEPTH)
        words = _Letter(content, most=_MOST_PARTS_WITHIN, depth=depth).words_of(whole)
    except Unfit:
        return f"{_FORWARDED_MARK}, which is only in its file ---"
    name, address = letterfields.sender(whole.fields)
    said = f"{name} <{address}>" if name and address else name or address or "nobody"
    dated = lettertext.field_text(whole.fields.get("Date"))[:_MAX_DATE_CHARS] or "no date"
    subject = lettertext.field_text(whole.fields.get("Subject"))[:MAX_SUBJECT_CHARS] or "no subject"
    above = f"{_FORWARDED_MARK} from {said}, {dated}, {subject} ---"
    return "\n\n".join((above, words.strip("\n"), "--- end of the forwarded letter ---"))
