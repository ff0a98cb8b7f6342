"""From decoded pixels to the two outputs: resized, upright, sRGB, and carrying nothing but pixels."""

import io
from dataclasses import dataclass

from PIL import Image

from vetrelay.inspection.formats import colour
from vetrelay.inspection.frames import RawOutput, Role
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.policy import CLOSE_LOOK_SIDE_PX, NORMALIZED_SIDE_PX, PREVIEW_SIDE_PX
from vetrelay.inspection.words import Note

_QUALITY = 85
# Up to this many colours a picture is a drawing, a screenshot or grey: PNG keeps it exact, and small.
_DRAWING_COLOURS = 256
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
    """The normalized picture, its preview, and what was done."""

    outputs: tuple[RawOutput, RawOutput]
    notes: frozenset[Note]


def render(image: Image.Image, *, kind: Kind, orientation: int, longest_side_px: int) -> Rendered:
    """Rebuilds a loaded image (attachments.md section 6). Resizes first: every later step then has less to do."""
    icc_profile = image.info.get("icc_profile")
    picture, notes = colour.to_workable(image)
    del image
    if max(picture.size) > longest_side_px:
        picture = picture.resize(
            within(picture.size, longest_side_px), Image.Resampling.LANCZOS, reducing_gap=_REDUCING_GAP
        )
        notes |= {_RESIZE_NOTES[longest_side_px]}
    if orientation in _UPRIGHT_BY:
        picture = picture.transpose(_UPRIGHT_BY[orientation])
        notes |= {Note.TURNED_UPRIGHT}
    picture, colour_notes = colour.to_srgb(picture, icc_profile)
    made_kind = _kind_to_make(picture, kind)
    if made_kind is not kind:
        notes |= {_CONVERSION_NOTES[made_kind]}
    normalized = _encoded(picture, Role.NORMALIZED, made_kind)
    return Rendered(outputs=(normalized, _preview(picture)), notes=notes | colour_notes)


def within(size_px: tuple[int, int], side_px: int) -> tuple[int, int]:
    """The size of the same shape whose longer side is `side_px`; never zero."""
    longest = max(size_px)
    width, height = (max(1, round(side * side_px / longest)) for side in size_px)
    return width, height


def _kind_to_make(picture: Image.Image, kind: Kind) -> Kind:
    if picture.mode in {"LA", "RGBA"}:
        return Kind.PNG
    if kind is Kind.PNG and (picture.mode == "L" or picture.getcolors(_DRAWING_COLOURS) is not None):
        return Kind.PNG
    return Kind.JPEG


def _preview(picture: Image.Image) -> RawOutput:
    small = picture
    if max(picture.size) > PREVIEW_SIDE_PX:
        small = picture.resize(
            within(picture.size, PREVIEW_SIDE_PX), Image.Resampling.LANCZOS, reducing_gap=_REDUCING_GAP
        )
    if small.mode in {"LA", "RGBA"}:
        paper = Image.new("RGB", small.size, "white")
        paper.paste(small.convert("RGB"), mask=small.getchannel("A"))
        small = paper
    return _encoded(small, Role.PREVIEW, Kind.JPEG)


def _encoded(picture: Image.Image, role: Role, kind: Kind) -> RawOutput:
    # Pillow writes comment, profile and more from `info` back into the file: emptied, there is nothing to write.
    picture.info = {}
    buffer = io.BytesIO()
    if kind is Kind.JPEG:
        picture.save(buffer, format=_FORMAT_NAMES[kind], quality=_QUALITY)
    else:
        picture.save(buffer, format=_FORMAT_NAMES[kind])
    return RawOutput(role=role, kind=kind, width_px=picture.width, height_px=picture.height, content=buffer.getvalue())
