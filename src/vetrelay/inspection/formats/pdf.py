"""PDF: a new file of the same pages, with what draws them and nothing else.

    open (pdf_open) → say what will be lost (pdf_survey) → fix forms as they look, keep what draws (pdf_rebuild,
    pdf_drawing, pdf_streams, pdf_ways) → look at the new file with a second library (pdf_pages, pdf_patient) → maybe
    turn its pages into pictures (pdf_pictures)

qpdf (pikepdf) reads and writes, pdfium only looks at what qpdf wrote. Source: attachments.md section 6, ISO 32000.
"""

from contextlib import closing

import pypdfium2

from vetrelay.inspection.ask import Ask
from vetrelay.inspection.formats import pdf_open, pdf_pages, pdf_patient, pdf_pictures, pdf_rebuild, pdf_samples
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.notes import Note
from vetrelay.inspection.outlines.outline import Content
from vetrelay.inspection.result import Patient, RawOutput, Result, Role
from vetrelay.inspection.words import Reason, Unfit

_FEW_LETTERS = 400


def prepare() -> None:
    """Sets the libraries up and walks every path once, in the zygote.

    The first AES-256 file that qpdf opens makes it open /dev/urandom and read ahead 4096 bytes of it, of which each
    such file takes four. Done here, a jail needs no device: it has the rest of those bytes in its memory.
    """
    pdf_pages.prepare()
    for sample in pdf_samples.made():
        for flatten in (False, True):
            normalize(sample, Kind.PDF, Ask(flatten=flatten))
    for unsound in pdf_samples.unsound():
        try:
            normalize(unsound, Kind.PDF, Ask())
        except Unfit:
            continue


def samples() -> tuple[bytes, ...]:
    """Tiny sound PDFs, one per way through the code."""
    return pdf_samples.made()


def normalize(content: Content, kind: Kind, ask: Ask) -> Result:
    """Rebuilds one PDF. Raises Unfit, MemoryError."""
    try:
        return _normalized(content, kind, ask)
    except (Unfit, MemoryError):
        raise
    except Exception:  # noqa: BLE001 - two libraries raise anything at a stranger's file, and their texts stay here
        raise Unfit(Reason.DAMAGED) from None


def _normalized(content: Content, kind: Kind, ask: Ask) -> Result:
    with pdf_open.opened(content) as (source, noticed):
        if ask.most and len(source.pages) > ask.most:
            raise Unfit(Reason.PDF_TOO_MANY_PAGES)
        rebuilt = pdf_rebuild.rebuild(source)
    notes = {**noticed, **rebuilt.notes}
    outputs = []
    with pdf_pages.looked_at(rebuilt.content) as document:
        with closing(document[0]) as first:
            patient = _patient(document, first)
            if ask.preview:
                outputs.append(pdf_pages.preview(first))
        record = rebuilt.content
        if ask.flatten:
            record = pdf_pictures.flattened(document)
            notes[Note.PAGES_TO_PICTURES] = len(document)
        items = len(document)
    outputs.insert(0, RawOutput(role=Role.RECORD, kind=kind, content=record))
    return Result(kind=kind, notes=notes, items=items, patient=patient, outputs=tuple(outputs))


def _patient(document: pypdfium2.PdfDocument, first: pypdfium2.PdfPage) -> Patient | None:
    """Whom the first page names; where it says next to nothing (a cover, a scan), whom the second does."""
    words = pdf_pages.words_of(first)
    if len(words) > _FEW_LETTERS or len(document) == 1:
        return pdf_patient.patient_in(words)
    with closing(document[1]) as second:
        return pdf_patient.patient_in(f"{words}\n{pdf_pages.words_of(second)}")
