"""Up to sixteen small pictures on their way to becoming one, as bytes for a job that draws them beside each other.

Every preview was made in a jail and is as untrusted as what it was made of: it is opened again only in another one.
Layout, little-endian: for each picture the length of its label (u8), of its content (u32), then both.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MAX_PICTURES = 16
MAX_LABEL_BYTES = 60
_HEAD = struct.Struct("<BI")


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """One small picture, a JPEG, and what stands below it."""

    label: str
    content: bytes


def encode_pictures(pictures: Sequence[Labelled]) -> bytes:
    """The pictures as a job takes them."""
    written = []
    for picture in pictures[:MAX_PICTURES]:
        label = picture.label.encode("utf-8", "replace")[:MAX_LABEL_BYTES].decode("utf-8", "ignore").encode()
        written.append(_HEAD.pack(len(label), len(picture.content)) + label + picture.content)
    return b"".join(written)


def decode_pictures(raw: bytes) -> Iterator[Labelled]:
    """The pictures as they were given; the parent is trusted with their number and lengths (struct.error)."""
    position = 0
    while position < len(raw):
        label_bytes, content_bytes = _HEAD.unpack_from(raw, position)
        content_at = position + _HEAD.size + label_bytes
        position = content_at + content_bytes
        label = raw[content_at - label_bytes : content_at].decode("utf-8", "replace")
        yield Labelled(label=label, content=raw[content_at:position])
