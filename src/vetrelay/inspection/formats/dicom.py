"""DICOM files, where the libraries for them are installed (the extra `dicom`); see `vetrelay.inspection.formats.dicom_record`."""

import importlib
from types import ModuleType

from vetrelay.inspection.ask import Ask
from vetrelay.inspection.kinds import KINDS, Kind
from vetrelay.inspection.outlines.outline import Content
from vetrelay.inspection.result import Result
from vetrelay.inspection.words import Unfit

_NEEDED = ("numpy", "pydicom")
_LOADED: dict[str, ModuleType] = {}


def prepare() -> None:
    """Loads numpy, pydicom's tables and the decoders, in the zygote. Without the first two nothing is opened here."""
    try:
        for name in _NEEDED:
            importlib.import_module(name)
    except ImportError:
        return
    from vetrelay.inspection.formats import dicom_record

    dicom_record.prepare()
    _LOADED["record"] = dicom_record


def samples() -> tuple[bytes, ...]:
    """Tiny sound records: one for each transfer syntax that can be shown here, and one for each kind of colours."""
    made: tuple[bytes, ...] = _LOADED["record"].samples() if _LOADED else ()
    return made


def normalize(content: Content, kind: Kind, ask: Ask) -> Result:
    """Rebuilds one record by the mode that is asked for, and shows its key frames. Raises Unfit, MemoryError."""
    if not _LOADED:
        raise Unfit(KINDS[kind].not_opened)
    result: Result = _LOADED["record"].normalize(content, kind, ask)
    return result
