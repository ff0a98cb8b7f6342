"""What is written on a recording beside pictures and sound: told in notes, and when it was made."""

import re
from collections.abc import Iterable, Mapping

from av.container import InputContainer

from vetrelay.inspection.notes import Note
from vetrelay.inspection.result import CaptureTime

_PLACE = re.compile(r"location|gps|\bxyz\b|loci")
_SERIAL = re.compile(r"serial|identifier|uuid|umid|imei")
_DEVICE = re.compile(r"\b(make|model|software|firmware|camera|lens|android|samsung|device|encoded.by|tool)")
_NAMES = re.compile(r"artist|author|composer|performer|copyright|owner|publisher|director|conductor|account")
_COMMENT = re.compile(r"comment|description|synopsis|lyrics|keywords|information")
# What every file of a kind has, and says nothing.
_PLAIN = frozenset(
    {"major_brand", "minor_version", "compatible_brands", "creation_time", "handler_name", "language", "encoder",
     "vendor_id", "duration", "creationdate", "isommajor_brand", "timecode"}
)  # fmt: skip
_GROUPS = (
    (_PLACE, Note.LOCATION_REMOVED),
    (_SERIAL, Note.CAMERA_SERIAL_REMOVED),
    (_NAMES, Note.NAMES_REMOVED),
    (_COMMENT, Note.COMMENT_REMOVED),
    (_DEVICE, Note.DEVICE_DETAILS_REMOVED),
)
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.\d+)?(Z|[+-]\d\d:?\d\d)?$")
# Before the first phones that film, and a container's own epoch (1904, 1970): a clock that was never set.
_FIRST_YEAR, _LAST_YEAR = 1990, 2100


def notes_of(container: InputContainer) -> set[Note]:
    """What will be gone, by the labels of the file and of its tracks."""
    found: set[Note] = set()
    for name in _names(container):
        if name.rpartition(".")[2] in _PLAIN:
            continue
        found.add(next((note for pattern, note in _GROUPS if pattern.search(name)), Note.LABELS_REMOVED))
    return found


def _names(container: InputContainer) -> Iterable[str]:
    for labels in (container.metadata, *(track.metadata for track in container.streams)):
        # The language of a label may hang on its name, as in location-eng.
        yield from (re.sub(r"-[a-z]{3}$", "", name.lower()) for name, value in labels.items() if value)


def captured_of(container: InputContainer) -> CaptureTime | None:
    """When it was recorded: the phone's own local time where it says one, else the container's, which is UTC."""
    labels: Mapping[str, str] = container.metadata
    tracks = [track.metadata.get("creation_time", "") for track in container.streams]
    for text in (labels.get("com.apple.quicktime.creationdate", ""), labels.get("creation_time", ""), *tracks):
        taken = _read(text)
        if taken is not None:
            return taken
    return None


def _read(untrusted: str) -> CaptureTime | None:
    match = _TIME.match(untrusted.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    taken = CaptureTime(
        year=year, month=month, day=day, hour=hour, minute=minute, second=second, offset_minutes=_offset(match[7])
    )
    try:
        taken.text()
    except ValueError:
        return None
    return taken if _FIRST_YEAR <= year <= _LAST_YEAR else None


def _offset(zone: str | None) -> int | None:
    if not zone:
        return None
    if zone == "Z":
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[-2:])
    return -minutes if zone[0] == "-" else minutes
