"""Awkward and hostile DICOM files, made by pydicom on the spot, each with the verdict that it must get."""

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    MPEG2MPML,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
)

from vetrelay.inspection.words import Verdict

ROWS_PX, COLUMNS_PX = 60, 40
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
CANARIES = (
    b"CanaryOwner",
    b"CanaryVet",
    b"CanaryStreet",
    b"CanaryPhone",
    b"CanarySerial",
    b"CanaryNote",
    b"CanaryClinic",
)
"""Words that stand in `full`, each in several places."""
NATIVE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)


def gradient() -> np.ndarray[tuple[int, ...], np.dtype[np.uint16]]:
    """Twelve bits in a 16-bit picture, dark at the left."""
    return np.tile(np.linspace(0, 4095, COLUMNS_PX).astype(np.uint16), (ROWS_PX, 1))


def data_set(syntax: UID = ExplicitVRLittleEndian) -> Dataset:
    """A radiograph of a dog, as a clinic exports it."""
    made = Dataset()
    made.SpecificCharacterSet = "ISO_IR 100"
    made.SOPClassUID, made.SOPInstanceUID = SECONDARY_CAPTURE, "1.2.3.4.5"
    made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.3.4", "1.2.3.4.1"
    made.StudyDate, made.StudyTime, made.PatientBirthDate = "20240506", "070809", "20200101"
    made.Modality, made.BodyPartExamined, made.ViewPosition, made.ImageLaterality = "DX", "PELVIS", "VD", "L"
    made.SeriesNumber, made.SeriesDescription = "2", "Hips"
    made.PatientName, made.PatientID = "Müller^Rex", "DE-7"
    made.PatientSpeciesDescription, made.PatientBreedDescription = "Canine", "Boxer"
    made.PatientSex, made.PatientSexNeutered, made.PatientAge, made.PatientWeight = "M", "ALTERED", "004Y", "31"
    made.ResponsiblePerson, made.ResponsiblePersonRole = "Müller^Anna", "OWNER"
    made.PixelSpacing = [0.2, 0.2]
    made.Rows, made.Columns, made.SamplesPerPixel = ROWS_PX, COLUMNS_PX, 1
    made.PhotometricInterpretation = "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 12, 11, 0
    made.WindowCenter, made.WindowWidth = "2048", "4096"
    made.PixelData = gradient().astype(">u2" if syntax == ExplicitVRBigEndian else "<u2").tobytes()
    made["PixelData"].VR = "OW"
    return made


def saved(made: Dataset, syntax: UID = ExplicitVRLittleEndian, preamble: bytes = b"") -> bytes:
    """The whole file."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = made.SOPClassUID, made.SOPInstanceUID
    file = FileDataset("", made, file_meta=meta, preamble=preamble.ljust(128, b"\0")[:128])
    buffer = io.BytesIO()
    dcmwrite(buffer, file, enforce_file_format=True)
    return buffer.getvalue()


def written_as(syntax: UID) -> bytes:
    """The radiograph in a transfer syntax without compression."""
    return saved(data_set(syntax), syntax)


def changed(**entries: object) -> bytes:
    """The radiograph with these entries instead."""
    made = data_set()
    for keyword, value in entries.items():
        setattr(made, keyword, value)
    return saved(made)


def full(syntax: UID = ExplicitVRLittleEndian) -> bytes:
    """Every table's kind of entry at once, the canary words in each."""
    made = data_set(syntax)
    made.PatientName, made.ResponsiblePerson = "CanaryOwner^Rex", "CanaryOwner^Anna"
    made.PatientID, made.PatientComments = "CanarySerial", "CanaryNote"
    made.ReferringPhysicianName = made.OperatorsName = made.PerformingPhysicianName = "CanaryVet"
    made.PatientAddress = made.InstitutionAddress = "CanaryStreet 1"
    made.PatientTelephoneNumbers = made.ReferringPhysicianTelephoneNumbers = "CanaryPhone"
    made.InstitutionName, made.StationName, made.DeviceSerialNumber = "CanaryClinic", "CanaryClinic", "CanarySerial"
    made.AccessionNumber, made.StudyID = "CanarySerial", "CanarySerial"
    made.StudyDescription, made.ImageComments = "CanaryNote", "CanaryNote"
    named = Dataset()
    named.PatientID, named.ReferringPhysicianName, named.TextValue = "CanarySerial", "CanaryVet", "CanaryNote"
    made.OtherPatientIDsSequence = Sequence([named])
    person = Dataset()
    person.PersonName, person.PersonAddress = "CanaryVet", "CanaryStreet"
    made.PhysiciansOfRecordIdentificationSequence = Sequence([person])
    nested = Dataset()
    nested.ReferencedSOPInstanceUID, nested.ContentDate = "1.2.3.4.5", "20240506"
    nested.add_new(0x00110010, "LO", "CANARY MAKER")
    nested.add_new(0x00111001, "LO", "CanaryOwner")
    made.SourceImageSequence = Sequence([nested])
    block = made.private_block(0x0043, "GEMS_PARM_01", create=True)
    block.add_new(0x39, "IS", ["800", "0", "0", "0"])
    block.add_new(0x40, "LO", "CanaryOwner")
    made.private_block(0x0011, "CANARY MAKER", create=True).add_new(0x01, "PN", "CanaryOwner")
    return saved(made, syntax)


def overlaid() -> Dataset:
    """A radiograph with an overlay plane."""
    made = data_set()
    made.add_new(0x60000010, "US", ROWS_PX)
    made.add_new(0x60003000, "OW", bytes(ROWS_PX * COLUMNS_PX // 8))
    return made


def encapsulated(frame: bytes, syntax: UID, **entries: object) -> bytes:
    """A record whose one picture is this coded frame."""
    made = data_set()
    for keyword, value in entries.items():
        setattr(made, keyword, value)
    made.PixelData = encapsulate([frame])
    made["PixelData"].VR = "OB"
    made["PixelData"].is_undefined_length = True
    return saved(made, syntax)


def wrapped(document: bytes) -> bytes:
    """A document in a DICOM file, as practice software sends letters."""
    made = data_set()
    del made.PixelData, made.Rows, made.Columns
    made.SOPClassUID = "1.2.840.10008.5.1.4.1.1.104.1"
    made.MIMETypeOfEncapsulatedDocument, made.EncapsulatedDocument = "application/pdf", document
    return saved(made)


def nested(levels: int) -> bytes:
    """Sequences in sequences, so many."""
    inner = Dataset()
    for _ in range(levels):
        outer = Dataset()
        outer.SourceImageSequence = Sequence([inner])
        inner = outer
    made = data_set()
    made.SourceImageSequence = inner.SourceImageSequence
    return saved(made)


def crowded() -> bytes:
    """Half a million empty items."""
    items = struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 500_000
    head = struct.pack("<HH2s2xI", 0x0008, 0x2112, b"SQ", len(items))
    plain = saved(data_set())
    at = plain.index(struct.pack("<HH2s", 0x0010, 0x0010, b"PN"))
    return plain[:at] + head + items + plain[at:]


def twice() -> bytes:
    """Two patient names: one for the check, one for the reader."""
    plain = saved(data_set())
    at = plain.index(struct.pack("<HH2s", 0x0010, 0x0010, b"PN"))
    return plain[:at] + struct.pack("<HH2sH", 0x0010, 0x0010, b"PN", 4) + b"Evil" + plain[at:]


def inflating() -> bytes:
    """A deflated data set that grows to 400 MB."""
    made = data_set()
    made.PixelData = bytes(400_000_000)
    return saved(made, DeflatedExplicitVRLittleEndian)


def with_document() -> bytes:
    """A picture with a program hidden as an encapsulated document."""
    return changed(EncapsulatedDocument=b"MZ CanaryNote", MIMETypeOfEncapsulatedDocument="application/x-dosexec")


def with_icon() -> bytes:
    """A picture with a second one inside."""
    icon = Dataset()
    icon.Rows = icon.Columns = 8
    icon.PixelData = b"CanaryNote".ljust(64, b"\0")
    icon["PixelData"].VR = "OB"
    return changed(IconImageSequence=Sequence([icon]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the checklist: how its file is made, what it is called, and what must become of it."""

    row: str
    make: Callable[[], bytes]
    verdict: Verdict
    reason: str | None = None
    notes: tuple[str, ...] = ()
    previews: int = 1
    name: str = "scan.dcm"


_REFUSED, _KEPT, _CLEAN = Verdict.REFUSED, Verdict.KEPT_SEALED, Verdict.CLEAN
_CLEARED = ("bytes before the record cleared",)
ROWS = (
    Row(row="40 65535 squared declared", make=lambda: changed(Rows=65535, Columns=65535), verdict=_REFUSED, reason="side_too_long"),
    Row(row="40 16384 squared declared", make=lambda: changed(Rows=16384, Columns=16384), verdict=_REFUSED, reason="incomplete"),
    Row(row="41 a million frames", make=lambda: changed(NumberOfFrames="1000000"), verdict=_REFUSED, reason="unpacks_too_large"),
    Row(row="41 more frames than there are", make=lambda: changed(NumberOfFrames="2"), verdict=_REFUSED, reason="incomplete"),
    Row(row="41 a number of frames that is none", make=lambda: changed(NumberOfFrames="-1"), verdict=_REFUSED, reason="damaged"),
    Row(row="42 MZ", make=lambda: saved(data_set(), preamble=b"MZ\x90\0" + b"x" * 124), verdict=_CLEAN, notes=_CLEARED),
    Row(row="43 script", make=lambda: saved(data_set(), preamble=b"<script>alert(1)</script>"), verdict=_CLEAN, notes=_CLEARED),
    Row(row="44 JPEG", make=lambda: saved(data_set(), preamble=b"\xff\xd8\xff\xe0\0\x10JFIF\0"), verdict=_CLEAN, notes=_CLEARED),
    Row(row="45 cut in the pixels", make=lambda: saved(data_set())[:-100], verdict=_REFUSED, reason="incomplete"),
    Row(row="45 cut before the pixels", make=lambda: saved(data_set())[: -2 * ROWS_PX * COLUMNS_PX - 12], verdict=_REFUSED, reason="incomplete"),
    Row(
        row="46 private owner",
        make=full,
        verdict=_CLEAN,
        notes=("3 manufacturer's private entries removed",),
    ),
    Row(row="47 unknown transfer syntax", make=lambda: saved(data_set(), UID("1.2.840.113619.5.2")), verdict=_KEPT, reason="dicom_coding_unknown"),
    Row(row="47 film", make=lambda: encapsulated(b"\0\0\1\xb3" * 9, MPEG2MPML, NumberOfFrames="9"), verdict=_KEPT, reason="dicom_decoder_absent"),
    Row(row="damaged JPEG", make=lambda: encapsulated(b"\xff\xd8\xff" * 30, JPEGBaseline8Bit), verdict=_REFUSED, reason="damaged"),
    Row(row="damaged lossless JPEG", make=lambda: encapsulated(b"\xff\xd8\xff" * 30, JPEGLosslessSV1), verdict=_REFUSED, reason="damaged"),
    Row(row="wrapped program", make=lambda: wrapped(b"MZ CanaryNote"), verdict=_KEPT, reason="dicom_is_document"),
    Row(row="hidden document", make=with_document, verdict=_CLEAN, notes=("document inside the record removed",)),
    Row(row="hidden picture", make=with_icon, verdict=_CLEAN, notes=("embedded thumbnail removed",)),
    Row(row="nested too deep", make=lambda: nested(60), verdict=_REFUSED, reason="dicom_nested_too_deep"),
    Row(row="nested as reports are", make=lambda: nested(12), verdict=_CLEAN),
    Row(row="too many entries", make=crowded, verdict=_REFUSED, reason="dicom_too_many_entries"),
    Row(row="two patient names", make=twice, verdict=_REFUSED, reason="damaged"),
    Row(row="deflate bomb", make=inflating, verdict=_REFUSED, reason="unpacks_too_large"),
    Row(row="more bytes than pictures", make=lambda: changed(Rows=ROWS_PX - 9), verdict=_KEPT, reason="dicom_pixels_overlong"),
    Row(row="padded", make=lambda: saved(data_set()) + bytes(600), verdict=_CLEAN, notes=("bytes after the picture removed",)),
    Row(row="tail", make=lambda: saved(data_set()) + b"PK\x03\x04" * 9, verdict=_REFUSED),
    Row(row="no extension", make=lambda: saved(data_set()), verdict=_CLEAN, name="IM000001"),
    Row(row="named as a photo", make=lambda: saved(data_set()), verdict=_REFUSED, reason="content_differs_from_name", name="a.jpg"),
    *(Row(row=f"written as {syntax.name}", make=partial(written_as, syntax), verdict=_CLEAN) for syntax in NATIVE),
    Row(row="three frames", make=lambda: changed(NumberOfFrames="5", PixelData=gradient().tobytes() * 5), verdict=_CLEAN, previews=3),
)  # fmt: skip
