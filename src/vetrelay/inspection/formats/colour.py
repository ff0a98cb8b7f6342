"""Colours as a browser shows them: any mode and any ICC profile to 8-bit grey or sRGB, with or without alpha."""

import io
import math

from PIL import Image, ImageCms

from vetrelay.inspection.notes import Note
from vetrelay.inspection.words import Reason, Unfit

# Their names say sRGB; transforming sRGB into sRGB costs a fifth of a photo's time and changes nothing.
_SRGB_NAMES = ("sRGB", "IEC 61966-2.1", "IEC 61966-2-1")
_SRGB = ImageCms.createProfile("sRGB")
_PROFILE_SPACE = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}
_DEEP_GREY = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
# A deep grey picture uses 8, 12 or 16 bits; the file says 16 for all of them. 12-bit X-rays are the common case.
_FULL_SCALES = (255, 4095, 65535)
_MOST_16_BIT = 65_535


def to_workable(image: Image.Image) -> tuple[Image.Image, frozenset[Note]]:
    """The image in a mode that can be resized and transformed: L, LA, RGB, RGBA or CMYK.

    Deep grey is scaled, not clipped: Pillow's own conversion turns everything above 255 white.
    """
    mode = image.mode
    if mode in _DEEP_GREY:
        return _scaled(image)
    if mode in {"LA", "RGB", "RGBA", "CMYK"} and "transparency" not in image.info:
        return image, frozenset()
    if "transparency" in image.info or mode in {"PA", "La", "RGBa"}:
        return image.convert("RGBA"), frozenset()
    if mode in {"1", "L"}:
        return image.convert("L"), frozenset()
    return image.convert("RGB"), frozenset()


def _scaled(image: Image.Image) -> tuple[Image.Image, frozenset[Note]]:
    wide = image if image.mode == "F" else image.convert("I")
    lowest, highest = _extremes(wide)
    if image.mode == "F" or lowest < 0:
        return windowed(wide), frozenset({Note.BRIGHTNESS_FITTED})
    full = next((scale for scale in _FULL_SCALES if highest <= scale), highest)
    fitted = frozenset({Note.BRIGHTNESS_FITTED}) if full < _FULL_SCALES[-1] else frozenset()
    return wide.point(lambda value: value * (255 / full) + 0).convert("L"), fitted


def windowed(wide: Image.Image) -> Image.Image:
    """A deep grey picture (mode I or F) as 8-bit grey: its darkest value black, its lightest white."""
    lowest, highest = _extremes(wide)
    scale = 255 / (highest - lowest or 1)
    return wide.convert("F").point(lambda value: value * scale + (0.5 - lowest * scale)).convert("L")


def deep_grey(image: Image.Image, *, white_is_zero: bool) -> tuple[Image.Image, frozenset[Note]] | None:
    """A grey picture of more than 8 bits with all its greys, in mode I and within 16 bits; None for every other one.

    Of what is stored "white is zero", Pillow turns 8 bits round and leaves 16 as they are. Values below zero (a CT's)
    are moved up, and fewer than 16 bits (an X-ray's 12) are spread over all of them, for any screen would show black.
    """
    if image.mode not in _DEEP_GREY or image.mode == "F":
        return None
    wide = image.convert("I")
    lowest, highest = _extremes(wide)
    zero = min(0, int(lowest))
    span = int(highest) - zero
    if span > _MOST_16_BIT:
        return None
    full = next(scale for scale in _FULL_SCALES if span <= scale)
    # A whole number, so that every grey can be told from the next one as before.
    spread = _MOST_16_BIT // full
    fitted = frozenset({Note.BRIGHTNESS_FITTED}) if zero or spread > 1 else frozenset()
    if white_is_zero:
        return wide.point(lambda value: value * -spread + spread * (full + zero)), fitted
    return wide.point(lambda value: value * spread - spread * zero), fitted


def _extremes(wide: Image.Image) -> tuple[float, float]:
    """The lowest and the highest value of a single band. Raises Unfit where one is no number."""
    lowest, highest = wide.getextrema()
    assert isinstance(lowest, int | float)
    assert isinstance(highest, int | float)
    if not (math.isfinite(lowest) and math.isfinite(highest)):
        raise Unfit(Reason.DAMAGED)
    return lowest, highest


def to_srgb(image: Image.Image, icc_profile: bytes | None) -> tuple[Image.Image, frozenset[Note]]:
    """The workable image in grey or sRGB. A profile that cannot be used is ignored, and the note says so."""
    alpha = image.getchannel("A") if image.mode in {"LA", "RGBA"} else None
    opaque = image if alpha is None else image.convert(image.mode[:-1])
    converted, notes = _transformed(opaque, icc_profile) if icc_profile else (opaque, frozenset())
    if converted.mode == "CMYK":
        converted, notes = converted.convert("RGB"), notes | {Note.COLOURS_TO_SRGB}
    # An alpha channel that hides nothing is no alpha channel.
    if alpha is not None and alpha.getextrema() != (255, 255):
        converted.putalpha(alpha)
    return converted, notes


def _transformed(image: Image.Image, icc_profile: bytes) -> tuple[Image.Image, frozenset[Note]]:
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc_profile))
        if profile.profile.xcolor_space.strip() != _PROFILE_SPACE[image.mode]:
            return image, frozenset({Note.COLOUR_PROFILE_IGNORED})
        if any(name in (profile.profile.profile_description or "") for name in _SRGB_NAMES):
            return image, frozenset()
        transformed = ImageCms.profileToProfile(image, profile, _SRGB, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image, frozenset({Note.COLOUR_PROFILE_IGNORED})
    if transformed is None:
        return image, frozenset({Note.COLOUR_PROFILE_IGNORED})
    if image.mode == "L":
        transformed = transformed.convert("L")
    return transformed, frozenset({Note.COLOURS_TO_SRGB})
