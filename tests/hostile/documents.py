"""Documents in which every place that can name a writer does, and says the same word: it must not come out."""

import io

from PIL import Image, PngImagePlugin

from tests.hostile.writings import CANARY, SHEET, office, open_document, related, word

_PROPERTIES = f"<p><creator>{CANARY}</creator><lastModifiedBy>{CANARY}</lastModifiedBy><title>{CANARY}</title></p>"
_W = 'xmlns:w="w"'


def _word() -> bytes:
    body = (
        f'<w:p w:rsidR="{CANARY}"><w:r><w:t>Rex </w:t></w:r><w:ins w:author="{CANARY}" w:date="2026"><w:r><w:t>is</w:t>'
        f'</w:r></w:ins><w:del w:author="{CANARY}"><w:r><w:delText>{CANARY}</w:delText></w:r></w:del>'
        f'<w:moveFrom w:author="{CANARY}"><w:r><w:t>{CANARY}</w:t></w:r></w:moveFrom><w:r><w:t> well.</w:t></w:r>'
        f'<w:commentReference w:id="0"/><w:r><w:instrText>AUTHOR {CANARY}</w:instrText></w:r>'
        f'<w:r><w:pict><v:shape xmlns:v="v" alt="{CANARY}"/></w:pict></w:r></w:p>'
    )
    return word(
        body,
        {
            "docProps/core.xml": _PROPERTIES,
            "docProps/app.xml": f"<p><Company>{CANARY}</Company></p>",
            "docProps/custom.xml": _PROPERTIES,
            "docProps/thumbnail.jpeg": CANARY,
            "word/comments.xml": f'<w:comments {_W}><w:comment w:author="{CANARY}"><w:p><w:r><w:t>{CANARY}</w:t></w:r></w:p>'
            "</w:comment></w:comments>",
            "word/people.xml": f'<w:person w:author="{CANARY}" {_W}/>',
            "word/embeddings/oleObject1.bin": CANARY,
            "customXml/item1.xml": f"<x>{CANARY}</x>",
            "word/_rels/document.xml.rels": related(
                ("comments", "comments.xml"),
                outside=(("hyperlink", f"https://{CANARY}/"), ("attachedTemplate", CANARY)),
            ),
        },
    )


def _sheet() -> bytes:
    return office(
        SHEET,
        "xl/workbook.xml",
        {
            "docProps/core.xml": _PROPERTIES,
            "xl/workbook.xml": f'<workbook xmlns:r="r"><fileSharing userName="{CANARY}"/><sheets>'
            '<sheet name="Rex" state="hidden" r:id="rId1"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": related(("worksheet", "worksheets/sheet1.xml")),
            "xl/worksheets/sheet1.xml": '<worksheet><sheetData><row><c r="B1" t="str"><f>'
            f'HYPERLINK("{CANARY}")</f><v>Rex</v></c></row></sheetData>'
            f"<headerFooter><oddHeader>{CANARY}</oddHeader></headerFooter></worksheet>",
            "xl/worksheets/_rels/sheet1.xml.rels": related(("comments", "../comments1.xml")),
            "xl/comments1.xml": f"<comments><authors><author>{CANARY}</author></authors><comment><text><t>{CANARY}</t>"
            "</text></comment></comments>",
            "xl/persons/person.xml": f'<person displayName="{CANARY}"/>',
            "xl/externalLinks/_rels/externalLink1.xml.rels": related(outside=(("externalLinkPath", CANARY),)),
        },
    )


def _open_document() -> bytes:
    body = (
        f"<text:tracked-changes><text:changed-region><text:deletion><office:change-info><dc:creator>{CANARY}</dc:creator>"
        f"</office:change-info><text:p>{CANARY}</text:p></text:deletion></text:changed-region></text:tracked-changes>"
        f"<text:p>Rex is well.<office:annotation><dc:creator>{CANARY}</dc:creator><text:p>{CANARY}</text:p>"
        f"</office:annotation><text:author-name>{CANARY}</text:author-name><text:title>{CANARY}</text:title>"
        f"<text:sender-email>{CANARY}</text:sender-email></text:p>"
    )
    return open_document(
        body,
        {
            "meta.xml": f"<m><dc:creator xmlns:dc='d'>{CANARY}</dc:creator></m>",
            "settings.xml": f"<s>{CANARY}</s>",
            "Thumbnails/thumbnail.png": CANARY,
            "Basic/Standard/Module1.xml": CANARY,
            "Object 1/content.xml": f"<o>{CANARY}</o>",
        },
    )


def _rtf() -> bytes:
    return (
        rb"{\rtf1\ansi{\info{\author %(c)s}{\title %(c)s}{\*\company %(c)s}}{\*\revtbl{Unknown;}{%(c)s;}}"
        rb"{\*\generator %(c)s;}{\*\atnid %(c)s}{\*\atnauthor %(c)s}\chatn{\*\annotation{\pard %(c)s}}"
        rb"{\field{\*\fldinst{HYPERLINK %(c)s}}{\fldrslt Rex}}{\deleted %(c)s} is well.\par}"
    ) % {b"c": CANARY.encode()}


def illustrated() -> bytes:
    """A document with a picture that says who made it, and one that breaks off."""
    said = PngImagePlugin.PngInfo()
    said.add_text("Author", CANARY)
    picture = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(picture, "PNG", pnginfo=said)
    parts: dict[str, str | bytes] = {
        "word/_rels/document.xml.rels": related(("image", "media/image1.png")),
        "word/media/image1.png": picture.getvalue(),
        "word/media/image2.png": picture.getvalue()[:60],
    }
    return word('<w:p><w:r><w:t>Rex </w:t><a:blip xmlns:a="a" r:embed="rId1"/></w:r></w:p>', parts)


DOCUMENTS = {"a.docx": _word(), "a.xlsx": _sheet(), "a.odt": _open_document(), "a.rtf": _rtf()}
"""One of each kind of document."""

NOTES = {
    "a.docx": {
        "words and tables taken out as plain text",
        "embedded file left out",
        "link in the text made inert",
        "link to outside content left out",
        "remark in the margin left out",
        "3 tracked changes shown as accepted",
        "author and document details left out",
    },
    "a.xlsx": {
        "words and tables taken out as plain text",
        "link to outside content left out",
        "remark in the margin left out",
        "author and document details left out",
        "hidden part shown",
    },
    "a.odt": {
        "words and tables taken out as plain text",
        "macros left out",
        "embedded file left out",
        "remark in the margin left out",
        "tracked change shown as accepted",
        "author and document details left out",
    },
    "a.rtf": {
        "words and tables taken out as plain text",
        "remark in the margin left out",
        "tracked change shown as accepted",
        "author and document details left out",
    },
}
"""What is told of each."""
