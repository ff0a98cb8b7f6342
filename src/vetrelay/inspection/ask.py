"""What is asked of the jail for one file: what it claims to be, what to make of it, and how much of it there may be."""

from dataclasses import dataclass
from enum import IntEnum

from vetrelay.inspection.kinds import Kind


class DicomMode(IntEnum):
    """How much of what names a person stays in a DICOM file (attachments.md section 6)."""

    CARE = 0
    MINIMAL = 1
    TEACHING = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One job's wishes, all of them ours: nothing here was said by the file.

    `claimed` is the kind that name and declared type speak of. `longest_side_px` bounds a photo. `most` bounds what the
    kind has many of: pages, frames, seconds, parts (0: none). `file_bytes` is the policy's cap on the file. `preview`,
    `flatten` (PDF: pages become pictures), `keep_motion` (animations) and `mode` (DICOM) are the wishes of a clinic.
    `salt` (DICOM, teaching): a study's secret of 16 bytes, thrown away after the study was packed.
    """

    claimed: Kind = Kind.UNKNOWN
    longest_side_px: int = 2560
    most: int = 0
    file_bytes: int = 0
    mode: DicomMode = DicomMode.CARE
    preview: bool = True
    flatten: bool = False
    keep_motion: bool = False
    salt: bytes = b""
