"""Recordings with everything that phones, programs and people write on them, planted to be found again."""

import struct
from collections.abc import Callable, Mapping

from tests.hostile import films
from tests.hostile.films import PRYING

PLACE = "+48.2082+016.3738/"
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
    film = films.recording(
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
    return films.recording(
        "mov",
        ["libx264"],
        ["aac"],
        labels={**LABELS, **APPLE_LABELS},
        track_labels={"timecode": "01:02:03:04", "reel_name": PRYING},
        options={"movflags": "use_metadata_tags"},
    )


def prying_matroska(container: str, video: str, sound: str, subtitles: str) -> bytes:
    """Tags, chapters, subtitles, and in Matroska a file attached."""
    return films.recording(
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
    return id3(frames) + films.mp3() + ape() + id3v1()


def prying_flac() -> bytes:
    """Vorbis comments, a picture, and an application's own block."""
    film = films.recording("flac", (), ["flac"], labels=LABELS)
    told = PRYING.encode()
    kind = b"image/jpeg"
    picture = struct.pack(">II", 3, len(kind)) + kind + struct.pack(">I", len(told)) + told
    picture += struct.pack(">IIIII", 1, 1, 24, 0, len(told)) + told
    blocks = b"".join(
        bytes([number]) + len(content).to_bytes(3, "big") + content
        for number, content in ((6, picture), (2, b"ATCH" + told))
    )
    return film[:42] + blocks + film[42:]


PRYING_ONES: tuple[tuple[str, Callable[[], bytes]], ...] = (
    ("a.mp4", prying_mp4),
    ("a.mov", prying_mov),
    ("a.mkv", lambda: prying_matroska("matroska", "libx264", "aac", "subrip")),
    ("a.webm", lambda: prying_matroska("webm", "libvpx", "libopus", "webvtt")),
    ("b.webm", lambda: prying_matroska("webm", "libvpx-vp9", "vorbis", "")),
    ("hevc.mov", lambda: films.recording("mov", ["libx265"], ["pcm_s16le"], labels={**LABELS, **APPLE_LABELS})),
    ("a.avi", lambda: films.recording("avi", ["mpeg4"], ["libmp3lame"], labels=LABELS)),
    ("a.mp3", prying_mp3),
    ("a.m4a", lambda: in_index(films.recording("ipod", (), ["aac"], labels=LABELS), place_box())),
    ("alac.m4a", lambda: films.recording("ipod", (), ["alac"], labels=LABELS)),
    ("opus.ogg", lambda: films.recording("ogg", (), ["libopus"], labels=LABELS, chapters=True)),
    ("vorbis.ogg", lambda: films.recording("ogg", (), ["vorbis"], labels=LABELS)),
    (
        "a.wav",
        lambda: films.recording("wav", (), ["pcm_s16le"], labels=LABELS) + b"id3 \x0e\0\0\0" + PRYING.encode() + b"\0",
    ),
    ("a.flac", prying_flac),
)
"""One of each kind, with everything that its kind can carry along."""
