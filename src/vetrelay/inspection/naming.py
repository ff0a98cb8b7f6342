"""Names of files as they may stand on a disk and on a screen: one path part, no tricks, the right extension."""

import re
import unicodedata

from vetrelay.inspection.kinds import KIND_BY_EXTENSION

_MAX_STEM_BYTES = 120
_FALLBACK = "file"
# Windows gives these names to devices, with any extension behind them.
_DEVICES = re.compile(r"(?i)^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])$")
_FORBIDDEN = re.compile(r'[<>:"/\\|?*]')
# Unicode: control, format (bidi marks, zero-width), surrogate, private use, unassigned, line and paragraph separator.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def safe_name(name: str, extension: str) -> str:
    """One path part from a stranger's name, ending in `extension` (without its dot; empty keeps the name as it ends).

    A known extension is replaced, an unknown one is part of the name: "a.png" → "a.jpg", "a.v2" → "a.v2.jpg".

    Never empty, never hidden, at most 120 bytes before the extension, without anything that is not seen, and not the
    name of a Windows device. Two different names may give the same result: whoever saves must not overwrite.
    """
    last_part = re.split(r"[/\\]", unicodedata.normalize("NFC", _without_surrogates(name)))[-1]
    cleaned = _FORBIDDEN.sub("_", _seen(last_part))
    stem, dot, own = cleaned.rpartition(".")
    if not dot or own.strip().lower() not in KIND_BY_EXTENSION:
        stem, own = cleaned, ""
    ending = extension or own.strip().lower()
    stem = _shortened(" ".join(stem.split()).strip(". ")) or _FALLBACK
    if _DEVICES.match(stem.partition(".")[0].strip()):
        stem = f"_{stem}"
    return f"{stem}.{ending}" if ending else stem


def visible(text: str) -> str:
    """A stranger's short text on one line, without anything that is not seen."""
    return " ".join(_seen(_without_surrogates(text)).split())


def _seen(text: str) -> str:
    return "".join(" " if unicodedata.category(sign) == "Zs" else sign for sign in text if _is_seen(sign))


def _without_surrogates(name: str) -> str:
    return name.encode("utf-8", "ignore").decode("utf-8")


def _is_seen(sign: str) -> bool:
    return unicodedata.category(sign) not in _UNSEEN


def _shortened(stem: str) -> str:
    return stem.encode("utf-8")[:_MAX_STEM_BYTES].decode("utf-8", "ignore").rstrip(". ")
