"""TIFF: every page a picture of its own, in order. Grey of 16 bits keeps all its greys (an X-ray, a scan)."""

from dataclasses import replace

from PIL import Image

from vetrelay.inspection.ask import Ask
from vetrelay.inspection.formats import colour, exif
from vetrelay.inspection.formats.decoding import Decoder, decoding, opened
from vetrelay.inspection.formats.render import Rendered, render, render_deep
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.notes import Note, counted
from vetrelay.inspection.outlines import tiff
from vetrelay.inspection.outlines.outline import Content
from vetrelay.inspection.policy import ROWS
from vetrelay.inspection.result import CaptureTime, RawOutput, Result, Role
from vetrelay.inspection.words import Reason, Unfit

_UPRIGHT = 1


def rebuilt(content: Content, decoder: Decoder, ask: Ask) -> Result:
    """One picture per page, and a preview of the first. Raises Unfit, MemoryError."""
    stored = tiff.pages(content, most=ask.most)
    shown = tuple(page for page in stored if not page.reduced) or stored
    notes: list[Note] = [Note.THUMBNAIL_REMOVED] if len(shown) < len(stored) else []
    records: list[RawOutput] = []
    previews: list[RawOutput] = []
    captured: CaptureTime | None = None
    first_px = (0, 0)
    with decoding():
        image = opened(content, decoder)
        for number, page in enumerate(shown):
            image.seek(page.index)
            # Two readers of one directory must see one picture.
            if sorted(image.size) != sorted((page.width_px, page.height_px)):
                raise Unfit(Reason.DAMAGED)
            image.load()  # turns it upright, too
            told = exif.read(image, of_page=True)
            rendered = _rendered(image, page, replace(ask, preview=ask.preview and not number))
            notes += told.notes | rendered.notes | ({Note.TURNED_UPRIGHT} if page.turned else set())
            if not number:
                captured, first_px = told.captured, (page.width_px, page.height_px)
            records += (made for made in rendered.outputs if made.role is Role.RECORD)
            previews += (made for made in rendered.outputs if made.role is Role.PREVIEW)
            if sum(len(made.content) for made in records) > ROWS[Kind.TIFF].output_bytes:
                raise Unfit(Reason.TOO_MANY_PAGES_OF_PICTURES)
    if len(shown) > 1:
        notes += [Note.PAGES_SEPARATED] * len(shown)
    return Result(
        kind=Kind.TIFF,
        notes=counted(notes),
        width_px=first_px[0],
        height_px=first_px[1],
        items=len(shown),
        captured=captured,
        outputs=(*records, *previews),
    )


def _rendered(image: Image.Image, page: tiff.Page, ask: Ask) -> Rendered:
    deep = colour.deep_grey(image, white_is_zero=page.white_is_zero)
    if deep is None:
        return render(image, kind=Kind.TIFF, orientation=_UPRIGHT, ask=ask)
    wide, notes = deep
    rendered = render_deep(wide, ask=ask)
    return replace(rendered, notes=rendered.notes | notes)
