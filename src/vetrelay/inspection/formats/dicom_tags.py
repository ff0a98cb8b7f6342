"""The tables of a DICOM rebuild: which entries go in which mode, which private ones stay, and which texts are harmless.

Source: attachments.md section 6 (the veterinary attributes of DICOM supplement WG-25 among them), PS3.6 for the names,
PS3.15 annex E for what a teaching file gives up. A tag is written 0xGGGGEEEE.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from vetrelay.inspection.notes import Note

PIXEL_DATA: Final = 0x7FE00010
# The same for floating-point pictures.
PIXEL_TAGS: Final = frozenset({PIXEL_DATA, 0x7FE00008, 0x7FE00009})
SOP_CLASS: Final = 0x00080016
SOP_INSTANCE: Final = 0x00080018
PATIENT_NAME: Final = 0x00100010
PATIENT_ID: Final = 0x00100020
MODALITY: Final = 0x00080060
BURNED_IN: Final = 0x00280301
ENCAPSULATED_DOCUMENT: Final = 0x00420011

MUST_STAY: Final = frozenset(
    {
        *(0x00102201, 0x00102202, 0x00102292, 0x00102293, 0x00102203),  # species, breed, neutered
        *(0x00100040, 0x00101010, 0x00101030, 0x00100030),  # sex, age, weight, birth date
        *(0x00080020, 0x00080030, MODALITY, 0x00180015),  # study date and time, modality, body part
        *(0x00185101, 0x00200060, 0x00200062, 0x00200020),  # view, laterality, orientation
        *(0x00200037, 0x00200032, 0x00280030, 0x00181164, 0x00181114),  # geometry, magnification
        *(0x00281050, 0x00281051, 0x00281052, 0x00281053, 0x00281054, 0x00281055, 0x00281056),  # window, rescale
        *(0x00283000, 0x00283010),  # modality and VOI tables
        *(0x00180060, 0x00181150, 0x00181151, 0x00181152),  # kV, exposure
        *(SOP_CLASS, SOP_INSTANCE, 0x0020000D, 0x0020000E),  # what it is, and which
        *(0x00280002, 0x00280004, 0x00280008, 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280102, 0x00280103),
        *(BURNED_IN, 0x00282110, 0x00282112, 0x00282114),  # drawn-in text, lossy compression
        PIXEL_DATA,
    }
)
"""What a reader judges by: stays in every mode (in a teaching file dates are shifted and identifiers replaced)."""

GONE: Mapping[int, Note] = {
    ENCAPSULATED_DOCUMENT: Note.DICOM_DOCUMENT_REMOVED,  # a PDF, a model, a page: nothing looked into it
    0x00420012: Note.DICOM_DOCUMENT_REMOVED,  # MIMETypeOfEncapsulatedDocument: says what is no longer there
    0x00420015: Note.DICOM_DOCUMENT_REMOVED,  # EncapsulatedDocumentLength
    0x00880200: Note.THUMBNAIL_REMOVED,  # IconImageSequence: a second picture that nobody looks at
    0x04000500: Note.DICOM_SIGNATURES_REMOVED,  # EncryptedAttributesSequence: nobody here can look inside
    0x4FFE0001: Note.DICOM_SIGNATURES_REMOVED,  # MACParametersSequence
    0xFFFAFFFA: Note.DICOM_SIGNATURES_REMOVED,  # DigitalSignaturesSequence: a rebuilt file would not match it
    0x00080300: Note.DICOM_PRIVATE_REMOVED,  # PrivateDataElementCharacteristicsSequence would describe what is gone
    0x00080058: Note.DICOM_UNKNOWN_REMOVED,  # FailedSOPInstanceUIDList: of a transfer, not of a file
    0xFFFCFFFC: Note.TRAILING_BYTES_REMOVED,  # DataSetTrailingPadding: room for anything
}
"""Goes in every mode."""

_A, _S, _P = Note.DICOM_ADDRESSES_REMOVED, Note.DICOM_STAFF_REMOVED, Note.DICOM_PERSONS_REMOVED
GONE_IN_MINIMAL: Mapping[int, Note] = {
    0x00080081: _A,  # InstitutionAddress
    0x00080092: _A,  # ReferringPhysicianAddress
    0x00080094: _A,  # ReferringPhysicianTelephoneNumbers
    0x00101040: _A,  # PatientAddress
    0x00102150: _A,  # CountryOfResidence
    0x00102152: _A,  # RegionOfResidence
    0x00102154: _A,  # PatientTelephoneNumbers
    0x00102155: _A,  # PatientTelecomInformation
    0x00401102: _A,  # PersonAddress
    0x00401103: _A,  # PersonTelephoneNumbers
    0x00401104: _A,  # PersonTelecomInformation
    0x00402010: _A,  # OrderCallbackPhoneNumber
    0x00402011: _A,  # OrderCallbackTelecomInformation
    0x40080118: _S,  # ResultsDistributionListSequence
    0x4008011A: _A,  # DistributionAddress
    0x00080090: _S,  # ReferringPhysicianName
    0x00080096: _S,  # ReferringPhysicianIdentificationSequence
    0x0008009C: _S,  # ConsultingPhysicianName
    0x0008009D: _S,  # ConsultingPhysicianIdentificationSequence
    0x00081048: _S,  # PhysiciansOfRecord
    0x00081049: _S,  # PhysiciansOfRecordIdentificationSequence
    0x00081050: _S,  # PerformingPhysicianName
    0x00081052: _S,  # PerformingPhysicianIdentificationSequence
    0x00081060: _S,  # NameOfPhysiciansReadingStudy
    0x00081062: _S,  # PhysiciansReadingStudyIdentificationSequence
    0x00081070: _S,  # OperatorsName
    0x00081072: _S,  # OperatorIdentificationSequence
    0x00321031: _S,  # RequestingPhysicianIdentificationSequence
    0x00321032: _S,  # RequestingPhysician
    0x00400006: _S,  # ScheduledPerformingPhysicianName
    0x0040000B: _S,  # ScheduledPerformingPhysicianIdentificationSequence
    0x00401010: _S,  # NamesOfIntendedRecipientsOfResults
    0x00401011: _S,  # IntendedRecipientsOfResultsIdentificationSequence
    0x00401101: _S,  # PersonIdentificationCodeSequence
    0x00402008: _S,  # OrderEnteredBy
    0x00404034: _S,  # ScheduledHumanPerformersSequence
    0x00404035: _S,  # ActualHumanPerformersSequence
    0x00404036: _S,  # HumanPerformerOrganization
    0x00404037: _S,  # HumanPerformerName
    0x0040A073: _S,  # VerifyingObserverSequence
    0x0040A075: _S,  # VerifyingObserverName
    0x0040A078: _S,  # AuthorObserverSequence
    0x0040A07A: _S,  # ParticipantSequence
    0x0040A07C: _S,  # CustodialOrganizationSequence
    0x0040A088: _S,  # VerifyingObserverIdentificationCodeSequence
    0x00700084: _S,  # ContentCreatorName
    0x00700086: _S,  # ContentCreatorIdentificationCodeSequence
    0x300600A6: _S,  # ROIInterpreter
    0x300E0008: _S,  # ReviewerName
    0x40080102: _S,  # InterpretationRecorder
    0x4008010A: _S,  # InterpretationTranscriber
    0x4008010C: _S,  # InterpretationAuthor
    0x40080114: _S,  # PhysicianApprovingInterpretation
    0x04000561: _P,  # OriginalAttributesSequence: what was there before, names included
}
"""Goes in `minimal` and `teaching`: addresses, telephone numbers, and who works at the clinic."""

GONE_IN_TEACHING: Mapping[int, Note] = {
    0x00102297: _P,  # ResponsiblePerson: the owner
    0x00102298: _P,  # ResponsiblePersonRole
    0x00102299: _P,  # ResponsibleOrganization
    0x00100021: _P,  # IssuerOfPatientID
    0x00100024: _P,  # IssuerOfPatientIDQualifiersSequence
    0x00100050: _P,  # PatientInsurancePlanCodeSequence
    0x00101002: _P,  # OtherPatientIDsSequence: the microchip
    0x00102160: _P,  # EthnicGroup
    0x001021F0: _P,  # PatientReligiousPreference
    0x00102294: _P,  # BreedRegistrationSequence: the number leads to the animal, the animal to the owner
    0x00080082: _S,  # InstitutionCodeSequence
    0x00081041: _S,  # InstitutionalDepartmentTypeCodeSequence
    0x00081110: _P,  # ReferencedStudySequence
    0x00081111: _P,  # ReferencedPerformedProcedureStepSequence
    0x00081120: _P,  # ReferencedPatientSequence
    0x00380004: _P,  # ReferencedPatientAliasSequence
    0x00380500: _P,  # PatientState
    0x00400275: _P,  # RequestAttributesSequence: order numbers
    0x00400555: _P,  # AcquisitionContextSequence: free content items
    0x0040A730: _P,  # ContentSequence: a report's text
    0x00880140: _P,  # StorageMediaFileSetUID
    0x00181002: _S,  # DeviceUID
    0x00400244: _P,  # PerformedProcedureStepStartDate stands beside the study's own
    0x00400250: _P,  # PerformedProcedureStepEndDate
    0x00120062: _P,  # what another program claimed of this file
    0x00120063: _P,
    0x00120064: _P,
}
"""Goes in `teaching` besides. Every name and free text goes there by its kind already (see TEACHING_TEXTS)."""

EMPTIED: Final = frozenset({0x00080050, 0x00080090, 0x00200010})
"""AccessionNumber, ReferringPhysicianName, StudyID: where they go, they stay as empty entries, since readers ask."""

NAME_VRS: Final = frozenset({b"PN", b"AE", b"UR"})
TEXT_VRS: Final = frozenset({b"LO", b"SH", b"LT", b"ST", b"UT", b"UC", b"UN"})
TEACHING_TEXTS: Final = frozenset(
    {
        *(0x00102201, 0x00102292),  # species, breed
        *(0x00080070, 0x00081090),  # manufacturer, model
        *(0x00080100, 0x00080102, 0x00080103, 0x00080104),  # a code, its scheme, its meaning
        *(0x00180010, 0x00180024, 0x00181020),  # contrast medium, sequence name, software
        *(0x00181160, 0x00181210, 0x00181250, 0x00181251, 0x00181261),  # filter, kernel, coils, phosphor
        0x00181400,  # how the picture was processed
        *(0x00281054, 0x00281055, 0x00283003),  # what a rescaled number, a window and a table are
        *(0x00189005, 0x003A0203),  # pulse sequence, channel of a waveform
    }
)
"""Texts that a teaching file keeps: a machine wrote them, or they are the case itself. All others go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateEntry:
    """One private entry that stays: its group, its number inside its creator's block, its VR, and why it stays."""

    group: int
    number: int
    vr: bytes
    reason: str


def _private(rows: str) -> tuple[PrivateEntry, ...]:
    entries = []
    for row in rows.strip().splitlines():
        group, number, vr, reason = row.split(maxsplit=3)
        entries.append(PrivateEntry(group=int(group, 16), number=int(number, 16), vr=vr.encode(), reason=reason))
    return tuple(entries)


PRIVATE_KEPT: Mapping[str, tuple[PrivateEntry, ...]] = {
    "Philips PET Private Group": _private("""
        7053 00 DS without it the uptake value of a PET scan cannot be computed
        7053 09 DS scales stored numbers to activity
    """),
    "Philips Imaging DD 001": _private("""
        2001 03 FL the b-value of a diffusion scan, which older Philips scanners write nowhere else
        2001 04 CS the direction of diffusion, in one letter or word of the scanner
    """),
    "Philips MR Imaging DD 001": _private("""
        2005 0D FL where stored numbers begin on the scanner's own scale
        2005 0E FL the step of the scanner's own scale: quantitative maps need it
        2005 B0 FL diffusion direction, right to left
        2005 B1 FL diffusion direction, front to back
        2005 B2 FL diffusion direction, feet to head
    """),
    "SIEMENS MR HEADER": _private("""
        0019 0C IS the b-value of a diffusion scan, which older Siemens scanners write nowhere else
        0019 0D CS whether and how diffusion was directed
        0019 0E FD diffusion gradient direction
        0019 27 FD the diffusion matrix
        0019 29 FD the time of each slice of a mosaic
    """),
    "GEMS_ACQU_01": _private("""
        0019 23 DS table speed of a CT
        0019 24 DS middle of the scan in seconds: when the contrast medium was where
        0019 27 DS rotation time of a CT
        0019 BB DS diffusion direction x on GE scanners
        0019 BC DS diffusion direction y
        0019 BD DS diffusion direction z
    """),
    "GEMS_PARM_01": _private("""
        0043 39 IS the b-value of a diffusion scan on GE scanners
    """),
    "ELSCINT1": _private("""
        00E1 21 DS dose-length product of a CT
        00E1 50 DS how long the scan took
        01E1 26 CS size of the dose phantom: the dose means nothing without
        01F1 07 DS table speed
        01F1 26 DS pitch of the spiral
        01F1 27 DS rotation time
    """),
}
"""Private entries that stay, by their creator: measures only (PS3.15 table E.3.10-1 and what diffusion scans need).

All are numbers or code words, and their bytes are checked for that: a number names nobody.
"""
