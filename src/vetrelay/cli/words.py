"""The words on the screen: never the internal ones (architecture.md, "Words on the screen")."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from vetrelay.cli.terminal import Style
from vetrelay.errors import SENTENCES
from vetrelay.inspection.words import Reason

VERDICTS: Final[Mapping[str, tuple[str, Style]]] = {
    "pending": ("being checked", "quiet"),
    "clean": ("ready", "good"),
    "converted": ("ready", "good"),
    "kept-sealed": ("original only", "warn"),
    "held": ("waiting for staff", "warn"),
    "refused": ("cannot be sent", "bad"),
}
LEFT_OUT: Final[Mapping[str, str]] = {
    "kept-sealed": "original only",
    "held": "left out",
    "refused": "left out",
}
"""What is said of a file in a pack or a letter that is not simply ready."""
KINDS: Final[Mapping[str, str]] = {"household": "household", "clinic": "clinic", "machine": "machine"}
ROLES: Final[Mapping[str, str]] = {
    "owner": "owner",
    "care": "treating clinic",
    "consultant": "consultant",
    "provider": "provider of records",
    "bridge": "by email",
    "intake": "file check",
    "unknown": "no longer in the case",
}
_REASONS: Final[Mapping[str, str]] = {reason.key: reason.sentence for reason in Reason if reason is not Reason.NONE}


def reason_sentence(key: str | None) -> str | None:
    """Why a file is not simply ready, in one sentence; an unknown key (a newer file check) stays as it is."""
    return None if key is None else _REASONS.get(key) or SENTENCES.get(key, key)


def problem_sentence(code: str) -> str:
    """Why a message is not shown."""
    return SENTENCES.get(code, code)


def utc(milliseconds: int) -> str:
    """A time in JSON: ISO 8601 with milliseconds, UTC."""
    moment = datetime.fromtimestamp(milliseconds / 1000, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def local(milliseconds: int) -> str:
    """A time for a person, in the place where they are."""
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC).astimezone().strftime("%Y-%m-%d %H:%M")


def amount(size_bytes: int) -> str:
    """A size for a person."""
    if size_bytes < 1000:
        return f"{size_bytes} B"
    size, unit = size_bytes / 1000, "kB"
    for larger in ("MB", "GB"):
        if size >= 1000:
            size, unit = size / 1000, larger
    return f"{size:.0f} {unit}" if size >= 10 else f"{size:.1f} {unit}"


def length(duration_ms: int) -> str:
    """A recording's length for a person: 0:42, 1:02:03."""
    minutes, seconds = divmod(round(duration_ms / 1000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def count(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun: 1 file, 2 files."""
    return f"{number} {one if number == 1 else many or one + 's'}"
