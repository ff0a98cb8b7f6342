"""Opening a stranger's PDF: passwords, protection, damage."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

import pikepdf

from vetrelay.inspection.notes import Note
from vetrelay.inspection.outlines.outline import Content
from vetrelay.inspection.words import Reason, Unfit

# How qpdf words what it cannot decrypt. Only looked for; the text goes nowhere.
_CANNOT_DECRYPT = ("unsupported encryption", "unsupported /r or /v", "random number")


@contextmanager
def opened(content: Content) -> Iterator[tuple[pikepdf.Pdf, dict[Note, int]]]:
    """The PDF with at least one page, and what opening it took.

    Raises Unfit(PDF_PASSWORD) where only a password opens it, PDF_ENCRYPTION_UNKNOWN, PDF_WITHOUT_PAGES, DAMAGED.
    """
    # A BytesIO of bytes shares them; of anything else it holds a copy, which qpdf needs: it seeks about.
    readable = io.BytesIO(content if isinstance(content, bytes) else bytes(content))
    try:
        pdf = pikepdf.open(readable)
    except pikepdf.PasswordError:
        raise Unfit(Reason.PDF_PASSWORD) from None
    except (pikepdf.PdfError, RuntimeError) as error:
        told = str(error).lower()
        encrypted = any(words in told for words in _CANNOT_DECRYPT)
        raise Unfit(Reason.PDF_ENCRYPTION_UNKNOWN if encrypted else Reason.DAMAGED) from None
    with pdf:
        if not len(pdf.pages):
            raise Unfit(Reason.PDF_WITHOUT_PAGES)
        noticed = {}
        if pdf.is_encrypted:
            noticed[Note.PROTECTION_REMOVED] = 1
        if pdf.get_warnings():
            noticed[Note.PDF_REPAIRED] = 1
        yield pdf, noticed
