"""HEIC, by the optional pillow-heif, with everything but the primary picture switched off."""

from vetrelay.inspection.formats.decoding import Decoder


def decoder() -> Decoder | None:
    """The decoder, or None where pillow-heif is not installed."""
    try:
        import pillow_heif
    except ImportError:
        return None
    # No thumbnails, no depth maps, no auxiliary pictures; one decoding thread.
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
    chosen: Decoder = pillow_heif.HeifImageFile
    return chosen
