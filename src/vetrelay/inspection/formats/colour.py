"""Colours as a browser shows them: any mode and any ICC profile to 8-bit grey or sRGB, with or without alpha."""

import io

from PIL import Image, ImageCms

from vetrelay.inspection.words import Note

# Their names say sRGB; transforming sRGB into sRGB costs a fifth of a photo's time and changes nothing.
_SRGB_NAMES = ("sRGB", "IEC 61966-2.1", "IEC 61966-2-1")
_SRGB = ImageCms.createProfile("sRGB")
_PROFILE_SPACE = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}
_DEEP_GREY = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
# A deep grey picture uses 8, 12 or 16 bits; the file says 16 for all of them. 12-bit X-rays are the common case.
_FULL_SCALES = (255, 4095, 65535)


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
    wide = image.convert("F") if image.mode == "F" else image.convert("I")
    highest = max(0, int(wide.getextrema()[1]))  # type: ignore[arg-type]  # a single band has one pair of numbers
    full = next((scale for scale in _FULL_SCALES if highest <= scale), highest)
    fitted = frozenset({Note.BRIGHTNESS_FITTED}) if full < _FULL_SCALES[-1] else frozenset()
    return wide.point(lambda value: value * (255 / full) + 0).convert("L"), fitted


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
