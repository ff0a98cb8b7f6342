"""A letter that was read, as bytes between the jail and its parent: fixed integers, enum codes, capped texts.

`decode_letter` believes nothing: each number is checked against its range, each text against its cap and its signs;
anything else is `Garbled`. Layout, little-endian:

    head · notes · sender's name, address, subject, both ids · text · folds · report? · signed? · parts

What a signature is over does not travel: its place in the letter does, and the parent takes it from the letter itself.
"""

import re
import struct
from dataclasses import dataclass

from vetrelay.inspection.framereader import MAX_NOTES, FrameReader, cut, encode_notes
from vetrelay.inspection.frames import Garbled
from vetrelay.inspection.letterread import (
    MAX_ADDRESS_CHARS,
    MAX_FOLDS,
    MAX_ID_CHARS,
    MAX_NAME_CHARS,
    MAX_SUBJECT_CHARS,
    MAX_TEXT_CHARS,
    MAX_WRITTEN_MS,
    Action,
    DeliveryReport,
    LetterPart,
    LetterRead,
    Protection,
    SignedPart,
)
from vetrelay.inspection.outputs import is_plain
from vetrelay.inspection.source import Source
from vetrelay.inspection.words import Reason, Unfit

PART_NAME_BYTES = 255
MEDIA_TYPE_BYTES = 100
_MAGIC = b"VRL1"
# magic, reason, protection, is dated, written, notes, folds, has a report, is signed, parts
_HEAD = struct.Struct("<4sBBBqBHBBH")
_LENGTH = struct.Struct("<I")
_FOLD = struct.Struct("<II")
_REPORT = struct.Struct("<BHB")
_SIGNED = struct.Struct("<QQQ")
_PART = struct.Struct("<BBBQ")
_PROTECTIONS = tuple(Protection)
_ACTIONS = tuple(Action)
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}")
_ID = re.compile(r"<[!-;=?-~]{1,996}>")
_STATUS = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}")
_WORD = re.compile(r"[a-z0-9-]{0,16}")
_PRINTABLE = re.compile(r"[!-~]{0,100}")
_MOST_BYTES_PER_CHAR = 4
_REASONS = frozenset(
    {
        Reason.EMPTY,
        Reason.DAMAGED,
        Reason.NESTED_TOO_DEEP,
        Reason.UNPACKS_TOO_LARGE,
        Reason.LETTER_TOO_MANY_PARTS,
        Reason.LETTER_TOO_DEEP,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRange:
    """Where in the letter what was signed begins and ends, and its signature."""

    begin: int
    end: int
    signature: bytes


def is_media_type(text: str) -> bool:
    """Whether a declared type may be told: ASCII, small letters, a type and a subtype (RFC 2045, 5.1)."""
    return len(text) <= MEDIA_TYPE_BYTES and _MEDIA_TYPE.fullmatch(text) is not None


def is_id(text: str) -> bool:
    """Whether this is the id of a letter, as it may be compared and answered (RFC 5322, 3.6.4)."""
    return _ID.fullmatch(text) is not None


def encode_refusal(reason: Reason) -> list[bytes]:
    """That a letter is not opened, and why."""
    return [_HEAD.pack(_MAGIC, reason, 0, 0, 0, 0, 0, 0, 0, 0)]


def encode_letter(read: LetterRead, signed: SignedRange | None = None) -> list[bytes]:
    """The letter as pieces to be written one after the other. `read.signed` is left out for `signed`."""
    written = read.written_ms
    head = _HEAD.pack(
        _MAGIC,
        Reason.NONE,
        _PROTECTIONS.index(read.protection),
        written is not None,
        written or 0,
        len(read.notes),
        len(read.folds),
        read.report is not None,
        signed is not None,
        len(read.parts),
    )
    texts = (read.sender_name, read.sender_address, read.subject, read.message_id, read.in_reply_to, read.text)
    pieces = [head, encode_notes(read.notes), *(_long(text) for text in texts)]
    pieces += [_FOLD.pack(begin, end) for begin, end in read.folds]
    pieces += [] if read.report is None else [_encode_report(read.report)]
    if signed is not None:
        pieces += [_SIGNED.pack(signed.begin, signed.end, len(signed.signature)), signed.signature]
    for part in read.parts:
        name, media_type = cut(part.name, PART_NAME_BYTES), part.media_type.encode()
        pieces += [_PART.pack(len(name), len(media_type), part.inline, len(part.content)), name, media_type]
        pieces.append(part.content)
    return pieces


def _long(text: str) -> bytes:
    raw = text.encode("utf-8")
    return _LENGTH.pack(len(raw)) + raw


def _encode_report(report: DeliveryReport) -> bytes:
    texts = (report.status, report.diagnostic_type, report.envelope_id, report.recipient)
    head = _REPORT.pack(_ACTIONS.index(report.action), report.reply_code, report.guessed)
    return head + b"".join(_long(text) for text in texts)


def decode_letter(untrusted: bytes | memoryview, letter: Source, *, most_parts: int) -> LetterRead:
    """A checked letter, what was signed taken from `letter`. Raises Garbled, or Unfit with the jail's reason."""
    reader = FrameReader(untrusted)
    magic, reason, protection, is_dated, written_ms, notes, folds, has_report, is_signed, parts = reader.numbers(_HEAD)
    if magic != _MAGIC or max(is_dated, has_report, is_signed) > 1 or protection >= len(_PROTECTIONS):
        raise Garbled
    if reason != Reason.NONE:
        _refuse(untrusted, reason)
    if notes > MAX_NOTES or folds > MAX_FOLDS or parts > most_parts or not 0 <= written_ms <= MAX_WRITTEN_MS * is_dated:
        raise Garbled
    read = LetterRead(
        notes=reader.notes(notes),
        sender_name=_line(reader, MAX_NAME_CHARS),
        sender_address=_line(reader, MAX_ADDRESS_CHARS),
        subject=_line(reader, MAX_SUBJECT_CHARS),
        message_id=_id(reader),
        in_reply_to=_id(reader),
        text=_text(reader, MAX_TEXT_CHARS),
        written_ms=written_ms if is_dated else None,
        folds=tuple(reader.numbers(_FOLD) for _ in range(folds)),
        report=_report(reader) if has_report else None,
        protection=_PROTECTIONS[protection],
        signed=_signed(reader, letter) if is_signed else None,
        parts=tuple(_part(reader) for _ in range(parts)),
    )
    reader.end()
    _check_whole(read)
    return read


def _refuse(untrusted: bytes | memoryview, reason: int) -> None:
    for known in _REASONS:
        if bytes(untrusted) == encode_refusal(known)[0] and known == reason:
            raise Unfit(known)
    raise Garbled


def _check_whole(read: LetterRead) -> None:
    """What belongs together is there together; folds stand in order, within the text, and leave a line of it."""
    if read.protection.is_signed != (read.signed is not None):
        raise Garbled
    if read.protection.is_encrypted and (len(read.parts) != 1 or read.text):
        raise Garbled
    if not are_sound_folds(read.text, read.folds):
        raise Garbled


def are_sound_folds(text: str, folds: tuple[tuple[int, int], ...]) -> bool:
    """Whether ranges of a text are in order and apart, and whether a line is left that says something."""
    position, left = 0, []
    for begin, end in folds:
        if not position <= begin < end <= len(text):
            return False
        left.append(text[position:begin])
        position = end
    return not folds or bool("".join((*left, text[position:])).strip())


def _text(reader: FrameReader, most_chars: int) -> str:
    (size_bytes,) = reader.numbers(_LENGTH)
    if size_bytes > most_chars * _MOST_BYTES_PER_CHAR:
        raise Garbled
    text = reader.text(size_bytes)
    if len(text) > most_chars or not is_plain(text.encode("utf-8")):
        raise Garbled
    return text


def _line(reader: FrameReader, most_chars: int) -> str:
    text = _text(reader, most_chars)
    if "\n" in text or "\t" in text:
        raise Garbled
    return text


def _matching(reader: FrameReader, pattern: re.Pattern[str]) -> str:
    text = _line(reader, MAX_ID_CHARS)
    if text and pattern.fullmatch(text) is None:
        raise Garbled
    return text


def _id(reader: FrameReader) -> str:
    return _matching(reader, _ID)


def _report(reader: FrameReader) -> DeliveryReport:
    action, reply_code, guessed = reader.numbers(_REPORT)
    if action >= len(_ACTIONS) or guessed > 1 or not (reply_code == 0 or 200 <= reply_code < 600):
        raise Garbled
    return DeliveryReport(
        action=_ACTIONS[action],
        reply_code=reply_code,
        guessed=bool(guessed),
        status=_matching(reader, _STATUS),
        diagnostic_type=_matching(reader, _WORD),
        envelope_id=_matching(reader, _PRINTABLE),
        recipient=_line(reader, MAX_ADDRESS_CHARS),
    )


def _signed(reader: FrameReader, letter: Source) -> SignedPart:
    begin, end, size_bytes = reader.numbers(_SIGNED)
    if not begin <= end <= letter.size_bytes:
        raise Garbled
    content = letter.read(begin, end - begin)
    if len(content) != end - begin:
        raise Garbled
    return SignedPart(content=content, signature=reader.bytes(size_bytes))


def _part(reader: FrameReader) -> LetterPart:
    name_bytes, media_type_bytes, inline, size_bytes = reader.numbers(_PART)
    name, media_type = reader.text(name_bytes), reader.text(media_type_bytes)
    if inline > 1 or not is_part_name(name) or (media_type and not is_media_type(media_type)):
        raise Garbled
    return LetterPart(name=name, media_type=media_type, inline=bool(inline), content=reader.bytes(size_bytes))


def is_part_name(name: str) -> bool:
    """Whether a part may be called so: one path part of seen signs, that is no way to another folder."""
    if not name.strip(". ") or len(name) > MAX_NAME_CHARS or any(sign in name for sign in "/\\\n\t"):
        return False
    return len(name.encode("utf-8")) <= PART_NAME_BYTES and is_plain(name.encode("utf-8"))
