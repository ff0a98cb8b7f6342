"""A picture that is shown for a recording, as a file without anything beside its pixels."""

import io

from PIL import Image

from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.result import RawOutput, Role

_QUALITY = 80


def jpeg(picture: Image.Image, role: Role) -> RawOutput:
    """For frames."""
    return _output(picture, role, Kind.JPEG)


def png(picture: Image.Image, role: Role) -> RawOutput:
    """For drawings."""
    return _output(picture, role, Kind.PNG)


def _output(picture: Image.Image, role: Role, kind: Kind) -> RawOutput:
    # Pillow writes what stands in `info` back into the file: emptied, there is nothing to write.
    picture.info = {}
    buffer = io.BytesIO()
    if kind is Kind.JPEG:
        picture.save(buffer, format="JPEG", quality=_QUALITY)
    else:
        picture.save(buffer, format="PNG")
    return RawOutput(role=role, kind=kind, content=buffer.getvalue(), width_px=picture.width, height_px=picture.height)
