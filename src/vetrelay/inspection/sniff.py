"""What a file is, by its own bytes: fixed signatures first, then a look at text. Pure; decides nothing.

Order matters. `DICM` at byte 128 wins over everything, because a DICOM preamble may hold any other signature (a JPEG's,
a program's). A signature that a text could also start with stands after those that it could not.
"""

import codecs
import re

from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.outlines import bmp
from vetrelay.inspection.outlines.outline import Content

_TEXT_LOOK_BYTES = 1024
_ISO_SIGNATURE_AT = 32_769

_AT_START: tuple[tuple[bytes, Kind], ...] = (
    (b"\xff\xd8\xff", Kind.JPEG),
    (b"\xff\xd8", Kind.JPEG),
    (b"\x89PNG\r\n\x1a\n", Kind.PNG),
    (b"GIF87a", Kind.GIF),
    (b"GIF89a", Kind.GIF),
    (b"II*\x00\x10\x00\x00\x00CR", Kind.RAW_PHOTO),
    (b"IIU\x00", Kind.RAW_PHOTO),
    (b"IIRO", Kind.RAW_PHOTO),
    (b"FUJIFILMCCD-RAW", Kind.RAW_PHOTO),
    (b"II*\x00", Kind.TIFF),
    (b"MM\x00*", Kind.TIFF),
    (b"II+\x00", Kind.TIFF),
    (b"MM\x00+", Kind.TIFF),
    (b"%PDF-", Kind.PDF),
    (b"%!PS", Kind.POSTSCRIPT),
    (b"\xc5\xd0\xd3\xc6", Kind.POSTSCRIPT),
    (b"\xff\x0a", Kind.JXL),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", Kind.JXL),
    (b"8BPS", Kind.PSD),
    (b"{\\rtf", Kind.RTF),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Kind.OFFICE_OLE),
    (b"\x78\x9f\x3e\x22", Kind.TNEF),
    (b"\x1f\x8b", Kind.GZIP),
    (b"Rar!\x1a\x07", Kind.RAR),
    (b"7z\xbc\xaf\x27\x1c", Kind.SEVEN_ZIP),
    (b"L\x00\x00\x00\x01\x14\x02\x00", Kind.SHORTCUT),
    (b"\x7fELF", Kind.PROGRAM),
    (b"\xfe\xed\xfa", Kind.PROGRAM),
    (b"\xcf\xfa\xed\xfe", Kind.PROGRAM),
    (b"\xce\xfa\xed\xfe", Kind.PROGRAM),
    (b"\xca\xfe\xba\xbe", Kind.PROGRAM),
    (b"#!AMR", Kind.AMR),
    (b"#!", Kind.PROGRAM),
    (b"MZ", Kind.PROGRAM),
    (b"\x1a\x45\xdf\xa3", Kind.WEBM),
    (b"OggS", Kind.OGG),
    (b"fLaC", Kind.FLAC),
    (b"ID3", Kind.MP3),
)
_RIFF = {b"WEBP": Kind.WEBP, b"AVI ": Kind.AVI, b"WAVE": Kind.WAV}
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_STILL_BRANDS = frozenset({b"mif1", b"mif2", b"msf1", b"miaf"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_AUDIO_BRANDS = frozenset({b"M4A ", b"M4B ", b"M4P "})
_MAIL_FIELD = re.compile(
    rb"(?im)^(from|to|subject|date|message-id|received|return-path|mime-version|delivered-to|x-[a-z-]+):[ \t]"
)
_PAGE = re.compile(rb"(?i)<(!doctype\s+html|html|head|body|script|iframe|meta\s)")
_DRAWING = re.compile(rb"(?i)<(!doctype\s+svg|svg)[\s>]")
_ZIP_NAME_AT = 30
_ZIP_OFFICE = (
    b"[Content_Types].xml",
    b"_rels/.rels",
    b"docProps/",
    b"mimetypeapplication/vnd.oasis.opendocument",
    b"word/",
    b"xl/",
    b"ppt/",
)
# What no text file holds: C0 controls other than tab, line ends, form feed and escape.
_CONTROLS = bytes(set(range(0x20)) - {0x09, 0x0A, 0x0C, 0x0D, 0x1B})
# A text may still hold a few: they are shown as marks. More than one sign of eight, and nobody could read it.
_SIGNS_PER_CONTROL = 8


def kind_of(content: Content) -> Kind:
    """What the content is by itself, UNKNOWN where nothing known fits."""
    head = bytes(content[:_TEXT_LOOK_BYTES])
    if head[128:132] == b"DICM":
        return Kind.DICOM
    if head[4:8] == b"ftyp":
        return _by_brand(head)
    if head[:4] == b"RIFF" and head[8:12] in _RIFF:
        return _RIFF[head[8:12]]
    if head[:4] in {b"PK\x03\x04", b"PK\x05\x06"}:
        return Kind.OFFICE_ZIP if _holds_office_parts(head) else Kind.ZIP
    for signature, kind in _AT_START:
        if head.startswith(signature):
            return kind
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in bmp.HEADER_BYTES:
        return Kind.BMP
    if bytes(content[_ISO_SIGNATURE_AT : _ISO_SIGNATURE_AT + 5]) == b"CD001":
        return Kind.DISK_IMAGE
    if head[:1] == b"\xff" and head[1:2] and head[1] & 0xE6 == 0xE2:
        return Kind.MP3
    return _by_text(head)


def _holds_office_parts(head: bytes) -> bool:
    """Whether one of the first members is called as a part of a document is: at the beginning of its name."""
    at = 0
    while at >= 0:
        if head[at + _ZIP_NAME_AT :].startswith(_ZIP_OFFICE):
            return True
        at = head.find(b"PK\x03\x04", at + 4)
    return False


def _by_brand(head: bytes) -> Kind:
    end = min(int.from_bytes(head[:4], "big"), len(head))
    brands = [head[8:12], *(head[position : position + 4] for position in range(16, end - 3, 4))]
    # mif1 says "some still picture": the compatible brands say which codec.
    if brands[0] in _HEIC_BRANDS | _STILL_BRANDS | _AVIF_BRANDS:
        if any(brand in _AVIF_BRANDS for brand in brands):
            return Kind.AVIF
        return Kind.HEIC
    if brands[0] == b"crx ":
        return Kind.RAW_PHOTO
    if brands[0] in _AUDIO_BRANDS:
        return Kind.M4A
    return Kind.QUICKTIME if brands[0] == b"qt  " else Kind.MP4


def _by_text(head: bytes) -> Kind:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16-le" if head[0] == 0xFF else "utf-16-be"
        head = head[2:].decode(encoding, errors="ignore").encode("utf-8")
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    # A letter may carry a page in its first KiB; a page does not begin with two mail fields.
    if _MAIL_FIELD.match(start) and len(_MAIL_FIELD.findall(start)) > 1:
        return Kind.MAIL
    if _DRAWING.search(start):
        return Kind.SVG
    if _PAGE.search(start):
        return Kind.HTML
    if not start:
        return Kind.TEXT if head else Kind.UNKNOWN
    controls = len(start) - len(start.translate(None, _CONTROLS))
    if controls * _SIGNS_PER_CONTROL > len(start) or not _readable(start):
        return Kind.UNKNOWN
    return Kind.TEXT


def _readable(start: bytes) -> bool:
    """UTF-8, or a one-byte encoding of a language: mostly letters, spaces and signs of ASCII."""
    try:
        codecs.utf_8_decode(start, "strict", False)
    except UnicodeDecodeError:
        return sum(byte < 0x80 for byte in start) > len(start) * 3 // 4
    return True
