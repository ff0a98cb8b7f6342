"""How large and how dense a viewing copy may be, so that it is made in the time that the job has.

The size is chosen before, by what decoding and encoding were measured to cost; a slow machine that still falls behind
shows fewer frames, at last only the complete ones (key frames). The record is never touched by this.
"""

import time
from dataclasses import dataclass
from fractions import Fraction

from vetrelay.inspection.formats.recording_tracks import Measure
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.policy import ROWS, limits_of

# Seconds per megapixel on one core of a small server, with noisy pictures; a machine half as fast still keeps pace.
_DECODE = {"h264": 0.0035, "hevc": 0.010, "vp8": 0.004, "vp9": 0.007, "av1": 0.008}
_DECODE_OTHER = 0.006
_SCALE = 0.0005
_ENCODE = {"veryfast": 0.028, "superfast": 0.019, "ultrafast": 0.010}
_MARGIN = 2
# Remux, stills and the answer take the rest.
_SHARE = 0.6
_MEGAPIXEL = 1_000_000
FRAMES_PER_SECOND = 30
_GRACE_SECONDS = 2.0
_SPARSEST = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One size and one effort."""

    short_px: int
    long_px: int
    preset: str


_LADDER = (
    Rung(short_px=720, long_px=1280, preset="veryfast"),
    Rung(short_px=720, long_px=1280, preset="superfast"),
    Rung(short_px=480, long_px=854, preset="superfast"),
    Rung(short_px=480, long_px=854, preset="ultrafast"),
    Rung(short_px=360, long_px=640, preset="ultrafast"),
)


def seconds_for_copy(kind: Kind, size_bytes: int) -> float:
    """The processor time that a viewing copy may take, by the policy's row of the kind."""
    return _SHARE * limits_of(ROWS[kind], size_bytes=size_bytes).cpu_seconds


def rung(codec: str, measure: Measure, size_px: tuple[int, int], seconds: float) -> Rung:
    """The best rung of the ladder that the time allows, and the lowest where none does."""
    whole = size_px[0] * size_px[1] / _MEGAPIXEL
    shown = min(measure.video_packets, int(measure.seconds * FRAMES_PER_SECOND) + 1)
    decoding = measure.video_packets * whole * _DECODE.get(codec, _DECODE_OTHER)
    for step in _LADDER:
        small = min(whole, step.short_px * step.long_px / _MEGAPIXEL)
        cost = decoding + shown * (whole * _SCALE + small * _ENCODE[step.preset])
        if cost * _MARGIN <= seconds:
            return step
    return _LADDER[-1]


class Pace:
    """Watches the processor's clock while a copy is made, and says which frames to show."""

    def __init__(self, *, seconds: float, length: Fraction) -> None:
        self._started = time.process_time()
        self._seconds = seconds
        self._length = max(float(length), 0.001)
        self._stride = 1
        self._next_check = _GRACE_SECONDS
        self._count = 0
        self._last: float | None = None
        self.sparse = False

    @property
    def only_key_frames(self) -> bool:
        """Whether decoding itself takes too long."""
        return self._stride > _SPARSEST

    @property
    def out_of_time(self) -> bool:
        """Whether no copy can be made at all."""
        return time.process_time() - self._started > self._seconds

    def shows(self, at: float) -> bool:
        """Whether the frame at this second goes into the copy."""
        self._check(at)
        if self._last is not None and at - self._last < 0.9 / FRAMES_PER_SECOND:
            return False
        self._count += 1
        if not self.only_key_frames and self._count % self._stride:
            return False
        self._last = at
        return True

    def _check(self, at: float) -> None:
        used = time.process_time() - self._started
        if used < self._next_check:
            return
        self._next_check = used + _GRACE_SECONDS
        if used > self._seconds * min(1.0, at / self._length) + _GRACE_SECONDS and not self.only_key_frames:
            self._stride *= 2
            self.sparse = True
