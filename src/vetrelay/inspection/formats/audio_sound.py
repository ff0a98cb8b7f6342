"""Sound, decoded: made into AAC for a copy that plays everywhere, and into the shape of a waveform."""

from array import array
from collections.abc import Iterator
from fractions import Fraction

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.filter import Graph
from av.packet import Packet
from PIL import Image, ImageDraw

from vetrelay.inspection.policy import PAGE_PREVIEW_SIDE_PX

_AAC_SAMPLES = 1024
_AAC_RATES = frozenset({16_000, 22_050, 24_000, 32_000, 44_100, 48_000})
# What a telephone's sound becomes: below this, some browsers stay silent.
_LOWEST_RATE = 16_000
_DEFAULT_RATE = 48_000
_BITS_PER_CHANNEL = 64_000
_EAR_RATE = 8000
# Less than this is rounding; more is silence that the recorder left out.
_GAP_SECONDS = Fraction(1, 10)
_WAVE_HEIGHT_PX = 160
_LOUDEST = 32_768
_PAPER, _INK = 255, 90


class Converter:
    """From whatever a decoder gives to one form of sound. A decoder may change its mind midway: then it starts anew."""

    def __init__(self, *, sample_format: str, rate: int, layout: str, frame_samples: int = 0) -> None:
        self._wanted = f"sample_fmts={sample_format}:sample_rates={rate}:channel_layouts={layout}"
        self._frame_samples = frame_samples
        self._graph: Graph | None = None
        self._form: tuple[object, ...] = ()
        self._next: int | None = None

    def convert(self, frame: AudioFrame) -> Iterator[AudioFrame]:
        """The frame in the wanted form, as far as whole frames of it are there."""
        self._place(frame)
        form = (frame.sample_rate, frame.format.name, frame.layout.name)
        if form != self._form:
            yield from self.rest()
            self._form, self._graph = form, self._built(frame)
        if self._graph is not None:
            self._graph.push(frame)
            yield from self._pulled(self._graph)

    def rest(self) -> Iterator[AudioFrame]:
        """What is still inside."""
        if self._graph is not None:
            self._graph.push(None)
            yield from self._pulled(self._graph)
            self._graph = None

    def _place(self, frame: AudioFrame) -> None:
        """Counts time in samples: a container's own clock may be too coarse to tell two frames apart."""
        tick = Fraction(1, frame.sample_rate)
        told = self._next if frame.pts is None else round(Fraction(frame.pts) * (frame.time_base or tick) / tick)
        if self._next is None:
            start = told or 0
        else:
            start = told if told is not None and told > self._next + _GAP_SECONDS / tick else self._next
        frame.pts, frame.time_base = start, tick
        self._next = start + frame.samples

    def _built(self, frame: AudioFrame) -> Graph:
        graph = Graph()
        graph.threads = 1  # its workers would be threads
        source = graph.add_abuffer(
            sample_rate=frame.sample_rate, format=frame.format, layout=frame.layout, time_base=frame.time_base
        )
        graph.link_nodes(source, graph.add("aformat", self._wanted), graph.add("abuffersink")).configure()
        if self._frame_samples:
            graph.set_audio_frame_size(self._frame_samples)
        return graph

    @staticmethod
    def _pulled(graph: Graph) -> Iterator[AudioFrame]:
        while True:
            try:
                made = graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            if isinstance(made, AudioFrame):
                yield made


class AacTrack:
    """A track of AAC in a new container, made from decoded sound."""

    def __init__(self, target: OutputContainer, track: AudioStream) -> None:
        rate = track.codec_context.sample_rate
        rate = rate if rate in _AAC_RATES else _LOWEST_RATE if rate < _LOWEST_RATE else _DEFAULT_RATE
        channels = min(2, max(1, track.codec_context.channels))
        layout = "stereo" if channels > 1 else "mono"
        self.stream = target.add_stream("aac", rate=rate, options={"flags": "+bitexact"})
        self.stream.codec_context.layout = layout
        self.stream.codec_context.bit_rate = _BITS_PER_CHANNEL * channels
        self.stream.codec_context.thread_count = 1
        self._converter = Converter(sample_format="fltp", rate=rate, layout=layout, frame_samples=_AAC_SAMPLES)

    def packets(self, frame: AudioFrame | None) -> Iterator["Packet[AudioStream]"]:
        """What a decoded frame becomes; None asks for the rest."""
        for made in self._converter.rest() if frame is None else self._converter.convert(frame):
            yield from self.stream.encode(made)
        if frame is None:
            yield from self.stream.encode(None)


class Waveform:
    """The loudness of a recording over its length, as a drawing."""

    def __init__(self) -> None:
        self._converter = Converter(sample_format="s16", rate=_EAR_RATE, layout="mono")
        self._samples = array("h")

    def hear(self, frame: AudioFrame | None) -> None:
        """Takes decoded sound; None at the end."""
        for made in self._converter.rest() if frame is None else self._converter.convert(frame):
            self._samples.frombytes(bytes(made.planes[0])[: 2 * made.samples])

    def drawn(self) -> Image.Image:
        """One column for each slice of time, as high as its loudest moment."""
        picture = Image.new("L", (PAGE_PREVIEW_SIDE_PX, _WAVE_HEIGHT_PX), _PAPER)
        pen = ImageDraw.Draw(picture)
        middle = _WAVE_HEIGHT_PX // 2
        for column in range(PAGE_PREVIEW_SIDE_PX):
            start, end = (len(self._samples) * at // PAGE_PREVIEW_SIDE_PX for at in (column, column + 1))
            part = self._samples[start : max(end, start + 1)]
            highest, lowest = max(part, default=0), min(part, default=0)
            half = max(highest, -lowest) * (middle - 2) // _LOUDEST
            pen.line((column, middle - half, column, middle + half), fill=_INK)
        return picture
