"""libmagic's word on a file, as a second opinion: it decides nothing alone.

Runs inside the jail: its database is loaded before the fork, and a lookup needs no system call that the jail denies.
Loaded by the worker only.
"""

import importlib
from collections.abc import Callable, Mapping

from vetrelay.inspection.kinds import Kind

# libmagic reads structures far into a file; the start is enough for the kinds that are opened.
LOOK_BYTES = 4096
_HEIF = frozenset({"image/heic", "image/heif", "image/heic-sequence", "image/heif-sequence"})
_PNG = frozenset({"image/png", "image/apng", "image/vnd.mozilla.apng"})

ACCEPTED: Mapping[Kind, frozenset[str]] = {
    Kind.JPEG: frozenset({"image/jpeg"}),
    Kind.PNG: _PNG,
    Kind.WEBP: frozenset({"image/webp"}),
    Kind.HEIC: _HEIF,
    Kind.GIF: frozenset({"image/gif"}),
    Kind.TIFF: frozenset({"image/tiff"}),
    Kind.BMP: frozenset({"image/bmp", "image/x-ms-bmp"}),
    Kind.AVIF: frozenset({"image/avif", "image/avif-sequence"}) | _HEIF,
    Kind.PDF: frozenset({"application/pdf"}),
}
"""The media types that the decoder of each kind accepts: libmagic must say one of them."""

# `DICM` at byte 128 wins over whatever stands in the 128 bytes before it: libmagic may see a JPEG or a program there.
WITHOUT_SECOND_OPINION = frozenset({Kind.DICOM})

SecondOpinion = Callable[[bytes], str]


def agrees(opinion: str, kind: Kind) -> bool:
    """Whether libmagic's media type is one that the decoder of this kind accepts."""
    return kind in WITHOUT_SECOND_OPINION or opinion in ACCEPTED.get(kind, frozenset())


def load() -> SecondOpinion | None:
    """The second opinion, a media type for the start of a file, or None where there is no libmagic on this machine.

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

    def opinion(untrusted_head: bytes) -> str:
        return str(asked.from_buffer(untrusted_head))

    return opinion
