"""A sound file, decoded once: its waveform, and an M4A copy where its own codec does not play everywhere."""

import io
from collections.abc import Iterator
from dataclasses import dataclass

import av
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream

from vetrelay.inspection.formats import recording_tracks
from vetrelay.inspection.formats.audio_sound import AacTrack, Waveform
from vetrelay.inspection.formats.recording_remux import sink
from vetrelay.inspection.formats.recording_tracks import Measure, Tracks
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.outlines.outline import Content
from vetrelay.inspection.words import Reason, Unfit

# Every current browser plays these in MP3, M4A, WAV and FLAC files. ALAC plays in Safari alone, AMR in none.
PLAYS_EVERYWHERE = frozenset({"aac", "mp3", "flac", "pcm_s16le", "pcm_s24le", "pcm_u8", "pcm_f32le"})
_PACKETS_PER_FAULT = 10
_AAC_PACKETS_PER_SECOND = 50
# Where STREAMINFO has the number of samples: 36 bits (RFC 9639, section 8.2).
_FLAC_SAMPLES = slice(13, 18)
_FLAC_SAMPLE_BITS = 36


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """The waveform, and the copy if one was needed."""

    waveform: Waveform
    copy: bytes | None


def listen(content: Content, kind: Kind, measure: Measure, *, copy: bool) -> Heard:
    """Decodes a sound file. Raises Unfit, and what FFmpeg raises."""
    with recording_tracks.opened(content, kind) as source:
        tracks = recording_tracks.choose(source, kind)
        return _listened(tracks, recording_tracks.packets(source, tracks), measure, copy=copy)


def _listened(tracks: Tracks, packets: Iterator["Packet[Stream]"], measure: Measure, *, copy: bool) -> Heard:
    sound = tracks.audio
    if sound is None:
        raise Unfit(Reason.NOTHING_TO_PLAY)
    buffer = io.BytesIO()
    target: OutputContainer | None = None
    made: AacTrack | None = None
    if copy:
        target = sink(Kind.M4A, buffer, packets=int(measure.seconds * _AAC_PACKETS_PER_SECOND) + measure.audio_packets)
        made = AacTrack(target, sound)
    waveform, samples, faults = Waveform(), 0, 0
    for packet in _with_end(packets):
        try:
            frames = sound.codec_context.decode(packet)
        except av.error.InvalidDataError:
            faults += 1
            continue
        for frame in frames:
            # The last ones, which come without a packet, do not know in which unit their time is.
            frame.time_base = frame.time_base or sound.time_base
            samples += frame.samples
            waveform.hear(frame)
            if made is not None and target is not None:
                target.mux(list(made.packets(frame)))
    waveform.hear(None)
    if not samples or faults * _PACKETS_PER_FAULT > measure.audio_packets:
        raise Unfit(Reason.DAMAGED)
    if samples < _promised_samples(tracks):
        raise Unfit(Reason.INCOMPLETE)
    if made is not None and target is not None:
        target.mux(list(made.packets(None)))
        target.close()
    return Heard(waveform=waveform, copy=buffer.getvalue() if copy else None)


def _with_end(packets: Iterator["Packet[Stream]"]) -> Iterator["Packet[Stream] | None"]:
    """The packets, and then the sign that asks a decoder for what it still holds."""
    yield from packets
    yield None


def _promised_samples(tracks: Tracks) -> int:
    """How many samples a FLAC file says that it has; 0 where it does not say."""
    sound = tracks.audio
    if sound is None or recording_tracks.codec_of(sound) != "flac":
        return 0
    said = bytes(sound.codec_context.extradata or b"")[_FLAC_SAMPLES]
    return int.from_bytes(said, "big") & ((1 << _FLAC_SAMPLE_BITS) - 1)
