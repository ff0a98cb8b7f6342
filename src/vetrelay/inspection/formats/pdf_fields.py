"""Forms and remarks, fixed as they look: what a field or a stamp shows becomes part of its page."""

from typing import Any

import pikepdf

from vetrelay.inspection.formats.pdf_survey import walked

_HIDDEN_ON_SCREEN = 0b10_0010  # Hidden, NoView
_WRITTEN = frozenset({"/Tx", "/Ch"})


def fix_as_they_look(pdf: pikepdf.Pdf) -> None:
    """Draws every annotation that is seen on the screen into its page. Raises what qpdf raises."""
    form = pdf.Root.get("/AcroForm")
    if isinstance(form, pikepdf.Dictionary):
        _draw_the_undrawn(pdf, form)
        # Otherwise qpdf would leave fields as they are, for a reader to draw.
        if "/NeedAppearances" in form:
            del form["/NeedAppearances"]
    pdf.flatten_annotations("screen")


def _draw_the_undrawn(pdf: pikepdf.Pdf, form: Any) -> None:
    """Fields that were filled in by a program that left their drawing to the reader. All others keep their look."""
    drawn, undrawn = [], 0
    for page in pdf.pages:
        for annotation in walked(page.obj.get("/Annots")):
            if annotation.get("/Subtype") != pikepdf.Name.Widget:
                continue
            appearance = annotation.get("/AP")
            if isinstance(appearance, pikepdf.Dictionary) and "/N" in appearance:
                drawn.append(annotation)
            elif _shows_something(annotation):
                undrawn += 1
    stale = form.get("/NeedAppearances") is True
    if not undrawn and not stale:
        return
    form.NeedAppearances = True
    # qpdf draws all fields or none; those that are to keep their look pass for something else meanwhile.
    kept = [] if stale else drawn
    for annotation in kept:
        annotation.Subtype = pikepdf.Name.Stamp
    pdf.generate_appearance_streams()
    for annotation in kept:
        annotation.Subtype = pikepdf.Name.Widget


def _shows_something(annotation: Any) -> bool:
    flags = annotation.get("/F", 0)
    if isinstance(flags, int) and flags & _HIDDEN_ON_SCREEN:
        return False
    family = list(walked(annotation, "/Parent"))
    sort = next((str(field.get("/FT")) for field in family if "/FT" in field), "")
    return sort in _WRITTEN and any("/V" in field for field in family)
