"""HEIC, by the optional pillow-heif: registered as one more decoder of Pillow, with everything extra switched off."""


def prepare() -> bool:
    """Registers the decoder; False where pillow-heif is not installed."""
    try:
        import pillow_heif
    except ImportError:
        return False
    # Only the primary picture is wanted: no thumbnails, no depth maps, no auxiliary pictures; one decoding thread.
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
    return True
