"""The new file: the same pages, and for each what draws it."""

import io
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pikepdf

from vetrelay.inspection.formats import pdf_ways
from vetrelay.inspection.formats.pdf_drawing import Pruning
from vetrelay.inspection.formats.pdf_fields import fix_as_they_look
from vetrelay.inspection.formats.pdf_streams import Unpacking
from vetrelay.inspection.formats.pdf_survey import survey
from vetrelay.inspection.notes import Note

# 200 inches: what most readers show at most. Such a page stays as it is, and is told of.
_LONGEST_SIDE_UNITS = 14_400
_LETTER = (0.0, 0.0, 612.0, 792.0)
_BOXES = ("/MediaBox", "/CropBox", "/BleedBox", "/TrimBox", "/ArtBox")
_FULL_TURN, _QUARTER_TURN = 360, 90
_MOST_USER_UNIT = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """The new file, and what it lost."""

    content: bytes
    notes: dict[Note, int]


def rebuild(source: pikepdf.Pdf) -> Rebuilt:
    """The new file. Raises Unfit, MemoryError, and whatever qpdf raises at a stranger's file."""
    notes = survey(source)
    signposts = pdf_ways.Signposts(source)
    ways = [signposts.ways(page.obj) for page in source.pages]
    chapters = list(signposts.chapters())
    fix_as_they_look(source)
    pruning, unpacking = Pruning(), Unpacking()
    layers = _layers(source)
    for part in (*(page.obj for page in source.pages), layers):
        _prune(part, pruning)
    # Before anything is copied: a copied stream would not learn that its first one was changed.
    for stream in pruning.streams.values():
        unpacking.settle(stream)
    for page in source.pages:
        _count_writing(page.obj, unpacking)
    with pikepdf.new() as made:
        for page in source.pages:
            made.pages.append(pikepdf.Page(_drawn_page(source, page.obj, made)))
        if layers.keys():
            made.Root.OCProperties = _copied(source, layers, made)
        for page, kept in zip(made.pages, ways, strict=True):
            pdf_ways.write_ways(made, page.obj, kept)
        pdf_ways.write_chapters(made, chapters)
        notes += pruning.notes
        notes[Note.PICTURE_DETAILS_REMOVED] += unpacking.pictures_stripped
        notes[Note.OVERSIZED_PAGES] += sum(_oversized(page.obj) for page in made.pages)
        content = saved(made)
    return Rebuilt(content=content, notes={note: count for note, count in notes.items() if count})


def saved(pdf: pikepdf.Pdf) -> bytes:
    """The file as bytes: the same ones for the same content, every object readable as it stands."""
    buffer = io.BytesIO()
    pdf.save(
        buffer,
        deterministic_id=True,
        fix_metadata_version=False,  # it would load XML, and there is no metadata
        object_stream_mode=pikepdf.ObjectStreamMode.disable,
        force_version="1.7",
        linearize=False,
    )
    return buffer.getvalue()


def _prune(part: Any, pruning: Pruning) -> None:
    """Takes out of what a page, or the list of layers, refers to what does not draw."""
    resources = part.get("/Resources")
    if isinstance(resources, pikepdf.Dictionary):
        pruning.prune_resources(resources)
    for key in ("/Group", "/Contents", "/OCGs", "/D"):
        drawing = part.get(key)
        if isinstance(drawing, pikepdf.Dictionary | pikepdf.Stream | pikepdf.Array):
            pruning.prune_drawing(drawing)


def _drawn_page(source: pikepdf.Pdf, obj: Any, made: pikepdf.Pdf) -> pikepdf.Dictionary:
    """A page of the new file with what draws this one."""
    drawn = pikepdf.Dictionary(Type=pikepdf.Name.Page)
    for key in _BOXES:
        area = pdf_ways.rectangle(obj.get(key))
        if area is not None:
            drawn[key] = pikepdf.Array(area)
    if "/MediaBox" not in drawn:
        drawn.MediaBox = pikepdf.Array(_LETTER)
    turned = obj.get("/Rotate")
    if isinstance(turned, int) and turned % _FULL_TURN and not turned % _QUARTER_TURN:
        drawn.Rotate = turned % _FULL_TURN
    unit = obj.get("/UserUnit")
    if unit is not None and not isinstance(unit, pikepdf.Object) and 0 < unit <= _MOST_USER_UNIT:
        drawn.UserUnit = unit
    drawn.Resources = pikepdf.Dictionary()
    for key, of in (
        ("/Resources", pikepdf.Dictionary),
        ("/Group", pikepdf.Dictionary),
        ("/Contents", pikepdf.Stream | pikepdf.Array),
    ):
        if isinstance(obj.get(key), of):
            drawn[key] = _copied(source, obj[key], made)
    return drawn


def _copied(source: pikepdf.Pdf, part: Any, made: pikepdf.Pdf) -> Any:
    """The part in the new file. What two pages share is copied once; a part that stands in its page gets a number."""
    return made.copy_foreign(part if part.is_indirect else source.make_indirect(part))


def _layers(source: pikepdf.Pdf) -> pikepdf.Dictionary:
    """Which layers are shown: without this, what was hidden would appear. Empty where there are none."""
    layers = source.Root.get("/OCProperties")
    if not isinstance(layers, pikepdf.Dictionary):
        return pikepdf.Dictionary()
    shown = pikepdf.Dictionary()
    said = layers.get("/D")
    if isinstance(said, pikepdf.Dictionary):
        for key in ("/ON", "/OFF"):
            if isinstance(said.get(key), pikepdf.Array):
                shown[key] = said[key]
        if said.get("/BaseState") == pikepdf.Name.OFF:
            shown.BaseState = pikepdf.Name.OFF
    every = layers.get("/OCGs")
    return pikepdf.Dictionary(OCGs=every if isinstance(every, pikepdf.Array) else pikepdf.Array(), D=shown)


def _count_writing(page: Any, unpacking: Unpacking) -> None:
    """A page may name one content stream many times; a reader unpacks it as often."""
    contents = page.get("/Contents")
    if isinstance(contents, pikepdf.Array) and len(contents) > 1:
        mentions = Counter(part.objgen for part in contents if isinstance(part, pikepdf.Stream))
        for mark, times in mentions.items():
            unpacking.spend(unpacking.sizes_bytes.get(mark, 0) * (times - 1), picture=False)


def _oversized(page: Any) -> bool:
    left, bottom, right, top = (float(number) for number in page.MediaBox)
    unit = float(page.get("/UserUnit", 1))
    return max(right - left, top - bottom) * unit > _LONGEST_SIDE_UNITS
