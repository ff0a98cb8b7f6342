"""Videos and sound files made on the spot: sound ones, prying ones and hostile ones, each built from its parts."""

import io
import struct
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.filter import Graph
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from tests.hostile.images import photo

PRYING = "Prying Miller"
PLACE = "+48.2082+016.3738/"
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
# What a phone and its programs write on a film; every word of it is about its owner.
LABELS = {
    "title": f"{PRYING} title",
    "artist": f"{PRYING} artist",
    "comment": f"{PRYING} comment",
    "location": PLACE,
    "creation_time": "2019-03-04T05:06:07Z",
}
APPLE_LABELS = {
    "com.apple.quicktime.location.ISO6709": PLACE,
    "com.apple.quicktime.make": f"{PRYING} make",
    "com.apple.quicktime.model": f"{PRYING} model",
    "com.apple.quicktime.creationdate": "2019-03-04T07:06:07+0200",
    "com.apple.quicktime.content.identifier": f"{PRYING} serial",
}


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
        frame = av.VideoFrame.from_image(picture).reformat(format=pixels)
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


# --- prying ones --------------------------------------------------------------------------------------------------------


def in_index(film: bytes, box: bytes) -> bytes:
    """An MP4 whose index, which stands last, has one more box."""
    at = film.rindex(b"moov") - 4
    size = int.from_bytes(film[at : at + 4], "big")
    assert at + size == len(film)
    return film[:at] + (size + len(box)).to_bytes(4, "big") + film[at + 4 :] + box


def box(kind: bytes, content: bytes) -> bytes:
    """A box of MP4."""
    return (8 + len(content)).to_bytes(4, "big") + kind + content


def place_box() -> bytes:
    """Where a phone stood, as QuickTime writes it, and a cover picture as iTunes does."""
    text = PLACE.encode()
    cover = box(b"ilst", box(b"covr", box(b"data", struct.pack(">II", 13, 0) + b"\xff\xd8\xff" + PRYING.encode())))
    handler = box(b"hdlr", bytes(8) + b"mdirappl" + bytes(9))
    return box(
        b"udta",
        box(b"\xa9xyz", struct.pack(">HH", len(text), 0x15C7) + text) + box(b"meta", bytes(4) + handler + cover),
    )


def prying_mp4() -> bytes:
    """Labels, place, cover, chapters, subtitles, a maker's record, XMP, and the encoder's words between the frames."""
    film = recording(
        "mp4",
        ["libx264"],
        ["aac"],
        labels=LABELS,
        track_labels={"handler_name": f"{PRYING} handler", "language": "deu"},
        chapters=True,
        subtitles="mov_text",
    )
    xmp = box(b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + f"<x:xmpmeta>{PRYING}".encode())
    return in_index(film, place_box()) + xmp + box(b"free", PRYING.encode())


def prying_mov() -> bytes:
    """Apple's own labels, and a track of time codes."""
    return recording(
        "mov",
        ["libx264"],
        ["aac"],
        labels={**LABELS, **APPLE_LABELS},
        track_labels={"timecode": "01:02:03:04", "reel_name": PRYING},
        options={"movflags": "use_metadata_tags"},
    )


def prying_matroska(container: str, video: str, sound: str, subtitles: str) -> bytes:
    """Tags, chapters, subtitles, and in Matroska a file attached."""
    return recording(
        container,
        [video],
        [sound],
        labels=LABELS,
        track_labels={"title": f"{PRYING} track"},
        chapters=True,
        subtitles=subtitles,
        attachment=container == "matroska",
    )


def id3(frames: Mapping[str, bytes]) -> bytes:
    """An ID3v2.3 label."""
    body = b"".join(name.encode() + struct.pack(">IH", len(value), 0) + value for name, value in frames.items())
    size = len(body)
    return b"ID3\x03\x00\x00" + bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0)) + body


def ape() -> bytes:
    """An APE label of one item, with its footer only."""
    item = struct.pack("<II", len(PRYING), 0) + b"Artist\0" + PRYING.encode()
    return item + b"APETAGEX" + struct.pack("<IIII", 2000, len(item) + 32, 1, 0) + bytes(8)


def id3v1() -> bytes:
    """The label of 128 bytes at a file's end."""
    return b"TAG" + PRYING.encode().ljust(124, b"\0") + b"\x05"


def prying_mp3() -> bytes:
    """Every label that an MP3 may have."""
    told = PRYING.encode()
    frames = {
        "TIT2": b"\0" + told,
        "TPE1": b"\x01\xff\xfe" + PRYING.encode("utf-16-le"),
        "COMM": b"\0eng\0" + told,
        "APIC": b"\0image/jpeg\0\x03\0\xff\xd8\xff" + told,
        "PRIV": b"owner\0" + told,
        "GEOB": b"\0text/plain\0a.txt\0\0" + told,
    }
    return id3(frames) + mp3() + ape() + id3v1()


def prying_flac() -> bytes:
    """Vorbis comments, a picture, and an application's own block."""
    film = recording("flac", (), ["flac"], labels=LABELS)
    told = PRYING.encode()
    kind = b"image/jpeg"
    picture = struct.pack(">II", 3, len(kind)) + kind + struct.pack(">I", len(told)) + told
    picture += struct.pack(">IIIII", 1, 1, 24, 0, len(told)) + told
    blocks = b"".join(
        bytes([number]) + len(content).to_bytes(3, "big") + content
        for number, content in ((6, picture), (2, b"ATCH" + told))
    )
    return film[:42] + blocks + film[42:]


def prying() -> Iterator[tuple[str, bytes]]:
    """One of each kind, with everything that its kind can carry along."""
    yield "a.mp4", prying_mp4()
    yield "a.mov", prying_mov()
    yield "a.mkv", prying_matroska("matroska", "libx264", "aac", "subrip")
    yield "a.webm", prying_matroska("webm", "libvpx", "libopus", "webvtt")
    yield "b.webm", prying_matroska("webm", "libvpx-vp9", "vorbis", "")
    yield "hevc.mov", recording("mov", ["libx265"], ["pcm_s16le"], labels={**LABELS, **APPLE_LABELS})
    yield "a.avi", recording("avi", ["mpeg4"], ["libmp3lame"], labels=LABELS)
    yield "a.mp3", prying_mp3()
    yield "a.m4a", in_index(recording("ipod", (), ["aac"], labels=LABELS), place_box())
    yield "alac.m4a", recording("ipod", (), ["alac"], labels=LABELS)
    yield "opus.ogg", recording("ogg", (), ["libopus"], labels=LABELS, chapters=True)
    yield "vorbis.ogg", recording("ogg", (), ["vorbis"], labels=LABELS)
    yield "a.wav", recording("wav", (), ["pcm_s16le"], labels=LABELS) + b"id3 \x0e\0\0\0" + PRYING.encode() + b"\0"
    yield "a.flac", prying_flac()


# --- how they are looked at ---------------------------------------------------------------------------------------------


def packets(content: bytes, kind: str) -> list[tuple[Fraction | None, bool, bytes]]:
    """When each packet of the first track of this kind is shown, whether it is complete in itself, and its bytes."""
    with av.open(io.BytesIO(content)) as source:
        track = (source.streams.video if kind == "video" else source.streams.audio)[0]
        return [
            (None if packet.pts is None else packet.pts * packet.time_base, packet.is_keyframe, bytes(packet))
            for packet in source.demux(track)
            if packet.size
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
    with av.open(io.BytesIO(content)) as source:
        frame = next(source.decode(video=0))
        for beside in frame.side_data:
            if beside.type.name == "DISPLAYMATRIX":
                return struct.unpack("=9i", bytes(beside))
    return ()
