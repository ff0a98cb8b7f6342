"""Which entries of a DICOM file stay, by mode: known ones only, without what the tables take out.

CARE keeps everything that names animal, owner and clinic, since it goes from one provider to another. MINIMAL leaves
out addresses, telephone numbers and staff. TEACHING leaves out everyone (`vetrelay.inspection.formats.dicom_teaching`).
Private entries stay only by the table `PRIVATE_KEPT`, and entries that PS3.6 does not know never.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from vetrelay.inspection.ask import DicomMode
from vetrelay.inspection.formats import dicom_tags as tags
from vetrelay.inspection.formats.dicom_reading import DataSet, Element, Elements
from vetrelay.inspection.formats.dicom_syntax import LONG_VRS, SHORT_VRS, dictionary_vrs
from vetrelay.inspection.formats.dicom_teaching import Disguise, disguised
from vetrelay.inspection.notes import Note

_NUMBERS = re.compile(rb"[0-9eE+.\-\\ ]*\0?")
_CODE_WORD = re.compile(rb"[A-Z0-9_ ]{0,16}\0?")
_BINARY_BYTES = {b"FL": 4, b"FD": 8}
# Diffusion matrices and slice times of a mosaic are the longest that stay.
_PRIVATE_BYTES = 4096


@dataclass(slots=True, kw_only=True)
class _Rebuild:
    """One rebuild: of what, how strictly, and the notes that it makes."""

    data_set: DataSet
    mode: DicomMode
    disguise: Disguise | None
    notes: list[Note] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """The entries that stay, and what was done to the others, once for each time."""

    elements: Elements
    notes: tuple[Note, ...]


def rebuild(data_set: DataSet, *, mode: DicomMode, disguise: Disguise | None) -> Rebuilt:
    """The data set as it goes on. `disguise` is what a teaching file's identifiers and dates become."""
    task = _Rebuild(data_set=data_set, mode=mode, disguise=disguise)
    elements = _kept(task, data_set.elements, depth=0)
    return Rebuilt(elements=elements, notes=tuple(task.notes))


def _kept(task: _Rebuild, elements: Elements, *, depth: int) -> dict[int, Element]:
    """What stays of one data set, a sequence's items included."""
    found: dict[int, Element] = {}
    creators = _creators(task.data_set, elements)
    for tag, element in elements.items():
        if tag & 0xFFFF == 0:
            continue  # a group's length: retired, and no longer right
        if tag >> 16 & 1:
            _keep_private(task, element, creators, found)
            continue
        kept = _kept_known(task, element, depth=depth)
        if kept is not None:
            found[tag] = kept
    for tag in {tags_of_block for tags_of_block in map(_creator_of, found) if tags_of_block is not None}:
        found[tag] = elements[tag]
    return found


def _creators(data_set: DataSet, elements: Elements) -> Mapping[int, str]:
    """Who owns each private block, by the tag of its creator entry."""
    return {
        tag: data_set.value(element)[:64].rstrip(b"\0 ").decode("ascii", "replace")
        for tag, element in elements.items()
        if tag >> 16 & 1 and 0x10 <= tag & 0xFFFF <= 0xFF
    }


def _creator_of(tag: int) -> int | None:
    return tag & 0xFFFF0000 | tag >> 8 & 0xFF if tag >> 16 & 1 and tag & 0xFFFF > 0xFF else None


def _keep_private(task: _Rebuild, element: Element, creators: Mapping[int, str], found: dict[int, Element]) -> None:
    creator_tag = _creator_of(element.tag)
    if creator_tag is None:
        return  # a creator: stays if something of its block does
    for entry in tags.PRIVATE_KEPT.get(creators.get(creator_tag, ""), ()):
        if (entry.group, entry.number) == (element.tag >> 16, element.tag & 0xFF) and _is_measure(task, element, entry):
            found[element.tag] = replace(element, vr=entry.vr if element.vr == b"UN" else element.vr)
            return
    task.notes.append(Note.DICOM_PRIVATE_REMOVED)


def _is_measure(task: _Rebuild, element: Element, entry: tags.PrivateEntry) -> bool:
    """Whether a private value is the number or code word that the table says, so that no name passes under its tag."""
    size = element.end - element.start
    if element.items is not None or size > _PRIVATE_BYTES or element.vr not in {entry.vr, b"UN"}:
        return False
    value = task.data_set.value(element)
    if entry.vr in _BINARY_BYTES:
        return size % _BINARY_BYTES[entry.vr] == 0
    return (_CODE_WORD if entry.vr == b"CS" else _NUMBERS).fullmatch(value) is not None


def _kept_known(task: _Rebuild, element: Element, *, depth: int) -> Element | None:
    """One entry as it stays, or None."""
    tag = element.tag
    known = dictionary_vrs(tag)
    if not known or element.vr not in LONG_VRS | SHORT_VRS:
        task.notes.append(Note.DICOM_UNKNOWN_REMOVED)
        return None
    note = _goes(task, element, known, depth=depth)
    if note is not None:
        if element.items or element.end > element.start:
            task.notes.append(note)
        return replace(element, items=None, value=b"") if tag in tags.EMPTIED and element.vr != b"SQ" else None
    if element.items is not None:
        return replace(element, items=tuple(_kept(task, item, depth=depth + 1) for item in element.items))
    if task.disguise is not None:
        return disguised(task.data_set, element, task.disguise)
    return element


def _goes(task: _Rebuild, element: Element, known: tuple[bytes, ...], *, depth: int) -> Note | None:
    """Why an entry does not stay; None: it stays."""
    tag = element.tag
    if tag in tags.GONE:
        return tags.GONE[tag]
    if depth and tag in tags.PIXEL_TAGS:
        return Note.THUMBNAIL_REMOVED  # a picture inside an entry, which no preview shows
    # A sequence's entry with bytes in it, or another one with items: nothing looked at what is inside.
    if (element.items is None) == (known == (b"SQ",)) and element.fragments is None:
        return Note.DICOM_UNKNOWN_REMOVED
    if task.mode is DicomMode.CARE:
        return None
    if tag in tags.GONE_IN_MINIMAL:
        return tags.GONE_IN_MINIMAL[tag]
    return _goes_in_teaching(element, known) if task.mode is DicomMode.TEACHING else None


def _goes_in_teaching(element: Element, known: tuple[bytes, ...]) -> Note | None:
    tag = element.tag
    if tag in {tags.PATIENT_NAME, tags.PATIENT_ID}:
        return None  # replaced
    if tag in tags.GONE_IN_TEACHING:
        return tags.GONE_IN_TEACHING[tag]
    if tag >> 24 in {0x50, 0x60}:
        return Note.DICOM_OVERLAYS_REMOVED
    # What the file says of a value's kind must be what PS3.6 says, else a name could pass as a number.
    vrs = {*known, element.vr}
    if vrs & tags.NAME_VRS:
        return Note.DICOM_PERSONS_REMOVED
    if vrs & tags.TEXT_VRS and tag not in tags.TEACHING_TEXTS:
        return Note.DICOM_TEXTS_REMOVED
    return None if element.vr in known or element.items is not None else Note.DICOM_TEXTS_REMOVED
