"""The record: the same packets at the same times in a new container, with nothing beside them.

MP4 is written unfragmented with its index first, in space that is reserved before the first packet: that is what every
player and browser opens (fragmented MP4 is for streaming, and older desktop players show it without a length or not at
all), and it needs no second look at the file, which "faststart" would open by its name. The rest of the reserved space
stays as zeros.
"""

import io
from dataclasses import dataclass

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from vetrelay.inspection.formats import recording_tracks
from vetrelay.inspection.formats.recording_tracks import Measure, Tracks
from vetrelay.inspection.formats.video_writing import WritingFilter
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.outlines.outline import Content
from vetrelay.inspection.outlines.sound import mp3_frame_bytes
from vetrelay.inspection.words import Reason, Unfit

# What the index of an MP4 takes at most: one packet in each of its tables, a track, and the rest.
_INDEX_BYTES_PER_PACKET, _INDEX_BYTES = 48, 4096
_MUXERS = {
    Kind.MP4: "mp4",
    Kind.QUICKTIME: "mov",
    Kind.M4A: "ipod",
    Kind.WEBM: "webm",
    Kind.MP3: "mp3",
    Kind.OGG: "ogg",
    Kind.WAV: "wav",
    Kind.FLAC: "flac",
}
_WITH_INDEX = frozenset({Kind.MP4, Kind.QUICKTIME, Kind.M4A})
_OF_MP3 = {"id3v2_version": "0", "write_id3v1": "0"}
_WEBM_SOUND, _MP4_SOUND = frozenset({"", "opus", "vorbis"}), frozenset({"", "aac", "mp3", "opus"})
_WEBM_VIDEO, _MP4_VIDEO = frozenset({"vp8", "vp9", "av1"}), frozenset({"h264", "hevc", "vp9", "av1"})
_SOUND_FILES = {
    Kind.MP3: frozenset({"mp3"}),
    Kind.M4A: frozenset({"aac", "alac"}),
    Kind.OGG: frozenset({"opus", "vorbis", "flac"}),
    Kind.WEBM: frozenset({"opus", "vorbis"}),
    Kind.FLAC: frozenset({"flac"}),
}
_M4A_INSIDE = frozenset({Kind.MP4, Kind.QUICKTIME, Kind.M4A})
# Eleven ones begin a frame of MP3.
_SYNC, _SYNC_REST = 0xFF, 0xE0
_XIPH_LACED, _COMMENT_HEADER = 2, b"\x03vorbis"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The rebuilt file, and whether writing was taken out from between its frames, and labels from behind them."""

    kind: Kind
    content: bytes
    took_writing: bool
    took_labels: bool


def record_kind(kind: Kind, tracks: Tracks) -> Kind | None:
    """The kind that the record will be; None where no common player would open it, so that the original goes on."""
    video, sound = recording_tracks.codec_of(tracks.video), recording_tracks.codec_of(tracks.audio)
    if kind in {Kind.AVI, Kind.AMR}:
        return None
    if tracks.video is None:
        return _sound_kind(kind, sound)
    if kind is Kind.WEBM and video in _WEBM_VIDEO and sound in _WEBM_SOUND:
        return Kind.WEBM
    if video in _MP4_VIDEO and sound in _MP4_SOUND:
        return Kind.MP4
    # Cameras write plain samples beside H.264, for which MP4 has no form that players know.
    return Kind.QUICKTIME if kind is Kind.QUICKTIME and video in _MP4_VIDEO and sound.startswith("pcm_") else None


def _sound_kind(kind: Kind, sound: str) -> Kind | None:
    made = Kind.M4A if kind in _M4A_INSIDE else kind
    if made is Kind.WAV:
        return made if sound.startswith("pcm_") else None
    return made if sound in _SOUND_FILES.get(made, frozenset()) else None


def sink(kind: Kind, buffer: io.BytesIO, *, packets: int) -> OutputContainer:
    """An empty container of this kind that will name no program."""
    options = {"fflags": "+bitexact"}
    if kind in _WITH_INDEX:
        options["moov_size"] = str(_INDEX_BYTES + packets * _INDEX_BYTES_PER_PACKET)
    if kind is Kind.MP3:
        options |= _OF_MP3
    return av.open(buffer, "w", format=_MUXERS[kind], container_options=options)


def copied(target: OutputContainer, track: VideoStream | AudioStream, writing: WritingFilter) -> Stream:
    """A track of the new container that takes the packets of this one. Labels are not carried over."""
    made = target.add_stream_from_template(track, opaque=True)
    made.time_base = track.time_base
    configuration = track.codec_context.extradata
    if configuration:
        bare = writing.bare_configuration(bytes(configuration))
        if recording_tracks.codec_of(track) == "vorbis":
            bare = _bare_vorbis(bare)
        if bare != bytes(configuration):
            made.codec_context.extradata = bare
    if recording_tracks.codec_of(track) == "hevc" and target.format.name in {"mp4", "mov"}:
        # Apple's players open HEVC under this name only.
        made.codec_context.codec_tag = "hvc1"
    return made


def remux(content: Content, kind: Kind, made_kind: Kind, measure: Measure) -> Record:
    """The record of a recording whose tracks its new container can hold. Raises Unfit and what FFmpeg raises."""
    buffer = io.BytesIO()
    with recording_tracks.opened(content, kind) as source:
        tracks = recording_tracks.choose(source, kind)
        total = measure.video_packets + measure.audio_packets
        target = sink(made_kind, buffer, packets=total)
        writings = {
            track.index: WritingFilter(recording_tracks.codec_of(track), bytes(track.codec_context.extradata or b""))
            for track in tracks.kept
        }
        made = {track.index: copied(target, track, writings[track.index]) for track in tracks.kept}
        took_labels = False
        for packet in recording_tracks.packets(source, tracks):
            bare = _bare_mp3(packet) if kind is Kind.MP3 else packet
            took_labels |= bare is not packet
            if bare is not None:
                target.mux(rewritten(bare, made[packet.stream_index], writings[packet.stream_index]))
        target.close()
    return Record(
        kind=made_kind,
        content=buffer.getvalue(),
        took_writing=any(writing.took for writing in writings.values()),
        took_labels=took_labels,
    )


def rewritten(packet: "Packet[Stream]", track: Stream, writing: WritingFilter) -> "Packet[Stream]":
    """The packet for another container's track: the same bytes at the same time, but for writing between frames."""
    bare = writing.bare(bytes(packet)) if writing.expects else None
    if bare is None:
        packet.stream = track
        return packet
    made = _with_payload(packet, bare)
    made.stream = track
    return made


def _with_payload(packet: "Packet[Stream]", payload: bytes) -> "Packet[Stream]":
    made: Packet[Stream] = Packet(payload)
    made.pts, made.dts, made.duration = packet.pts, packet.dts, packet.duration
    made.time_base, made.is_keyframe = packet.time_base, packet.is_keyframe
    for beside in packet.iter_sidedata():
        beside.to_packet(made)
    return made


def _bare_mp3(packet: "Packet[Stream]") -> "Packet[Stream] | None":
    """One frame without what follows it; None for none. Labels behind the last frame come as if they were sound."""
    payload = bytes(packet)
    if not (payload[0] == _SYNC and payload[1:2] and payload[1] & _SYNC_REST == _SYNC_REST):
        return None
    length = mp3_frame_bytes(payload)
    return packet if length is None or length >= len(payload) else _with_payload(packet, payload[:length])


def _bare_vorbis(configuration: bytes) -> bytes:
    """Vorbis headers whose second, the comments, says nothing (Vorbis I, section 5.2.1)."""
    if not configuration or configuration[0] != _XIPH_LACED:
        raise Unfit(Reason.DAMAGED)
    position, lengths = 1, []
    for _ in range(2):
        length = 0
        while configuration[position] == 0xFF:
            length += 0xFF
            position += 1
        lengths.append(length + configuration[position])
        position += 1
    first = configuration[position : position + lengths[0]]
    setup = configuration[position + sum(lengths) :]
    comments = _COMMENT_HEADER + bytes(8) + b"\x01"
    laced = b"".join(b"\xff" * (len(part) // 0xFF) + bytes([len(part) % 0xFF]) for part in (first, comments))
    return bytes([_XIPH_LACED]) + laced + first + comments + setup
