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
# Whatever libmagic sees in a text (a program, a table, a letter's first line), it is shown as text and never run.
_TEXT = frozenset(
    {
        "text/plain",
        "text/csv",
        "text/tab-separated-values",
        "text/markdown",
        "text/xml",
        "text/calendar",
        "text/vcard",
        "text/x-vcard",
        "text/vtt",
        "text/troff",
        "text/texmacs",
        "text/PGP",
        "text/x-asm",
        "text/x-awk",
        "text/x-bcpl",
        "text/x-bytecode",
        "text/x-c",
        "text/x-c++",
        "text/x-diff",
        "text/x-forth",
        "text/x-fortran",
        "text/x-gawk",
        "text/x-info",
        "text/x-java",
        "text/x-lisp",
        "text/x-lua",
        "text/x-m4",
        "text/x-makefile",
        "text/x-ms-adm",
        "text/x-ms-adml",
        "text/x-ms-admx",
        "text/x-ms-regedit",
        "text/x-ms-tag",
        "text/x-msdos-batch",
        "text/x-nawk",
        "text/x-objective-c",
        "text/x-pascal",
        "text/x-perl",
        "text/x-php",
        "text/x-po",
        "text/x-python",
        "text/x-ruby",
        "text/x-script.python",
        "text/x-setext",
        "text/x-shellscript",
        "text/x-systemtap",
        "text/x-tcl",
        "text/x-tex",
        "text/x-texinfo",
        "text/x-modulefile",
        "application/csv",
        "application/json",
        "application/x-ndjson",
        "application/xml",
        "application/javascript",
        "application/x-subrip",
        "application/x-wine-extension-ini",
        "application/x-setupscript",
        "application/pgp-keys",
        "application/pgp-signature",
        "application/vnd.geo+json",
        "application/geo+json",
        "application/octet-stream",  # NUL, or a single letter: the sniffer says that the rest of it reads
        "message/news",
        "message/rfc822",  # one line that could be a letter's
    },
)
_OPENED_OFFICE = "application/vnd.openxmlformats-officedocument"
_OFFICE = frozenset(
    {
        "application/zip",
        "application/octet-stream",
        _OPENED_OFFICE,
        f"{_OPENED_OFFICE}.wordprocessingml.document",
        f"{_OPENED_OFFICE}.wordprocessingml.template",
        f"{_OPENED_OFFICE}.spreadsheetml.sheet",
        f"{_OPENED_OFFICE}.spreadsheetml.template",
        f"{_OPENED_OFFICE}.presentationml.presentation",
        "application/vnd.ms-word.document.macroEnabled.12",
        "application/vnd.ms-excel.sheet.macroEnabled.12",
        "application/vnd.oasis.opendocument.text",
        "application/vnd.oasis.opendocument.text-template",
        "application/vnd.oasis.opendocument.text-master",
        "application/vnd.oasis.opendocument.spreadsheet",
        "application/vnd.oasis.opendocument.presentation",
        "application/vnd.oasis.opendocument.graphics",
        "application/vnd.oasis.opendocument.formula",
        "application/vnd.oasis.opendocument.chart",
        "application/vnd.visio",
    },
)
# One demuxer opens them all: phones mix their brands freely.
_FILM = frozenset({"video/mp4", "video/quicktime", "video/3gpp", "video/3gpp2", "video/x-m4v"})

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
    Kind.MP4: _FILM | {"audio/mp4", "audio/x-m4a"},
    Kind.QUICKTIME: _FILM,
    Kind.WEBM: frozenset({"video/webm", "video/x-matroska", "audio/webm", "audio/x-matroska"}),
    Kind.AVI: frozenset({"video/x-msvideo", "video/vnd.avi"}),
    Kind.MP3: frozenset({"audio/mpeg"}),
    Kind.M4A: frozenset({"audio/x-m4a", "audio/mp4", "video/mp4"}),
    Kind.OGG: frozenset({"audio/ogg", "application/ogg", "video/ogg"}),
    Kind.WAV: frozenset({"audio/x-wav", "audio/wav", "audio/vnd.wave"}),
    Kind.FLAC: frozenset({"audio/flac", "audio/x-flac"}),
    Kind.AMR: frozenset({"audio/amr", "audio/AMR"}),
    **dict.fromkeys((Kind.TEXT, Kind.CSV, Kind.JSON, Kind.MARKDOWN), _TEXT),
    Kind.RTF: frozenset({"text/rtf", "application/rtf"}),
    **dict.fromkeys((Kind.OFFICE_ZIP, Kind.DOCX, Kind.XLSX, Kind.ODT), _OFFICE),
    # libmagic knows a letter by its first field only, and takes others for whatever their fields look like.
    Kind.MAIL: _TEXT | {"text/html"},
    Kind.TNEF: frozenset({"application/vnd.ms-tnef"}),
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
