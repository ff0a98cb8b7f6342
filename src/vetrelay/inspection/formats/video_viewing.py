"""The viewing copy of a video: at most 720p, H.264 with AAC, upright, and its stills, in one pass over the frames.

Phones film in HEVC, which opens black in many browsers of clinics; this copy plays in all of them. Wide-gamut and HDR
pictures are shown in 8 bits without tone mapping: paler than on the phone, and the record has them unchanged.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
from av.bitstream import BitStreamFilterContext
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vetrelay.inspection.formats import recording_tracks, video_pace
from vetrelay.inspection.formats.audio_sound import AacTrack
from vetrelay.inspection.formats.recording_remux import copied, sink
from vetrelay.inspection.formats.recording_tracks import Measure, Tracks
from vetrelay.inspection.formats.video_pace import Pace, Rung
from vetrelay.inspection.formats.video_stills import Stills
from vetrelay.inspection.formats.video_upright import Shape, Upright, shape_of
from vetrelay.inspection.formats.video_writing import WritingFilter
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.outlines.outline import Content
from vetrelay.inspection.words import Reason, Unfit

_TICKS = Fraction(1, 90_000)
# One thread in every part of x264: the jail has no others.
_X264 = "threads=1:lookahead-threads=1:sync-lookahead=0:rc-lookahead=10:keyint=120"
_X264_OPTIONS = {"crf": "26", "profile": "main", "maxrate": "4M", "bufsize": "8M", "x264-params": _X264}
# x264 writes its settings into the stream, as text.
_NO_WRITING = "filter_units=remove_types=6"
_AAC_PACKETS_PER_SECOND = 50
# One packet in so many may be beyond repair before the whole counts as damaged.
_PACKETS_PER_FAULT = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewing:
    """What was seen of a video: the copy (None where time did not allow one), the stills, and how it is shown."""

    content: bytes | None
    width_px: int
    height_px: int
    shape: Shape
    stills: Stills
    sparse: bool


class _Copy:
    """The file in the making. Its tracks can only be laid down when the first frame has said how it is shown."""

    def __init__(self, *, tracks: Tracks, measure: Measure, rung: Rung, shape: Shape) -> None:
        self.buffer = io.BytesIO()
        packets = measure.video_packets + measure.audio_packets + int(measure.seconds * _AAC_PACKETS_PER_SECOND)
        self.target: OutputContainer = sink(Kind.MP4, self.buffer, packets=packets)
        self.size_px = shape.within(rung.short_px, rung.long_px)
        self.upright = Upright(shape, self.size_px)
        self._video = self.target.add_stream("libx264", options={**_X264_OPTIONS, "preset": rung.preset})
        self._video.width, self._video.height = self.size_px
        self._video.pix_fmt = "yuv420p"
        self._video.codec_context.time_base = _TICKS
        self._video.codec_context.thread_count = 1
        self._video.codec_context.thread_type = "NONE"
        self._sound: AacTrack | None = None
        self._same_sound: Stream | None = None
        if tracks.audio is not None and recording_tracks.codec_of(tracks.audio) == "aac":
            self._same_sound = copied(self.target, tracks.audio, WritingFilter("aac", b""))
        elif tracks.audio is not None:
            self._sound = AacTrack(self.target, tracks.audio)
        self._without_writing: BitStreamFilterContext | None = None

    def show(self, frame: VideoFrame | None) -> None:
        """Adds an upright frame; None ends the pictures."""
        if frame is not None:
            frame.pict_type = 0  # NONE: x264 chooses, not the camera
        for packet in self._video.encode(frame):
            if self._without_writing is None:
                self._without_writing = BitStreamFilterContext(_NO_WRITING, self._video)
            for bare in self._without_writing.filter(packet):
                bare.stream = self._video
                self.target.mux(bare)

    def hear(self, packet: "Packet[Stream] | None") -> None:
        """Adds sound, as it is where it is AAC already; None ends it."""
        if self._same_sound is not None and packet is not None:
            packet.stream = self._same_sound
            self.target.mux(packet)
        elif self._sound is not None:
            frames = [None] if packet is None else decoded_sound(packet)
            for frame in frames:
                for made in self._sound.packets(frame):
                    self.target.mux(made)

    def whole(self) -> bytes:
        """The file."""
        self.target.close()
        return self.buffer.getvalue()


def decoded_sound(packet: "Packet[Stream]") -> list[av.AudioFrame]:
    """What a decoder makes of a packet of sound: nothing, of one that is beyond repair."""
    try:
        return [frame for frame in packet.decode() if isinstance(frame, av.AudioFrame)]
    except av.error.InvalidDataError:
        return []


def view(content: Content, kind: Kind, measure: Measure, *, seconds: float) -> Viewing:
    """Decodes a video once. Raises Unfit, and what FFmpeg raises."""
    with recording_tracks.opened(content, kind) as source:
        tracks = recording_tracks.choose(source, kind)
        if tracks.video is None:
            raise Unfit(Reason.NOTHING_TO_PLAY)
        return _Viewer(tracks, tracks.video, measure, seconds).watch(recording_tracks.packets(source, tracks))


class _Viewer:
    """One pass over the packets of a video."""

    def __init__(self, tracks: Tracks, video: VideoStream, measure: Measure, seconds: float) -> None:
        self._tracks, self._video, self._measure, self._seconds = tracks, video, measure, seconds
        video.codec_context.thread_count = 1
        video.codec_context.thread_type = "NONE"
        self._pace = Pace(seconds=seconds, length=measure.seconds)
        self._stills = Stills(length_seconds=float(measure.seconds))
        self._shape: Shape | None = None
        self._copy: _Copy | None = None
        self._waiting: list[Packet[Stream]] = []  # sound that comes before the first frame
        self._first: float | None = None
        self._last: float = 0.0
        self._faults = 0
        self._given_up = False

    def watch(self, packets: Iterator["Packet[Stream]"]) -> Viewing:
        """Takes every packet, then the rest out of decoders and encoders."""
        for packet in packets:
            if packet.stream_index == self._video.index:
                self._see(packet)
            elif self._copy is None:
                self._waiting.append(packet)
            elif not self._given_up:
                self._copy.hear(packet)
        self._see(None)
        if self._copy is None or self._shape is None or self._faults * _PACKETS_PER_FAULT > self._measure.video_packets:
            raise Unfit(Reason.DAMAGED)
        if not self._given_up:
            self._flush_sound(self._copy)
            self._copy.show(None)
        width_px, height_px = self._copy.size_px
        return Viewing(
            content=None if self._given_up else self._copy.whole(),
            width_px=width_px,
            height_px=height_px,
            shape=self._shape,
            stills=self._stills,
            sparse=self._pace.sparse,
        )

    def _flush_sound(self, copy: _Copy) -> None:
        if self._tracks.audio is not None and recording_tracks.codec_of(self._tracks.audio) != "aac":
            end: Packet[Stream] = Packet()
            end.stream = self._tracks.audio
            end.time_base = self._tracks.audio.time_base or Fraction(1, self._tracks.audio.codec_context.sample_rate)
            copy.hear(end)
            copy.hear(None)

    def _see(self, packet: "Packet[Stream] | None") -> None:
        if self._given_up:
            return
        try:
            frames = self._video.codec_context.decode(packet)
        except av.error.InvalidDataError:
            self._faults += 1
            return
        for frame in frames:
            # The last ones, which come without a packet, do not know in which unit their time is.
            frame.time_base = frame.time_base or self._video.time_base
            self._frame(frame)
        if self._pace.only_key_frames:
            self._video.codec_context.skip_frame = "NONKEY"

    def _frame(self, frame: VideoFrame) -> None:
        if frame.pts is None:
            frame.pts = frame.dts
        if frame.pts is None or frame.time_base is None:
            return
        second = float(frame.pts * frame.time_base)
        if self._copy is None:
            self._begin(frame)
            self._first = second
        elif second <= self._last:
            return
        self._last = second
        at = second - (self._first or 0.0)
        shown, kept = self._pace.shows(at), self._stills.wants(at)
        if self._copy is None or not (shown or kept):
            return
        upright = self._copy.upright.of(frame)
        if kept:
            self._stills.take(upright)
        if self._pace.out_of_time:
            self._given_up = True
        elif shown:
            self._copy.show(upright)

    def _begin(self, frame: VideoFrame) -> None:
        self._shape = shape_of(frame, self._video.sample_aspect_ratio)
        codec = recording_tracks.codec_of(self._video)
        rung = video_pace.rung(codec, self._measure, (frame.width, frame.height), self._seconds)
        self._copy = _Copy(tracks=self._tracks, measure=self._measure, rung=rung, shape=self._shape)
        for packet in self._waiting:
            self._copy.hear(packet)
        self._waiting.clear()
