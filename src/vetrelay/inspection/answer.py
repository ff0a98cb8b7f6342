"""What the parent believes of a job's ending: an answer in its frame, and outputs that are what they say they are.

A picture must be whole, of the stated size, and bare: nothing beside what is needed to draw it. A text must be plain.
Of every other output only its kind is checked by its first bytes: a jail that was taken over could write a bad PDF,
which is why a reader opens it in a reader of PDFs that is kept up to date.
"""

from collections.abc import Callable, Mapping

from vetrelay.inspection import sniff
from vetrelay.inspection.frames import Garbled
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.outlines import jpeg, png, webp
from vetrelay.inspection.outlines.outline import Content, Outline
from vetrelay.inspection.result import RawOutput, Result
from vetrelay.inspection.resultframe import decode_result
from vetrelay.inspection.sandbox import End, Ending
from vetrelay.inspection.words import Reason, Unfit

_REASON_OF_END = {
    End.TIMED_OUT: Reason.JAIL_TIMEOUT,
    End.OUT_OF_MEMORY: Reason.NEEDS_TOO_MUCH_MEMORY,
    End.CRASHED: Reason.JAIL_CRASHED,
    End.FLOODED: Reason.JAIL_FLOODED,
}
_OUTLINES: Mapping[Kind, Callable[[Content], Outline]] = {
    Kind.JPEG: jpeg.read,
    Kind.PNG: png.read,
    Kind.WEBP: webp.read,
}
_WRITINGS = frozenset({Kind.TEXT, Kind.CSV, Kind.JSON, Kind.MARKDOWN})
_NEVER_IN_TEXT = dict.fromkeys([*range(0x09), 0x0B, 0x0C, 0x0D, *range(0x0E, 0x20), *range(0x7F, 0xA0)])


def checked_result(ending: Ending) -> Result:
    """A job's ending as a result: every way to end that is not a sound answer becomes its reason."""
    if ending.end is not End.FINISHED:
        return Result(kind=Kind.UNKNOWN, reason=_REASON_OF_END[ending.end])
    try:
        result = decode_result(ending.untrusted)
    except Garbled:
        return Result(kind=Kind.UNKNOWN, reason=Reason.JAIL_GARBLED)
    if not all(_is_what_it_says(made) for made in result.outputs):
        return Result(kind=Kind.UNKNOWN, reason=Reason.JAIL_GARBLED)
    return result


def _is_what_it_says(untrusted: RawOutput) -> bool:
    if untrusted.kind in _OUTLINES:
        return _is_bare(untrusted)
    if untrusted.kind in _WRITINGS:
        return _is_plain(untrusted.content)
    return sniff.kind_of(untrusted.content) is untrusted.kind


def _is_bare(untrusted: RawOutput) -> bool:
    """Whether a picture is a whole one of the stated size with nothing beside it: checked, not trusted."""
    try:
        outline = _OUTLINES[untrusted.kind](untrusted.content)
    except Unfit:
        return False
    return outline.bare and (outline.width_px, outline.height_px) == (untrusted.width_px, untrusted.height_px)


def _is_plain(untrusted: bytes) -> bool:
    """Whether a text is UTF-8 with no control character but tab and line feed."""
    try:
        text = untrusted.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return text.translate(_NEVER_IN_TEXT) == text
