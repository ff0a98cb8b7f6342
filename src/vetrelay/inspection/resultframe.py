"""A job's answer as bytes: fixed integers, enum codes, capped bytes.

It comes from a process that may have been taken over, so `decode_result` believes nothing: every number is checked
against its range and every text against its cap; anything else is `Garbled`. Layout, little-endian:

    head · notes (u8 code, u32 count)* · patient? · series? · output and part counts · outputs* · parts*

Patient and series are short texts, each a length in one byte and UTF-8. An output is its head and its content; a part
is its head, its name, its media type and its content.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import astuple, fields

from vetrelay.inspection.framereader import MAX_NOTES, FrameReader, cut, encode_notes
from vetrelay.inspection.frames import Garbled
from vetrelay.inspection.kinds import KINDS, Family, Kind
from vetrelay.inspection.policy import MAX_PIXELS, MAX_SIDE_PX, MiB
from vetrelay.inspection.result import CaptureTime, Patient, RawOutput, RawPart, Result, Role, Series
from vetrelay.inspection.words import JAIL_ENDS, Reason, Verdict

MAX_OUTPUTS = 64  # 50 pages of a TIFF, and a preview
MAX_PARTS = 200
SHORT_TEXT_BYTES = 64
NAME_BYTES = 255
MEDIA_TYPE_BYTES = 100

_HEAD = struct.Struct("<4sBBIIIQHBBBBBhBBB")
_OUTPUT = struct.Struct("<BBIIQ")
_PART = struct.Struct("<BBQ")
_COUNTS = struct.Struct("<HH")
_MAGIC = b"VRI2"
_NO_OFFSET = 0x7FFF
_MAX_OFFSET_MINUTES = 24 * 60 - 1
# What a jail is trusted to have rebuilt; whatever else claims to be an output is none.
MADE_KINDS = frozenset(
    {Kind.JPEG, Kind.PNG, Kind.WEBP, Kind.PDF, Kind.DICOM, Kind.MP4, Kind.QUICKTIME, Kind.WEBM, Kind.MP3, Kind.M4A}
    | {Kind.OGG, Kind.WAV, Kind.FLAC, Kind.TEXT, Kind.CSV, Kind.JSON, Kind.MARKDOWN}
)
_PICTURES = frozenset({Kind.JPEG, Kind.PNG, Kind.WEBP})
_WORDS = frozenset({Kind.TEXT, Kind.CSV, Kind.JSON, Kind.MARKDOWN})
_SOUNDS = frozenset({Kind.MP3, Kind.M4A, Kind.OGG, Kind.WAV, Kind.FLAC})
_FILMS = frozenset({Kind.MP4, Kind.QUICKTIME, Kind.WEBM})
# What may come of a file: a decoder of photos that was taken over can only make pictures, which are seen to be bare.
_MADE_OF: Mapping[Family, frozenset[Kind]] = {
    Family.PICTURE: _PICTURES,
    Family.RECORDING: _FILMS | _SOUNDS | _PICTURES,
    Family.PDF: _PICTURES | {Kind.PDF, Kind.TEXT},
    Family.DICOM: _PICTURES | {Kind.DICOM},
    Family.WRITING: _WORDS,
    Family.PACKED: _WORDS,
}
_FOR_THE_SCREEN = frozenset({Role.PREVIEW, Role.STRIP})
MAX_PREVIEW_BYTES = 8 * MiB
# Their copies come to these, and a verdict names 64 of one file.
_MOST_BESIDE_PARTS = 4
_WITH_PARTS = frozenset({Kind.MAIL, Kind.TNEF, Kind.DICOM, Kind.DOCX, Kind.XLSX, Kind.ODT, Kind.OFFICE_ZIP})
# A year; the protocol's numbers end at 2^53.
_MAX_DURATION_MS = 366 * 24 * 60 * 60 * 1000
# What the parent alone may say: how a jail ended, what a name claims, what a scanner found.
_PARENTS_REASONS = JAIL_ENDS | {
    Reason.CONTENT_DIFFERS_FROM_NAME,
    Reason.TYPE_SWITCHED_OFF,
    Reason.VIRUS_FOUND,
    Reason.SCANNER_ABSENT,
}


def encode_result(result: Result) -> list[bytes]:
    """The result as parts to be written one after the other, so that a picture is not copied once more."""
    taken = result.captured
    when = (0,) * 6 if taken is None else (taken.year, taken.month, taken.day, taken.hour, taken.minute, taken.second)
    offset = _NO_OFFSET if taken is None or taken.offset_minutes is None else taken.offset_minutes
    head = _HEAD.pack(
        _MAGIC,
        result.kind,
        result.reason,
        result.width_px,
        result.height_px,
        result.items,
        result.duration_ms,
        *when,
        offset,
        len(result.notes),
        result.patient is not None,
        result.series is not None,
    )
    said = encode_notes(result.notes)
    texts = [_short(text) for facts in (result.patient, result.series) if facts is not None for text in astuple(facts)]
    written = [b"".join((head, said, *texts, _COUNTS.pack(len(result.outputs), len(result.parts))))]
    for made in result.outputs:
        written.append(_OUTPUT.pack(made.role, made.kind, made.width_px, made.height_px, len(made.content)))
        written.append(made.content)
    for part in result.parts:
        name, media_type = cut(part.name, NAME_BYTES), cut(part.media_type, MEDIA_TYPE_BYTES)
        written.append(_PART.pack(len(name), len(media_type), len(part.content)) + name + media_type)
        written.append(part.content)
    return written


def _short(text: str) -> bytes:
    raw = cut(text, SHORT_TEXT_BYTES)
    return bytes([len(raw)]) + raw


def decode_result(untrusted: bytes | memoryview) -> Result:
    """A checked result. Raises Garbled for everything that an honest job cannot have written."""
    reader = FrameReader(untrusted)
    magic, kind, reason, width_px, height_px, items, duration_ms, *when, offset, notes, has_patient, has_series = (
        reader.numbers(_HEAD)
    )
    if magic != _MAGIC or notes > MAX_NOTES or has_patient > 1 or has_series > 1 or duration_ms > _MAX_DURATION_MS:
        raise Garbled
    told = reader.notes(notes)
    patient = Patient(**_texts(reader, Patient)) if has_patient else None
    series = Series(**_texts(reader, Series)) if has_series else None
    output_count, part_count = reader.numbers(_COUNTS)
    if output_count > MAX_OUTPUTS or part_count > MAX_PARTS:
        raise Garbled
    result = Result(
        kind=_kind(kind),
        reason=_reason(reason),
        notes=told,
        width_px=width_px,
        height_px=height_px,
        items=items,
        duration_ms=duration_ms,
        captured=_captured(when, offset),
        patient=patient,
        series=series,
        outputs=tuple(_output(reader) for _ in range(output_count)),
        parts=tuple(_part(reader) for _ in range(part_count)),
    )
    reader.end()
    _check_whole(result)
    return result


def _check_whole(result: Result) -> None:
    """No reason, and a record; or a reason, and outputs only where the original goes on beside them.

    What goes on, rebuilt or as it is, is of a kind that is taken; what is made of it is what can come of that kind.
    """
    roles = [made.role for made in result.outputs]
    goes_on = result.reason is Reason.NONE or result.reason.verdict is Verdict.KEPT_SEALED
    if (result.reason is Reason.NONE and Role.RECORD not in roles) or roles != sorted(roles):
        raise Garbled
    if goes_on and KINDS[result.kind].family in {Family.UNKNOWN, Family.NEVER_TAKEN}:
        raise Garbled
    if (result.outputs or result.parts) and not goes_on:
        raise Garbled
    if result.parts and (result.kind not in _WITH_PARTS or len(result.outputs) > _MOST_BESIDE_PARTS):
        raise Garbled
    allowed = _MADE_OF.get(KINDS[result.kind].family, frozenset())
    if any(made.kind not in allowed for made in result.outputs):
        raise Garbled


def _texts(reader: FrameReader, of: type[Patient | Series]) -> dict[str, str]:
    return {field.name: reader.text_of_one_byte(SHORT_TEXT_BYTES) for field in fields(of)}


def _kind(untrusted_kind: int) -> Kind:
    try:
        return Kind(untrusted_kind)
    except ValueError:
        raise Garbled from None


def _reason(untrusted_reason: int) -> Reason:
    try:
        reason = Reason(untrusted_reason)
    except ValueError:
        raise Garbled from None
    if reason in _PARENTS_REASONS:
        raise Garbled
    return reason


def _drawable(untrusted_width_px: int, untrusted_height_px: int) -> bool:
    return (
        0 < untrusted_width_px <= MAX_SIDE_PX
        and 0 < untrusted_height_px <= MAX_SIDE_PX
        and untrusted_width_px * untrusted_height_px <= MAX_PIXELS
    )


def _captured(untrusted_when: Sequence[int], untrusted_offset: int) -> CaptureTime | None:
    year, month, day, hour, minute, second = untrusted_when
    if year == 0:
        if any(untrusted_when) or untrusted_offset != _NO_OFFSET:
            raise Garbled
        return None
    offset_minutes = None if untrusted_offset == _NO_OFFSET else untrusted_offset
    if offset_minutes is not None and abs(offset_minutes) > _MAX_OFFSET_MINUTES:
        raise Garbled
    taken = CaptureTime(
        year=year, month=month, day=day, hour=hour, minute=minute, second=second, offset_minutes=offset_minutes
    )
    try:
        taken.text()
    except ValueError:
        raise Garbled from None
    return taken


def _output(reader: FrameReader) -> RawOutput:
    role, kind, width_px, height_px, size_bytes = reader.numbers(_OUTPUT)
    if kind not in MADE_KINDS or not size_bytes:
        raise Garbled
    if kind in _PICTURES and not _drawable(width_px, height_px):
        raise Garbled
    try:
        checked_role = Role(role)
    except ValueError:
        raise Garbled from None
    if checked_role in _FOR_THE_SCREEN and (kind not in _PICTURES or size_bytes > MAX_PREVIEW_BYTES):
        raise Garbled
    return RawOutput(
        role=checked_role,
        kind=Kind(kind),
        width_px=width_px,
        height_px=height_px,
        content=reader.bytes(size_bytes),
    )


def _part(reader: FrameReader) -> RawPart:
    name_bytes, media_type_bytes, size_bytes = reader.numbers(_PART)
    if media_type_bytes > MEDIA_TYPE_BYTES:
        raise Garbled
    name, media_type = reader.text(name_bytes), reader.text(media_type_bytes)
    return RawPart(name=name, media_type=media_type, content=reader.bytes(size_bytes))
