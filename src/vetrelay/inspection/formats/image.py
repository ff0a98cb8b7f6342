"""Pictures: JPEG, PNG, WebP, HEIC, GIF, BMP and AVIF as one picture or as an animation, and TIFF by its pages."""

import contextlib
import warnings
from collections.abc import Callable, Mapping

from PIL import AvifImagePlugin, Image

from vetrelay.inspection.ask import Ask
from vetrelay.inspection.formats import exif, heif, motion, pages
from vetrelay.inspection.formats import samples as sample_pictures
from vetrelay.inspection.formats.decoding import DECODERS, Decoder, decoding, opened
from vetrelay.inspection.formats.render import render
from vetrelay.inspection.kinds import KINDS, Kind
from vetrelay.inspection.notes import Note, counted
from vetrelay.inspection.outlines import bmp, gif, jpeg, png, webp
from vetrelay.inspection.outlines import heif as heif_outline
from vetrelay.inspection.outlines.outline import Content, Outline, check_size
from vetrelay.inspection.policy import MAX_PIXELS
from vetrelay.inspection.result import Result
from vetrelay.inspection.words import Unfit

_OUTLINES: Mapping[Kind, Callable[[Content], Outline]] = {
    Kind.JPEG: jpeg.read,
    Kind.PNG: png.read,
    Kind.WEBP: webp.read,
    Kind.HEIC: heif_outline.read,
    Kind.AVIF: heif_outline.read,
    Kind.GIF: gif.read,
    Kind.BMP: bmp.read,
}
_decoders: dict[Kind, Decoder] = dict(DECODERS)


def prepare() -> None:
    """Sets Pillow's limits, once, before the first file, and walks every path: sound, cut short and moving.

    Beyond the limits Pillow raises instead of warning.
    """
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    warnings.simplefilter("ignore")
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # else it counts the cores, and starts a thread for each
    Image.preinit()  # save() would, later
    if (heic := heif.decoder()) is not None:
        _decoders[Kind.HEIC] = heic
    for kind, sample in sample_pictures.by_kind():
        for content in (sample, sample[: len(sample) * 3 // 4]):
            with contextlib.suppress(Unfit):
                normalize(content, kind, Ask(most=2, keep_motion=True))


def samples() -> tuple[bytes, ...]:
    """One tiny picture for each kind that can be opened here, and for each path through them."""
    return tuple(sample for kind, sample in sample_pictures.by_kind() if kind in _decoders)


def normalize(content: Content, kind: Kind, ask: Ask) -> Result:
    """Rebuilds one picture file. Raises Unfit, MemoryError."""
    decoder = _decoders.get(kind)
    if decoder is None:
        raise Unfit(KINDS[kind].not_opened)
    if kind is Kind.TIFF:
        return pages.rebuilt(content, decoder, ask)
    outline = _OUTLINES[kind](content)
    if kind in motion.KINDS and outline.moving and ask.keep_motion:
        moved = motion.rebuilt(content, kind, outline, decoder, ask)
        if moved is not None:
            return moved
    return _still(content, kind, outline, decoder, ask)


def _still(content: Content, kind: Kind, outline: Outline, decoder: Decoder, ask: Ask) -> Result:
    """The one picture that the file shows, or shows first."""
    with decoding():
        image = opened(content, decoder)
        check_size(*image.size)
        original_px = image.size
        if kind is Kind.JPEG:
            # libjpeg scales by powers of two while it decodes: less work, and still at least the wanted size.
            image.draft(None, (ask.longest_side_px, ask.longest_side_px))
        image.load()
        told = exif.read(image)
        rendered = render(image, kind=kind, orientation=told.orientation, ask=ask)
    turned = {Note.TURNED_UPRIGHT} if outline.turned else set()
    notes = counted(outline.notes | told.notes | rendered.notes | turned)
    if outline.moving:
        notes[Note.MOVEMENT_REMOVED] = max(1, len(outline.frames_ms))
    return Result(
        kind=kind,
        notes=notes,
        width_px=original_px[0],
        height_px=original_px[1],
        items=len(outline.frames_ms) if outline.moving else 0,
        captured=told.captured,
        outputs=rendered.outputs,
    )
