"""From decoded pixels to the outputs: resized, upright, sRGB, and carrying nothing but pixels."""

import io
from dataclasses import dataclass

from PIL import Image

from vetrelay.inspection.ask import Ask
from vetrelay.inspection.formats import colour
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.notes import Note
from vetrelay.inspection.policy import CLOSE_LOOK_SIDE_PX, NORMALIZED_SIDE_PX, PREVIEW_SIDE_PX
from vetrelay.inspection.result import RawOutput, Role

_QUALITY = 85
# Up to this many colours a picture is a drawing, a screenshot or grey: PNG keeps it exact, and small.
_DRAWING_COLOURS = 256
# From here on PNG is packed less: a tenth larger, in a third of the time.
_MANY_PIXELS, _QUICK = 12_000_000, 2
# What these hold has not been through JPEG or its like: a drawing in them is still exact.
_EXACT_KINDS = frozenset({Kind.PNG, Kind.GIF, Kind.BMP, Kind.TIFF})
# Pillow first averages whole blocks, down to three times the wanted size: no visible difference, less work.
_REDUCING_GAP = 3.0
_UPRIGHT_BY = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_RESIZE_NOTES = {NORMALIZED_SIDE_PX: Note.RESIZED_TO_2560, CLOSE_LOOK_SIDE_PX: Note.RESIZED_TO_4096}
_FORMAT_NAMES = {Kind.JPEG: "JPEG", Kind.PNG: "PNG"}
_CONVERSION_NOTES = {Kind.JPEG: Note.CONVERTED_TO_JPEG, Kind.PNG: Note.CONVERTED_TO_PNG}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """The rebuilt picture, its preview if one was asked for, and what was done."""

    outputs: tuple[RawOutput, ...]
    notes: frozenset[Note]


def render(image: Image.Image, *, kind: Kind, orientation: int, ask: Ask) -> Rendered:
    """Rebuilds a loaded image (attachments.md section 6). Resizes first: every later step then has less to do."""
    icc_profile = image.info.get("icc_profile")
    picture, notes = colour.to_workable(image)
    del image
    picture, resize_notes = resized(picture, ask.longest_side_px)
    notes |= resize_notes
    if orientation in _UPRIGHT_BY:
        picture = upright(picture, orientation)
        notes |= {Note.TURNED_UPRIGHT}
    picture, colour_notes = colour.to_srgb(picture, icc_profile)
    made_kind = _kind_to_make(picture, kind)
    if made_kind is not kind:
        notes |= {_CONVERSION_NOTES[made_kind]}
    record = encoded(picture, Role.RECORD, made_kind)
    return Rendered(outputs=(record, *((preview_of(picture),) if ask.preview else ())), notes=notes | colour_notes)


def render_deep(wide: Image.Image, *, ask: Ask) -> Rendered:
    """Rebuilds a deep grey picture (mode I, within 16 bits) with all its greys; its preview is fitted to a screen."""
    picture, notes = resized(wide, ask.longest_side_px)
    record = encoded(picture.convert("I;16"), Role.RECORD, Kind.PNG)
    preview = (preview_of(colour.windowed(picture)),) if ask.preview else ()
    return Rendered(outputs=(record, *preview), notes=notes | {Note.CONVERTED_TO_PNG})


def resized(picture: Image.Image, side_px: int) -> tuple[Image.Image, frozenset[Note]]:
    """The picture with no side longer than this, and what that is called."""
    if max(picture.size) <= side_px:
        return picture, frozenset()
    smaller = picture.resize(within(picture.size, side_px), Image.Resampling.LANCZOS, reducing_gap=_REDUCING_GAP)
    note = _RESIZE_NOTES.get(side_px)
    return smaller, frozenset() if note is None else frozenset({note})


def upright(picture: Image.Image, orientation: int) -> Image.Image:
    """The picture turned as EXIF says (2 to 8; every other number turns nothing)."""
    return picture.transpose(_UPRIGHT_BY[orientation]) if orientation in _UPRIGHT_BY else picture


def within(size_px: tuple[int, int], side_px: int) -> tuple[int, int]:
    """The size of the same shape whose longer side is `side_px`; never zero."""
    longest = max(size_px)
    width, height = (max(1, round(side * side_px / longest)) for side in size_px)
    return width, height


def _kind_to_make(picture: Image.Image, kind: Kind) -> Kind:
    if picture.mode in {"LA", "RGBA"}:
        return Kind.PNG
    if kind in _EXACT_KINDS and (picture.mode == "L" or picture.getcolors(_DRAWING_COLOURS) is not None):
        return Kind.PNG
    return Kind.JPEG


def preview_of(picture: Image.Image) -> RawOutput:
    """A small JPEG of a picture in grey or sRGB; what is transparent stands on white."""
    small, _ = resized(picture, PREVIEW_SIDE_PX)
    if small.mode in {"LA", "RGBA"}:
        paper = Image.new("RGB", small.size, "white")
        paper.paste(small.convert("RGB"), mask=small.getchannel("A"))
        small = paper
    return encoded(small, Role.PREVIEW, Kind.JPEG)


def encoded(picture: Image.Image, role: Role, kind: Kind) -> RawOutput:
    """The picture as a bare JPEG or PNG."""
    # Pillow writes comment, profile and more from `info` back into the file: emptied, there is nothing to write.
    picture.info = {}
    buffer = io.BytesIO()
    if kind is Kind.JPEG:
        picture.save(buffer, format=_FORMAT_NAMES[kind], quality=_QUALITY)
    else:
        level = {"compress_level": _QUICK} if picture.width * picture.height > _MANY_PIXELS else {}
        picture.save(buffer, format=_FORMAT_NAMES[kind], **level)
    return RawOutput(role=role, kind=kind, width_px=picture.width, height_px=picture.height, content=buffer.getvalue())
