"""One DICOM record: rebuilt entry by entry with its pictures untouched, and shown in small.

What becomes of each entry stands in `dicom_rebuild` and its tables; a file whose pictures cannot be shown here goes on
as it is, sealed, except for teaching, where an original is never passed on. Source: attachments.md section 6.
"""

import codecs
from collections.abc import Mapping
from dataclasses import replace

from vetrelay.inspection.ask import Ask, DicomMode
from vetrelay.inspection.formats import dicom_preview, dicom_samples
from vetrelay.inspection.formats.dicom_decoding import FrameDecoder, decoders
from vetrelay.inspection.formats.dicom_facts import patient_of, series_of, word
from vetrelay.inspection.formats.dicom_pixels import Geometry, geometry_of, pixels_of
from vetrelay.inspection.formats.dicom_reading import PREAMBLE_BYTES, DataSet, Element, read
from vetrelay.inspection.formats.dicom_rebuild import Rebuilt, rebuild
from vetrelay.inspection.formats.dicom_tags import BURNED_IN, ENCAPSULATED_DOCUMENT, SOP_CLASS
from vetrelay.inspection.formats.dicom_teaching import SALT_BYTES, Disguise, disguise_of, statement
from vetrelay.inspection.formats.dicom_writing import write
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.notes import Note, counted
from vetrelay.inspection.outlines.outline import Content
from vetrelay.inspection.result import RawOutput, RawPart, Result, Role
from vetrelay.inspection.words import Reason, Unfit, Verdict

_DIRECTORY = b"1.2.840.10008.1.3.10"
_DIRECTORY_RECORDS = 0x00041220
_PDF_START = b"%PDF-"
# Python imports a codec when it is first named; these are the ones of PS3.3 section C.12.1.1.2.
_CODECS = (
    *(f"iso8859_{number}" for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)),
    *("iso-8859-1", "latin-1", "iso8859", "iso_ir_58", "iso_ir_126", "iso2022_jp", "iso2022_jp_2", "iso2022_kr"),
    *("euc_kr", "shift_jis", "gb2312", "gb18030", "gbk", "tis-620", "iso-ir-166", "iso8859_11", "utf-8", "ascii"),
)
_DECODERS: dict[str, FrameDecoder] = {}


def prepare() -> None:
    """Loads decoders, font and character sets, in the zygote."""
    for name in _CODECS:
        codecs.lookup(name)
    _DECODERS.update(decoders())
    dicom_preview.prepare()


def samples() -> tuple[bytes, ...]:
    """Tiny sound records: one for each transfer syntax that can be shown here, and one for each kind of colours."""
    return dicom_samples.make(_DECODERS.keys())


def normalize(content: Content, kind: Kind, ask: Ask) -> Result:
    """Rebuilds one record by the mode that is asked for, and shows its key frames. Raises Unfit, MemoryError."""
    try:
        return _normalize(content, kind, ask, _DECODERS)
    except (Unfit, MemoryError):
        raise
    except Exception:  # noqa: BLE001 - a decoder raises anything at a stranger's file
        raise Unfit(Reason.DAMAGED) from None


def _normalize(content: Content, kind: Kind, ask: Ask, known: Mapping[str, FrameDecoder]) -> Result:
    disguise = _disguise(ask)
    data_set = read(content)
    if data_set is None:
        return _unmade(Result(kind=kind, reason=Reason.DICOM_CODING_UNKNOWN), ask)
    if _is_directory(data_set):
        return _unmade(Result(kind=kind, reason=Reason.DICOM_IS_INDEX), ask)
    rebuilt = rebuild(data_set, mode=ask.mode, disguise=disguise)
    pixels = pixels_of(data_set)
    if pixels is None and ENCAPSULATED_DOCUMENT in data_set.elements:
        return _unwrapped(data_set, rebuilt, kind, ask)
    geometry, shown, reason = _seen(data_set, pixels, ask, known)
    facts = _facts(data_set, rebuilt, geometry, kind, ask, reason)
    if reason is not Reason.NONE:
        return _unmade(facts, ask)
    elements = {**rebuilt.elements, **(statement() if disguise is not None else {})}
    record = RawOutput(role=Role.RECORD, kind=kind, content=write(data_set, elements))
    notes = counted((*rebuilt.notes, *_found(content, data_set, disguise, pixels)))
    return replace(facts, notes=notes, outputs=(record, *shown))


def _unwrapped(data_set: DataSet, rebuilt: Rebuilt, kind: Kind, ask: Ask) -> Result:
    """A record that only wraps a document: a PDF is taken out and inspected by itself, anything else goes on sealed."""
    facts = _facts(data_set, rebuilt, None, kind, ask, Reason.DICOM_IS_DOCUMENT)
    document = data_set.value(data_set.elements[ENCAPSULATED_DOCUMENT])
    if ask.mode is DicomMode.TEACHING or not document.startswith(_PDF_START):
        return _unmade(facts, ask)
    others = (note for note in rebuilt.notes if note is not Note.DICOM_DOCUMENT_REMOVED)
    return replace(
        facts,
        reason=Reason.NONE,
        notes=counted((*others, Note.DICOM_DOCUMENT_TAKEN_OUT)),
        outputs=(RawOutput(role=Role.RECORD, kind=kind, content=write(data_set, rebuilt.elements)),),
        parts=(RawPart(name="document.pdf", media_type="application/pdf", content=document),),
    )


def _disguise(ask: Ask) -> Disguise | None:
    """Raises Unfit(DICOM_NOT_NAMELESS) where teaching is asked for without a secret for its identifiers."""
    if ask.mode is not DicomMode.TEACHING:
        return None
    if len(ask.salt) < SALT_BYTES:
        raise Unfit(Reason.DICOM_NOT_NAMELESS)
    return disguise_of(ask.salt)


def _is_directory(data_set: DataSet) -> bool:
    """A disc's index says at which byte of itself each entry stands: rebuilt, it would lie."""
    named = data_set.meta.get(0x00020002, b"") or data_set.value(data_set.elements.get(SOP_CLASS))
    return named.rstrip(b"\0 ") == _DIRECTORY or _DIRECTORY_RECORDS in data_set.elements


def _seen(
    data_set: DataSet, pixels: Element | None, ask: Ask, known: Mapping[str, FrameDecoder]
) -> tuple[Geometry | None, tuple[RawOutput, ...], Reason]:
    """The pictures' geometry and previews; a reason where they cannot be shown. Raises Unfit where they are refused."""
    if pixels is None:
        return None, (), Reason.NONE
    geometry = None
    try:
        geometry = geometry_of(data_set, pixels)
        # Without a wish for previews the frames are decoded all the same: only so is it known that they can be.
        shown = dicom_preview.previews(data_set, geometry, pixels, known)
    except Unfit as unfit:
        if unfit.reason.verdict is not Verdict.KEPT_SEALED:
            raise
        return geometry, (), unfit.reason
    return geometry, shown if ask.preview else (), Reason.NONE


def _facts(
    data_set: DataSet, rebuilt: Rebuilt, geometry: Geometry | None, kind: Kind, ask: Ask, reason: Reason
) -> Result:
    """What is told of a record; in a teaching file nothing of the animal and its owner."""
    return Result(
        kind=kind,
        reason=reason,
        width_px=geometry.columns if geometry is not None else 0,
        height_px=geometry.rows if geometry is not None else 0,
        items=geometry.frames if geometry is not None else 0,
        patient=None if ask.mode is DicomMode.TEACHING else patient_of(data_set),
        series=series_of(data_set, rebuilt.elements),
    )


def _unmade(result: Result, ask: Ask) -> Result:
    """A record that goes on as it is. Raises Unfit in teaching: its original has every name in it."""
    if ask.mode is DicomMode.TEACHING:
        raise Unfit(Reason.DICOM_NOT_NAMELESS)
    return result


def _found(content: Content, data_set: DataSet, disguise: Disguise | None, pixels: Element | None) -> list[Note]:
    """What was done besides the entries, and what nobody can do: words in the picture itself."""
    notes = []
    if bytes(content[:PREAMBLE_BYTES]).strip(b"\0"):
        notes.append(Note.DICOM_PREAMBLE_CLEARED)
    if data_set.padded:
        notes.append(Note.TRAILING_BYTES_REMOVED)
    if disguise is not None:
        notes.append(Note.DICOM_IDENTIFIERS_REPLACED)
        if pixels is not None and word(data_set, BURNED_IN) != "NO":
            notes.append(Note.DICOM_MAY_SHOW_NAMES)
    return notes
