"""Videos and sound files: what the parts of the format do, each by itself."""

import io
import struct
from fractions import Fraction
from importlib.util import find_spec

import pytest
from PIL import Image

from vetrelay.inspection.ask import Ask
from vetrelay.inspection.formats import recording
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.result import Role
from vetrelay.inspection.words import Reason, Unfit

if find_spec("av") is None:
    pytest.skip("FFmpeg is not installed: the extra [video] brings it", allow_module_level=True)

import av
from av.packet import Packet
from av.stream import Stream

from tests.hostile import films
from tests.hostile.images import camera_exif, photo, saved
from tests.hostile.prying_films import PLACE
from vetrelay.inspection.formats import (
    recording_labels,
    recording_record,
    recording_samples,
    recording_tracks,
    video_pace,
    video_viewing,
)
from vetrelay.inspection.formats.audio_sound import Waveform
from vetrelay.inspection.formats.recording_tracks import Extent, Measure
from vetrelay.inspection.formats.video_pace import Pace
from vetrelay.inspection.formats.video_upright import Shape
from vetrelay.inspection.formats.video_writing import WritingFilter
from vetrelay.inspection.notes import Note
from vetrelay.inspection.outlines.sound import mp3_frame_bytes
from vetrelay.inspection.sniff import kind_of

ASK = Ask(most=600)


def measured(content: bytes, kind: Kind) -> Measure:
    """A recording's measure."""
    with recording_tracks.opened(content, kind) as container:
        return recording_tracks.measure(container, recording_tracks.choose(container, kind), ASK)


# --- the whole ----------------------------------------------------------------------------------------------------------


def test_without_ffmpeg_a_recording_waits_for_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clinic that did not install the extra gets recordings held, not refused."""
    monkeypatch.setattr(recording, "_LOADED", {})
    assert () == recording.samples()
    with pytest.raises(Unfit) as raised:
        recording.normalize(films.amr(), Kind.AMR, ASK)
    assert Reason.RECORDING_NOT_SUPPORTED is raised.value.reason


def test_every_kind_has_a_sample_that_is_opened() -> None:
    """What the zygote walks before the first file covers all kinds of video and sound."""
    recording_record.prepare()
    seen = set()
    for sample in recording_samples.made():
        kind = kind_of(sample)
        made = recording_record.normalize(sample, kind, ASK)
        assert made.reason in {Reason.NONE, Reason.RECORDING_KEPT}
        seen.add(kind)
    assert recording_record.VIDEO_KINDS | recording_record.AUDIO_KINDS == seen


def test_what_ffmpeg_cannot_read_is_damaged() -> None:
    """None of its own words travels."""
    with pytest.raises(Unfit) as raised:
        recording_record.normalize(b"fLaC" + bytes(200), Kind.FLAC, ASK)
    assert Reason.DAMAGED is raised.value.reason


def test_a_film_of_photos_with_camera_data_is_shown() -> None:
    """Old cameras write a whole JPEG, camera data included, for each frame."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="avi") as target:
        track = target.add_mux_stream("mjpeg", rate=30, width=160, height=120)
        for index in range(5):
            packet: Packet[Stream] = Packet(saved(photo(), "JPEG", exif=camera_exif(orientation=1)))
            packet.pts = packet.dts = index
            packet.time_base, packet.is_keyframe, packet.stream = Fraction(1, 30), True, track
            target.mux(packet)
    made = recording_record.normalize(buffer.getvalue(), Kind.AVI, ASK)
    assert (Reason.RECORDING_KEPT, 160, 120) == (made.reason, made.width_px, made.height_px)
    assert [Role.PREVIEW, Role.VIEWING, Role.STRIP] == [output.role for output in made.outputs]


def test_a_copy_that_takes_too_long_is_left_out_and_the_stills_stay() -> None:
    """The record matters more than its copy."""
    content = films.phone_mp4(seconds=0.3)
    seen = video_viewing.view(content, Kind.MP4, measured(content, Kind.MP4), seconds=0.0)
    assert seen.content is None
    assert (160, 120) == (seen.stills.preview().width_px, seen.stills.preview().height_px)


# --- time and labels ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("2024-05-06T07:08:09Z", "2024-05-06T07:08:09+00:00"),
        ("2024-05-06 07:08:09", "2024-05-06T07:08:09"),
        ("2024-05-06T07:08:09.123456+0530", "2024-05-06T07:08:09+05:30"),
        ("2024-05-06T07:08:09-03:00", "2024-05-06T07:08:09-03:00"),
        ("1904-01-01T00:00:00Z", None),
        ("2024-02-31T00:00:00Z", None),
        ("yesterday", None),
        ("2024-05-06T07:08:09Z and more", None),
    ],
)
def test_the_time_of_a_recording_is_read_and_never_guessed(label: str, expected: str | None) -> None:
    """A clock that was never set, a date that does not exist and words say nothing."""
    labels = {"com.apple.quicktime.creationdate": label}
    content = films.recording("mov", (), ["aac"], seconds=0.1, labels=labels, options={"movflags": "use_metadata_tags"})
    with recording_tracks.opened(content, Kind.QUICKTIME) as container:
        taken = recording_labels.captured_of(container)
    assert expected == (None if taken is None else taken.text())


def test_each_label_is_told_by_what_it_speaks_of() -> None:
    """Place, number, person, words, device, and the rest."""
    labels = {
        "location-eng": PLACE,
        "camera_serial": "1",
        "author": "Miller",
        "description": "words",
        "model": "phone",
        "mood": "calm",
        "encoder": "says nothing",
    }
    content = films.recording("matroska", (), ["libopus"], seconds=0.1, labels=labels)
    with recording_tracks.opened(content, Kind.WEBM) as container:
        notes = recording_labels.notes_of(container)
    expected = {
        Note.LOCATION_REMOVED,
        Note.CAMERA_SERIAL_REMOVED,
        Note.NAMES_REMOVED,
        Note.COMMENT_REMOVED,
        Note.DEVICE_DETAILS_REMOVED,
        Note.LABELS_REMOVED,
    }
    assert expected == notes


def test_an_extent_lasts_from_the_first_moment_to_the_end_of_the_last() -> None:
    """Whatever the order in which packets come."""
    extent = Extent(time_base=Fraction(1, 10))
    assert 0 == extent.seconds
    extent.first, extent.end = 5, 25
    assert 2 == extent.seconds


# --- writing between the frames -----------------------------------------------------------------------------------------

AVCC = b"\x01\x4d\x00\x1e\xff\xe0\x00"
SLICE = b"\x65slice"


def unit(content: bytes) -> bytes:
    """A unit with its length before it."""
    return len(content).to_bytes(4, "big") + content


def message(payload: int, content: bytes) -> bytes:
    """One message of a unit of messages."""
    return bytes([payload, len(content)]) + content


@pytest.mark.parametrize(
    ("units", "kept"),
    [
        ([b"\x06" + message(5, bytes(16) + b"words") + b"\x80", SLICE], [SLICE]),
        ([b"\x06" + message(4, b"words") + message(1, b"time") + b"\x80"], [b"\x06" + message(1, b"time") + b"\x80"]),
        ([b"\x18words", SLICE], [SLICE]),
    ],
)
def test_user_data_is_taken_out_of_h264_and_nothing_else(units: list[bytes], kept: list[bytes]) -> None:
    """Messages of time, and pictures, stay as they are."""
    writing = WritingFilter("h264", AVCC)
    assert b"".join(map(unit, kept)) == writing.bare(b"".join(map(unit, units)))
    assert writing.took


@pytest.mark.parametrize(
    "packet", [unit(SLICE), unit(b"\x06" + message(1, b"time") + b"\x80") + unit(SLICE), b"\x00\x00\x00\xff\x06", b""]
)
def test_a_packet_without_writing_is_left_alone(packet: bytes) -> None:
    """Also one that is not made of units: it goes on as it came."""
    writing = WritingFilter("h264", AVCC)
    assert writing.bare(packet) is None
    assert not writing.took


def test_other_codecs_are_never_searched() -> None:
    """VP9 has no such messages."""
    assert not WritingFilter("vp9", AVCC).expects


# --- size, time and sound -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1920, 1080), (1280, 720)), ((1080, 1920), (720, 1280)), ((160, 121), (160, 120)), ((4096, 16), (1280, 4))],
)
def test_a_copy_fits_its_box_and_is_never_enlarged(size: tuple[int, int], expected: tuple[int, int]) -> None:
    """In even numbers, as H.264 needs them."""
    assert expected == Shape(width_px=size[0], height_px=size[1], turn=()).within(720, 1280)


def test_the_less_time_the_smaller_the_copy() -> None:
    """A minute of 1080p is made in full where there is time, and in less detail where there is little."""
    minute = Measure(seconds=Fraction(60), video_packets=1800, audio_packets=0)
    steps = [video_pace.rung("h264", minute, (1920, 1080), seconds) for seconds in (1000.0, 60.0, 1.0)]
    assert (720, "veryfast") == (steps[0].short_px, steps[0].preset)
    assert steps[0].short_px > steps[1].short_px or steps[0].preset != steps[1].preset
    assert (360, "ultrafast") == (steps[2].short_px, steps[2].preset)


def test_no_more_than_thirty_frames_a_second_are_copied() -> None:
    """Of a hundred and twenty, every fourth."""
    pace = Pace(seconds=1000.0, length=Fraction(1))
    assert 30 == sum(pace.shows(index / 120) for index in range(120))
    assert not pace.sparse


def test_a_waveform_is_as_high_as_the_sound_is_loud() -> None:
    """Silence is a line, a full tone fills the picture."""

    def rows(level: int) -> int:
        waveform = Waveform()
        frame = av.AudioFrame(format="s16", layout="mono", samples=8000)
        frame.planes[0].update(struct.pack("<8000h", *[level, -level] * 4000))
        frame.sample_rate = 8000
        waveform.hear(frame)
        waveform.hear(None)
        drawn = waveform.drawn()
        assert (800, 160) == drawn.size
        dark = drawn.point([255] * 128 + [0] * 128).getbbox()
        assert dark is not None
        return dark[3] - dark[1]

    assert 1 == rows(0)
    assert rows(0) < rows(8000) < rows(32_000)
    assert Image.new("L", (1, 1)).size < Waveform().drawn().size


def test_the_length_of_a_frame_of_mp3_is_told_by_its_header() -> None:
    """128 kbit/s at 44.1 kHz is 417 bytes, or 418 with padding; words are no frame."""
    assert 417 == mp3_frame_bytes(b"\xff\xfb\x90\x64")
    assert 418 == mp3_frame_bytes(b"\xff\xfb\x92\x64")
    assert mp3_frame_bytes(b"TAGs") is None
