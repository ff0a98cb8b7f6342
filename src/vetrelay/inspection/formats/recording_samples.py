"""One tiny recording for each way through the formats, made on the spot by FFmpeg's own encoders, one thread each.

AV1 is kept as text, because its encoder starts a crowd of threads and prints; AMR is written out, because its encoder
is not sound in every build of FFmpeg.
"""

import base64
import io
from collections.abc import Iterator, Mapping

import av
from av.audio.stream import AudioStream
from av.filter import Graph
from av.video.stream import VideoStream

_SIZE_PX = (64, 48)
_FRAMES = 8
_RATE = 48_000
_SOUND_FRAMES = 10
_QUIET = "pools=none:frame-threads=1:lookahead-threads=1:no-wpp=1:log-level=none"
_OPTIONS: Mapping[str, Mapping[str, str]] = {
    "libx264": {"x264-params": "threads=1:lookahead-threads=1:sync-lookahead=0:bframes=2"},
    "libx265": {"x265-params": _QUIET, "preset": "ultrafast"},
}
# Ten frames of narrow-band sound at 12.2 kbit/s (RFC 4867, section 5.3), all parameters zero.
_AMR = b"#!AMR\n" + (b"\x3c" + bytes(31)) * 10
# Four frames of one colour, 64×48 px, in WebM, written by SVT-AV1 4.1.
_AV1 = base64.b64decode(
    "GkXfo59ChoEBQveBAULygQRC84EIQoKEd2VibUKHgQJChYECGFOAZwEAAAAAAAI7EU2bdLpNu4tTq4QVSalmU6yBoU27i1OrhBZUrmtTrIHGTbuM"
    "U6uEElTDZ1OsggEpTbuMU6uEHFO7a1OsggIl7AEAAAAAAABZAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAVSalmoCrXsYMPQkBNgIRMYXZmV0GETGF2ZkSJiEBgoAAAAAAAFlSua96u"
    "AQAAAAAAAFXXgQFzxYgAAAAAAAAAAZyBACK1nIN1bmSIgQCGhVZfQVYxg4EB4JuwgUC6gTBVsIRVuYEBdnCLdnWIQFaAAAAAAABjopCBAAwACgoA"
    "AAACr/eAXwAIElTDZ7Vzc7JjwItjxYgAAAAAAAAAAWfIoUWjiERVUkFUSU9ORIeTMDA6MDA6MDAuMTMzMDAwMDAwAB9DtnVAvOeBAKOngQAAgAoK"
    "AAAAAq/3jV8gCDIVEACWgBBAggAAEAAo0lWbYjMiZxTso+mBACMAMhooCAAkkkk9TwBBAggQADgAAARBvZkxIKAuZjIZKAQBBJIAPXgAYYMMEAAY"
    "ABgbYJ8yHVr0QDIXKAKEBJJhnYMAccMMEAAYABqcNDzfmSAyEzADAAklXTsYAAACAAMAABxqwmmjh4EARgAaAdijmoEAZAAyFDAGABVawzsYAAAC"
    "AAMAABxqwmxAHFO7a5G7j7OBALeK94EB8YIBY/CBAw=="
)
_SAMPLE_FORMATS = {
    "libopus": "s16",
    "flac": "s16",
    "aac": "fltp",
    "libmp3lame": "fltp",
    "alac": "s16p",
    "vorbis": "fltp",
}


def made() -> tuple[bytes, ...]:
    """In fixed order: videos, then sound."""
    return (
        recording("mp4", "libx264", "aac", turned=90),
        recording("mov", "libx265", "pcm_s16le", turned=180),
        recording("mov", "libx264", "aac", pixels="yuv422p10le"),
        recording("webm", "libvpx", "libopus"),
        recording("webm", "libvpx-vp9", "vorbis"),
        recording("matroska", "libx264", "aac"),
        recording("avi", "mpeg4", "libmp3lame"),
        recording("avi", "mjpeg", "pcm_s16le", pixels="yuvj420p"),
        recording("mp3", "", "libmp3lame"),
        recording("ipod", "", "aac"),
        recording("ipod", "", "alac"),
        recording("ogg", "", "libopus"),
        recording("ogg", "", "vorbis"),
        recording("wav", "", "pcm_s16le"),
        recording("flac", "", "flac"),
        _AMR,
        _AV1,
    )


def recording(format_name: str, video: str, sound: str, *, turned: int = 0, pixels: str = "yuv420p") -> bytes:
    """A third of a second; an empty codec means no such track."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=format_name) as target:
        pictures = target.add_stream(video, rate=30, options=dict(_OPTIONS.get(video, {}))) if video else None
        tones = target.add_stream(sound, rate=_RATE) if sound else None
        if isinstance(pictures, VideoStream):
            pictures.width, pictures.height = _SIZE_PX
            pictures.pix_fmt = pixels
            pictures.codec_context.thread_count = 1
            pictures.codec_context.thread_type = "NONE"
            if turned:
                pictures.set_display_rotation(turned)
        if isinstance(tones, AudioStream):
            tones.codec_context.thread_count = 1
            if sound == "vorbis":
                tones.codec_context.options = {"strict": "experimental"}
        if isinstance(pictures, VideoStream):
            for frame in _pictures(pixels):
                target.mux(pictures.encode(frame))
            target.mux(pictures.encode(None))
        if isinstance(tones, AudioStream):
            for heard in _tones(_SAMPLE_FORMATS.get(sound, "s16"), tones.codec_context.frame_size or 1024):
                target.mux(tones.encode(heard))
            target.mux(tones.encode(None))
    return buffer.getvalue()


def _pictures(pixels: str) -> Iterator[av.VideoFrame]:
    """A moving test picture."""
    graph = Graph()
    graph.threads = 1
    width, height = _SIZE_PX
    source = graph.add("testsrc2", f"size={width}x{height}:rate=30")
    graph.link_nodes(source, graph.add("format", pixels), graph.add("buffersink")).configure()
    for _ in range(_FRAMES):
        frame = graph.vpull()
        frame.pict_type = 0  # NONE: the encoder chooses
        yield frame


def _tones(sample_format: str, frame_samples: int) -> Iterator[av.AudioFrame]:
    """A beep."""
    graph = Graph()
    graph.threads = 1
    source = graph.add("sine", f"frequency=440:sample_rate={_RATE}:samples_per_frame={frame_samples}")
    form = graph.add("aformat", f"sample_fmts={sample_format}:channel_layouts=stereo")
    graph.link_nodes(source, form, graph.add("abuffersink")).configure()
    for _ in range(_SOUND_FRAMES):
        frame = graph.pull()
        if isinstance(frame, av.AudioFrame):
            yield frame
