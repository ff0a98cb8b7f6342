"""Identifiers and dates of a teaching file: replaced, and still the same within a study.

A UID becomes 2.25.N, where N is the first 128 bits of HMAC-SHA-256 over the old UID, under a salt of the study. A hash
without a secret would let everyone who knows an old UID find the file again; a salt that is thrown away after the study
was packed lets nobody. All members of a study are given the same salt, so that slices still find their series. Dates
all move back by the same number of days, which the salt decides. Source: PS3.15 annex E, options 113107 and 113108.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from vetrelay.inspection.formats import dicom_tags as tags
from vetrelay.inspection.formats.dicom_reading import DataSet, Element

SALT_BYTES: Final = 16
"""Fewer could be tried out."""

_STANDARD_UIDS = "1.2.840.10008."
_FEWEST_DAYS, _MOST_DAYS = 30, 3650
_NAME = b"TEACHING"
_METHOD = b"VetRelay teaching, by PS3.15 annex E"
_CODES = (
    (b"113100", b"Basic Application Confidentiality Profile"),
    (b"113107", b"Retain Longitudinal Temporal Information Modified Dates Option"),
    (b"113108", b"Retain Patient Characteristics Option"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Disguise:
    """What a study's identifiers and dates become: `salt` is its secret, `days` how far its dates move back."""

    salt: bytes
    days: int


def disguise_of(salt: bytes) -> Disguise:
    """The disguise of a study. Raises ValueError for a salt of less than SALT_BYTES."""
    if len(salt) < SALT_BYTES:
        raise ValueError("a study's salt has at least 16 bytes")
    number = int.from_bytes(hmac.digest(salt, b"days", hashlib.sha256)[:8], "big")
    return Disguise(salt=salt, days=_FEWEST_DAYS + number % (_MOST_DAYS - _FEWEST_DAYS))


def disguised(data_set: DataSet, element: Element, disguise: Disguise) -> Element:
    """An entry with its identifiers replaced and its dates moved; every other one as it is."""
    if element.tag == tags.PATIENT_NAME:
        return replace(element, value=_NAME)
    if element.tag == tags.PATIENT_ID:
        # Tells two animals of a study apart, and one animal's studies only where they share a salt.
        mark = hmac.digest(disguise.salt, b"patient" + data_set.value(element), hashlib.sha256)
        return replace(element, value=mark.hex()[:16].encode())
    if element.vr == b"UI":
        return replace(element, value=_each(data_set, element, lambda uid: replaced_uid(uid, disguise)))
    if element.vr in {b"DA", b"DT"}:
        return replace(element, value=_each(data_set, element, lambda text: moved_date(text, disguise)))
    return element


def _each(data_set: DataSet, element: Element, change: Callable[[str], str]) -> bytes:
    texts = data_set.value(element).decode("ascii", "replace").split("\\")
    return "\\".join(change(text.strip("\0 ")) for text in texts).encode("ascii", "replace")


def replaced_uid(uid: str, disguise: Disguise) -> str:
    """The UID that stands for this one in a study; those of the standard itself stay."""
    if not uid or uid.startswith(_STANDARD_UIDS):
        return uid
    number = int.from_bytes(hmac.digest(disguise.salt, b"uid" + uid.encode(), hashlib.sha256)[:16], "big")
    return f"2.25.{number}"


def moved_date(text: str, disguise: Disguise) -> str:
    """A date, or date and time, moved back; empty where its day is not known."""
    digits = text[:10].replace(".", "") if text[4:5] == "." else text[:8]
    rest = text[10:] if text[4:5] == "." else text[8:]
    if len(digits) != 8 or not digits.isdecimal():
        return ""
    try:
        moved = date(int(digits[:4]), int(digits[4:6]), int(digits[6:])) - timedelta(days=disguise.days)
    except (ValueError, OverflowError):
        return ""
    return f"{moved.year:04d}{moved.month:02d}{moved.day:02d}{rest}"


def statement() -> dict[int, Element]:
    """What a teaching file says of itself: identity removed, and how (PS3.3 section C.7.1.1)."""
    items = tuple(
        _texts({0x00080100: (b"SH", code), 0x00080102: (b"SH", b"DCM"), 0x00080104: (b"LO", meaning)})
        for code, meaning in _CODES
    )
    codes = Element(tag=0x00120064, vr=b"SQ", start=0, end=0, items=items)
    return {
        **_texts({0x00120062: (b"CS", b"YES"), 0x00120063: (b"LO", _METHOD)}),
        0x00120064: codes,
        **_texts({0x00280303: (b"CS", b"MODIFIED")}),
    }


def _texts(rows: dict[int, tuple[bytes, bytes]]) -> dict[int, Element]:
    return {tag: Element(tag=tag, vr=vr, start=0, end=0, value=value) for tag, (vr, value) in rows.items()}
