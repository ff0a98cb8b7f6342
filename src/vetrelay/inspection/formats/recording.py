"""Videos and sound files, where FFmpeg is installed (the extra `video`); see `vetrelay.inspection.formats.recording_record`."""

import importlib
from types import ModuleType

from vetrelay.inspection.ask import Ask
from vetrelay.inspection.kinds import KINDS, Kind
from vetrelay.inspection.outlines.outline import Content
from vetrelay.inspection.result import Result
from vetrelay.inspection.words import Unfit

_NEEDED = "av"
_LOADED: dict[str, ModuleType] = {}


def prepare() -> None:
    """Loads FFmpeg, in the zygote. Without it nothing is opened here."""
    try:
        importlib.import_module(_NEEDED)
    except ImportError:
        return
    from vetrelay.inspection.formats import recording_record

    recording_record.prepare()
    _LOADED["record"] = recording_record


def samples() -> tuple[bytes, ...]:
    """One tiny recording for each demuxer, decoder, encoder and muxer that a job may touch."""
    made: tuple[bytes, ...] = _LOADED["record"].samples() if _LOADED else ()
    return made


def normalize(content: Content, kind: Kind, ask: Ask) -> Result:
    """Rebuilds one recording, and makes what is shown of it. Raises Unfit, MemoryError."""
    if not _LOADED:
        raise Unfit(KINDS[kind].not_opened)
    result: Result = _LOADED["record"].normalize(content, kind, ask)
    return result
