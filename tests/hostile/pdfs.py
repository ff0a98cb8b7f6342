"""Hostile and awkward PDFs, made on the spot: the PDF rows of the checklist in attachments.md, section 7.

Each is a plain page with one thing done to it; rows without a number are beyond the checklist.
"""

import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name
from PIL import Image

from vetrelay.inspection.words import Verdict

MiB = 1 << 20
LETTER = Array([0, 0, 612, 792])
WORDS = b"BT /F1 24 Tf 72 700 Td (Hello Rex) Tj ET"
SCRIPT = "app.alert('hello')"
PROGRAM = b"MZ\x90\x00 this is a program"


def blank(*drawings: bytes) -> pikepdf.Pdf:
    """A PDF of a page for each drawing."""
    pdf = pikepdf.new()
    font = pdf.make_indirect(Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica))
    for drawing in drawings or (WORDS,):
        page = Dictionary(
            Type=Name.Page,
            MediaBox=LETTER,
            Resources=Dictionary(Font=Dictionary(F1=font)),
            Contents=pdf.make_stream(drawing),
        )
        pdf.pages.append(pikepdf.Page(page))
    return pdf


def saved(pdf: pikepdf.Pdf, **options: Any) -> bytes:
    """The PDF as a file."""
    buffer = io.BytesIO()
    pdf.save(buffer, fix_metadata_version=False, preserve_pdfa=False, static_id=True, **options)
    return buffer.getvalue()


def made(change: Callable[[pikepdf.Pdf], object], *drawings: bytes, **options: Any) -> bytes:
    """A plain PDF with this done to it."""
    pdf = blank(*drawings)
    change(pdf)
    return saved(pdf, **options)


def action(sort: str, **said: Any) -> Dictionary:
    """An action of this sort."""
    return Dictionary(Type=Name.Action, S=Name(f"/{sort}"), **said)


def annotation(pdf: pikepdf.Pdf, subtype: str, *, page: int = 0, **said: Any) -> Any:
    """Puts an annotation on a page."""
    obj = pdf.pages[page].obj
    rectangle = Array([100, 100, 300, 150])
    added = pdf.make_indirect(Dictionary(Type=Name.Annot, Subtype=Name(f"/{subtype}"), Rect=rectangle, **said))
    obj.Annots = Array([*obj.get("/Annots", Array()), added])
    return added


def attached(pdf: pikepdf.Pdf, name: str, content: bytes) -> Any:
    """A file specification with a file in it."""
    stream = pdf.make_stream(content, Type=Name.EmbeddedFile)
    return pdf.make_indirect(Dictionary(Type=Name.Filespec, F=name, UF=name, Desc=name, EF=Dictionary(F=stream)))


def photo(format_name: str = "JPEG", **options: Any) -> bytes:
    """A small picture as a file."""
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((32, 32)).convert("RGB").save(buffer, format=format_name, **options)
    return buffer.getvalue()


def with_picture(pdf: pikepdf.Pdf, content: bytes, packing: Any, **said: Any) -> Any:
    """Draws a picture on the first page."""
    picture = pdf.make_stream(
        content,
        **{
            "Type": Name.XObject, "Subtype": Name.Image, "Width": 32, "Height": 32, "ColorSpace": Name.DeviceRGB,
            "BitsPerComponent": 8, "Filter": packing, **said,
        },
    )  # fmt: skip
    page = pdf.pages[0].obj
    page.Resources.XObject = Dictionary(Im1=picture)
    page.Contents = pdf.make_stream(WORDS + b" q 100 0 0 100 50 50 cm /Im1 Do Q")
    return picture


# --- what the rows are made of ------------------------------------------------------------------------------------------


def launch(pdf: pikepdf.Pdf) -> None:
    """Opens a program when it is opened, and another when its page is."""
    pdf.Root.OpenAction = action("Launch", F="cmd.exe", Next=Array([action("SubmitForm", F="http://example.org/")]))
    pdf.pages[0].obj.AA = Dictionary(O=action("Launch", F="calc.exe"))


def uri(pdf: pikepdf.Pdf) -> None:
    """A link to the web, one into another file, and one to the second page."""
    annotation(pdf, "Link", A=action("URI", URI="http://example.org/track"))
    annotation(pdf, "Link", A=action("GoToR", F="other.pdf", D=Array([0, Name.Fit])))
    annotation(pdf, "Link", A=action("GoTo", D=Array([pdf.pages[1].obj, Name.XYZ, None, 700, 0])))


def embedded(pdf: pikepdf.Pdf) -> None:
    """A program among the attached files, and another behind a paper clip on the page."""
    names = Array(["setup.exe", attached(pdf, "setup.exe", PROGRAM)])
    pdf.Root.Names = Dictionary(EmbeddedFiles=Dictionary(Names=names))
    annotation(pdf, "FileAttachment", FS=attached(pdf, "more.exe", PROGRAM))


def scripts(pdf: pikepdf.Pdf) -> None:
    """A script on opening, one by name, one that follows another, and a field's."""
    pdf.Root.OpenAction = action("JavaScript", JS=SCRIPT, Next=action("JavaScript", JS=SCRIPT))
    pdf.Root.Names = Dictionary(JavaScript=Dictionary(Names=Array(["a", action("JavaScript", JS=SCRIPT)])))
    field = annotation(pdf, "Widget", FT=Name.Tx, T="a", V="b", AA=Dictionary(K=action("JavaScript", JS=SCRIPT)))
    pdf.Root.AcroForm = Dictionary(Fields=Array([field]), XFA=pdf.make_stream(b"<xdp:xdp/>"), DA="/F1 12 Tf")


def media(pdf: pikepdf.Pdf) -> None:
    """A film, a sound, a 3D view and a screen."""
    for subtype in ("Movie", "Sound", "3D", "Screen", "RichMedia"):
        annotation(pdf, subtype, A=action("Rendition", JS=SCRIPT) if subtype == "Screen" else action("Movie"))


def many_pages() -> bytes:
    """5000 pages."""

    def change(pdf: pikepdf.Pdf) -> None:
        pages = pdf.Root.Pages
        every = (Dictionary(Type=Name.Page, Parent=pages, MediaBox=LETTER) for _ in range(5000))
        pages.Kids = Array([pdf.make_indirect(page) for page in every])
        pages.Count = 5000

    return made(change)


def packed(step: bytes, times: int) -> bytes:
    """What zlib would make of these bytes, so many times over, without the work."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block, end = packer.compress(step) + packer.flush(zlib.Z_FULL_FLUSH), packer.flush()
    checksum = 1
    for _ in range(times):
        checksum = zlib.adler32(step, checksum)
    return b"".join((b"\x78\xda", block * times, end, checksum.to_bytes(4, "big")))


def packed_twice() -> bytes:
    """A page whose drawing unpacks to 300 MB, packed twice to a few thousand bytes."""
    once = packed(b" " * MiB, 300)

    def change(pdf: pikepdf.Pdf) -> None:
        pdf.pages[0].obj.Contents.write(zlib.compress(once), filter=Array([Name.FlateDecode, Name.FlateDecode]))

    return made(change, compress_streams=False)


def drawn_over_and_over() -> bytes:
    """A page that names one drawing of a megabyte ten thousand times."""

    def change(pdf: pikepdf.Pdf) -> None:
        drawing = pdf.make_stream(b" " * MiB)
        pdf.pages[0].obj.Contents = Array([drawing] * 10_000)

    return made(change)


def large_picture() -> bytes:
    """A picture of 30000 times 30000 black or white pixels."""
    return made(
        lambda pdf: with_picture(
            pdf,
            packed(bytes(3750 * 1000), 30),
            Name.FlateDecode,
            Width=30_000,
            Height=30_000,
            BitsPerComponent=1,
            ColorSpace=Name.DeviceGray,
        )
    )


def sized(*box: float, **options: Any) -> bytes:
    """A page of this size."""
    return made(lambda pdf: pdf.pages[0].obj.__setitem__("/MediaBox", Array(box)), **options)


def locked(revision: int, user: str, **options: Any) -> bytes:
    """Locked, in one of the ways of locking; without a user's password for copying only."""
    lock = pikepdf.Encryption(owner="owner", user=user, R=revision, **options)  # type: ignore[arg-type]  # 3 to 6
    return made(lambda _pdf: None, encryption=lock)


def going_round() -> bytes:
    """Pages, chapters, actions, forms and arrays that lead to themselves."""

    def change(pdf: pikepdf.Pdf) -> None:
        chapter = pdf.make_indirect(Dictionary(Title="a", Dest=Array([pdf.pages[0].obj, Name.Fit])))
        chapter.First = chapter.Next = chapter
        pdf.Root.Outlines = Dictionary(First=chapter)
        acting = pdf.make_indirect(action("JavaScript", JS=SCRIPT))
        acting.Next = Array([acting, acting])
        pdf.Root.OpenAction = acting
        field = pdf.make_indirect(Dictionary(T="a"))
        field.Kids = Array([field, field])
        pdf.Root.AcroForm = Dictionary(Fields=Array([field]))
        resources = pdf.make_indirect(pdf.pages[0].obj.Resources)
        form = pdf.make_stream(b"/Fm1 Do", Type=Name.XObject, Subtype=Name.Form, BBox=LETTER, Resources=resources)
        resources.XObject = Dictionary(Fm1=form)
        pdf.pages[0].obj.Resources = resources

    return made(change)


def cut_in_the_table() -> bytes:
    """Its cross-reference table is gone, as after an upload that broke off."""
    whole = made(lambda _pdf: None, WORDS, WORDS)
    return whole[: whole.rindex(b"xref", 0, whole.rindex(b"startxref"))]


def locked_by(dictionary: bytes) -> bytes:
    """Said to be locked in this way."""
    return made(lambda _pdf: None).replace(b"/Size", b"/Encrypt <<" + dictionary + b">> /Size", 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of the checklist: the file, and what is to be said of it."""

    row: str
    make: Callable[[], bytes]
    verdict: Verdict
    reason: str | None = None
    notes: tuple[str, ...] = ()


def _clean(row: str, make: Callable[[], bytes], *notes: str) -> Row:
    return Row(row=row, make=make, verdict=Verdict.CLEAN, notes=notes)


def _not(row: str, verdict: Verdict, make: Callable[[], bytes], reason: str) -> Row:
    return Row(row=row, make=make, verdict=verdict, reason=reason)


_FORM = ("form program (XFA) removed", "form field fixed as it looks")
_FREE = "protection against copying removed"
_OVERSIZED = "page larger than 5 metres"
ROWS = (
    _clean("28 scripts", lambda: made(scripts), "4 scripts removed from the PDF", *_FORM),
    _clean("29 launch", lambda: made(launch), "3 commands removed from the PDF"),
    _clean("30 web link", lambda: made(uri, WORDS, WORDS), "2 links made inert"),
    _clean("31 embedded program", lambda: made(embedded), "2 attached files removed"),
    *(
        _not(f"32 user password R{revision}", Verdict.KEPT_SEALED, make, "pdf_password")
        for revision, make in (
            (6, lambda: locked(6, "user")),
            (4, lambda: locked(4, "user")),
            (3, lambda: locked(3, "user", aes=False, metadata=False)),
        )
    ),
    _not("32 locked by a certificate", Verdict.KEPT_SEALED, lambda: locked_by(b"/Filter /Adobe.PubSec /SubFilter /adbe.pkcs7.s4 /V 2 /R 3"), "pdf_encryption_unknown"),
    _not("32 locked by a later standard", Verdict.KEPT_SEALED, lambda: locked_by(b"/Filter /Standard /V 9 /R 9 /O (1) /U (1) /P -4"), "pdf_encryption_unknown"),
    _clean("33 owner password R6", lambda: locked(6, ""), _FREE),
    _clean("33 owner password R4", lambda: locked(4, ""), _FREE),
    _clean("33 owner password R3", lambda: locked(3, "", aes=False, metadata=False), _FREE),
    _not("34 5000 pages", Verdict.HELD, many_pages, "pdf_too_many_pages"),
    _not("35 packed twice", Verdict.REFUSED, packed_twice, "unpacks_too_large"),
    _not("35 drawn over and over", Verdict.REFUSED, drawn_over_and_over, "unpacks_too_large"),
    _clean("36 large picture", large_picture),
    _clean("37 huge page", lambda: sized(0, 0, 14_400_000, 14_400_000), _OVERSIZED),
    _clean("37 long page", lambda: sized(0, 0, 14_400_000, 1), _OVERSIZED),
    _clean("37 page without a size", lambda: sized(0, 0, 0, 0)),
    _clean("37 tiny page", lambda: sized(0, 0, 0.001, 0.001)),
    _not("38 not at the start", Verdict.REFUSED, lambda: b"hello\n" * 30 + made(uri, WORDS, WORDS), "content_differs_from_name"),
    _not("39 header only", Verdict.REFUSED, lambda: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "damaged"),
    _not("39 header and end", Verdict.REFUSED, lambda: b"%PDF-1.7\nstartxref\n0\n%%EOF\n", "damaged"),
    _not("no page", Verdict.REFUSED, lambda: saved(pikepdf.new()), "pdf_without_pages"),
    _clean("damaged table", cut_in_the_table, "damaged PDF repaired"),
    _clean("films and sounds", lambda: made(media), "script removed from the PDF", "4 commands removed from the PDF", "5 sounds, films or 3D views removed"),
    _clean("going round", going_round, "script removed from the PDF"),
)  # fmt: skip
