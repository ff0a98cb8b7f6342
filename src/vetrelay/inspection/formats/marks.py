"""Visible marks for signs that a reader would not see: what is hidden in a text is shown, and nothing is lost.

Controls get the pictures that Unicode has for them (NUL is ␀, escape is ␛); the signs that turn the direction of
writing, and the other unseen ones, are named by their number: [U+202E]. Right-to-left marks that Hebrew and Arabic
texts need (U+200E, U+200F, U+061C) and joiners stay.
"""

import re

_PICTURES = 0x2400
_DELETE = 0x7F

# C0 without tab and line feed, delete, C1, direction overrides and isolates, byte order mark, annotation signs.
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u206f\ufeff\ufff9-\ufffb]")


def _mark(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x20:
        return chr(_PICTURES + code)
    if code == _DELETE:
        return "\u2421"
    return f"[U+{code:04X}]"


def with_marks(text: str) -> tuple[str, int]:
    """The text with a mark for every unseen sign, and how many there were. Line ends must be line feeds by now."""
    return UNSEEN.subn(_mark, text)


def with_json_escapes(text: str) -> tuple[str, int]:
    """The same for JSON, where an unseen sign can only stand in a string: its escape is visible and means the same."""
    return UNSEEN.subn(lambda found: f"\\u{ord(found[0]):04x}", text)


def with_line_feeds(text: str) -> str:
    """The text with every line end as a line feed: the only thing about it that is normalized."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
