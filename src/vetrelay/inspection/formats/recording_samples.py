"""One tiny recording for each way through the formats, made on the spot by FFmpeg's own encoders, one thread each.

AV1 and AMR are kept as text: AV1's encoder starts a crowd of threads and prints, and an AMR sample is one frame of
silence, repeated.
"""

import io
from collections.abc import Mapping
from fractions import Fraction

import av
from av.filter import Graph

_SIZE_PX = (64, 48)
_FRAMES = 8
_RATE = 48_000
_SOUND_FRAMES = 10
_QUIET = "pools=none:frame-threads=1:lookahead-threads=1:no-wpp=1:log-level=none"
_OPTIONS: Mapping[str, Mapping[str, str]] = {
    "libx264": {"x264-params": "threads=1:lookahead-threads=1:sync-lookahead=0:bframes=2"},
    "libx265": {"x265-params": _QUIET, "preset": "ultrafast"},
}
# Narrow-band, 12.2 kbit/s, a frame of silence.
_AMR = b"#!AMR\n" + bytes.fromhex("3c48f51f96663de1e100008a000000000000000000000000000000000000") [:32] * 10
_SAMPLE_FORMATS = {"libopus": "s16", "flac": "s16", "aac": "fltp", "libmp3lame": "fltp", "alac": "s16p", "vorbis": "fltp"}


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
    )


def recording(
    format_name: str, video: str, sound: str, *, turned: int = 0, pixels: str = "yuv420p"
) -> bytes:
    """A third of a second; an empty codec means no such track."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=format_name) as target:
        pictures = target.add_stream(video, rate=30, options=dict(_OPTIONS.get(video, {}))) if video else None
        tones = target.add_stream(sound, rate=_RATE) if sound else None
        if pictures is not None:
            pictures.width, pictures.height = _SIZE_PX
            pictures.pix_fmt = pixels
            pictures.codec_context.thread_count = 1
            pictures.codec_context.thread_type = "NONE"
            if turned:
                pictures.set_display_rotation(turned)
        if tones is not None:
            tones.codec_context.thread_count = 1
            if sound == "vorbis":
                tones.codec_context.options = {"strict": "experimental"}
        if pictures is not None:
            for frame in _pictures(pixels):
                target.mux(pictures.encode(frame))
            target.mux(pictures.encode(None))
        if tones is not None:
            for heard in _tones(_SAMPLE_FORMATS.get(sound, "s16"), tones.codec_context.frame_size or 1024):
                target.mux(tones.encode(heard))
            target.mux(tones.encode(None))
    return buffer.getvalue()
