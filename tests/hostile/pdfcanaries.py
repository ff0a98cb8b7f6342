"""One PDF with a word planted wherever a PDF keeps what is not drawn."""

import zlib
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, String

from tests.hostile.pdfs import action, annotation, attached, blank, photo, saved, with_picture

WORDS: list[str] = []
NOTES = {
    "2 comments removed",
    "editing record removed",
    "embedded thumbnail removed",
    "4 scripts removed from the PDF",
    "3 attached files removed",
    "4 links made inert",
    "command removed from the PDF",
    "form program (XFA) removed",
    "form field fixed as it looks",
    "sound, film or 3D view removed",
    "document details removed",
    "3 references to other files removed",
    "digital signature no longer valid",
    "details of 2 pictures removed",
    "reading order for screen readers removed",
}


def word() -> str:
    """A new word that stands nowhere by chance."""
    WORDS.append(f"canary{len(WORDS):03}bird")
    return WORDS[-1]


def found(sought: str, *places: bytes) -> bool:
    """Whether a word stands in one of these, as it is, in UTF-16, or in hexadecimal."""
    plain = sought.encode()
    disguises = (plain, sought.encode("utf-16-be"), sought.encode("utf-16-le"), plain.hex().encode())
    return any(disguise in place for place in places for disguise in (*disguises, plain.hex().upper().encode()))


def planted() -> bytes:
    """The PDF; the same words each time."""
    WORDS.clear()
    pdf = blank()
    _in_the_file(pdf)
    _on_the_page(pdf)
    _in_what_draws(pdf)
    whole = saved(pdf)
    return whole + f"\n% {word()}\n".encode()


def _xmp(pdf: pikepdf.Pdf) -> Any:
    content = f"<x:xmpmeta xmlns:x='adobe:ns:meta/'>{word()}</x:xmpmeta>".encode()
    return pdf.make_stream(content, Type=Name.Metadata, Subtype=Name.XML)


def _in_the_file(pdf: pikepdf.Pdf) -> None:
    root = pdf.Root
    said = {f"/{key}": String(word()) for key in ("Author", "Title", "Producer", "Keywords", "Company")}
    pdf.trailer.Info = pdf.make_indirect(Dictionary(said))
    root.Metadata = _xmp(pdf)
    root.OpenAction = action("JavaScript", JS=word())
    root.AA = Dictionary(WC=action("JavaScript", JS=pdf.make_stream(word().encode())))
    root.Names = Dictionary(
        JavaScript=Dictionary(Names=Array([word(), action("JavaScript", JS=word())])),
        EmbeddedFiles=Dictionary(Names=Array([word(), attached(pdf, word(), word().encode())])),
        IDS=Dictionary(Names=Array([word(), Dictionary(Type=Name.SpiderContentSet, TS=word())])),
    )
    root.AF = Array([attached(pdf, word(), word().encode())])
    root.PieceInfo = Dictionary(Program=Dictionary(Private=word()))
    root.OutputIntents = Array([Dictionary(S=Name.GTS_PDFA1, OutputConditionIdentifier=word())])
    root.StructTreeRoot = Dictionary(K=Dictionary(S=Name.Figure, Alt=word(), ActualText=word()))
    root.SpiderInfo = Dictionary(V=1, C=Array([word()]))
    root.Collection = Dictionary(Schema=Dictionary(N=word()))
    root.URI = Dictionary(Base=word())
    root.Perms = Dictionary(DocMDP=Dictionary(Reason=word(), Location=word()))
    root.PageLabels = Dictionary(Nums=Array([0, Dictionary(P=word())]))
    root.Lang = word()
    root.Custom = word()
    pdf.trailer.Custom = word()
    pdf.trailer.Unreferenced = pdf.make_indirect(Dictionary(A=word()))
    root.Outlines = Dictionary(First=Dictionary(Title="chapter", A=action("URI", URI=word())))
    signature = Dictionary(Type=Name.Sig, Name=word(), Reason=word(), ContactInfo=word())
    field = pdf.make_indirect(Dictionary(FT=Name.Sig, T=word(), V=signature))
    root.AcroForm = Dictionary(Fields=Array([field]), XFA=pdf.make_stream(word().encode()))


def _on_the_page(pdf: pikepdf.Pdf) -> None:
    page = pdf.pages[0].obj
    page.AA = Dictionary(O=action("JavaScript", JS=word()))
    page.Metadata = _xmp(pdf)
    page.PieceInfo = Dictionary(Program=Dictionary(Private=word()))
    page.Thumb = pdf.make_stream(word().encode(), Width=4, Height=4, ColorSpace=Name.DeviceGray, BitsPerComponent=8)
    page.LastModified = word()
    page.Custom = word()
    annotation(pdf, "Text", T=word(), Contents=word(), NM=word(), Subj=word(), RC=f"<p>{word()}</p>")
    annotation(pdf, "Popup", Contents=word())
    annotation(pdf, "Link", A=action("URI", URI=word()))
    annotation(pdf, "Link", Contents=word(), A=action("GoToR", F=word()))
    annotation(pdf, "Link", Dest=Array([page, Name.Fit]), TU=word(), PA=action("URI", URI=word()))
    annotation(pdf, "FileAttachment", FS=attached(pdf, word(), word().encode()), Contents=word())
    widget = annotation(pdf, "Widget", FT=Name.Tx, T=word(), TU=word(), DV=word(), A=action("Launch", F=word()))
    pdf.Root.AcroForm.Fields.append(widget)
    annotation(pdf, "RichMedia", RichMediaContent=Dictionary(Assets=Dictionary(Names=Array([word()]))))


def _in_what_draws(pdf: pikepdf.Pdf) -> None:
    comment = Dictionary(Private=word())
    exif = b"Exif\0\0" + word().encode()
    content = photo(comment=word().encode(), exif=exif)
    picture = with_picture(pdf, content, Name.DCTDecode, Metadata=_xmp(pdf), PieceInfo=comment, ID=word())
    picture.Alternates = Array([Dictionary(Image=pdf.make_stream(word().encode()))])
    picture.OPI = Dictionary({"/2.0": Dictionary(F=word())})
    page = pdf.pages[0].obj
    boxes = photo("JPEG2000")
    told = word().encode()
    boxes += (8 + len(told)).to_bytes(4, "big") + b"xml " + told
    form = pdf.make_stream(
        b"q 50 0 0 50 200 200 cm /Im2 Do Q", Type=Name.XObject, Subtype=Name.Form, BBox=Array([0, 0, 612, 792])
    )
    form.Resources = Dictionary(
        XObject=Dictionary(
            Im2=pdf.make_stream(
                boxes, Type=Name.XObject, Subtype=Name.Image, Width=32, Height=32, Filter=Name.JPXDecode,
                ColorSpace=Name.DeviceRGB, BitsPerComponent=8,
            )
        )
    )  # fmt: skip
    form.Ref = Dictionary(F=word(), Page=0)
    form.Custom = word()
    form.PieceInfo = Dictionary(Program=Dictionary(Private=word()))
    page.Resources.XObject.Fm1 = form
    page.Resources.Custom = word()
    page.Resources.Font.F1.Custom = word()
    page.Resources.Font.F1.Metadata = _xmp(pdf)
    page.Resources.ColorSpace = Dictionary(C1=Array([Name.Separation, Name.Spot, Name.DeviceGray, _tint(pdf)]))
    outside = pdf.make_stream(b"0 0 m", F=Dictionary(F=word()))
    page.Contents = Array([page.Contents, pdf.make_stream(b" /Fm1 Do"), outside])
    trailed = zlib.compress(b" ") + word().encode()
    page.Contents.append(pdf.make_stream(trailed, Filter=Name.FlateDecode))


def _tint(pdf: pikepdf.Pdf) -> Any:
    return pdf.make_indirect(
        Dictionary(FunctionType=2, Domain=Array([0, 1]), C0=Array([0]), C1=Array([1]), N=1, Custom=word())
    )
