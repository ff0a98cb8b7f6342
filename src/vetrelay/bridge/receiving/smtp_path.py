"""What stands behind MAIL FROM: and RCPT TO: (RFC 5321 section 4.1.2), and only that. Pure."""

import re
from dataclasses import dataclass
from typing import Final

PATH_BYTES: Final = 320
"""64 for the local part, 255 for the domain, and the sign between."""

# A quoted local part may hold spaces and angle brackets; nothing here can be matched in two ways, so nothing is slow.
_PATH: Final = re.compile(
    r"""\s*(?:<(?:@[^\s<>:"]+:)?(?P<angle>(?:"(?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*"|[^\s<>"\x00-\x1f\x7f])*)>"""
    r"""|(?P<plain>[^\s<>"\x00-\x1f\x7f]+))(?P<parameters>(?:\s.*)?)\Z""",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """An address as it was written (empty for the null sender), and what was declared beside it.

    A source route before it (`<@x:a@b>`) is left out, as RFC 5321 asks. `parameters` has upper-case names; one without a
    value has an empty one. Ours are SIZE alone; the others are read over.
    """

    address: str
    parameters: dict[str, str]


def parse_path(untrusted: str | None, keyword: str) -> Path | None:
    """The path behind `FROM:` or `TO:`, None where there is none. Addresses longer than 320 bytes are none."""
    if untrusted is None or untrusted[: len(keyword)].upper() != keyword:
        return None
    found = _PATH.match(untrusted[len(keyword) :])
    if found is None:
        return None
    address = found["angle"] if found["plain"] is None else found["plain"]
    try:
        length_bytes = len(address.encode())
    except UnicodeEncodeError:  # not UTF-8: no address that anybody has
        return None
    if length_bytes > PATH_BYTES:
        return None
    parameters = {}
    for word in found["parameters"].split():
        name, _, value = word.partition("=")
        parameters[name.upper()] = value
    return Path(address=address, parameters=parameters)


def size_of(path: Path) -> int | None:
    """The declared size in bytes, None if none was. Raises ValueError if it is no number (RFC 1870)."""
    untrusted = path.parameters.get("SIZE")
    if untrusted is None:
        return None
    if not (untrusted.isascii() and untrusted.isdigit() and len(untrusted) <= 20):
        raise ValueError("SIZE")
    return int(untrusted)


def domain_of(address: str) -> str:
    """The domain of an address, lower-case; empty where there is none."""
    return address.rpartition("@")[2].lower() if "@" in address else ""
