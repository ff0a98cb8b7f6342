"""Outlook's winmail.dat (TNEF, [MS-OXTNEF]): its words as plain text, and its attachments as parts.

Read by tnefparse, after a count of our own: the library copies what is left of the file for every object in it. A text
that is there as RTF alone goes on as a part, to be inspected like any other RTF.
"""

import logging
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tnefparse import properties
from tnefparse.tnef import TNEF, TNEFAttachment, TNEFObject

from vetrelay.inspection.ask import Ask
from vetrelay.inspection.formats import compressedrtf, lettertext, pagetext
from vetrelay.inspection.formats.letterfields import Fields
from vetrelay.inspection.formats.mail import letter
from vetrelay.inspection.formats.partnames import part_name
from vetrelay.inspection.formats.tally import Tally
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.notes import Note
from vetrelay.inspection.outlines.outline import Content
from vetrelay.inspection.result import RawPart, Result
from vetrelay.inspection.words import Reason, Unfit

MAX_OBJECTS = 2000
MAX_RECIPIENTS = 1000
_HEAD_BYTES = 6
_OBJECT = struct.Struct("<BHHI")
_CHECKSUM_BYTES = 2
_SIGNATURE = struct.pack("<IH", TNEF.TNEF_SIGNATURE, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What is in a winmail.dat: its fields, its words, its files, and what was counted."""

    fields: Fields
    words: str
    parts: tuple[RawPart, ...]
    tally: Tally


def prepare() -> None:
    """Walks one letter, so that nothing of it is first met in the jail."""
    logging.getLogger("tnefparse").setLevel(logging.CRITICAL)
    for sample in samples():
        normalize(sample, Kind.TNEF, Ask(most=200))


def samples() -> tuple[bytes, ...]:
    """A letter with a subject, a text, and a file."""
    objects = (
        _object(1, TNEF.ATTTNEFVERSION, 8, struct.pack("<I", TNEF.VALID_VERSION)),
        _object(1, TNEF.ATTOEMCODEPAGE, 6, struct.pack("<II", 1252, 0)),
        _object(1, TNEF.ATTSUBJECT, 1, b"Luna\0"),
        _object(1, TNEF.ATTDATESENT, 3, struct.pack("<7H", 2024, 5, 6, 7, 8, 9, 1)),
        _object(1, TNEF.ATTBODY, 2, b"All is well.\0"),
        _object(2, TNEF.ATTATTACHRENDDATA, 6, bytes(14)),
        _object(2, TNEF.ATTATTACHTITLE, 1, b"values.txt\0"),
        _object(2, TNEF.ATTATTACHDATA, 6, b"1 2 3\n"),
    )
    return (_SIGNATURE + b"".join(objects),)


def _object(level: int, name: int, sort: int, data: bytes) -> bytes:
    return _OBJECT.pack(level, name, sort, len(data)) + data + struct.pack("<H", sum(data) & 0xFFFF)


def normalize(content: Content, kind: Kind, ask: Ask) -> Result:
    """The letter's text, and its parts (at most `ask.most`).

    Raises Unfit: LETTER_TOO_MANY_PARTS, INCOMPLETE where an object goes beyond the end, DAMAGED.
    """
    opened = read(bytes(content[:]), most=ask.most)
    return letter(opened.fields, opened.words, opened.parts, opened.tally, kind=kind)


def read(raw: bytes, *, most: int) -> Opened:
    """What is in a winmail.dat. Raises Unfit, as `normalize` does."""
    _check_objects(raw, most=most)
    try:
        return _read(TNEF(raw, do_checksum=False))
    except (Unfit, MemoryError):
        raise
    except Exception:  # noqa: BLE001 - the library raises anything at a stranger's file
        raise Unfit(Reason.DAMAGED) from None


def _check_objects(raw: bytes, *, most: int) -> None:
    """Walks the objects without opening them: each within the file, and no more than there may be."""
    position, count, attachments = _HEAD_BYTES, 0, 0
    while position < len(raw):
        if len(raw) - position < _OBJECT.size + _CHECKSUM_BYTES:
            raise Unfit(Reason.INCOMPLETE)
        _level, name, _sort, size = _OBJECT.unpack_from(raw, position)
        data_at = position + _OBJECT.size
        position = data_at + size + _CHECKSUM_BYTES
        if position > len(raw):
            raise Unfit(Reason.INCOMPLETE)
        count += 1
        attachments += name == TNEF.ATTATTACHRENDDATA
        if count > MAX_OBJECTS or attachments > most:
            raise Unfit(Reason.LETTER_TOO_MANY_PARTS)
        if name == TNEF.ATTRECIPTABLE and (size < 4 or struct.unpack_from("<I", raw, data_at)[0] > MAX_RECIPIENTS):
            raise Unfit(Reason.DAMAGED)


def _read(opened: TNEF) -> Opened:
    tally = Tally()
    charset = str(opened.codepage or "")
    said = {one.name: one.data for one in opened.msgprops if isinstance(one, TNEFObject)}
    beside = {one.name: one.data for one in opened.mapiprops}
    fields = Fields()
    sender = _sender(said.get(TNEF.ATTFROM), charset) or _text(beside.get(properties.MAPI_SENDER_NAME), charset)
    _add(fields, "From", sender)
    _add(fields, "To", ", ".join(_recipients(said.get(TNEF.ATTRECIPTABLE), charset)))
    sent = said.get(TNEF.ATTDATESENT)
    _add(fields, "Date", sent.isoformat(" ") if isinstance(sent, datetime) else "")
    subject = _text(said.get(TNEF.ATTSUBJECT), charset) or _text(beside.get(properties.MAPI_SUBJECT), charset)
    _add(fields, "Subject", subject)
    words, parts = _text(opened.body, charset), []
    if not words.strip() and opened.htmlbody:
        tally.add(Note.SHOWN_AS_TEXT)
        words = pagetext.page_text(_text(opened.htmlbody, charset), tally)
    elif not words.strip() and opened._rtfbody:  # noqa: SLF001 - its public name needs a package that we do without
        content = compressedrtf.unpacked(opened._rtfbody)  # noqa: SLF001 - as above
        parts.append(RawPart(name="letter.rtf", media_type="application/rtf", content=content))
    parts += [_part(one, number, charset) for number, one in enumerate(opened.attachments, start=1) if one.data]
    return Opened(fields=fields, words=words, parts=tuple(parts), tally=tally)


def _add(fields: Fields, name: str, value: str) -> None:
    if value:
        fields.add(name, " ".join(value.split()))


def _text(value: object, charset: str) -> str:
    """A property as text, whatever the library made of it."""
    if isinstance(value, list | tuple):
        value = value[0] if value else ""
    if isinstance(value, bytes):
        value = lettertext.body_text(value.rstrip(b"\0"), charset, Tally())
    return value.replace("\r\n", "\n").replace("\r", "\n").strip("\0") if isinstance(value, str) else ""


def _sender(triple: object, charset: str) -> str:
    if not isinstance(triple, tuple) or len(triple) != 3:
        return ""
    name, address = _text(triple[0], charset), _text(triple[2], charset)
    return f"{name} <{address}>" if address else name


def _recipients(rows: object, charset: str) -> Iterable[str]:
    for row in rows if isinstance(rows, list) else []:
        values = {one.name: one.data for one in row if hasattr(one, "name")}
        yield _text(values.get(properties.MAPI_DISPLAY_NAME), charset)


def _part(attachment: TNEFAttachment, number: int, charset: str) -> RawPart:
    content = attachment.data
    raw = content if isinstance(content, bytes) else _text(content, charset).encode("utf-8", "replace")
    longer = [one.data for one in attachment.mapi_attrs if one.name == properties.MAPI_ATTACH_LONG_FILENAME]
    # An attached letter is nested TNEF without a name of its own.
    default = f"letter-{number}.tnef" if hasattr(attachment, "embed") else f"part-{number}"
    name = _text(longer, charset) or _text(attachment._name, charset)  # noqa: SLF001 - `name` decodes as UTF-8 or raises
    return RawPart(name=part_name(lettertext.field_text(name)) or default, media_type="", content=raw)
