"""What can be checked of a file that an inspection made, without opening it with any decoder.

The parent checks so what comes out of the jail, and a reader what a sender's own program says that it made. A picture
must be whole, of the stated size, and bare: nothing beside what is needed to draw it. A text must be plain. Of
everything else only the kind is checked, by its first bytes: a bad PDF can still come by, which is why a reader opens
it in a reader of PDFs that is kept up to date.
"""

import codecs
import re
from collections.abc import Callable, Mapping
from typing import Final

from vetrelay.inspection import sniff
from vetrelay.inspection.kinds import KINDS, Kind
from vetrelay.inspection.outlines import jpeg, png, webp
from vetrelay.inspection.outlines.outline import Content, Outline
from vetrelay.inspection.policy import OPENED_KINDS, claimed_kind
from vetrelay.inspection.words import Unfit

_OUTLINES: Final[Mapping[Kind, Callable[[Content], Outline]]] = {
    Kind.JPEG: jpeg.read,
    Kind.PNG: png.read,
    Kind.WEBP: webp.read,
}
_WRITINGS: Final = frozenset({Kind.TEXT, Kind.CSV, Kind.JSON, Kind.MARKDOWN})
# A pack whose first member has such a name looks like an office file from its first bytes.
_PACKS: Final = frozenset({Kind.ZIP, Kind.OFFICE_ZIP})
# In UTF-8: the first control characters, then the second ones (U+0080...), the byte order mark, the signs that turn the
# direction of writing, and those of annotations. A jail shows them all as marks (`formats.marks`).
_CONTROLS: Final = bytes([*range(0x09), *range(0x0B, 0x20), 0x7F])
_UNSEEN: Final = re.compile(
    rb"\xc2[\x80-\x9f]|\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xaf]|\xef\xbb\xbf|\xef\xbf[\xb9-\xbb]"
)
_STEP_BYTES: Final = 1 << 20


def is_sound(untrusted: Content, kind: Kind, *, width_px: int, height_px: int) -> bool:
    """Whether content is what it is said to be; width and height are of pictures, else unused."""
    if kind in _OUTLINES:
        return _is_bare(untrusted, kind, width_px=width_px, height_px=height_px)
    if kind in _WRITINGS:
        return is_plain(bytes(untrusted))
    return sniff.kind_of(untrusted) is kind


def is_sound_copy(untrusted: Content, name: str, media_type: str, *, width_px: int, height_px: int) -> bool:
    """Whether a copy that somebody vouches for can be one: of a kind that is opened, named by it, and sound."""
    kind = claimed_kind(name, None)
    if kind not in OPENED_KINDS or KINDS[kind].media_type != media_type:
        return False
    if kind is Kind.ZIP:
        return sniff.kind_of(untrusted) in _PACKS
    return is_sound(untrusted, kind, width_px=width_px, height_px=height_px)


def _is_bare(untrusted: Content, kind: Kind, *, width_px: int, height_px: int) -> bool:
    """Whether a picture is a whole one of the stated size with nothing beside it: checked, not trusted."""
    try:
        outline = _OUTLINES[kind](untrusted)
    except Unfit:
        return False
    return outline.bare and (outline.width_px, outline.height_px) == (width_px, height_px)


def is_plain(untrusted: bytes) -> bool:
    """Whether a text is UTF-8 with no unseen sign but tab and line feed.

    Looked at byte by byte and in steps: sign by sign, a large one would keep its reader for seconds.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    try:
        for position in range(0, len(untrusted), _STEP_BYTES):
            decoder.decode(untrusted[position : position + _STEP_BYTES])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return len(untrusted.translate(None, _CONTROLS)) == len(untrusted) and _UNSEEN.search(untrusted) is None
