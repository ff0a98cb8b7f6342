"""What the parent believes of a job's ending: an answer in its frame, and outputs that are what they say they are."""

from vetrelay.inspection.frames import Garbled
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.outputs import is_sound
from vetrelay.inspection.result import RawOutput, Result
from vetrelay.inspection.resultframe import decode_result
from vetrelay.inspection.sandbox import End, Ending
from vetrelay.inspection.words import Reason

_REASON_OF_END = {
    End.TIMED_OUT: Reason.JAIL_TIMEOUT,
    End.OUT_OF_MEMORY: Reason.NEEDS_TOO_MUCH_MEMORY,
    End.CRASHED: Reason.JAIL_CRASHED,
    End.FLOODED: Reason.JAIL_FLOODED,
}


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
    width_px, height_px = untrusted.width_px, untrusted.height_px
    return is_sound(untrusted.content, untrusted.kind, width_px=width_px, height_px=height_px)
