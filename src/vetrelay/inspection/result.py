"""What a job saw and made, as values: what `formats/` give, what the frames carry, and what the parent checks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from enum import IntEnum

from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.notes import Note
from vetrelay.inspection.words import Reason


class Role(IntEnum):
    """What an output is for.

    RECORD: the file itself, rebuilt (several: its pages, in order). PREVIEW: a small picture of it (several: key
    frames). VIEWING: a copy of a recording that plays everywhere. STRIP: frames of a recording side by side. TEXT: the
    words of a document, as plain text.
    """

    RECORD = 1
    PREVIEW = 2
    VIEWING = 3
    STRIP = 4
    TEXT = 5

    @property
    def word(self) -> str:
        """The role as it stands in a finding."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class RawOutput:
    """One file made in the jail. Width and height are of pictures and videos, else 0."""

    role: Role
    kind: Kind
    content: bytes
    width_px: int = 0
    height_px: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RawPart:
    """A file found inside a letter, to be inspected on its own: its content, and what the letter calls it."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureTime:
    """When a picture was taken, as the camera wrote it: local time, and the offset from UTC if it knew."""

    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int
    offset_minutes: int | None

    def text(self) -> str:
        """ISO 8601, with the offset if there is one. Raises ValueError for a date that does not exist."""
        zone = None if self.offset_minutes is None else timezone(timedelta(minutes=self.offset_minutes))
        return datetime(self.year, self.month, self.day, self.hour, self.minute, self.second, tzinfo=zone).isoformat()


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """Whom a record says it is about, each as the record has it, at most 64 bytes of UTF-8; empty where it says nothing.

    A veterinary record has the owner's surname and the animal's name in one field as often as not: `name` is that
    field, whole.
    """

    name: str = ""
    owner: str = ""
    species: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Which series of an imaging study a file belongs to, each as the file has it, at most 64 bytes of UTF-8."""

    study: str = ""
    uid: str = ""
    number: str = ""
    modality: str = ""
    description: str = ""
    study_date: str = ""
    body_part: str = ""
    view: str = ""
    laterality: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a job saw of one file, and what it made of it.

    `kind` is what the content is. `reason` NONE means that it was rebuilt; a reason with outputs beside it means that
    the original goes on and these may be shown with it. `notes` says how often each thing was done. Width and height
    are the original's, in pixels; `items` its pages, frames or parts; `duration_ms` a recording's length.
    """

    kind: Kind
    reason: Reason = Reason.NONE
    notes: Mapping[Note, int] = field(default_factory=dict)
    width_px: int = 0
    height_px: int = 0
    items: int = 0
    duration_ms: int = 0
    captured: CaptureTime | None = None
    patient: Patient | None = None
    series: Series | None = None
    outputs: tuple[RawOutput, ...] = ()
    parts: tuple[RawPart, ...] = ()
