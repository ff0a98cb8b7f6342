"""libmagic's word on a file, as a second opinion: it decides nothing alone.

Runs inside the jail: its database is loaded before the fork, and a lookup needs no system call that the jail denies.
Loaded by the worker only.
"""

import importlib
from collections.abc import Callable, Mapping

from vetrelay.inspection.kinds import Kind

# libmagic reads structures far into a file; the start is enough for the kinds that are opened.
LOOK_BYTES = 4096
_MEDIA_TYPES: Mapping[str, Kind] = {
    "image/jpeg": Kind.JPEG,
    "image/png": Kind.PNG,
    "image/apng": Kind.PNG,
    "image/vnd.mozilla.apng": Kind.PNG,
    "image/webp": Kind.WEBP,
    "image/heic": Kind.HEIC,
    "image/heif": Kind.HEIC,
    "image/heic-sequence": Kind.HEIC,
    "image/heif-sequence": Kind.HEIC,
}

SecondOpinion = Callable[[bytes], Kind]


def load() -> SecondOpinion | None:
    """The second opinion, or None where there is no libmagic on this machine.

    A bundled libmagic (pylibmagic) is only the fallback, and must be imported before `magic`: it changes how the
    library is found.
    """
    try:
        import magic
    except ImportError:
        try:
            importlib.import_module("pylibmagic")
            import magic
        except ImportError:
            return None
    asked = magic.Magic(mime=True)

    def opinion(untrusted_head: bytes) -> Kind:
        return _MEDIA_TYPES.get(asked.from_buffer(untrusted_head), Kind.UNKNOWN)

    return opinion
