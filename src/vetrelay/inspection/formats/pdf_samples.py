"""Tiny PDFs made on the spot, one per way through the code: for warming, and for the self-test through the jail."""

import io
from functools import cache
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name
from PIL import Image

_PAGE = Array([0, 0, 200, 100])
_DRAWING = b"BT /F1 12 Tf 10 70 Td (Patient: Rex   Owner: Miller) Tj ET q 40 0 0 20 10 10 cm /Im1 Do Q /Fm1 Do"


@cache
def made() -> tuple[bytes, ...]:
    """One with everything on it; the same locked for its owner only, in each way of locking; and one in need of repair."""
    whole = _saved(_everything())
    locks = (
        pikepdf.Encryption(owner="sample", user="", R=6),
        pikepdf.Encryption(owner="sample", user="", R=4),
        pikepdf.Encryption(owner="sample", user="", R=3, aes=False, metadata=False),
    )
    return (
        whole,
        *(_saved(_everything(), encryption=lock) for lock in locks),
        whole.replace(b"startxref", b"startxxxx"),
    )


def unsound() -> tuple[bytes, ...]:
    """What is not rebuilt: locked for everyone, damaged beyond repair, without a page."""
    locked = _saved(_everything(), encryption=pikepdf.Encryption(owner="sample", user="sample", R=6))
    return locked, b"%PDF-1.7\n", b"%PDF-1.7\ntrailer <</Root 1 0 R>>", _saved(pikepdf.new())


def _saved(pdf: pikepdf.Pdf, **options: Any) -> bytes:
    buffer = io.BytesIO()
    with pdf:
        pdf.save(buffer, fix_metadata_version=False, **options)
    return buffer.getvalue()


def _everything() -> pikepdf.Pdf:
    pdf = pikepdf.new()
    for drawing in (_DRAWING, b"0 0 1 rg 20 20 50 50 re f"):
        page = Dictionary(Type=Name.Page, MediaBox=_PAGE, Resources=_resources(pdf), Contents=pdf.make_stream(drawing))
        pdf.pages.append(pikepdf.Page(page))
    first, second = pdf.pages
    second.obj.Rotate = 90
    link = Dictionary(Type=Name.Annot, Subtype=Name.Link, Rect=_PAGE, Dest=Array([second.obj, Name.XYZ, None, 90, 0]))
    field = pdf.make_indirect(
        Dictionary(
            Type=Name.Annot, Subtype=Name.Widget, FT=Name.Tx, T="species", V="dog", Rect=Array([100, 10, 190, 30]),
            DA="/F1 10 Tf 0 g", P=first.obj, AA=Dictionary(K=Dictionary(S=Name.JavaScript, JS="sample")),
        )
    )  # fmt: skip
    first.obj.Annots = Array([pdf.make_indirect(link), field])
    fonts = Dictionary(Font=Dictionary(F1=first.obj.Resources.Font.F1))
    pdf.Root.AcroForm = Dictionary(Fields=Array([field]), NeedAppearances=True, DR=fonts, DA="/F1 10 Tf 0 g")
    pdf.Root.OpenAction = Dictionary(S=Name.JavaScript, JS="sample")
    layer = pdf.make_indirect(Dictionary(Type=Name.OCG, Name="sample"))
    pdf.Root.OCProperties = Dictionary(OCGs=Array([layer]), D=Dictionary(OFF=Array([layer])))
    pdf.trailer.Info = Dictionary(Author="sample")
    with pdf.open_outline() as outline:
        outline.root.append(pikepdf.OutlineItem("sample", Array([second.obj, Name.Fit])))
    return pdf


def _resources(pdf: pikepdf.Pdf) -> Dictionary:
    font = Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica)
    form = pdf.make_stream(b"/Im2 Do", Type=Name.XObject, Subtype=Name.Form, BBox=_PAGE)
    form.Resources = Dictionary(XObject=Dictionary(Im2=_picture(pdf, "JPEG2000", Name.JPXDecode)))
    photo = _picture(pdf, "JPEG", Name.DCTDecode)
    return Dictionary(Font=Dictionary(F1=font), XObject=Dictionary(Im1=photo, Fm1=form))


def _picture(pdf: pikepdf.Pdf, format_name: str, packing: Any) -> Any:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((16, 16)).convert("RGB").save(buffer, format=format_name)
    return pdf.make_stream(
        buffer.getvalue(), Type=Name.XObject, Subtype=Name.Image, Width=16, Height=16, ColorSpace=Name.DeviceRGB,
        BitsPerComponent=8, Filter=packing,
    )  # fmt: skip
