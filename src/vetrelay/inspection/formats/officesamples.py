"""Tiny Office documents made on the spot: they walk every path of the readers once, before any fork."""

import io
import zipfile
from collections.abc import Mapping

from vetrelay.inspection.formats import docx, odt, xlsx

_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
_RELATIONSHIPS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_DOCUMENT = (
    '<w:document xmlns:w="w" xmlns:r="r"><w:body><w:p><w:pPr><w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>'
    "</w:pPr><w:r><w:t>Rex ❤ </w:t></w:r><w:ins><w:r><w:tab/><w:t>is well</w:t></w:r></w:ins></w:p>"
    "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>weight</w:t></w:r></w:p></w:tc></w:tr></w:tbl></w:body></w:document>"
)
_WORKBOOK = '<workbook xmlns:r="r"><sheets><sheet name="Rex" r:id="r1"/></sheets></workbook>'
_SHEET = (
    '<worksheet><sheetData><row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" s="1"><v>45000.5</v></c>'
    '<c r="C1" t="inlineStr"><is><t>well</t></is></c><c r="D1"><v>0.1</v></c></row></sheetData></worksheet>'
)
_STYLES = '<styleSheet><cellXfs><xf numFmtId="0"/><xf numFmtId="22"/></cellXfs></styleSheet>'
_CONTENT = (
    '<d xmlns:text="t" xmlns:table="b"><text:h>Rex</text:h><text:list><text:list-item><text:p>eats<text:s text:c="2"/>'
    "</text:p></text:list-item></text:list><table:table><table:table-row><table:table-cell><text:p>12\n</text:p>"
    "</table:table-cell></table:table-row></table:table></d>"
)
_LAUGHS = '<!DOCTYPE d [<!ENTITY a "ha">]><d>&a;</d>'


def packed(parts: Mapping[str, str]) -> bytes:
    """Parts as a ZIP, the first of them stored (OpenDocument wants its media type so)."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as written:
        for name, text in parts.items():
            written.writestr(name, text, zipfile.ZIP_STORED if name == "mimetype" else None)
    return content.getvalue()


def _types(part: str, main: str) -> str:
    return f'<Types xmlns="{_TYPES}"><Override PartName="/{part}" ContentType="{main}"/></Types>'


def _related(**targets: str) -> str:
    inner = "".join(
        f'<Relationship Id="r{number}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets.items(), 1)
    )
    return f'<?xml version="1.0" encoding="UTF-8"?><Relationships xmlns="{_RELATIONSHIPS}">{inner}</Relationships>'


def _word(document: str) -> bytes:
    return packed({"[Content_Types].xml": _types("word/document.xml", docx.MAIN), "word/document.xml": document})


def broken() -> bytes:
    """A document whose main part breaks off."""
    return _word("<w:document")


def make() -> tuple[bytes, ...]:
    """A sound document of each kind; then one each with a document type, and of no known kind."""
    sheet = {
        "[Content_Types].xml": _types("xl/workbook.xml", xlsx.MAIN),
        "xl/workbook.xml": _WORKBOOK,
        "xl/_rels/workbook.xml.rels": _related(worksheet="sheet.xml", sharedStrings="texts.xml", styles="styles.xml"),
        "xl/sheet.xml": _SHEET,
        "xl/texts.xml": "<sst><si><t>date</t></si></sst>",
        "xl/styles.xml": _STYLES,
    }
    text = {"mimetype": odt.MEDIA_TYPE.decode("ascii"), "content.xml": _CONTENT, "META-INF/manifest.xml": "<manifest/>"}
    return (
        _word(_DOCUMENT),
        packed(sheet),
        packed(text),
        _word(_LAUGHS),
        packed({"[Content_Types].xml": _types("ppt/presentation.xml", "presentation")}),
    )
