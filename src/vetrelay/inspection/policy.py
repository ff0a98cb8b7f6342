"""The policy table as data, and the one pure decision over what the jail saw.

Source: attachments.md section 6. Limits are per opened kind; everything else is judged by its first bytes only.
The jail never chooses a verdict: it reports what it saw and made, and `judge` derives the verdict here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from vetrelay.inspection.kinds import KIND_BY_EXTENSION, KIND_BY_MEDIA_TYPE, KINDS, Family, Kind
from vetrelay.inspection.words import FIRST_JAIL_END, Reason, Verdict

KiB = 1024
MiB = 1024 * KiB
GiB = 1024 * MiB

MAX_PIXELS = 50_000_000
MAX_SIDE_PX = 16_384
PREVIEW_SIDE_PX = 320
NORMALIZED_SIDE_PX = 2560
CLOSE_LOOK_SIDE_PX = 4096
# What a veterinarian judges by its texture is kept larger (the sender says what the photo is for).
CLOSE_LOOK_PURPOSES = frozenset({"wound", "skin", "eye"})
# A file needs its first KiB to be sniffed, and an ISO image is known at byte 32769: enough for every kind.
HEAD_BYTES = 64 * KiB
# An answer carries a normalized picture and a preview; a 4096 px PNG with alpha stays below this.
MAX_OUTPUT_BYTES = 96 * MiB

# With these the jail never came to say what the content is, so a name cannot contradict it.
_SAYS_NOTHING_OF_THE_KIND = frozenset(
    {Reason.EMPTY, Reason.NO_SECOND_OPINION, Reason.NEEDS_TOO_MUCH_MEMORY}
    | {reason for reason in Reason if reason >= FIRST_JAIL_END}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one job may use. `wall_ms` is above the processor time, since several cases share the cores."""

    file_bytes: int
    cpu_seconds: int
    wall_ms: int
    address_space_bytes: int
    output_bytes: int
    threads: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the table: the job's limits, and whether the original is kept sealed beside the normalized copy."""

    limits: Limits
    keep_original: bool


_PHOTO = Limits(
    file_bytes=40 * MiB,  # twice what a 50-megapixel phone writes as JPEG
    cpu_seconds=10,  # ten times what the largest allowed photo takes on one slow core
    wall_ms=30_000,
    address_space_bytes=GiB,  # 50 Mpx as RGB is 150 MB; decode, resize and transform hold about three of them
    output_bytes=MAX_OUTPUT_BYTES,
    threads=False,
)
_HEIC = Limits(
    file_bytes=40 * MiB,
    cpu_seconds=15,  # HEVC costs more than JPEG
    wall_ms=45_000,
    address_space_bytes=2 * GiB,  # libheif holds planes and the interleaved copy at once; threads reserve stacks
    output_bytes=MAX_OUTPUT_BYTES,
    threads=True,  # libde265 fails without one worker thread, even when told to use none
)

# Owners' photos: the original (with the place where it was taken) goes unless the sender asks to keep it.
POLICY: Mapping[Kind, Row] = {
    Kind.JPEG: Row(limits=_PHOTO, keep_original=False),
    Kind.PNG: Row(limits=_PHOTO, keep_original=False),
    Kind.WEBP: Row(limits=_PHOTO, keep_original=False),
    Kind.HEIC: Row(limits=_HEIC, keep_original=False),
}

# Above the largest row a file is never opened: only its head is handed to the jail, to be sniffed.
MAX_FILE_BYTES = max(row.limits.file_bytes for row in POLICY.values())


def limits_for(untrusted_head: bytes) -> Limits:
    """The limits of a job, by the only thing known before the jail: whether a `ftyp` box opens the file."""
    return _HEIC if untrusted_head[4:8] == b"ftyp" else _PHOTO


def longest_side_px(purpose: str | None) -> int:
    """How long the longer side of the normalized picture may be for this purpose."""
    return CLOSE_LOOK_SIDE_PX if purpose in CLOSE_LOOK_PURPOSES else NORMALIZED_SIDE_PX


def keep_original(kind: Kind) -> bool:
    """Whether the sealed original stays by default: always, except for photos that were rebuilt."""
    row = POLICY.get(kind)
    return row is None or row.keep_original


def claimed_kind(name: str, declared: str | None) -> Kind:
    """What the sender says the file is: by its extension, else by its declared media type; UNKNOWN is no claim."""
    _, dot, extension = name.rpartition(".")
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
