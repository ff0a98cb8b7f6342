"""How a spreadsheet's cell reads: numbers as they would be shown, dates as ISO 8601, as far as the format tells.

Source: ECMA-376 part 1, sections 18.8.30 (number formats) and 18.17.4 (dates).
"""

import re
from datetime import datetime, timedelta
from enum import Enum

_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?:[A-Za-z]{3,}[0-9 ]*|[$<>=][^\]]*)\]')
_ELAPSED = re.compile(r"\[(h+|m+|s+)\]")
_EPOCH_1900 = datetime(1899, 12, 30)  # noqa: DTZ001 - a sheet's dates have no zone
_EPOCH_1904 = datetime(1904, 1, 1)  # noqa: DTZ001 - a sheet's dates have no zone
# Sheets count 29 February 1900, which never was: before it every serial is one less.
_FIRST_SOUND_SERIAL = 60
_LAST_SERIAL = 2_958_465  # 9999-12-31
_SIGNIFICANT_DIGITS = 15


class Shown(Enum):
    """What a number means by its format."""

    NUMBER = "number"
    PERCENT = "percent"
    DATE = "date"
    TIME = "time"
    DATE_AND_TIME = "date and time"
    DURATION = "duration"


BUILT_IN = {
    **dict.fromkeys((9, 10), Shown.PERCENT),
    **dict.fromkeys((*range(14, 18), *range(27, 32), *range(34, 37), *range(50, 59)), Shown.DATE),
    **dict.fromkeys((18, 19, 20, 21, 32, 33, 45, 47), Shown.TIME),
    22: Shown.DATE_AND_TIME,
    46: Shown.DURATION,
}
"""The formats that have a number instead of a code; all others of these are numbers."""


def shown_by(code: str) -> Shown:
    """What a format's code makes of a number. Its first section is the one for positive numbers."""
    code = _LITERAL.sub("", code.split(";", 1)[0])
    if _ELAPSED.search(code):
        return Shown.DURATION
    code = code.lower().replace("general", "")
    has_date = "y" in code or "d" in code or ("m" in code and not ("h" in code or "s" in code))
    has_time = "h" in code or "s" in code
    if has_date:
        return Shown.DATE_AND_TIME if has_time else Shown.DATE
    if has_time:
        return Shown.TIME
    return Shown.PERCENT if "%" in code else Shown.NUMBER


def number_as_shown(text: str, shown: Shown, *, since_1904: bool) -> str:
    """The number as a person would read it; text that is no number stays as it is."""
    try:
        value = float(text)
        if shown is Shown.NUMBER:
            return f"{value:.{_SIGNIFICANT_DIGITS}g}"
        if shown is Shown.PERCENT:
            return f"{value * 100:.10g}%"
        return _moment(value, shown, since_1904=since_1904)
    except (ValueError, OverflowError):
        return text


def _moment(serial: float, shown: Shown, *, since_1904: bool) -> str:
    """A date or time. Raises ValueError, OverflowError for serials without one."""
    if not 0 <= serial <= _LAST_SERIAL:
        raise ValueError
    seconds = round(serial * 86_400)
    if shown is Shown.DURATION:
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    if not since_1904 and serial < _FIRST_SOUND_SERIAL:
        seconds += 86_400
    moment = (_EPOCH_1904 if since_1904 else _EPOCH_1900) + timedelta(seconds=seconds)
    if shown is Shown.TIME or serial < 1:
        return f"{moment:%H:%M:%S}"
    if shown is Shown.DATE:
        return f"{moment:%Y-%m-%d}"
    return f"{moment:%Y-%m-%d %H:%M:%S}"
