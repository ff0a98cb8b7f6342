"""What a record says of itself, as short plain texts: whom it is about, and which series of a study it belongs to."""

import warnings
from collections.abc import Callable

from pydicom.charset import convert_encodings, decode_bytes

from vetrelay.inspection.formats.dicom_reading import DataSet, Elements
from vetrelay.inspection.formats.dicom_tags import PATIENT_ID, PATIENT_NAME
from vetrelay.inspection.result import Patient, Series

MOST_BYTES = 64
_CHARSET = 0x00080005
# In these an escape sequence starts anew after the sign (PS3.5 section 6.1.2.5.3).
_DELIMITERS = {0x5E, 0x3D, 0x5C}


def patient_of(data_set: DataSet) -> Patient:
    """Whom the record is about, in the record's own characters."""
    told = _teller(data_set)
    return Patient(name=told(PATIENT_NAME), owner=told(0x00102297), species=told(0x00102201), id=told(PATIENT_ID))


def series_of(data_set: DataSet, elements: Elements) -> Series:
    """Which series a record belongs to, by the entries that were kept: what was taken out is told nowhere else."""
    kept = DataSet(content=data_set.content, syntax=data_set.syntax, meta=data_set.meta, elements=elements)
    told = _teller(kept)
    return Series(
        study=told(0x0020000D),
        uid=told(0x0020000E),
        number=told(0x00200011),
        modality=told(0x00080060),
        description=told(0x0008103E) or told(0x00081030),
        study_date=told(0x00080020),
        body_part=told(0x00180015),
        view=told(0x00185101),
        laterality=laterality_of(kept),
    )


def laterality_of(data_set: DataSet) -> str:
    """L, R, U or B, of the picture rather than of the series; empty where neither is stated."""
    found = word(data_set, 0x00200062) or word(data_set, 0x00200060)
    return found if found in {"L", "R", "U", "B"} else ""


def word(data_set: DataSet, tag: int) -> str:
    """A code word of the record, the first where there are several: signs of ASCII only."""
    raw = data_set.value(data_set.elements.get(tag))[:MOST_BYTES]
    text = raw.decode("ascii", "ignore").partition("\\")[0]
    return "".join(sign for sign in text if sign.isalnum() or sign in "_ -").strip()


def _teller(data_set: DataSet) -> Callable[[int], str]:
    """Reads texts in the character sets that the record names."""
    named = data_set.value(data_set.elements.get(_CHARSET))[:256].decode("ascii", "replace").strip("\0 ")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an unknown set is read as the default one
        try:
            encodings = convert_encodings([name.strip() for name in named.split("\\")])
        except (LookupError, ValueError):
            encodings = ["iso8859"]

    def told(tag: int) -> str:
        raw = data_set.value(data_set.elements.get(tag))[: 4 * MOST_BYTES].strip(b"\0 ")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                text = decode_bytes(raw, encodings, _DELIMITERS)
            except (LookupError, ValueError):
                text = raw.decode("latin-1")
        shown = "".join(sign for sign in text if sign.isprintable()).strip()
        return shown.encode("utf-8", "ignore")[:MOST_BYTES].decode("utf-8", "ignore")

    return told
