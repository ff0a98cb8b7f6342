"""The names of a pack's members: what they say, and whether any program could take them for another place or file.

Nothing is mended here. A name that two systems would read differently makes the whole pack unfit; names that come
through are made fit for a disk only when something is written (`naming.safe_name`).
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator

from vetrelay.inspection.words import Reason, Unfit

MAX_DEPTH = 8
_MAX_NAME_BYTES = 1024
_MAX_PART_BYTES = 255
# Windows gives these names to devices, with any extension behind them, in any folder.
_DEVICE = re.compile(r"(?i)(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])[ .]*(\..*)?")
_DRIVE = re.compile(r"[A-Za-z]:")


def read_name(raw: bytes, *, is_utf8: bool) -> str:
    """The name that these bytes say. Raises Unfit(PACK_NAME_UNSAFE) where they are not what their flag says.

    Without the flag the format means code page 437, but macOS writes UTF-8 all the same: whatever is sound UTF-8 is
    read as such.
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        if is_utf8:
            raise Unfit(Reason.PACK_NAME_UNSAFE) from None
        return raw.decode("cp437")


def check_name(untrusted_name: str) -> None:
    """Raises Unfit for a name that leads out of the pack, names a device, or is read differently somewhere.

    A folder's name ends with a slash; PACK_TOO_DEEP is said beyond eight folders, PACK_NAME_UNSAFE of all else.
    """
    if len(untrusted_name.encode("utf-8", "surrogatepass")) > _MAX_NAME_BYTES:
        raise Unfit(Reason.PACK_NAME_UNSAFE)
    if "\\" in untrusted_name or _DRIVE.match(untrusted_name):
        raise Unfit(Reason.PACK_NAME_UNSAFE)
    parts = untrusted_name.removesuffix("/").split("/")
    if not all(_is_sound(part) for part in parts):
        raise Unfit(Reason.PACK_NAME_UNSAFE)
    if len(parts) > MAX_DEPTH + 1:
        raise Unfit(Reason.PACK_TOO_DEEP)


def _is_sound(untrusted_part: str) -> bool:
    if not untrusted_part.strip(". ") or len(untrusted_part.encode("utf-8", "surrogatepass")) > _MAX_PART_BYTES:
        return False  # nothing, "." and "..", and what Windows shortens to them
    if any(unicodedata.category(sign) in {"Cc", "Cs"} for sign in untrusted_part):
        return False
    return _DEVICE.fullmatch(untrusted_part) is None


def check_together(names: Iterable[str]) -> None:
    """Raises Unfit(PACK_NAMES_TWICE) where two names mean one place, on any system.

    Large and small letters, composed and decomposed signs, and dots and spaces at a part's end make no difference; and
    what is a file cannot be a folder too.
    """
    files: set[str] = set()
    folders: set[str] = set()
    for name in names:
        place = place_of(name)
        folders.update(folders_of(place))
        if name.endswith("/"):
            folders.add(place)
        elif place in files:
            raise Unfit(Reason.PACK_NAMES_TWICE)
        else:
            files.add(place)
    if not files.isdisjoint(folders):
        raise Unfit(Reason.PACK_NAMES_TWICE)


def folders_of(place: str) -> Iterator[str]:
    """Every folder above a place."""
    above = place.split("/")[:-1]
    return ("/".join(above[:depth]) for depth in range(1, len(above) + 1))


def place_of(name: str) -> str:
    """Where a name leads on a system that tells the fewest names apart."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return "/".join(part.rstrip(". ") for part in folded.removesuffix("/").split("/"))
