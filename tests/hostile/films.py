"""Videos and sound files made on the spot, and how they are looked at."""

import io
import struct
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import cast

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.filter import Graph
from av.packet import Packet
from av.sidedata.sidedata import SideDataContainer
from av.stream import Stream
from av.video.stream import VideoStream

from tests.hostile.images import photo

PRYING = "Prying Miller"
RATE = 48_000
MS = Fraction(1, 1000)
_OPTIONS: Mapping[str, Mapping[str, str]] = {
    "libx264": {"preset": "veryfast", "x264-params": "threads=1:lookahead-threads=1:sync-lookahead=0:bframes=2"},
    "libx265": {
        "preset": "ultrafast",
        "x265-params": "pools=none:frame-threads=1:lookahead-threads=1:no-wpp=1:log-level=none",
    },
    "libvpx": {"deadline": "realtime", "cpu-used": "8"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
}
_SAMPLE_FORMATS = {"aac": "fltp", "libmp3lame": "fltp", "alac": "s16p", "vorbis": "fltp"}


# --- sound recordings ---------------------------------------------------------------------------------------------------


def recording(
    container: str,
    videos: Sequence[str] = (),
    sounds: Sequence[str] = (),
    *,
    seconds: float = 1.0,
    size: tuple[int, int] = (160, 120),
    rate: int = 30,
    times_ms: Sequence[int] = (),
    turned: int = 0,
    mirrored: bool = False,
    pixels: str = "yuv420p",
    labels: Mapping[str, str] | None = None,
    track_labels: Mapping[str, str] | None = None,
    chapters: bool = False,
    subtitles: str = "",
    attachment: bool = False,
    options: Mapping[str, str] | None = None,
) -> bytes:
    """A recording with these tracks; `times_ms` says when each picture is shown, else `rate` of them make a second."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container, container_options=dict(options or {})) as target:
        target.metadata.update(labels or {})
        tick = MS if times_ms else Fraction(1, rate)
        shown = [_shown(target, codec, size, tick, pixels) for codec in videos]
        heard = [_heard(target, codec) for codec in sounds]
        written = target.add_mux_stream(subtitles) if subtitles else None
        if attachment:
            target.add_attachment("prying.txt", "text/plain", PRYING.encode())
        for track in shown:
            if turned or mirrored:
                track.set_display_rotation(turned, mirrored)
            track.metadata.update(track_labels or {})
        if chapters:
            half = int(seconds * 500)
            target.set_chapters(
                [
                    {"id": 1, "start": 0, "end": half, "time_base": MS, "metadata": {"title": f"{PRYING} begins"}},
                    {"id": 2, "start": half, "end": 2 * half, "time_base": MS, "metadata": {"title": f"{PRYING} ends"}},
                ]
            )
        moments = times_ms or range(int(seconds * rate))
        for track in shown:
            _film(target, track, moments, tick, size, pixels)
        for sounding, codec in zip(heard, sounds, strict=True):
            _play(target, sounding, codec, seconds)
        if written is not None:
            target.mux(_caption(written, subtitles))
    return buffer.getvalue()


def _shown(target: OutputContainer, codec: str, size: tuple[int, int], tick: Fraction, pixels: str) -> VideoStream:
    track = target.add_stream(codec, rate=round(1 / tick), options=dict(_OPTIONS.get(codec, {})))
    assert isinstance(track, VideoStream)
    track.width, track.height = size
    track.pix_fmt = pixels
    track.codec_context.time_base = tick
    track.codec_context.thread_count = 1
    return track


def _heard(target: OutputContainer, codec: str) -> AudioStream:
    track = target.add_stream(codec, rate=RATE)
    assert isinstance(track, AudioStream)
    track.codec_context.thread_count = 1
    if codec == "vorbis":
        track.codec_context.options = {"strict": "experimental"}
    return track


def _film(
    target: OutputContainer,
    track: VideoStream,
    moments: Sequence[int],
    tick: Fraction,
    size: tuple[int, int],
    pixels: str,
) -> None:
    still = photo(*size)
    for index, moment in enumerate(moments):
        picture = still.copy()
        picture.paste((255, 255, 0), (size[0] // 2 + index % 30, 4, size[0] // 2 + index % 30 + 12, 16))
        frame = av.VideoFrame.from_image(picture).reformat(format=pixels)  # type: ignore[no-untyped-call]  # PyAV leaves it untyped
        frame.pts, frame.time_base = moment, tick
        target.mux(track.encode(frame))
    target.mux(track.encode(None))


def _play(target: OutputContainer, track: AudioStream, codec: str, seconds: float) -> None:
    graph = Graph()
    graph.threads = 1
    samples = track.codec_context.frame_size or 1024
    source = graph.add("sine", f"frequency=440:sample_rate={RATE}:samples_per_frame={samples}")
    form = graph.add("aformat", f"sample_fmts={_SAMPLE_FORMATS.get(codec, 's16')}:channel_layouts=stereo")
    graph.link_nodes(source, form, graph.add("abuffersink")).configure()
    for _ in range(int(seconds * RATE / samples)):
        frame = graph.pull()
        assert isinstance(frame, av.AudioFrame)
        target.mux(track.encode(frame))
    target.mux(track.encode(None))


def _caption(track: Stream, codec: str) -> "Packet[Stream]":
    words = f"{PRYING} says".encode()
    packet = Packet(len(words).to_bytes(2, "big") + words if codec == "mov_text" else words)
    packet.pts = packet.dts = 0
    packet.duration, packet.time_base, packet.stream = 500, MS, track
    return packet


def phone_mp4(**changes: object) -> bytes:
    """What most phones send."""
    return recording("mp4", ["libx264"], ["aac"], **changes)  # type: ignore[arg-type]  # as recording takes them


def webm(**changes: object) -> bytes:
    """What browsers record."""
    return recording("webm", ["libvpx"], ["libopus"], **changes)  # type: ignore[arg-type]  # as recording takes them


def mp3() -> bytes:
    """A second of sound without any label."""
    return recording("mp3", (), ["libmp3lame"], options={"id3v2_version": "0"})


def ogg() -> bytes:
    """A voice message."""
    return recording("ogg", (), ["libopus"])


def amr() -> bytes:
    """Fifty frames of narrow-band sound at 12.2 kbit/s, all parameters zero."""
    return b"#!AMR\n" + (b"\x3c" + bytes(31)) * 50


# --- how they are looked at ---------------------------------------------------------------------------------------------


def opened(content: bytes) -> InputContainer:
    """A recording, to read."""
    return av.open(io.BytesIO(content), "r")


def moments(content: bytes) -> list[float]:
    """When each frame is shown, in seconds."""
    with opened(content) as source:
        return [frame.time or 0.0 for frame in source.decode(video=0)]


def packets(content: bytes, kind: str) -> list[tuple[Fraction | None, bool, bytes]]:
    """When each packet of the first track of this kind is shown, whether it is complete in itself, and its bytes."""
    with opened(content) as source:
        track = (source.streams.video if kind == "video" else source.streams.audio)[0]
        return [
            (None if packet.pts is None else packet.pts * packet.time_base, packet.is_keyframe, bytes(packet))
            for packet in source.demux(track)
            if packet.size > 0
        ]


def unwritten(payload: bytes, *, hevc: bool = False) -> bytes:
    """A packet of H.264 or HEVC, as MP4 holds it, without any message between its frames."""
    kept, position = b"", 0
    while position < len(payload):
        end = position + 4 + int.from_bytes(payload[position : position + 4], "big")
        kind = payload[position + 4] >> 1 & 0x3F if hevc else payload[position + 4] & 0x1F
        kept += b"" if kind in ((39, 40) if hevc else (6,)) else payload[position:end]
        position = end
    return kept


def matrix_of(content: bytes) -> tuple[int, ...]:
    """The display matrix of the first frame; empty for none."""
    with opened(content) as source:
        frame = next(source.decode(video=0))
        # PyAV's types say that frames carry motion vectors only.
        beside = cast("SideDataContainer", frame.side_data).get("DISPLAYMATRIX")
        return () if beside is None else struct.unpack("=9i", bytes(beside))
