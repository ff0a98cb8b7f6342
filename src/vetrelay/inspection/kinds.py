"""The kinds of file that the inspection tells apart, and what each is called.

A kind is what the content is; a family is how far a file's name may be off before the mismatch is refused rather than
mended (a JPEG named .png is renamed, a web page named .jpg is refused).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum

from vetrelay.inspection.words import Reason


class Kind(IntEnum):
    """What a file is by its content. Numbers are the wire form between jail and parent and never reused."""

    UNKNOWN = 0
    JPEG = 1
    PNG = 2
    WEBP = 3
    HEIC = 4
    GIF = 5
    TIFF = 6
    BMP = 7
    AVIF = 8
    PDF = 16
    DICOM = 17
    MP4 = 32
    QUICKTIME = 33
    WEBM = 34
    AVI = 35
    MP3 = 48
    M4A = 49
    OGG = 50
    WAV = 51
    FLAC = 52
    AMR = 53
    TEXT = 64
    RTF = 65
    OFFICE_ZIP = 66
    OFFICE_OLE = 67
    MAIL = 68
    TNEF = 69
    ZIP = 70
    GZIP = 71
    DOCX = 72
    XLSX = 73
    ODT = 74
    CSV = 75
    JSON = 76
    MARKDOWN = 77
    SVG = 96
    HTML = 97
    POSTSCRIPT = 98
    PROGRAM = 99
    JXL = 100
    PSD = 101
    RAW_PHOTO = 102
    SHORTCUT = 103
    DISK_IMAGE = 104
    RAR = 105
    SEVEN_ZIP = 106


class Family(Enum):
    """How far apart two kinds are: inside one family a wrong name is mended, across families it is refused."""

    PICTURE = "picture"
    RECORDING = "recording"
    PDF = "pdf"
    DICOM = "dicom"
    WRITING = "writing"
    PACKED = "packed"
    NEVER_TAKEN = "never taken"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class KindFacts:
    """One kind: its media type, its family, the extensions it is known by, and the reason where nothing opens it.

    The first extension is the right one. For a kind that `vetrelay.inspection.policy` has a row for, the reason is said
    only on a machine that lacks its decoder.
    """

    media_type: str
    family: Family
    extensions: tuple[str, ...]
    not_opened: Reason


def _row(media_type: str, family: Family, extensions: str, not_opened: Reason = Reason.HELD_TYPE_UNKNOWN) -> KindFacts:
    return KindFacts(media_type=media_type, family=family, extensions=tuple(extensions.split()), not_opened=not_opened)


_P, _R, _W, _Z, _N = Family.PICTURE, Family.RECORDING, Family.WRITING, Family.PACKED, Family.NEVER_TAKEN
_NO, _CARE, _MUTE = Reason.TYPE_NOT_TAKEN, Reason.OPEN_WITH_CARE, Reason.RECORDING_NOT_SUPPORTED
# What a double click runs, or installs, whatever stands in front of it in the file.
_RUN = "hta msi msp mst cpl pif jse vbe wsf wsh wsc sct chm hlp xll jnlp application appref-ms msc msix appx gadget app apk"

KINDS: Mapping[Kind, KindFacts] = {
    Kind.UNKNOWN: _row("application/octet-stream", Family.UNKNOWN, ""),
    Kind.JPEG: _row("image/jpeg", _P, "jpg jpeg jpe jfif mpo"),
    Kind.PNG: _row("image/png", _P, "png apng"),
    Kind.WEBP: _row("image/webp", _P, "webp"),
    Kind.HEIC: _row("image/heic", _P, "heic heif hif", Reason.HEIC_NOT_SUPPORTED),
    Kind.GIF: _row("image/gif", _P, "gif"),
    Kind.TIFF: _row("image/tiff", _P, "tiff tif"),
    Kind.BMP: _row("image/bmp", _P, "bmp dib"),
    Kind.AVIF: _row("image/avif", _P, "avif"),
    Kind.PDF: _row("application/pdf", Family.PDF, "pdf"),
    Kind.DICOM: _row("application/dicom", Family.DICOM, "dcm dicom ima"),
    Kind.MP4: _row("video/mp4", _R, "mp4 m4v 3gp", _MUTE),
    Kind.QUICKTIME: _row("video/quicktime", _R, "mov qt", _MUTE),
    Kind.WEBM: _row("video/webm", _R, "webm mkv", _MUTE),
    Kind.AVI: _row("video/x-msvideo", _R, "avi", _MUTE),
    Kind.MP3: _row("audio/mpeg", _R, "mp3", _MUTE),
    Kind.M4A: _row("audio/mp4", _R, "m4a", _MUTE),
    Kind.OGG: _row("audio/ogg", _R, "ogg opus oga", _MUTE),
    Kind.WAV: _row("audio/wav", _R, "wav", _MUTE),
    Kind.FLAC: _row("audio/flac", _R, "flac", _MUTE),
    Kind.AMR: _row("audio/amr", _R, "amr", _MUTE),
    Kind.TEXT: _row("text/plain", _W, "txt tsv log xml yaml yml ini"),
    Kind.CSV: _row("text/csv", _W, "csv"),
    Kind.JSON: _row("application/json", _W, "json"),
    Kind.MARKDOWN: _row("text/markdown", _W, "md markdown"),
    Kind.RTF: _row("application/rtf", _Z, "rtf"),
    Kind.DOCX: _row("application/vnd.openxmlformats-officedocument.wordprocessingml.document", _Z, "docx"),
    Kind.XLSX: _row("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", _Z, "xlsx"),
    Kind.ODT: _row("application/vnd.oasis.opendocument.text", _Z, "odt"),
    Kind.OFFICE_ZIP: _row("application/zip", _Z, "pptx ods odp docm xlsm pptm dotx dotm xltx xltm", _CARE),
    Kind.OFFICE_OLE: _row("application/x-ole-storage", _Z, "doc xls ppt msg", _CARE),
    Kind.MAIL: _row("message/rfc822", _W, "eml"),
    Kind.TNEF: _row("application/ms-tnef", _W, "tnef"),
    Kind.ZIP: _row("application/zip", _Z, "zip"),
    Kind.GZIP: _row("application/gzip", _N, "gz tgz", _NO),
    Kind.SVG: _row("image/svg+xml", _N, "svg", _NO),
    Kind.HTML: _row("text/html", _N, "html htm xhtml", _NO),
    Kind.POSTSCRIPT: _row("application/postscript", _N, "ps eps", _NO),
    Kind.PROGRAM: _row("application/octet-stream", _N, f"exe dll com scr bat cmd sh ps1 js vbs jar {_RUN}", _NO),
    Kind.JXL: _row("image/jxl", _N, "jxl", _NO),
    Kind.PSD: _row("image/vnd.adobe.photoshop", _N, "psd", _NO),
    Kind.RAW_PHOTO: _row("image/x-raw", _N, "cr2 cr3 nef arw raf dng orf rw2", _NO),
    Kind.SHORTCUT: _row("application/x-ms-shortcut", _N, "lnk", _NO),
    Kind.DISK_IMAGE: _row("application/x-iso9660-image", _N, "iso img", _NO),
    Kind.RAR: _row("application/vnd.rar", _N, "rar", _NO),
    Kind.SEVEN_ZIP: _row("application/x-7z-compressed", _N, "7z", _NO),
}

KIND_BY_EXTENSION: Mapping[str, Kind] = {
    extension: kind for kind, facts in KINDS.items() for extension in facts.extensions
}
KIND_BY_MEDIA_TYPE: Mapping[str, Kind] = {
    **{facts.media_type: kind for kind, facts in reversed(tuple(KINDS.items())) if kind is not Kind.PROGRAM},
    "image/jpg": Kind.JPEG,
    "image/pjpeg": Kind.JPEG,
    "image/heif": Kind.HEIC,
    "image/apng": Kind.PNG,
}
