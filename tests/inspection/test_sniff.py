"""What a file is by its own bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hostile import images
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.sniff import kind_of


def box(brand: bytes, *compatible: bytes) -> bytes:
    """A file that opens with a ftyp box of these brands."""
    brands = brand + bytes(4) + b"".join(compatible)
    return (len(brands) + 8).to_bytes(4, "big") + b"ftyp" + brands + bytes(40)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (images.jpeg(), Kind.JPEG),
        (images.png(), Kind.PNG),
        (images.webp(), Kind.WEBP),
        (images.gif(1), Kind.GIF),
        (box(b"heic", b"mif1"), Kind.HEIC),
        (box(b"mif1", b"mif1", b"heic"), Kind.HEIC),
        (box(b"msf1", b"hevc"), Kind.HEIC),
        (box(b"avif", b"mif1"), Kind.AVIF),
        (box(b"mif1", b"avif"), Kind.AVIF),
        (box(b"isom", b"mp42"), Kind.MP4),
        (box(b"qt  "), Kind.QUICKTIME),
        (box(b"M4A "), Kind.M4A),
        (box(b"crx "), Kind.RAW_PHOTO),
        (b"II*\0\x08\0\0\0", Kind.TIFF),
        (b"MM\0*\0\0\0\x08", Kind.TIFF),
        (b"II*\0\x10\0\0\0CR\x02\0", Kind.RAW_PHOTO),
        (b"BM" + (30).to_bytes(4, "little") + bytes(8) + b"\x28" + bytes(15), Kind.BMP),
        (b"%PDF-1.7\n", Kind.PDF),
        (b"  %PDF-1.7\n", Kind.TEXT),
        (bytes(128) + b"DICM" + bytes(50), Kind.DICOM),
        (b"MZ" + bytes(126) + b"DICM", Kind.DICOM),
        (b"\x89PNG\r\n\x1a\n" + bytes(120) + b"DICM", Kind.DICOM),
        (b"MZ\x90\0", Kind.PROGRAM),
        (b"\x7fELF\x02", Kind.PROGRAM),
        (b"#!/bin/sh\n", Kind.PROGRAM),
        (b"#!AMR\n", Kind.AMR),
        (b"\x1aE\xdf\xa3", Kind.WEBM),
        (b"RIFF\x10\0\0\0AVI LIST", Kind.AVI),
        (b"RIFF\x10\0\0\0WAVEfmt ", Kind.WAV),
        (b"ID3\x03\0", Kind.MP3),
        (b"\xff\xfb\x90\x64" + bytes(20), Kind.MP3),
        (b"OggS\0", Kind.OGG),
        (b"fLaC\0", Kind.FLAC),
        (b"PK\x03\x04" + bytes(26) + b"[Content_Types].xml", Kind.OFFICE_ZIP),
        (b"PK\x03\x04" + bytes(26) + b"mimetypeapplication/vnd.oasis.opendocument.text", Kind.OFFICE_ZIP),
        (b"PK\x03\x04" + bytes(26) + b"holiday/1.jpg", Kind.ZIP),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Kind.OFFICE_OLE),
        (b"{\\rtf1\\ansi", Kind.RTF),
        (b"\x78\x9f\x3e\x22\0\0", Kind.TNEF),
        (b"\x1f\x8b\x08", Kind.GZIP),
        (b"Rar!\x1a\x07\0", Kind.RAR),
        (b"7z\xbc\xaf\x27\x1c", Kind.SEVEN_ZIP),
        (b"8BPS\0\x01", Kind.PSD),
        (b"\xff\x0a\xfa\x1f", Kind.JXL),
        (b"\0\0\0\x0cJXL \r\n\x87\n", Kind.JXL),
        (b"L\0\0\0\x01\x14\x02\0", Kind.SHORTCUT),
        (bytes(32_769) + b"CD001", Kind.DISK_IMAGE),
        (b"<!DOCTYPE html><p>", Kind.HTML),
        (b"\xef\xbb\xbf\n <HTML>", Kind.HTML),
        ("\ufeff<html>".encode("utf-16-le"), Kind.HTML),
        (b"hello <script>evil()</script>", Kind.HTML),
        (b"<?xml version='1.0'?>\n<svg xmlns='x'>", Kind.SVG),
        (b"%!PS-Adobe-3.0", Kind.POSTSCRIPT),
        (b"From: a@b.example\r\nSubject: x\r\n\r\n<html>", Kind.MAIL),
        (b"Rex eats well.\n", Kind.TEXT),
        ("Größe 40 cm, Fieber: 39,5 °C".encode("latin-1"), Kind.TEXT),
        ("体温 38.5".encode(), Kind.TEXT),
        (("ä" * 1000).encode()[:1023], Kind.TEXT),
        (b'{"a": 1}', Kind.TEXT),
        (b"text with a \0 in it", Kind.TEXT),
        (b"\0te\1xt\2", Kind.UNKNOWN),
        (b" \r\n", Kind.TEXT),
        (b"PK\x03\x04" + bytes(26) + b"docProps/app.xml", Kind.OFFICE_ZIP),
        (b"PK\x03\x04" + bytes(26) + b"_rels/.rels", Kind.OFFICE_ZIP),
        (b"", Kind.UNKNOWN),
        (bytes(range(128, 256)) * 4, Kind.UNKNOWN),
    ],
)
def test_a_file_is_known_by_its_content(content: bytes, expected: Kind) -> None:
    """Signatures first, a DICOM's above all others; then a look at text."""
    assert expected is kind_of(content)


@given(st.binary(max_size=1200))
def test_any_bytes_have_a_kind(content: bytes) -> None:
    """Nothing is raised, whatever comes."""
    assert kind_of(content) in Kind
