"""Identifiers and dates of a teaching file: replaced, and still the same within a study."""

import io

import pytest
from pydicom import dcmread
from pydicom.dataset import FileDataset
from pydicom.uid import UID

from tests.hostile import dicoms
from vetrelay.inspection.ask import Ask, DicomMode
from vetrelay.inspection.formats import dicom
from vetrelay.inspection.formats.dicom_teaching import disguise_of, moved_date, replaced_uid
from vetrelay.inspection.kinds import Kind

dicom.prepare()

SALT, OTHER_SALT = b"one study's salt", b"another one's salt"


def taught(salt: bytes) -> FileDataset:
    """The full record for teaching, under a study's salt."""
    result = dicom.normalize(dicoms.full(), Kind.DICOM, Ask(mode=DicomMode.TEACHING, salt=salt))
    return dcmread(io.BytesIO(result.outputs[0].content))


def test_an_identifier_becomes_the_same_one_wherever_it_stands() -> None:
    """A reference inside a sequence still leads to the record, and the header names it as well."""
    after = taught(SALT)
    assert after.SOPInstanceUID == after.SourceImageSequence[0].ReferencedSOPInstanceUID
    assert after.SOPInstanceUID == after.file_meta.MediaStorageSOPInstanceUID
    for uid in (after.SOPInstanceUID, after.StudyInstanceUID, after.SeriesInstanceUID):
        assert uid.startswith("2.25.")
        assert UID(uid).is_valid
    assert dicoms.SECONDARY_CAPTURE == after.SOPClassUID


def test_two_salts_give_what_cannot_be_linked() -> None:
    """Another study's salt, other identifiers: knowing an old one finds nothing."""
    one, other = taught(SALT), taught(OTHER_SALT)
    assert one.StudyInstanceUID != other.StudyInstanceUID
    assert one.PatientID != other.PatientID
    assert one.StudyInstanceUID == taught(SALT).StudyInstanceUID


def test_dates_move_together() -> None:
    """The age at the study stays right to the day; the day itself is another one."""
    after = taught(SALT)
    moved = disguise_of(SALT).days
    assert 30 <= moved <= 3650
    assert "20240506" != after.StudyDate
    assert after.StudyDate == after.SourceImageSequence[0].ContentDate
    assert moved_date("20240506", disguise_of(SALT)) == after.StudyDate
    assert moved_date("20200101", disguise_of(SALT)) == after.PatientBirthDate
    assert "070809" == after.StudyTime


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("20240506070809.5+0200", "070809.5+0200"),
        ("2024.05.06", ""),
        ("2024", ""),
        ("", ""),
        ("Miller", ""),
        ("20249999", ""),
    ],
)
def test_a_date_that_is_none_becomes_nothing(text: str, kept: str) -> None:
    """Only a whole day can be moved; the time of day behind it stays."""
    moved = moved_date(text, disguise_of(SALT))
    assert kept == moved[8:]
    assert "2024" not in moved[:4]
    assert not moved or moved[:8].isdecimal()


def test_identifiers_of_the_standard_stay() -> None:
    """What a record is must still be readable."""
    assert "1.2.840.10008.1.2.1" == replaced_uid("1.2.840.10008.1.2.1", disguise_of(SALT))


def test_a_short_salt_is_refused() -> None:
    """It could be tried out."""
    with pytest.raises(ValueError, match="16 bytes"):
        disguise_of(b"short")
