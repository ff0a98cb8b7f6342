"""An imaging study as a pack: how it is known, what of a disc is left out, and what is said of its series. Pure.

Discs from imaging centres carry the pictures, an index (DICOMDIR), and a program that shows them. The pictures are
taken; the program never; the index names files by places that they no longer have, and every reader of studies makes
its own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vetrelay.inspection.entries import Room
from vetrelay.inspection.result import Patient, Series

GiB = 1024**3
STUDY_ROOM = Room(file_bytes=2 * GiB, most=5000, plain_bytes=3 * GiB, ratio=200)
OTHER_ROOM = Room(file_bytes=200 * 1024**2, most=500, plain_bytes=GiB, ratio=100)

_INDEX = "dicomdir"
_IMAGES = frozenset({"dcm", "dicom", "ima"})
_VIEWER = frozenset(
    {
        "exe",
        "dll",
        "com",
        "bat",
        "cmd",
        "inf",
        "ini",
        "htm",
        "html",
        "js",
        "css",
        "jar",
        "class",
        "msi",
        "msp",
        "ocx",
        "sys",
        "cab",
        "lnk",
        "ico",
        "chm",
        "hlp",
        "vbs",
        "ps1",
        "app",
        "dylib",
        "so",
        "xsl",
        "xslt",
        "manifest",
        "config",
        "swf",
        "cur",
    }
)
_SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini", ".ds_store"})
_SYSTEM_FOLDERS = frozenset({"__macosx", ".spotlight-v100", ".trashes", ".fseventsd", "system volume information"})


def _parts(name: str) -> list[str]:
    return [part.casefold() for part in name.split("/")]


def _extension(name: str) -> str:
    return _parts(name)[-1].rpartition(".")[2] if "." in name.rpartition("/")[2] else ""


def is_system_file(name: str) -> bool:
    """Whether a member is what a computer's own file manager leaves in folders."""
    *folders, last = _parts(name)
    return last in _SYSTEM_FILES or last.startswith("._") or not _SYSTEM_FOLDERS.isdisjoint(folders)


def is_index(name: str) -> bool:
    """Whether a member is called as the index of a study is."""
    return _parts(name)[-1] == _INDEX


def is_viewer(name: str) -> bool:
    """Whether a member is called as a part of a disc's viewer program is."""
    return _extension(name) in _VIEWER


def is_study(names: Sequence[str]) -> bool:
    """Whether the files of a pack are called as those of a study are: an index, or mostly images.

    Files of imaging machines often have no extension at all, or only a number for one.
    """
    images = sum(1 for name in names if _extension(name) in _IMAGES or not _extension(name).strip("0123456789"))
    return any(is_index(name) for name in names) or 2 * images > len(names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image of a study that was taken in."""

    name: str
    series: Series
    patient: Patient | None


def series_list(images: Iterable[Image]) -> str:
    """The study as a plain text for people: whom it is about, and a line for each series."""
    listed: dict[tuple[str, str], list[Image]] = {}
    for image in images:
        listed.setdefault((image.series.study, image.series.uid), []).append(image)
    patients = [image.patient for found in listed.values() for image in found[:1] if image.patient]
    lines = [_patient_line(patient) for patient in dict.fromkeys(patients)]
    lines += [_series_line(found) for _, found in sorted(listed.items(), key=lambda pair: _order(pair[1][0].series))]
    return "\n".join(line for line in lines if line) + "\n"


def _order(series: Series) -> tuple[str, int, str]:
    number = int(series.number) if series.number.isascii() and series.number.isdecimal() else 1 << 31
    return series.study_date, number, series.uid


def _patient_line(patient: Patient) -> str:
    return " · ".join(said for said in (patient.name, patient.species, patient.owner, patient.id) if said)


def _series_line(images: Sequence[Image]) -> str:
    series = images[0].series
    said = (
        f"Series {series.number}" if series.number else "Series",
        series.study_date,
        series.modality,
        series.body_part,
        series.view,
        series.laterality,
        series.description,
        "1 image" if len(images) == 1 else f"{len(images)} images",
    )
    return " · ".join(part for part in said if part)
