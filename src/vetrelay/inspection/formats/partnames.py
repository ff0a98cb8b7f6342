"""What a letter calls a file in it: one path part of seen signs, or a name made of its type and number."""

from vetrelay.inspection.formats import lettertext
from vetrelay.inspection.formats.letterfields import Fields
from vetrelay.inspection.kinds import KIND_BY_MEDIA_TYPE, KINDS, Kind
from vetrelay.inspection.letterframe import PART_NAME_BYTES
from vetrelay.inspection.letterread import MAX_NAME_CHARS

LETTERS = frozenset({"message/rfc822", "message/global", "message/news"})
_MAX_ENDING_CHARS = 20


def file_name(fields: Fields) -> str:
    """The name in Content-Disposition, else in Content-Type (RFC 2231 and 2047); empty where there is none."""
    return part_name(lettertext.field_text(fields.file_name))


def part_name(said: str) -> str:
    """A name as one path part of at most 200 signs, its ending kept; empty where nothing of it is left."""
    last = said.replace("\\", "/").rstrip("/").rpartition("/")[2].strip()
    if not last.strip(". "):
        return ""
    stem, dot, ending = last.rpartition(".")
    if not dot or len(ending) > _MAX_ENDING_CHARS:
        stem, ending = last, ""
    ending = dot * bool(ending) + ending
    stem = stem[: MAX_NAME_CHARS - len(ending)]
    room = PART_NAME_BYTES - len(ending.encode("utf-8"))
    return stem.encode("utf-8")[:room].decode("utf-8", "ignore") + ending


def name_of_its_kind(name: str, media_type: str) -> str:
    """A letter is told as one, whatever its sender's program called it; every other name stays."""
    if not name or media_type not in LETTERS or name.lower().endswith(".eml"):
        return name
    return part_name(f"{name}.eml")


def made_up_name(media_type: str, number: int) -> str:
    """A name for a file that has none: its number, and the ending of its type."""
    if media_type in LETTERS:
        return f"letter-{number}.eml"
    extensions = KINDS[KIND_BY_MEDIA_TYPE.get(media_type, Kind.UNKNOWN)].extensions
    return f"part-{number}.{extensions[0]}" if extensions else f"part-{number}"
