"""The contact sheet of a pack: up to sixteen previews beside each other, four in a row, each with its label."""

import io
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from vetrelay.inspection.contact import MAX_PICTURES, Labelled, encode_pictures
from vetrelay.inspection.formats.decoding import DECODERS, decoding, opened
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.policy import MAX_PIXELS
from vetrelay.inspection.result import RawOutput, Role
from vetrelay.inspection.words import Reason, Unfit

_IN_A_ROW = 4
_CELL_PX = 240
_LABEL_PX = 22
_GROUND, _INK = (24, 24, 24), (235, 235, 235)
_QUALITY = 85
_FONT_PX = 13


def prepare() -> None:
    """Draws one sheet, so that the font and the decoders of previews are loaded."""
    contact_sheet(sample_pictures())


def sample_pictures() -> tuple[Labelled, ...]:
    """Two tiny previews: one with a label in letters beyond ASCII, one without colours."""
    made = []
    for label, mode in (("Brustkörper", "RGB"), ("2", "L")):
        buffer = io.BytesIO()
        Image.new(mode, (48, 32), 128 if mode == "L" else (200, 30, 30)).save(buffer, "JPEG")
        made.append(Labelled(label=label, content=buffer.getvalue()))
    return tuple(made)


def sample() -> bytes:
    """The sample as a job takes it."""
    return encode_pictures(sample_pictures())


def contact_sheet(previews: Sequence[Labelled]) -> RawOutput:
    """One JPEG of all the previews. Raises Unfit(DAMAGED) for one that is no sound JPEG, MemoryError."""
    if not 1 <= len(previews) <= MAX_PICTURES:
        raise Unfit(Reason.DAMAGED)
    columns = min(_IN_A_ROW, len(previews))
    rows = -(-len(previews) // _IN_A_ROW)
    sheet = Image.new("RGB", (columns * _CELL_PX, rows * (_CELL_PX + _LABEL_PX)), _GROUND)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(_FONT_PX)
    for index, preview in enumerate(previews):
        left, top = index % _IN_A_ROW * _CELL_PX, index // _IN_A_ROW * (_CELL_PX + _LABEL_PX)
        picture = _small(preview.content)
        sheet.paste(picture, (left + (_CELL_PX - picture.width) // 2, top + (_CELL_PX - picture.height) // 2))
        draw.text((left + 6, top + _CELL_PX + 3), _fitting(preview.label, font), fill=_INK, font=font)
    buffer = io.BytesIO()
    sheet.info = {}
    sheet.save(buffer, "JPEG", quality=_QUALITY)
    return RawOutput(
        role=Role.RECORD,
        kind=Kind.JPEG,
        content=buffer.getvalue(),
        width_px=sheet.width,
        height_px=sheet.height,
    )


def _small(untrusted_content: bytes) -> Image.Image:
    with decoding():
        picture = opened(untrusted_content, DECODERS[Kind.JPEG])
        if picture.width * picture.height > MAX_PIXELS:
            raise Unfit(Reason.TOO_MANY_PIXELS)
        picture.draft("RGB", (_CELL_PX, _CELL_PX))
        small = picture.convert("RGB")
        small.thumbnail((_CELL_PX - 8, _CELL_PX - 8))
        return small


def _fitting(label: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """As much of a label as is as wide as its picture."""
    while label and font.getlength(label) > _CELL_PX - 12:
        label = label[:-1]
    return label
