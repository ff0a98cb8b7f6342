"""DICOM files rebuilt: pictures and what must stay are the same by pydicom's reading, the rest is gone by the tables."""

import io
import warnings
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import UID, JPEGLosslessSV1

from tests.corpora import ABSENT, corpora_folder
from tests.hostile import dicoms
from vetrelay.inspection.ask import Ask, DicomMode
from vetrelay.inspection.formats import dicom
from vetrelay.inspection.formats.dicom_syntax import dictionary_vrs
from vetrelay.inspection.formats.dicom_tags import GONE, GONE_IN_MINIMAL, GONE_IN_TEACHING, MUST_STAY, PIXEL_TAGS
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.notes import Note
from vetrelay.inspection.result import Patient, Result, Role
from vetrelay.inspection.words import Reason, Unfit

dicom.prepare()

SALT = b"one study's salt"
CORPORA = corpora_folder()
FILES = [] if CORPORA is None else sorted(path for path in (CORPORA / "dicom").rglob("*") if path.is_file())

# Files that pydicom's authors broke on purpose, or that are not pictures; a folder SE000000 of theirs holds headers only.
NOT_REBUILT = {
    "JPEG2000-embedded-sequence-delimiter.dcm": Reason.DAMAGED,  # its frame is not of the record's size
    "SC_rgb_jpeg.dcm": Reason.DAMAGED,  # without VRs, under a transfer syntax that has them
    "badVR.dcm": Reason.DAMAGED,  # "1A" frames
    "MR_small_padded.dcm": Reason.DICOM_PIXELS_OVERLONG,
    "MR_truncated.dcm": Reason.INCOMPLETE,
    "rtplan_truncated.dcm": Reason.INCOMPLETE,
    "UN_sequence.dcm": Reason.INCOMPLETE,  # a CT without a picture, and so are the next two
    "no_meta_group_length.dcm": Reason.INCOMPLETE,
    "priv_SQ.dcm": Reason.INCOMPLETE,
    "meta_missing_tsyntax.dcm": Reason.NO_PIXELS,
    "nested_priv_SQ.dcm": Reason.NO_PIXELS,
    "DICOMDIR-nooffset": Reason.INCOMPLETE,  # its one sequence is missing its end
    **dict.fromkeys(
        (
            "DICOMDIR",
            "DICOMDIR-bigEnd",
            "DICOMDIR-empty.dcm",
            "DICOMDIR-implicit",
            "DICOMDIR-nopatient",
            "DICOMDIR-reordered",
        ),
        Reason.DICOM_IS_INDEX,
    ),
}


def rebuilt(content: bytes, mode: DicomMode = DicomMode.CARE) -> Result:
    """What the format makes of a file."""
    return dicom.normalize(content, Kind.DICOM, Ask(mode=mode, salt=SALT))


def outcome(content: bytes) -> tuple[Result | None, Reason]:
    """What the format makes of a file, and the reason why it does not."""
    try:
        result = rebuilt(content)
    except Unfit as unfit:
        return None, unfit.reason
    return result, result.reason


def read(content: bytes) -> FileDataset:
    """A file as pydicom reads it; what it grumbles about in real files is not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = dcmread(io.BytesIO(content), force=True)
        made.decode()
        return made


def record_of(content: bytes, mode: DicomMode = DicomMode.CARE) -> FileDataset:
    """The rebuilt record."""
    record = rebuilt(content, mode).outputs[0]
    assert (Role.RECORD, Kind.DICOM) == (record.role, record.kind)
    return read(record.content)


def stays(before: Dataset, after: Dataset) -> None:
    """Every known entry that no table takes out is there, equal by pydicom's comparison; no other one is."""
    kept = {
        element.tag
        for element in before
        if not element.tag.is_private and element.tag.elem and element.tag not in GONE and dictionary_vrs(element.tag)
    }
    assert kept == {element.tag for element in after if not element.tag.is_private}
    for tag in kept:
        if before[tag].VR == "SQ":
            for one, other in zip(before[tag].value, after[tag].value, strict=True):
                nothing_private(other)
                assert one.get("ReferencedSOPInstanceUID") == other.get("ReferencedSOPInstanceUID")
        else:
            assert before[tag] == after[tag], tag


def nothing_private(made: Dataset) -> None:
    """No private entry but the measures of the allow-list, in no depth."""
    for element in made.iterall():
        assert not element.tag.is_private or element.VR in {"LO", "DS", "IS", "FD", "FL", "CS"}


@pytest.mark.corpora
@pytest.mark.skipif(not FILES, reason=ABSENT)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_real_record_keeps_its_pictures_and_what_must_stay(path: Path) -> None:
    """The corpora hold every transfer syntax: pixel bytes are the same bytes, entries are equal, the preamble is empty."""
    content = path.read_bytes()
    if content[128:132] != b"DICM":
        return
    expected = Reason.INCOMPLETE if path.parent.name == "SE000000" else NOT_REBUILT.get(path.name, Reason.NONE)
    result, reason = outcome(content)
    assert expected is reason
    if result is None or reason is not Reason.NONE:
        return
    before, after = read(content), read(result.outputs[0].content)
    assert bytes(128) == after.preamble
    assert before.file_meta.TransferSyntaxUID == after.file_meta.TransferSyntaxUID
    stays(before, after)
    for tag in PIXEL_TAGS & {int(element.tag) for element in before}:
        assert before[tag].value == after[tag].value
    for tag in MUST_STAY & {int(element.tag) for element in before}:
        assert before[tag] == after[tag]


@pytest.mark.parametrize("syntax", dicoms.NATIVE, ids=lambda syntax: syntax.name)
@pytest.mark.parametrize("mode", DicomMode)
def test_what_must_stay_stays_in_every_mode(syntax: UID, mode: DicomMode) -> None:
    """What a reader judges by: the same, in each way of writing (in teaching, dates and identifiers are replaced)."""
    content = dicoms.full(syntax)
    before, after = read(content), record_of(content, mode)
    for tag in MUST_STAY & {int(element.tag) for element in before}:
        assert tag in after
        if mode is not DicomMode.TEACHING or before[tag].VR not in {"DA", "UI"}:
            assert before[tag] == after[tag]
    assert before.PixelData == after.PixelData
    assert syntax == after.file_meta.TransferSyntaxUID


def test_care_keeps_every_name_and_drops_what_is_private() -> None:
    """Between providers a record says whom it is about; a manufacturer's entry stays only as a measure."""
    after = record_of(dicoms.full())
    assert ("CanaryOwner^Rex", "CanaryOwner^Anna") == (after.PatientName, after.ResponsiblePerson)
    assert ("CanaryVet", "CanaryStreet 1") == (after.OperatorsName, after.PatientAddress)
    assert ["800", "0", "0", "0"] == [str(value) for value in after[0x0043, 0x1039].value]
    assert "GEMS_PARM_01" == after[0x0043, 0x0010].value
    assert (0x0043, 0x1040) not in after
    assert (0x0011, 0x0010) not in after
    assert [] == [element for element in after.SourceImageSequence[0] if element.tag.is_private]


def test_a_name_under_the_tag_of_a_measure_is_gone() -> None:
    """The allow-list looks at the value as well: letters are no b-value."""
    made = dicoms.data_set()
    block = made.private_block(0x0043, "GEMS_PARM_01", create=True)
    block.add_new(0x39, "IS", "")
    content = dicoms.saved(made).replace(b"\x43\x00\x39\x10IS\x00\x00", b"\x43\x00\x39\x10IS\x06\x00Miller")
    assert b"Miller" in content
    result = rebuilt(content)
    assert b"Miller" not in result.outputs[0].content
    assert {Note.DICOM_PRIVATE_REMOVED: 1} == dict(result.notes)


def test_minimal_drops_addresses_telephones_and_staff() -> None:
    """Animal, owner and clinic stay; where they live, and who works there, goes."""
    result = rebuilt(dicoms.full(), DicomMode.MINIMAL)
    after = read(result.outputs[0].content)
    for gone in (b"CanaryVet", b"CanaryStreet", b"CanaryPhone"):
        assert gone not in result.outputs[0].content
    assert ("CanaryOwner^Rex", "CanaryClinic") == (after.PatientName, after.InstitutionName)
    assert "" == after.ReferringPhysicianName
    assert not GONE_IN_MINIMAL.keys() - {0x00080090} & {int(element.tag) for element in after}
    assert {Note.DICOM_ADDRESSES_REMOVED, Note.DICOM_STAFF_REMOVED, Note.DICOM_PRIVATE_REMOVED} == set(result.notes)


@pytest.mark.parametrize("mode", DicomMode)
def test_a_preamble_a_document_and_a_second_picture_are_in_no_copy(mode: DicomMode) -> None:
    """What nobody looks at is not passed on."""
    for content, word in (
        (dicoms.saved(dicoms.data_set(), preamble=b"MZ CanaryNote"), b"CanaryNote"),
        (dicoms.with_document(), b"CanaryNote"),
        (dicoms.with_icon(), b"CanaryNote"),
    ):
        assert word in content
        assert word not in rebuilt(content, mode).outputs[0].content


def test_teaching_names_nobody() -> None:
    """No canary in any entry or depth, also after inflating; the record says so itself."""
    for syntax in dicoms.NATIVE:
        result = rebuilt(dicoms.full(syntax), DicomMode.TEACHING)
        after = read(result.outputs[0].content)
        everything = b"".join(
            element.value if isinstance(element.value, bytes) else str(element.value).encode()
            for element in after.iterall()
        )
        for canary in dicoms.CANARIES:
            assert canary not in everything + result.outputs[0].content
        assert ("YES", "113100") == (
            after.PatientIdentityRemoved,
            after.DeidentificationMethodCodeSequence[0].CodeValue,
        )
        assert ("Canine", "Boxer", "031") == (
            after.PatientSpeciesDescription,
            after.PatientBreedDescription,
            f"{int(after.PatientWeight):03d}",
        )
        gone = {*GONE_IN_MINIMAL, *GONE_IN_TEACHING} - {0x00080090, 0x00120062, 0x00120063, 0x00120064}
        assert not gone & {int(element.tag) for element in after}
        assert None is result.patient
        assert Note.DICOM_MAY_SHOW_NAMES in result.notes


def test_teaching_drops_drawings_over_the_picture() -> None:
    """An overlay may spell the owner's name."""
    content = dicoms.saved(dicoms.overlaid())
    assert 0x60003000 in record_of(content)
    assert 0x60003000 not in record_of(content, DicomMode.TEACHING)


def test_teaching_never_passes_an_original_on() -> None:
    """What would go on sealed is held instead, and so is everything without a salt."""
    for content in (dicoms.wrapped(b"<script>"), dicoms.saved(dicoms.data_set(), UID("1.2.3"))):
        assert rebuilt(content).reason.key.startswith("dicom_")
        with pytest.raises(Unfit) as refusal:
            rebuilt(content, DicomMode.TEACHING)
        assert Reason.DICOM_NOT_NAMELESS is refusal.value.reason
    with pytest.raises(Unfit) as refusal:
        dicom.normalize(dicoms.full(), Kind.DICOM, Ask(mode=DicomMode.TEACHING))
    assert Reason.DICOM_NOT_NAMELESS is refusal.value.reason


def test_a_wrapped_pdf_is_taken_out_to_be_inspected_by_itself() -> None:
    """It goes through the PDF policy as a part; of the record its entries are left. For teaching it is held."""
    document = b"%PDF-1.7 CanaryNote "
    result = rebuilt(dicoms.wrapped(document))
    assert [("document.pdf", "application/pdf", document)] == [
        (part.name, part.media_type, part.content) for part in result.parts
    ]
    assert document not in result.outputs[0].content
    assert {Note.DICOM_DOCUMENT_TAKEN_OUT: 1} == dict(result.notes)
    with pytest.raises(Unfit):
        rebuilt(dicoms.wrapped(document), DicomMode.TEACHING)


def test_without_its_decoder_a_record_goes_on_sealed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lossless JPEG on a machine without imagecodecs: the original, no preview, and who it is about."""
    monkeypatch.setattr(dicom, "_DECODERS", {})
    result = rebuilt(dicoms.encapsulated(b"\xff\xd8", JPEGLosslessSV1))
    assert (Reason.DICOM_DECODER_ABSENT, ()) == (result.reason, result.outputs)
    assert result.patient is not None
    assert "DE-7" == result.patient.id


def test_a_record_tells_whom_it_is_about_and_its_series() -> None:
    """In the record's own characters."""
    result = rebuilt(dicoms.saved(dicoms.data_set()))
    assert Patient(name="Müller^Rex", owner="Müller^Anna", species="Canine", id="DE-7") == result.patient
    series = result.series
    assert series is not None
    assert ("1.2.3.4", "1.2.3.4.1", "2", "DX", "Hips") == (
        series.study,
        series.uid,
        series.number,
        series.modality,
        series.description,
    )
    assert ("20240506", "PELVIS", "VD", "L") == (series.study_date, series.body_part, series.view, series.laterality)
    assert (dicoms.COLUMNS_PX, dicoms.ROWS_PX, 1) == (result.width_px, result.height_px, result.items)


def test_a_rebuilt_record_is_not_changed_again() -> None:
    """Rebuilding is a fixed point: the copy's copy is the same bytes."""
    for mode in (DicomMode.CARE, DicomMode.MINIMAL):
        once = rebuilt(dicoms.full(), mode).outputs[0].content
        assert once == rebuilt(once, mode).outputs[0].content


def test_every_sample_is_rebuilt() -> None:
    """What the self-test will see through the jail."""
    dicom.prepare()
    made = dicom.samples()
    assert 14 <= len(made)
    for sample in made:
        assert Kind.DICOM is dicom.normalize(sample, Kind.DICOM, Ask()).outputs[0].kind
