"""Videos and sound files: packed anew without what was written on them, and shown in a form that plays everywhere.

The record has the same packets at the same times (a veterinarian judges a gait by them), in a container of the same
kind where that plays in browsers, else in MP4 or M4A. What no container here can hold goes on as it came: AVI with the
codecs of old cameras and of ultrasound devices, which a second encoding would harm, and AMR, which has nothing to take
out; a copy that plays everywhere stands beside it.
"""

import importlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import av
from PIL import Image

from vetrelay.inspection.ask import Ask
from vetrelay.inspection.formats import recording_labels, recording_samples, recording_tracks, video_pace, video_viewing
from vetrelay.inspection.formats.audio_viewing import PLAYS_EVERYWHERE, listen
from vetrelay.inspection.formats.recording_pictures import png
from vetrelay.inspection.formats.recording_remux import Record, record_kind, remux
from vetrelay.inspection.formats.recording_tracks import AUDIO_CODECS, VIDEO_CODECS, Measure, codec_of
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.notes import Note, counted
from vetrelay.inspection.outlines import matroska, movie, sound
from vetrelay.inspection.outlines.outline import Content
from vetrelay.inspection.result import CaptureTime, RawOutput, Result, Role
from vetrelay.inspection.words import Reason, Unfit

VIDEO_KINDS = frozenset({Kind.MP4, Kind.QUICKTIME, Kind.WEBM, Kind.AVI})
AUDIO_KINDS = frozenset({Kind.MP3, Kind.M4A, Kind.OGG, Kind.WAV, Kind.FLAC, Kind.AMR})
# Whatever codec is inside: Safari opens these since 2025 only.
_NOT_EVERYWHERE = frozenset({Kind.OGG, Kind.WEBM})


def _no_notes(check: Callable[[Content], None]) -> Callable[[Content], frozenset[Note]]:
    def checked(content: Content) -> frozenset[Note]:
        check(content)
        return frozenset()

    return checked


_OUTLINES: Mapping[Kind, Callable[[Content], frozenset[Note]]] = {
    Kind.MP4: movie.check,
    Kind.QUICKTIME: movie.check,
    Kind.M4A: movie.check,
    Kind.WEBM: matroska.check,
    Kind.AVI: _no_notes(sound.check_riff),
    Kind.WAV: _no_notes(sound.check_riff),
    Kind.OGG: _no_notes(sound.check_ogg),
    Kind.AMR: _no_notes(sound.check_amr),
    Kind.MP3: _no_notes(sound.check_mp3),
    # FLAC says how many samples there are: they are counted while they are decoded.
    Kind.FLAC: lambda _content: frozenset(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What the container says before anything is decoded."""

    measure: Measure | None
    video_codec: str
    sound_codec: str
    made_kind: Kind | None
    lost: tuple[Note, ...]
    captured: CaptureTime | None

    @property
    def has_video(self) -> bool:
        return self.measure is not None and self.measure.video_packets > 0


def prepare() -> None:
    """Loads what is loaded late, once, before the first file."""
    av.logging.set_level(None)  # FFmpeg's words stay inside
    importlib.import_module("av.subtitles.codeccontext")  # PyAV does so at the first file with subtitles
    for format_name in ("JPEG", "PNG"):
        Image.new("RGB", (2, 2)).save(io.BytesIO(), format=format_name)


def samples() -> tuple[bytes, ...]:
    """One tiny recording for each demuxer, decoder, encoder and muxer that a job may touch."""
    return recording_samples.made()


def normalize(content: Content, kind: Kind, ask: Ask) -> Result:
    """Rebuilds one recording. Raises Unfit, MemoryError."""
    try:
        return _normalized(content, kind, ask)
    except (Unfit, MemoryError):
        raise
    except Exception:  # noqa: BLE001 - FFmpeg raises anything at a stranger's file
        raise Unfit(Reason.DAMAGED) from None


def _normalized(content: Content, kind: Kind, ask: Ask) -> Result:
    lost = list(_OUTLINES[kind](content))
    seen = _look(content, kind, ask)
    if seen.measure is None:
        return Result(kind=kind, reason=Reason.RECORDING_CODEC_UNKNOWN, captured=seen.captured)
    record = None if seen.made_kind is None else remux(content, kind, seen.made_kind, seen.measure)
    result = _show(content, kind, seen, seen.measure, record)
    if record is None:
        return result
    notes = [*lost, *seen.lost, *(note for note, count in result.notes.items() for _ in range(count))]
    if record.kind is not kind:
        notes.append(Note.CONTAINER_CHANGED)
    if record.took_writing:
        notes.append(Note.WRITING_BETWEEN_FRAMES_REMOVED)
    if record.took_labels and Note.LABELS_REMOVED not in notes:
        notes.append(Note.LABELS_REMOVED)
    made = RawOutput(
        role=Role.RECORD,
        kind=record.kind,
        content=record.content,
        width_px=result.width_px,
        height_px=result.height_px,
    )
    return Result(
        kind=kind,
        notes=counted(notes),
        width_px=result.width_px,
        height_px=result.height_px,
        duration_ms=result.duration_ms,
        captured=result.captured,
        outputs=(made, *result.outputs),
    )


def _look(content: Content, kind: Kind, ask: Ask) -> _Seen:
    with recording_tracks.opened(content, kind) as container:
        tracks = recording_tracks.choose(container, kind)
        video, heard = codec_of(tracks.video), codec_of(tracks.audio)
        known = (tracks.video is None or video in VIDEO_CODECS) and (tracks.audio is None or heard in AUDIO_CODECS)
        return _Seen(
            measure=recording_tracks.measure(container, tracks, ask) if known else None,
            video_codec=video,
            sound_codec=heard,
            made_kind=record_kind(kind, tracks),
            lost=(*tracks.lost, *recording_labels.notes_of(container)),
            captured=recording_labels.captured_of(container),
        )


def _show(content: Content, kind: Kind, seen: _Seen, measure: Measure, record: Record | None) -> Result:
    """The result as it is where the original goes on: facts, and what stands beside it."""
    if seen.has_video:
        viewing = video_viewing.view(content, kind, measure, seconds=video_pace.seconds_for_copy(kind, len(content)))
        width_px, height_px = viewing.shape.width_px, viewing.shape.height_px
        outputs, notes = _video_outputs(viewing)
    else:
        width_px = height_px = 0
        outputs, notes = _sound_outputs(content, kind, seen, measure, record)
    return Result(
        kind=kind,
        reason=Reason.RECORDING_KEPT,
        notes=counted(notes),
        width_px=width_px,
        height_px=height_px,
        duration_ms=round(measure.seconds * 1000),
        captured=seen.captured,
        outputs=outputs,
    )


def _video_outputs(viewing: video_viewing.Viewing) -> tuple[tuple[RawOutput, ...], list[Note]]:
    notes = [Note.NO_PLAYS_EVERYWHERE_COPY if viewing.content is None else Note.PLAYS_EVERYWHERE_COPY]
    copies = []
    if viewing.content is not None:
        copies.append(
            RawOutput(
                role=Role.VIEWING,
                kind=Kind.MP4,
                content=viewing.content,
                width_px=viewing.width_px,
                height_px=viewing.height_px,
            )
        )
        if viewing.sparse:
            notes.append(Note.COPY_HAS_FEWER_FRAMES)
    return (viewing.stills.preview(), *copies, viewing.stills.strip()), notes


def _sound_outputs(
    content: Content, kind: Kind, seen: _Seen, measure: Measure, record: Record | None
) -> tuple[tuple[RawOutput, ...], list[Note]]:
    needed = record is None or record.kind in _NOT_EVERYWHERE or seen.sound_codec not in PLAYS_EVERYWHERE
    heard = listen(content, kind, measure, copy=needed)
    outputs = [png(heard.waveform.drawn(), Role.PREVIEW)]
    if heard.copy is None:
        return tuple(outputs), []
    outputs.append(RawOutput(role=Role.VIEWING, kind=Kind.M4A, content=heard.copy))
    return tuple(outputs), [Note.PLAYS_EVERYWHERE_COPY]
