"""The policy table as data, and the one pure decision over what the jail saw.

Source: attachments.md section 6. A row stands for each kind that is opened; everything else is judged by its first
bytes only. The jail never chooses a verdict: it reports what it saw and made, and `judge` derives the verdict here.
A practice may tighten rows (`config/intake.toml`, `vetrelay.inspection.tighten`), never loosen them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from vetrelay.inspection.kinds import KIND_BY_EXTENSION, KIND_BY_MEDIA_TYPE, KINDS, Family, Kind
from vetrelay.inspection.naming import safe_name
from vetrelay.inspection.words import JAIL_ENDS, Reason, Verdict

KiB = 1024
MiB = 1024 * KiB
GiB = 1024 * MiB

MAX_PIXELS = 50_000_000
MAX_SIDE_PX = 16_384
PREVIEW_SIDE_PX = 320
PAGE_PREVIEW_SIDE_PX = 800
NORMALIZED_SIDE_PX = 2560
CLOSE_LOOK_SIDE_PX = 4096
# What a veterinarian judges by its texture is kept larger (the sender says what the photo is for).
CLOSE_LOOK_PURPOSES = frozenset({"wound", "skin", "eye"})
# A file needs its first KiB to be sniffed, and an ISO image is known at byte 32769: enough for every kind.
HEAD_BYTES = 64 * KiB

# With these the jail never came to say what the content is, so a name cannot contradict it.
_SAYS_NOTHING_OF_THE_KIND = JAIL_ENDS | {Reason.EMPTY, Reason.NO_SECOND_OPINION, Reason.NEEDS_TOO_MUCH_MEMORY}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one job may use. `wall_ms` is above the processor time, since several cases share the cores.

    `threads`: its decoder needs one.
    """

    cpu_seconds: int
    wall_ms: int
    address_space_bytes: int
    output_bytes: int
    threads: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the table.

    `file_bytes` is the largest file; `most` bounds what it has many of: pages, frames, seconds, parts (0: nothing to
    count). A job gets `base_seconds` of processor time and `seconds_per_mib` more for its size. `keep_original`: the
    sealed original stays beside the normalized copy. `preview`: a small picture is made.
    """

    file_bytes: int
    most: int = 0
    base_seconds: int
    seconds_per_mib: float = 0.0
    address_space_bytes: int = GiB
    output_bytes: int
    threads: bool = False
    keep_original: bool
    preview: bool = True
    accept: bool = True


# Owners' photos: the original (with the place where it was taken) goes unless the sender asks to keep it.
_PHOTO = Row(
    file_bytes=40 * MiB,  # twice what a 50-megapixel phone writes as JPEG
    base_seconds=10,  # ten times what the largest allowed photo takes on one slow core
    address_space_bytes=GiB,  # 50 Mpx as RGB is 150 MB; decode, resize and transform hold about three of them
    output_bytes=96 * MiB,  # a 4096 px PNG with alpha and its preview stay below this
    keep_original=False,
)
_MOVING = replace(_PHOTO, most=300, base_seconds=45)  # twice what 200 megapixels of movement take when kept
_VIDEO = Row(
    file_bytes=500 * MiB,
    most=10 * 60,
    base_seconds=120,  # a minute of 1080p takes 50 to 90 seconds, however few its bytes; the copy adapts to the rest
    seconds_per_mib=2.0,  # the viewing copy decodes and encodes every frame
    address_space_bytes=3 * GiB,
    output_bytes=800 * MiB,
    keep_original=False,
)
_AUDIO = Row(
    file_bytes=100 * MiB,
    most=30 * 60,
    base_seconds=90,  # half an hour of sound in a small file: decoded, drawn, and made into a copy
    seconds_per_mib=0.5,
    address_space_bytes=GiB,
    output_bytes=160 * MiB,
    keep_original=False,
)
_TEXT = Row(
    file_bytes=5 * MiB,
    base_seconds=10,
    seconds_per_mib=3.0,  # JSON of single digits takes half of that
    address_space_bytes=GiB,
    output_bytes=24 * MiB,
    keep_original=True,
    preview=False,
)
_OFFICE = Row(
    file_bytes=25 * MiB,
    most=2000,
    base_seconds=30,
    address_space_bytes=3 * GiB // 2,
    output_bytes=80 * MiB,  # 4 Mi signs of text, which may all be shown as marks, and 40 MiB of pictures
    keep_original=True,
    preview=False,
)
_MAIL = Row(
    file_bytes=50 * MiB,
    most=200,
    base_seconds=30,
    address_space_bytes=GiB,
    output_bytes=80 * MiB,
    keep_original=True,
    preview=False,
)

ROWS: Mapping[Kind, Row] = {
    Kind.JPEG: _PHOTO,
    Kind.PNG: _MOVING,
    Kind.WEBP: _MOVING,
    Kind.HEIC: replace(
        _PHOTO,
        base_seconds=15,  # HEVC costs more than JPEG
        address_space_bytes=2 * GiB,  # libheif holds planes and the interleaved copy at once; threads reserve stacks
        threads=True,  # libde265 fails without one worker thread, even when told to use none
    ),
    Kind.GIF: replace(_MOVING, file_bytes=20 * MiB),
    Kind.BMP: replace(_PHOTO, file_bytes=160 * MiB, base_seconds=20),  # 50 megapixels without compression
    Kind.AVIF: replace(_PHOTO, base_seconds=30),  # one with transparency, kept in full size, is a large PNG
    Kind.TIFF: replace(_PHOTO, file_bytes=100 * MiB, most=50, base_seconds=120, output_bytes=400 * MiB),
    Kind.PDF: Row(
        file_bytes=50 * MiB,
        most=500,
        base_seconds=80,  # 30 seconds, and a tenth of one for each of 500 pages
        address_space_bytes=3 * GiB // 2,
        output_bytes=200 * MiB,
        keep_original=True,
    ),
    Kind.DICOM: Row(
        file_bytes=300 * MiB,
        base_seconds=30,
        seconds_per_mib=0.5,
        address_space_bytes=3 * GiB,
        output_bytes=340 * MiB,
        keep_original=True,
    ),
    **dict.fromkeys((Kind.MP4, Kind.QUICKTIME, Kind.WEBM, Kind.AVI), _VIDEO),
    **dict.fromkeys((Kind.MP3, Kind.M4A, Kind.OGG, Kind.WAV, Kind.FLAC, Kind.AMR), _AUDIO),
    **dict.fromkeys((Kind.TEXT, Kind.CSV, Kind.JSON, Kind.MARKDOWN), _TEXT),
    # Every letter may be a token of its own: measured, 8 seconds for the largest file.
    Kind.RTF: replace(_TEXT, file_bytes=10 * MiB, seconds_per_mib=2.0),
    **dict.fromkeys((Kind.DOCX, Kind.XLSX, Kind.ODT, Kind.OFFICE_ZIP), _OFFICE),
    **dict.fromkeys((Kind.MAIL, Kind.TNEF), _MAIL),
    # Its members are inspected one by one, each by its own row: no job ever holds it whole.
    Kind.ZIP: Row(file_bytes=2 * GiB, most=5000, base_seconds=30, output_bytes=2 * GiB, keep_original=True),
}
"""The table as VetRelay ships it."""

OPENED_KINDS = frozenset(ROWS)
# For what no row stands: only its head is looked at.
_GLANCE = _PHOTO


def row_of(rows: Mapping[Kind, Row], kind: Kind) -> Row:
    """The row that a job is limited by; a kind without a row gets what a photo gets."""
    return rows.get(kind, _GLANCE)


def limits_of(row: Row, *, size_bytes: int, patience: int = 1) -> Limits:
    """The limits of one job on a file of this size; `patience` multiplies its time (a second try for clinics)."""
    seconds = patience * (row.base_seconds + int(row.seconds_per_mib * size_bytes / MiB))
    return Limits(
        cpu_seconds=seconds,
        wall_ms=3000 * seconds,
        address_space_bytes=row.address_space_bytes,
        output_bytes=row.output_bytes,
        threads=row.threads,
    )


def keep_original(rows: Mapping[Kind, Row], kind: Kind) -> bool:
    """Whether the sealed original stays by default: always, except for photos and recordings that were rebuilt."""
    row = rows.get(kind)
    return row is None or row.keep_original


def claimed_kind(name: str, declared: str | None) -> Kind:
    """What the sender says the file is: by its extension, else by its declared media type; UNKNOWN is no claim.

    The extension is the one that the name has on a disk, where dots at its end and unseen signs are gone.
    """
    _, dot, extension = safe_name(name, "").rpartition(".")
    by_name = KIND_BY_EXTENSION.get(extension.strip().lower()) if dot else None
    if by_name is not None:
        return by_name
    media_type = (declared or "").partition(";")[0].strip().lower()
    return KIND_BY_MEDIA_TYPE.get(media_type, Kind.UNKNOWN)


def contradicts(claimed: Kind, seen: Kind) -> bool:
    """Whether name and content belong to different families. Content that nothing knows contradicts every claim."""
    if claimed is Kind.UNKNOWN or claimed is seen:
        return False
    return KINDS[claimed].family is not KINDS[seen].family or KINDS[seen].family is Family.NEVER_TAKEN


def mends(claimed: Kind, seen: Kind) -> bool:
    """Whether a name says another kind of the same family, so that it is renamed to match its content."""
    return claimed not in {Kind.UNKNOWN, seen} and not contradicts(claimed, seen)


def judge(*, claimed: Kind, seen: Kind, reason: Reason, made: Kind | None) -> tuple[Verdict, Reason]:
    """The verdict on one file: what was claimed, what the jail saw, its reason, and what it made of it (if anything)."""
    if reason not in _SAYS_NOTHING_OF_THE_KIND:
        if claimed is not seen and KINDS[claimed].family is Family.NEVER_TAKEN:
            return Verdict.REFUSED, Reason.TYPE_NOT_TAKEN
        if contradicts(claimed, seen):
            return Verdict.REFUSED, Reason.CONTENT_DIFFERS_FROM_NAME
    if reason is not Reason.NONE:
        return reason.verdict, reason
    return (Verdict.CLEAN if made is seen else Verdict.CONVERTED), Reason.NONE
