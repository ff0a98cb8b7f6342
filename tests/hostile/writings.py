"""Texts and documents that are awkward or hostile, built anew for each run, with the verdict that each must get."""

import io
import json
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from vetrelay.inspection.words import Verdict

CANARY = "CANARY-7f3a"

WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
WORD_WITH_MACROS = "application/vnd.ms-word.document.macroEnabled.main+xml"
SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
SLIDES = "application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml"
ODT = "application/vnd.oasis.opendocument.text"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_ODF = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    'xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0" '
    'xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"'
)
LAUGHS = (
    '<!DOCTYPE l [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    + "]><l>&i;</l>"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One file and what must become of it."""

    row: str
    name: str
    make: Callable[[], bytes]
    verdict: Verdict
    reason: str | None = None
    notes: tuple[str, ...] = ()
    text: str | None = None


def packed(parts: Mapping[str, str | bytes]) -> bytes:
    """A ZIP of these parts, as programs write it."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as written:
        for name, part in parts.items():
            written.writestr(name, part, zipfile.ZIP_STORED if name == "mimetype" else None)
    return content.getvalue()


def related(*targets: tuple[str, str], outside: tuple[tuple[str, str], ...] = ()) -> str:
    """A list of relationships: of a kind, to a target; those to addresses outside come last."""
    inside = [(kind, f'Target="{target}"') for kind, target in targets]
    beyond = [(kind, f'Target="{target}" TargetMode="External"') for kind, target in outside]
    rows = "".join(
        f'<Relationship Id="rId{number}" Type="{_OFFICE}/{kind}" {rest}/>'
        for number, (kind, rest) in enumerate([*inside, *beyond], 1)
    )
    return f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{rows}</Relationships>'


def office(main: str, part: str, parts: Mapping[str, str | bytes]) -> bytes:
    """An Office document whose main part is of this type."""
    types = (
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/{part}" ContentType="{main}"/></Types>'
    )
    return packed(
        {"[Content_Types].xml": types, "_rels/.rels": related(("officeDocument", part)), **parts},
    )


def word(body: str = "", parts: Mapping[str, str | bytes] | None = None, *, of_type: str = WORD) -> bytes:
    """A Word document with this body, and these parts beside it."""
    body = body or "<w:p><w:r><w:t>Rex is well.</w:t></w:r></w:p>"
    document = body if body.startswith("<!") else f'<w:document {_W} xmlns:r="r"><w:body>{body}</w:body></w:document>'
    return office(of_type, "word/document.xml", {"word/document.xml": document, **(parts or {})})


def open_document(body: str, parts: Mapping[str, str | bytes] | None = None, media_type: str = ODT) -> bytes:
    """An OpenDocument text with this body."""
    content = f"<office:document-content {_ODF}><office:body><office:text>{body}</office:text></office:body>"
    manifest = f"<manifest:manifest {_ODF}/>"
    return packed(
        {
            "mimetype": media_type,
            "content.xml": f"{content}</office:document-content>",
            "META-INF/manifest.xml": manifest,
            **(parts or {}),
        },
    )


def locked_odt() -> bytes:
    """Its parts are encrypted, and its manifest says so."""
    entry = '<manifest:file-entry><manifest:encryption-data manifest:checksum="x"/></manifest:file-entry>'
    manifest = f"<manifest:manifest {_ODF}>{entry}</manifest:manifest>"
    return open_document("", {"META-INF/manifest.xml": manifest, "content.xml": b"\x8a\x01\xff" * 40})


def _patched(content: bytes, at: int, field: bytes) -> bytes:
    return content[:at] + field + content[at + len(field) :]


def lying_size() -> bytes:
    """Its document unpacks to more than both of its headers say."""
    content = word("<w:p><w:r><w:t>" + "Rex " * 5000 + "</w:t></w:r></w:p>")
    local = content.index(b"word/document.xml") - 30
    central = content.rindex(b"word/document.xml") - 46
    content = _patched(content, local + 22, struct.pack("<I", 40))
    return _patched(content, central + 24, struct.pack("<I", 40))


def two_sizes() -> bytes:
    """The local header says one size, the directory another."""
    content = word()
    return _patched(content, content.index(b"word/document.xml") - 30 + 22, struct.pack("<I", 40))


def overlapping() -> bytes:
    """A second line of the directory points into the first part."""
    content = packed({"[Content_Types].xml": "<Types/>", "word/a.xml": "<a/>"})
    central = content.rindex(b"word/a.xml") - 46
    return _patched(content, central + 42, struct.pack("<I", 0))


def encrypted() -> bytes:
    """A ZIP whose parts need a password."""
    content = word()
    for at in (at for at in range(len(content)) if content[at : at + 4] == b"PK\x03\x04"):
        content = _patched(content, at + 6, b"\x01")
    for at in (at for at in range(len(content)) if content[at : at + 4] == b"PK\x01\x02"):
        content = _patched(content, at + 8, b"\x01")
    return content


def deep_document() -> bytes:
    """Tables within tables, a thousand times."""
    return word("<w:tbl><w:tr><w:tc>" * 1000 + "</w:tc></w:tr></w:tbl>" * 1000)


def burst() -> bytes:
    """A part of 150 MB of spaces."""
    return word("", {"word/media/blank.png": bytes(150_000_000)})


def sound() -> dict[str, bytes]:
    """One file of each kind as people send them, by its name: what cuts and flips begin with."""
    table = "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>weight</w:t></w:r></w:p></w:tc></w:tr></w:tbl>"
    sheet = {
        "xl/workbook.xml": '<workbook xmlns:r="r"><sheets><sheet name="Rex" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": related(("worksheet", "sheet.xml"), ("sharedStrings", "texts.xml")),
        "xl/sheet.xml": '<worksheet><sheetData><row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1"><v>12.5</v></c></row>'
        "</sheetData></worksheet>",
        "xl/texts.xml": "<sst><si><t>weight</t></si></sst>",
    }
    words = "Rex schläft wieder gut und frisst.\r\nDer Zahn 104 wurde gezogen.\r\n" * 20
    return {
        "utf8.txt": words.encode(),
        "utf16.txt": words.encode("utf-16"),
        "old.txt": words.encode("cp1252"),
        "table.csv": b'date,weight\r\n2026-01-02,"12,5"\r\n' * 20,
        "values.json": json.dumps([{"date": "2026-01-02", "weight": 12.5, "well": True}] * 10, indent=1).encode(),
        "notes.md": b"# Rex\n\n* eats\n* sleeps, see [notes](https://example.org/notes)\n" * 10,
        "report.docx": word("<w:p><w:r><w:t>Rex is well.</w:t></w:r></w:p>" * 20 + table),
        "values.xlsx": office(SHEET, "xl/workbook.xml", sheet),
        "letter.odt": open_document("<text:p>Rex is well.</text:p>" * 20),
        "letter.rtf": rb"{\rtf1\ansi\ansicpg1252\uc1{\fonttbl{\f0\fcharset0 A;}}\f0 Rex schl\'e4ft \u8364?\par}" * 1,
    }


_MACROS = {"word/vbaProject.bin": b"\xd0\xcf\x11\xe0"}
_TAKEN_OUT = "words and tables taken out as plain text"
_REPEATED = b'{"dose": 1, "d\\u006fse": 10}'
_LINKS = b"# Rex\n\n[scan](javascript:alert(1)) ![x](data:text/plain;base64,AA==) <javascript:alert(2)>\n"
_OBJECT = rb"{\rtf1\ansi{\object\objemb{\*\objclass Package}{\*\objdata 01050000}{\result Rex}} is well.\par}"
_C, _V, _K, _H, _R = Verdict.CLEAN, Verdict.CONVERTED, Verdict.KEPT_SEALED, Verdict.HELD, Verdict.REFUSED


def _row(row: str, name: str, make: Callable[[], bytes] | bytes, verdict: Verdict, reason: str | None = None) -> Row:
    return Row(
        row=row, name=name, make=(lambda: make) if isinstance(make, bytes) else make, verdict=verdict, reason=reason
    )


ROWS = (
    _row("57-macros-and-laughs", "a.docx", lambda: word(LAUGHS, _MACROS), _K, "document_not_read"),
    Row(
        row="57-macros-alone",
        name="a.docx",
        make=lambda: word("", _MACROS),
        verdict=_V,
        notes=(_TAKEN_OUT, "macros left out"),
        text="Rex is well.\n",
    ),
    Row(
        row="58-formulas",
        name="a.csv",
        make=lambda: b"animal,weight\r\n=cmd|' /C calc'!A0,-3.5\r\n",
        verdict=_C,
        notes=("cell that starts like a formula",),
        text="animal,weight\n=cmd|' /C calc'!A0,-3.5\n",
    ),
    Row(row="59-utf16", name="a.txt", make=lambda: "Schläft\r\n".encode("utf-16"), verdict=_C, text="Schläft\n"),
    Row(
        row="60-nul-and-bidi",
        name="a.txt",
        make="Rex\x00 sleeps, \u202egnp.exe\u202c and eats well".encode,
        verdict=_C,
        notes=("3 unseen signs shown as marks",),
        text="Rex\u2400 sleeps, [U+202E]gnp.exe[U+202C] and eats well",
    ),
    Row(
        row="60-old-letters",
        name="a.txt",
        make=lambda: "Der Hund schläft wieder gut.".encode("cp1252"),
        verdict=_C,
        notes=("letters guessed, because the text does not say how it is written",),
        text="Der Hund schläft wieder gut.",
    ),
    _row("61-depth", "a.json", b"[" * 100_000 + b"]" * 100_000, _R, "nested_too_deep"),
    _row("61-long-integer", "a.json", b'{"dose": ' + b"9" * 5000 + b"}", _R, "number_too_long"),
    _row("61-keys-repeat", "a.json", _REPEATED, _H, "keys_repeat"),
    Row(
        row="62-live-markdown",
        name="a.md",
        make=lambda: _LINKS,
        verdict=_C,
        notes=(
            "2 links in the text made inert",
            "picture from elsewhere made inert",
            "piece of web page code made inert",
        ),
        text="# Rex\n\n[scan] (javascript:alert(1)) ! [x] (data:text/plain;base64,AA==) < javascript:alert(2)>\n",
    ),
    _row("text-empty-but-for-a-mark", "a.txt", b"\xef\xbb\xbf\r\n", _R, "empty"),
    _row("text-of-binary-after-a-page", "a.txt", b"Rex is well. " * 100 + bytes(range(32)) * 200, _H, "not_only_text"),
    _row("text-on-one-line", "a.txt", b"Rex " * 20_000, _R, "line_too_long"),
    _row("text-too-large", "a.txt", b"Rex is well.\n" * 500_000, _R, "too_many_bytes"),
    _row("text-utf16-cut", "a.txt", "Schläft gut".encode("utf-16")[:-1], _R, "incomplete"),
    _row("page-named-text", "a.txt", b"<html><script>alert(1)</script></html>", _R, "content_differs_from_name"),
    _row("program-named-document", "a.docx", b"MZ" + bytes(200), _R, "content_differs_from_name"),
    _row(
        "document-outside-entity",
        "a.docx",
        lambda: word('<!DOCTYPE d SYSTEM "http://x/y"><d/>'),
        _K,
        "document_not_read",
    ),
    _row("document-deep", "a.docx", deep_document, _K, "document_not_read"),
    _row("document-broken-markup", "a.docx", lambda: word("<w:p><w:r>"), _R, "damaged"),
    _row(
        "document-in-letters-that-the-jail-cannot-load",
        "a.docx",
        lambda: word("", {"word/document.xml": b"<?xml version='1.0' encoding='cp875'?><d>\xf2</d>"}),
        _R,
        "damaged",
    ),
    _row("document-bursts", "a.docx", burst, _R, "unpacks_too_large"),
    _row("document-lies-about-a-size", "a.docx", lying_size, _R, "damaged"),
    _row("document-says-two-sizes", "a.docx", two_sizes, _R, "packed_ambiguously"),
    _row("document-overlaps", "a.docx", overlapping, _R, "packed_ambiguously"),
    _row("document-slips-out", "a.docx", lambda: word("", {"../x.xml": "x"}), _R, "packed_ambiguously"),
    _row(
        "document-of-many-parts",
        "a.docx",
        lambda: word("", {f"word/{number}": "" for number in range(2000)}),
        _R,
        "too_many_parts_inside",
    ),
    _row("document-locked", "a.docx", encrypted, _K, "document_locked"),
    _row("odt-locked", "a.odt", locked_odt, _K, "document_locked"),
    _row("docm", "a.docm", lambda: word(of_type=WORD_WITH_MACROS), _K, "open_with_care"),
    _row("docm-named-docx", "a.docx", lambda: word(of_type=WORD_WITH_MACROS), _K, "open_with_care"),
    _row(
        "pptx",
        "a.pptx",
        lambda: office(SLIDES, "ppt/presentation.xml", {"ppt/presentation.xml": "<p/>"}),
        _K,
        "open_with_care",
    ),
    _row(
        "ods",
        "a.ods",
        lambda: open_document("", None, "application/vnd.oasis.opendocument.spreadsheet"),
        _K,
        "open_with_care",
    ),
    _row("doc", "a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000), _K, "open_with_care"),
    Row(
        row="rtf-object",
        name="a.rtf",
        make=lambda: _OBJECT,
        verdict=_K,
        reason="open_with_care",
        notes=(_TAKEN_OUT, "embedded file left out"),
        text="Rex is well.\n",
    ),
    _row("rtf-object-behind-the-end", "a.rtf", rb"{\rtf1 Rex\par}{\*\objdata 0105}", _K, "open_with_care"),
    _row("rtf-cut", "a.rtf", rb"{\rtf1\ansi Rex is well", _R, "incomplete"),
    _row("rtf-deep", "a.rtf", b"{\\rtf1" + b"{" * 100_000 + b"}" * 100_001, _R, "nested_too_deep"),
    _row("rtf-bin-beyond-the-end", "a.rtf", rb"{\rtf1 Rex\bin2147483647 x}", _R, "incomplete"),
)
"""The checklist's rows 57 to 62 (attachments.md section 7), and what else its policy rows promise of writings."""
