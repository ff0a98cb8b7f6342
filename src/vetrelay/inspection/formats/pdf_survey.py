"""What a PDF will lose, counted before it is rebuilt: scripts, attached files, links, commands, fields, details.

Nothing here decides what goes: `pdf_drawing` keeps only what draws. This is the report to the people who use it. A
count may be short where a file is built to be miscounted; it is never the reason that something stays.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pikepdf

from vetrelay.inspection.notes import MOST_COUNTED, Note

_MOST_NODES = 10 * MOST_COUNTED
_LEADS_OUT = frozenset({"/URI", "/GoToR", "/GoToE", "/Thread"})
_STAYS_INSIDE = frozenset({"/GoTo", "/None"})
_MEDIA = frozenset({"/Sound", "/Movie", "/Screen", "/RichMedia", "/3D"})
# Annotations that are read on the page itself, or hold another's words; every other one with words is a comment.
_READ_ON_THE_PAGE = frozenset(
    {"/Popup", "/FreeText", "/Stamp", "/Watermark", "/Link", "/Widget", "/PrinterMark", "/Redact"}
)
_AT_THE_PAGE = {"/Thumb": Note.THUMBNAIL_REMOVED, "/PieceInfo": Note.EDITING_RECORD_REMOVED}
_AT_THE_FILE = {
    "/Metadata": Note.DOCUMENT_DETAILS_REMOVED,
    "/PieceInfo": Note.EDITING_RECORD_REMOVED,
    "/StructTreeRoot": Note.READING_ORDER_REMOVED,
}


def walked(first: Any, *onward: str) -> Iterator[Any]:
    """A dictionary and those it leads to by these keys (each a dictionary or an array of them), each once, bounded."""
    waiting, seen = [first], set()
    for _ in range(_MOST_NODES):
        if not waiting:
            return
        node = waiting.pop()
        if not isinstance(node, pikepdf.Dictionary | pikepdf.Array) or (node.is_indirect and node.objgen in seen):
            continue
        if node.is_indirect:
            seen.add(node.objgen)
        if isinstance(node, pikepdf.Array):
            waiting += reversed(list(node))
            continue
        yield node
        waiting += [node[key] for key in reversed(onward) if key in node]


def in_name_tree(root: Any) -> Iterator[tuple[Any, Any]]:
    """The pairs of a name tree, bounded."""
    for node in walked(root, "/Kids"):
        names = node.get("/Names")
        if isinstance(names, pikepdf.Array):
            flat = list(names)
            yield from zip(flat[::2], flat[1::2], strict=False)


def survey(pdf: pikepdf.Pdf) -> Counter[Note]:
    """What will be lost, by how often."""
    found: Counter[Note] = Counter()
    root = pdf.Root
    _survey_file(pdf, found)
    _survey_acts(root, found)
    form = root.get("/AcroForm")
    if isinstance(form, pikepdf.Dictionary):
        found[Note.FORM_PROGRAM_REMOVED] += "/XFA" in form
        for field in walked(form.get("/Fields"), "/Kids"):
            found[Note.SIGNATURES_VOID] += field.get("/FT") == pikepdf.Name.Sig and "/V" in field
            if field.get("/Subtype") != pikepdf.Name.Widget:  # those on a page are met there
                _survey_acts(field, found)
    for item in walked(root.get("/Outlines"), "/First", "/Next"):
        _survey_acts(item, found)
    for page in pdf.pages:
        _survey_page(page.obj, found)
    found[Note.ATTACHED_FILES_REMOVED] = len(set(_attached_files(pdf)))
    return Counter({note: count for note, count in found.items() if count})


def _survey_file(pdf: pikepdf.Pdf, found: Counter[Note]) -> None:
    root = pdf.Root
    details = pdf.trailer.get("/Info")
    found[Note.DOCUMENT_DETAILS_REMOVED] += isinstance(details, pikepdf.Dictionary) and len(details.keys()) > 0
    for key, note in _AT_THE_FILE.items():
        found[note] += key in root
    names = root.get("/Names")
    if isinstance(names, pikepdf.Dictionary):
        for _, action in in_name_tree(names.get("/JavaScript")):
            _survey_action(action, found)


def _attached_files(pdf: pikepdf.Pdf) -> Iterator[tuple[int, int] | int]:
    """What tells one attached file from another: several places may name the same."""
    names = pdf.Root.get("/Names")
    if isinstance(names, pikepdf.Dictionary):
        for _, file in in_name_tree(names.get("/EmbeddedFiles")):
            yield _identity(file)
    for holder in (pdf.Root, *(page.obj for page in pdf.pages)):
        for file in walked(holder.get("/AF")):
            yield _identity(file)
        for annotation in walked(holder.get("/Annots")):
            if annotation.get("/Subtype") == pikepdf.Name.FileAttachment:
                yield _identity(annotation.get("/FS"))


def _identity(file: Any) -> tuple[int, int] | int:
    if isinstance(file, pikepdf.Object) and file.is_indirect:
        return file.objgen
    return id(file)


def _survey_page(page: Any, found: Counter[Note]) -> None:
    _survey_acts(page, found)
    for key, note in _AT_THE_PAGE.items():
        found[note] += key in page
    found[Note.DOCUMENT_DETAILS_REMOVED] += "/Metadata" in page
    for annotation in walked(page.get("/Annots")):
        subtype = str(annotation.get("/Subtype"))
        found[Note.FIELDS_FIXED] += subtype == "/Widget"
        found[Note.MEDIA_REMOVED] += subtype in _MEDIA
        found[Note.COMMENT_REMOVED] += subtype not in _READ_ON_THE_PAGE and bool(annotation.get("/Contents"))
        _survey_acts(annotation, found)


def _survey_acts(holder: Any, found: Counter[Note]) -> None:
    """What a dictionary does when it is opened, clicked, left, printed."""
    for key in ("/A", "/PA", "/OpenAction"):
        if key in holder:
            _survey_action(holder[key], found)
    additional = holder.get("/AA")
    if isinstance(additional, pikepdf.Dictionary):
        for action in additional.as_dict().values():
            _survey_action(action, found)


def _survey_action(first: Any, found: Counter[Note]) -> None:
    if not isinstance(first, pikepdf.Dictionary):
        return  # an array here is a place in the file
    for action in walked(first, "/Next"):
        sort = str(action.get("/S"))
        if sort == "/JavaScript" or "/JS" in action:
            found[Note.SCRIPTS_REMOVED] += 1
        elif sort in _LEADS_OUT:
            found[Note.PDF_LINKS_MADE_INERT] += 1
        elif sort not in _STAYS_INSIDE:
            found[Note.COMMANDS_REMOVED] += 1
