"""Office documents that are ZIPs: their words and tables taken out as plain text, their pictures handed on.

Which document it is, only its table of contents says; the sniffer knows no more than that it is one. What can hold
programs by its type (.docm, .xlsm), presentations and templates are not opened. Nothing of the original is in the text
but what its reader would see. Source: attachments.md section 6, row DOCX/XLSX/ODT.
"""

import codecs

from vetrelay.inspection.ask import Ask
from vetrelay.inspection.formats import docx, inserted, odt, officesamples, xlsx
from vetrelay.inspection.formats.package import Package
from vetrelay.inspection.formats.paper import Paper, PaperFull
from vetrelay.inspection.formats.relationships import CONTENT_TYPES, content_types
from vetrelay.inspection.formats.tally import Tally
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.notes import Note
from vetrelay.inspection.outlines.outline import Content
from vetrelay.inspection.result import Result, Role
from vetrelay.inspection.words import Reason, Unfit

_MIMETYPE = "mimetype"
_KIND_BY_MAIN = {docx.MAIN: Kind.DOCX, xlsx.MAIN: Kind.XLSX}


def prepare() -> None:
    """Loads the letters that names of parts and declarations of XML are written in, and meets a broken document once."""
    for name in ("ascii", "utf-8", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp1252", "cp437"):
        codecs.lookup(name)
    normalize(officesamples.broken(), Kind.OFFICE_ZIP, Ask())


def samples() -> tuple[bytes, ...]:
    """One document of each kind, and one for each way that one is not read."""
    return officesamples.make()


def normalize(content: Content, kind: Kind, ask: Ask) -> Result:
    """The document's words as plain text. Raises Unfit for a pack that breaks its rules.

    The result's kind says which document it is; one whose parts cannot be read safely keeps its kind and says why.
    """
    del kind  # the sniffer knows no more than that it is an Office document
    package = Package(bytes(content), most=ask.most)
    kind, main = _kind_of(package)
    if kind is Kind.OFFICE_ZIP:
        return Result(kind=kind, reason=Reason.OPEN_WITH_CARE)
    try:
        return _read(package, kind, main)
    except Unfit as unfit:
        return Result(kind=kind, reason=unfit.reason)


def _kind_of(package: Package) -> tuple[Kind, str]:
    """Which document it is, and which part is its main one. Raises Unfit."""
    if _MIMETYPE in package and package.size_bytes(_MIMETYPE) == len(odt.MEDIA_TYPE):
        is_text = package.read(_MIMETYPE) == odt.MEDIA_TYPE and CONTENT_TYPES not in package
        return (Kind.ODT, "content.xml") if is_text else (Kind.OFFICE_ZIP, "")
    if CONTENT_TYPES not in package:
        return Kind.OFFICE_ZIP, ""
    types = content_types(package)
    mains = [(part, type_) for part, type_ in types.items() if "main+xml" in type_]
    if len(mains) != 1 or mains[0][1] not in _KIND_BY_MAIN:
        return Kind.OFFICE_ZIP, ""
    return _KIND_BY_MAIN[mains[0][1]], mains[0][0]


def _read(package: Package, kind: Kind, main: str) -> Result:
    tally = Tally()
    paper = Paper()
    items = 0
    inserted.count_left_out(package, tally)
    pictures = inserted.pictures_in(package, tally)
    try:
        if kind is Kind.DOCX:
            docx.read(package, main, paper, tally, pictures.marks)
        elif kind is Kind.XLSX:
            items = xlsx.read(package, main, paper, tally)
        else:
            odt.read(package, paper, tally, pictures.marks)
    except PaperFull:
        tally.add(Note.TEXT_SHORTENED)
    tally.add(Note.TEXT_TAKEN_OUT)
    output = paper.output(Role.RECORD, tally)
    return Result(kind=kind, notes=tally.notes(), items=items, outputs=(output,), parts=pictures.parts)
