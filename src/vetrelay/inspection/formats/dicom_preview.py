"""Small pictures of a record's key frames: windowed, with side, view and "not for diagnosis" on a line of their own.

The line stands under the picture and never on it: a letter over a radiograph could be taken for the marker that was
exposed with it.
"""

import functools
import io
from collections.abc import Mapping
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from vetrelay.inspection.formats import dicom_shades as shades
from vetrelay.inspection.formats.dicom_decoding import FrameDecoder, Samples, native
from vetrelay.inspection.formats.dicom_facts import laterality_of, word
from vetrelay.inspection.formats.dicom_pixels import Geometry, frame_bytes, key_frames
from vetrelay.inspection.formats.dicom_reading import DataSet, Element
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.result import RawOutput, Role
from vetrelay.inspection.words import Reason, Unfit

SIDE_PX: Final = 1024
WARNING: Final = "not for diagnosis"
_LINE_PX = 28
_FONT_PX = 18
_MARGIN_PX = 8
_QUALITY = 85
# What is smaller is drawn larger, each pixel as a square: nobody could see it otherwise.
_FEWEST_PX = 256
# Pictures far larger than a preview are thinned out before they are made floating-point numbers of: four bytes each.
_THINNED_PX = 2048
_GREY_COLOURS = frozenset({"MONOCHROME1", "MONOCHROME2", ""})
# Pixels that are not square are drawn as they are on the animal, up to this.
_MOST_STRETCH = 4.0


@functools.cache
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(_FONT_PX)


def prepare() -> None:
    """Loads the font, which is inside Pillow itself."""
    _font()


def previews(
    data_set: DataSet, geometry: Geometry, pixels: Element, decoders: Mapping[str, FrameDecoder]
) -> tuple[RawOutput, ...]:
    """One picture for each key frame.

    Raises Unfit(DICOM_DECODER_ABSENT) where no decoder is here, DICOM_CODING_UNKNOWN for colours that are not known,
    DAMAGED for frames that are not what the record says.
    """
    return tuple(_preview(data_set, geometry, pixels, decoders, frame) for frame in key_frames(geometry.frames))


def _preview(
    data_set: DataSet, geometry: Geometry, pixels: Element, decoders: Mapping[str, FrameDecoder], frame: int
) -> RawOutput:
    samples, colours = _decoded(data_set, geometry, pixels, decoders, frame)
    if samples.ndim == 3:
        picture = Image.fromarray(shades.in_colour(samples, colours, geometry))
    elif colours == "PALETTE COLOR":
        picture = Image.fromarray(shades.by_palette(samples, data_set))
    elif colours in _GREY_COLOURS:
        picture = _grey(samples, data_set, geometry, frame)
    else:
        raise Unfit(Reason.DICOM_CODING_UNKNOWN)
    return _saved(_lettered(_fitting(picture, data_set), _line(data_set, geometry, frame)))


def _decoded(
    data_set: DataSet, geometry: Geometry, pixels: Element, decoders: Mapping[str, FrameDecoder], frame: int
) -> tuple[Samples, str]:
    step = max(1, max(geometry.rows, geometry.columns) // _THINNED_PX)
    if pixels.fragments is None:
        raw = frame_bytes(data_set, geometry, pixels, frame)
        skipped_bits = frame * geometry.frame_bits % 8
        order = data_set.syntax.order
        return native(raw, geometry, order=order, skipped_bits=skipped_bits, step=step), geometry.colours
    decoder = decoders.get(data_set.syntax.uid)
    if decoder is None:
        raise Unfit(Reason.DICOM_DECODER_ABSENT)
    samples, colours = decoder(frame_bytes(data_set, geometry, pixels, frame), geometry)
    if samples.shape[:2] != (geometry.rows, geometry.columns):
        raise Unfit(Reason.DAMAGED)
    return samples[::step, ::step], colours


def _grey(samples: Samples, data_set: DataSet, geometry: Geometry, frame: int) -> Image.Image:
    return Image.fromarray(shades.in_grey(samples, data_set, geometry, frame=frame))


def _fitting(picture: Image.Image, data_set: DataSet) -> Image.Image:
    """The picture in its true proportions, inside what the line leaves."""
    stretch = _stretch(data_set)
    width_px, height_px = picture.width, picture.height * stretch
    scale = min(1.0, SIDE_PX / width_px, (SIDE_PX - _LINE_PX) / height_px)
    scale *= max(1, _FEWEST_PX // max(1, round(max(width_px, height_px) * scale)))
    size = (max(1, round(width_px * scale)), max(1, round(height_px * scale)))
    if size == picture.size:
        return picture
    return picture.resize(size, Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BILINEAR)


def _stretch(data_set: DataSet) -> float:
    """How much taller than wide a pixel is: PixelAspectRatio, else the spacing of rows and columns."""
    for tag in (0x00280034, 0x00280030, 0x00181164):
        texts = data_set.value(data_set.elements.get(tag))[:64].decode("ascii", "replace").strip("\0 ").split("\\")
        try:
            rows, columns = (float(text) for text in texts)
        except ValueError:
            continue
        if rows > 0 and columns > 0 and 1 / _MOST_STRETCH <= rows / columns <= _MOST_STRETCH:
            return rows / columns
    return 1.0


def _line(data_set: DataSet, geometry: Geometry, frame: int) -> str:
    """What stands under a frame."""
    place = f"frame {frame + 1} of {geometry.frames}" if geometry.frames > 1 else ""
    said = (laterality_of(data_set), word(data_set, 0x00185101)[:16], place, WARNING)
    return "  ·  ".join(part for part in said if part)


def _lettered(picture: Image.Image, line: str) -> Image.Image:
    """The picture on black, its line below."""
    width_px = max(picture.width, round(_font().getlength(line)) + 2 * _MARGIN_PX)
    canvas = Image.new(picture.mode, (min(width_px, SIDE_PX), picture.height + _LINE_PX))
    canvas.paste(picture, ((canvas.width - picture.width) // 2, 0))
    white = 255 if picture.mode == "L" else (255, 255, 255)
    baseline = (_MARGIN_PX, picture.height + _LINE_PX // 2)
    ImageDraw.Draw(canvas).text(baseline, line, font=_font(), fill=white, anchor="lm")
    return canvas


def _saved(picture: Image.Image) -> RawOutput:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY, subsampling=0)  # Doppler colours are thin lines
    return RawOutput(
        role=Role.PREVIEW,
        kind=Kind.JPEG,
        width_px=picture.width,
        height_px=picture.height,
        content=buffer.getvalue(),
    )
