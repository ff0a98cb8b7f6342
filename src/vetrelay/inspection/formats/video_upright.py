"""Frames as a person sees them: turned as the phone was held, square pixels, fitted into a box."""

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

from av.filter import Graph
from av.sidedata.sidedata import SideDataContainer
from av.video.frame import VideoFrame

from vetrelay.inspection.formats.recording_tracks import check_frame
from vetrelay.inspection.words import Reason, Unfit

_MATRIX = struct.Struct("=9i")
_UNTURNED = (1, 0, 0, 1)
# How a display matrix maps x and y (a, b, c, d of ISO/IEC 14496-12, 6.2.2, as signs), as FFmpeg's filters. Sideways
# ones exchange width and height.
_TURNS: dict[tuple[int, int, int, int], tuple[tuple[str, str], ...]] = {
    _UNTURNED: (),
    (-1, 0, 0, -1): (("hflip", ""), ("vflip", "")),
    (-1, 0, 0, 1): (("hflip", ""),),
    (1, 0, 0, -1): (("vflip", ""),),
    (0, 1, -1, 0): (("transpose", "clock"),),
    (0, -1, 1, 0): (("transpose", "cclock"),),
    (0, 1, 1, 0): (("transpose", "cclock_flip"),),
    (0, -1, -1, 0): (("transpose", "clock_flip"),),
}
_ROTATIONS = {90: _TURNS[0, -1, 1, 0], -90: _TURNS[0, 1, -1, 0], 180: _TURNS[-1, 0, 0, -1], -180: _TURNS[-1, 0, 0, -1]}
_WIDEST_PIXEL = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How frames are shown: the displayed size, and the filters that turn a frame upright."""

    width_px: int
    height_px: int
    turn: tuple[tuple[str, str], ...]

    def within(self, short_px: int, long_px: int) -> tuple[int, int]:
        """The largest even size of this shape in the box, in the orientation of the shape; never enlarged."""
        shorter, longer = sorted((self.width_px, self.height_px))
        scale = min(1.0, short_px / shorter, long_px / longer)
        width, height = (max(2, round(side * scale / 2) * 2) for side in (self.width_px, self.height_px))
        return width, height


def shape_of(frame: VideoFrame, pixel: Fraction | None) -> Shape:
    """How the first frame wants to be shown; `pixel` is how wide one is. Raises Unfit for a frame beyond the limits."""
    check_frame(frame.width, frame.height)
    if not frame.width or not frame.height:
        raise Unfit(Reason.NO_PIXELS)
    turn = _turn(frame)
    ratio = pixel or 1
    wide = round(frame.width * ratio) if 1 / _WIDEST_PIXEL <= ratio <= _WIDEST_PIXEL else frame.width
    width, height = max(1, wide), frame.height
    if any(name == "transpose" for name, _ in turn):
        width, height = height, width
    return Shape(width_px=width, height_px=height, turn=turn)


def _turn(frame: VideoFrame) -> tuple[tuple[str, str], ...]:
    try:
        # PyAV's types say that frames carry motion vectors only.
        beside = cast("SideDataContainer", frame.side_data).get("DISPLAYMATRIX")
    except ValueError:
        # PyAV cannot list what it has no name for, as in films with two views: it still knows how far to turn.
        return _ROTATIONS.get(frame.rotation, ())
    matrix = b"" if beside is None else bytes(beside)
    if len(matrix) < _MATRIX.size:
        return ()
    a, b, _, c, d, *_ = _MATRIX.unpack_from(matrix)
    sign = ((a > 0) - (a < 0), (b > 0) - (b < 0), (c > 0) - (c < 0), (d > 0) - (d < 0))
    return _TURNS.get(sign, ())


class Upright:
    """Turns and scales frames to one size; what a decoder gives may change its size midway."""

    def __init__(self, shape: Shape, size_px: tuple[int, int]) -> None:
        self._turn = shape.turn
        self._size_px = size_px
        self._graph: Graph | None = None
        self._form: tuple[object, ...] = ()

    def of(self, frame: VideoFrame) -> VideoFrame:
        """The frame upright, in 8 bits and with halved colours, as every player wants it."""
        form = (frame.width, frame.height, frame.format.name, frame.time_base)
        if self._graph is None or form != self._form:
            check_frame(frame.width, frame.height)
            self._form, self._graph = form, self._built(frame)
        self._graph.vpush(frame)
        return self._graph.vpull()

    def _built(self, frame: VideoFrame) -> Graph:
        graph = Graph()
        graph.threads = 1  # its workers would be threads
        width, height = self._size_px
        if any(name == "transpose" for name, _ in self._turn):
            width, height = height, width
        source = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
        )
        # Scaled first, turned then: turning has less to do.
        scaled = graph.add("scale", f"{width}:{height}:flags=bilinear")
        turned = [graph.add(name, value or None) for name, value in self._turn]
        square = graph.add("setsar", "1")
        graph.link_nodes(
            source, scaled, *turned, square, graph.add("format", "yuv420p"), graph.add("buffersink")
        ).configure()
        return graph
