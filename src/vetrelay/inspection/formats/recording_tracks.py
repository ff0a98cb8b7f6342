"""A recording's container: opened by the one demuxer that its kind names, its tracks told apart, and measured.

Nothing is probed: the demuxer is named, it gets an object to read from and no protocol, so that a playlist or a
reference to another file opens nothing. Of many tracks one with pictures and one with sound are kept.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from vetrelay.inspection.ask import Ask
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.notes import Note
from vetrelay.inspection.outlines.outline import Content
from vetrelay.inspection.words import Reason, Unfit

MAX_VIDEO_SIDE_PX = 4096
MAX_FRAMES_PER_SECOND = 120
# A frame more than the rate says, at both ends of a short clip, is rounding.
_FRAMES_OF_GRACE = 4
_MAX_PACKETS = 2_000_000
_READ_BYTES = 1 << 18

_DEMUXERS = {
    Kind.MP4: "mov",
    Kind.QUICKTIME: "mov",
    Kind.M4A: "mov",
    Kind.WEBM: "matroska",
    Kind.AVI: "avi",
    Kind.MP3: "mp3",
    Kind.OGG: "ogg",
    Kind.WAV: "wav",
    Kind.FLAC: "flac",
    Kind.AMR: "amr",
}
_PCM = ("pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_u8", "pcm_f32le", "pcm_s16be", "pcm_s24be", "pcm_alaw", "pcm_mulaw")
# What may be decoded at all: the names of the codecs, not of the decoders.
VIDEO_CODECS = frozenset({"h264", "hevc", "vp8", "vp9", "av1", "mpeg4", "mjpeg", "h263"})
AUDIO_CODECS = frozenset({"aac", "opus", "mp3", "vorbis", "flac", "alac", "amr_nb", "amr_wb", *_PCM})
# The decoders behind them, for FFmpeg's own look at a file whose header leaves something open.
_DECODERS = ",".join(
    sorted(VIDEO_CODECS | AUDIO_CODECS | {"mp3float", "libopus", "libdav1d", "amrnb", "amrwb", "libopencore_amrnb"})
)
_OPTIONS = {"codec_whitelist": _DECODERS, "protocol_whitelist": "none"}
_LOST = {
    "video": Note.EXTRA_VIDEOS_REMOVED,
    "audio": Note.EXTRA_SOUNDS_REMOVED,
    "subtitle": Note.SUBTITLES_REMOVED,
}


class _Reader(io.RawIOBase):
    """The content as a file that FFmpeg may seek in; past the end it reads nothing, as a file does."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._position = 0

    def read(self, size: int = -1) -> bytes:
        end = len(self._content) if size < 0 else self._position + size
        taken = bytes(self._content[self._position : end])
        self._position += len(taken)
        return taken

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: len(self._content)}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracks:
    """What of a container is kept, and what is not."""

    video: VideoStream | None
    audio: AudioStream | None
    lost: tuple[Note, ...]

    @property
    def kept(self) -> tuple[VideoStream | AudioStream, ...]:
        """Pictures first, then sound."""
        return tuple(track for track in (self.video, self.audio) if track is not None)


@dataclass(slots=True, kw_only=True)
class Extent:
    """How much of one track there is, in its own time base, as its packets are counted."""

    time_base: Fraction
    packets: int = 0
    first: int | None = None
    end: int = 0

    @property
    def seconds(self) -> Fraction:
        """From the first picture or sound to the end of the last."""
        return Fraction(0) if self.first is None else max(Fraction(0), (self.end - self.first) * self.time_base)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """The length of a recording, and how many packets its kept tracks have."""

    seconds: Fraction
    video_packets: int
    audio_packets: int


def opened(content: Content, kind: Kind) -> InputContainer:
    """The container, by the demuxer of its kind. Raises what FFmpeg raises."""
    return av.open(
        _Reader(content),
        "r",
        format=_DEMUXERS[kind],
        container_options=_OPTIONS,
        metadata_errors="replace",
        buffer_size=_READ_BYTES,
    )


def choose(container: InputContainer, kind: Kind) -> Tracks:
    """The first track with pictures and the first with sound. Raises Unfit for a recording without either."""
    covers = Disposition.attached_pic | Disposition.timed_thumbnails
    videos = [track for track in container.streams.video if not track.disposition & covers]
    sounds = list(container.streams.audio)
    kept: list[Stream] = [*videos[:1], *sounds[:1]]
    if not kept:
        raise Unfit(Reason.NOTHING_TO_PLAY)
    lost = [
        Note.COVER_PICTURE_REMOVED
        if track.type == "video" and track.disposition & covers
        else _LOST.get(track.type, Note.HIDDEN_TRACKS_REMOVED)
        for track in container.streams
        if track not in kept
    ]
    if container.chapters():
        lost.append(Note.CHAPTERS_REMOVED)
        # In MP4 the titles of the chapters are a track of their own: it is told once.
        if kind in {Kind.MP4, Kind.QUICKTIME, Kind.M4A} and Note.HIDDEN_TRACKS_REMOVED in lost:
            lost.remove(Note.HIDDEN_TRACKS_REMOVED)
    return Tracks(video=videos[0] if videos else None, audio=sounds[0] if sounds else None, lost=tuple(lost))


def codec_of(track: VideoStream | AudioStream | None) -> str:
    """The codec's name as FFmpeg has it; empty for no track and for a codec that FFmpeg does not know."""
    if track is None or track.codec_context is None:
        return ""
    return str(track.codec_context.codec.canonical_name)


def packets(container: InputContainer, tracks: Tracks) -> Iterator["Packet[Stream]"]:
    """The packets of the kept tracks, as they stand in the file. Raises Unfit where one is cut short."""
    for count, packet in enumerate(container.demux(*tracks.kept)):
        if packet.size == 0 and packet.dts is None:  # FFmpeg's sign that a track has ended
            continue
        if packet.is_corrupt:
            raise Unfit(Reason.INCOMPLETE)
        if count > _MAX_PACKETS:
            raise Unfit(Reason.DAMAGED)
        yield packet


def measure(container: InputContainer, tracks: Tracks, ask: Ask) -> Measure:
    """Reads the container once, without decoding. Raises Unfit for what is too long, too large or too fast."""
    if tracks.video is not None:
        check_frame(tracks.video.codec_context.width, tracks.video.codec_context.height)
    extents = {track.index: Extent(time_base=track.time_base or Fraction(1, 1000)) for track in tracks.kept}
    for packet in packets(container, tracks):
        _count(extents[packet.stream_index], packet)
    seconds = max(extent.seconds for extent in extents.values())
    if ask.most and seconds > ask.most + 1:
        raise Unfit(Reason.RECORDING_TOO_LONG)
    video = extents.get(tracks.video.index) if tracks.video is not None else None
    audio = extents.get(tracks.audio.index) if tracks.audio is not None else None
    if not any(extent.packets for extent in extents.values()):
        raise Unfit(Reason.INCOMPLETE)
    if video is not None and video.packets > MAX_FRAMES_PER_SECOND * video.seconds + _FRAMES_OF_GRACE:
        raise Unfit(Reason.TOO_MANY_FRAMES_A_SECOND)
    return Measure(
        seconds=seconds,
        video_packets=0 if video is None else video.packets,
        audio_packets=0 if audio is None else audio.packets,
    )


def _count(extent: Extent, packet: "Packet[Stream]") -> None:
    start = packet.pts if packet.pts is not None else packet.dts
    extent.packets += 1
    if start is None or packet.is_discard:
        return
    extent.first = start if extent.first is None else min(extent.first, start)
    extent.end = max(extent.end, start + (packet.duration or 0))


def check_frame(untrusted_width_px: int, untrusted_height_px: int) -> None:
    """Refuses a frame beyond the limits, before it is allocated where the container says it. Raises Unfit."""
    if max(untrusted_width_px, untrusted_height_px) > MAX_VIDEO_SIDE_PX:
        raise Unfit(Reason.VIDEO_TOO_LARGE)
