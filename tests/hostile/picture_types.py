"""GIF, TIFF, BMP and AVIF, sound and hostile, made on the spot; each is built so that a reader sees what is wrong."""

import io
import random
import struct
from collections.abc import Iterator, Mapping, Sequence

from PIL import Image

from tests.hostile import images
from tests.hostile.images import Row

SHORT, LONG = 3, 4
Tag = tuple[int, Sequence[int]]
Tags = Mapping[int, Tag]
Changes = Mapping[int, Tag]
NO_CHANGES: Changes = {}
CANARIES = (b"CANARY", b"SERIAL", b"Miller", b"Elm", b"Prying", b"2024:05:06")
XMP = b"<x:xmpmeta>CANARY-XMP exif:GPSLatitude</x:xmpmeta>"


# --- TIFF -----------------------------------------------------------------------------------------------------------------


def tiff(*directories: Tags, pixels: bytes = b"", last_next: int = 0) -> bytes:
    """A TIFF of these directories in a chain. The pixels stand from byte 8; `last_next` is where the chain goes on."""
    made = bytearray(b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels)
    for number, tags in enumerate(directories, start=1):
        values_at = len(made) + 2 + 12 * len(tags) + 4
        entries, values = b"", b""
        for tag, (kind, numbers) in sorted(tags.items()):
            packed = struct.pack(f"<{len(numbers)}{'H' if kind == SHORT else 'I'}", *numbers)
            if len(packed) > 4:
                where, values = struct.pack("<I", values_at + len(values)), values + packed
            else:
                where = packed.ljust(4, b"\0")
            entries += struct.pack("<HHI", tag, kind, len(numbers)) + where
        following = values_at + len(values) if number < len(directories) else last_next
        made += struct.pack("<H", len(tags)) + entries + struct.pack("<I", following) + values
    return bytes(made)


def grey_page(changes: Changes = NO_CHANGES, *, width: int = 16, height: int = 16) -> dict[int, Tag]:
    """One page of 8-bit grey in one strip at byte 8; the changes are tags, `{257: (LONG, [1])}`."""
    tags: dict[int, Tag] = {
        256: (LONG, [width]),
        257: (LONG, [height]),
        258: (SHORT, [8]),
        259: (SHORT, [1]),
        262: (SHORT, [1]),
        273: (LONG, [8]),
        277: (SHORT, [1]),
        278: (LONG, [height]),
        279: (LONG, [width * height]),
    }
    return tags | dict(changes)


def grey_tiff(changes: Changes = NO_CHANGES, *, last_next: int = 0, page_count: int = 1) -> bytes:
    """A TIFF of such pages, all of the same pixels."""
    return tiff(*[grey_page(changes)] * page_count, pixels=bytes(range(256)), last_next=last_next)


def tiff_that_names_its_width_twice() -> bytes:
    """Two readers may take a different one each."""
    whole = bytearray(grey_tiff())
    at = whole.index(struct.pack("<HHI", 257, LONG, 1))
    whole[at : at + 2] = struct.pack("<H", 256)
    return bytes(whole)


def deep_tiff(*values: int, white_is_zero: bool = False) -> bytes:
    """A 16-bit grey TIFF of one row of these values, each 8 pixels wide and high."""
    pixels = b"".join(struct.pack("<H", value) * 8 for value in values) * 8
    deep: Changes = {
        258: (SHORT, [16]),
        262: (SHORT, [0 if white_is_zero else 1]),
        279: (LONG, [len(pixels)]),
    }
    return tiff(grey_page(deep, width=8 * len(values), height=8), pixels=pixels)


def pages_tiff(count: int = 3, **options: object) -> bytes:
    """A TIFF of several coloured pages, each of its own size."""
    pages = [images.photo(60 + 10 * number, 40, seed=number) for number in range(count)]
    return images.saved(pages[0], "TIFF", save_all=True, append_images=pages[1:], **options)


def everything_tiff() -> bytes:
    """A TIFF that carries everything a picture can carry along."""
    told = images.camera_exif()
    told[269], told[305], told[33432] = "CANARY-document", "CANARY-program", "CANARY-rights"
    told[700], told[33723], told[34377] = XMP, b"CANARY-IPTC", b"8BIM CANARY-PS"
    told[65000] = b"CANARY-private"
    told[34665], told[34853] = told.get_ifd(34665), told.get_ifd(34853)  # else Pillow leaves them out of a TIFF
    return images.saved(images.photo(), "TIFF", exif=told, icc_profile=images.wide_gamut_profile())


# --- GIF ------------------------------------------------------------------------------------------------------------------


def gif_of(*frames_ms: int, size: tuple[int, int] = (90, 60), **options: object) -> bytes:
    """A GIF of as many different pictures, each shown so long."""
    pictures = [images.photo(*size, seed=number).quantize(32) for number in range(len(frames_ms))]
    return images.saved(
        pictures[0], "GIF", save_all=True, append_images=pictures[1:], duration=list(frames_ms), loop=0, **options
    )


def everything_gif() -> bytes:
    """A GIF with comments and application blocks before and after its pictures."""
    whole = gif_of(100, 100, comment=b"CANARY-comment")
    xmp = b"\x21\xff\x0bXMP DataXMP" + bytes([len(XMP)]) + XMP + b"\0"
    text = b"\x21\xfe\x0bCANARY-last\0"
    screen_end = 13 + (3 << (whole[10] & 7) + 1 if whole[10] & 0x80 else 0)
    return whole[:screen_end] + xmp + whole[screen_end:-1] + text + b"\x3b" + images.HIDDEN_ARCHIVE


def gif_that_grows(left: int) -> bytes:
    """A GIF of one pixel, whose second picture stands far outside it."""
    whole = images.gif(2)
    at = whole.rindex(b"\x2c")
    return whole[: at + 1] + struct.pack("<H", left) + whole[at + 3 :]


# --- BMP ------------------------------------------------------------------------------------------------------------------


def bmp(
    width: int = 16, height: int = 16, *, depth: int = 8, packing: int = 0, rows: bytes | None = None, header: int = 40
) -> bytes:
    """A BMP with a grey palette; `rows` are its pixels as they stand in the file."""
    palette = b"".join(bytes([grey, grey, grey, 0]) for grey in range(256)) if depth == 8 else b""
    row_bytes = (width * depth + 31) // 32 * 4
    pixels = (
        (bytes(range(256)) * (row_bytes * abs(height) // 256 + 1))[: row_bytes * abs(height)] if rows is None else rows
    )
    pixels_at = 14 + 40 + len(palette)
    return (
        struct.pack("<2sIII", b"BM", pixels_at + len(pixels), 0, pixels_at)
        + struct.pack("<IiiHHIIiiII", header, width, height, 1, depth, packing, len(pixels), 0, 0, 256, 0)[:40]
        + palette
        + pixels
    )


def packed_bmp(rows: bytes = (b"\x10\x30\0\0" * 16) + b"\0\1") -> bytes:
    """A BMP of run lengths: 16 rows of 16 pixels."""
    return bmp(packing=1, rows=rows)


# --- AVIF -----------------------------------------------------------------------------------------------------------------


def avif(image: Image.Image | None = None, **options: object) -> bytes:
    """A sound AVIF."""
    return images.saved(image or images.photo(), "AVIF", speed=10, max_threads=1, **options)


def avif_with_size(width: int, height: int) -> bytes:
    """An AVIF whose picture claims another size."""
    whole = bytearray(avif())
    at = whole.index(b"ispe")
    whole[at + 8 : at + 16] = struct.pack(">II", width, height)
    return bytes(whole)


# --- the checklist ----------------------------------------------------------------------------------------------------------


def _refused(row: str, name: str, content: bytes, reason: str) -> Row:
    return Row(row=row, name=name, make=lambda: content, verdict="refused", reason=reason)


def _made(row: str, name: str, content: bytes, saved_as: str, *notes: str) -> Row:
    return Row(row=row, name=name, make=lambda: content, verdict="converted", saved_as=saved_as, notes=notes)


_PLANES: Changes = {
    258: (SHORT, [8, 8, 8]),
    262: (SHORT, [2]),
    273: (LONG, [8, 8, 8]),
    277: (SHORT, [3]),
    279: (LONG, [256] * 3),
    284: (SHORT, [2]),
}
_TILE: Changes = {322: (LONG, [16]), 323: (LONG, [16]), 324: (LONG, [8]), 325: (LONG, [256])}
_LARGE_TILE: Changes = {322: (LONG, [16_384]), 323: (LONG, [16_384]), 324: (LONG, [8]), 325: (LONG, [256])}

ROWS: tuple[Row, ...] = (
    _made("19: 16-bit TIFF", "a.tif", deep_tiff(0, 1000, 30_000, 65_535), "a.png", "converted to PNG"),
    _refused("20: 200 pages", "a.tif", grey_tiff(page_count=200), "too_many_pages_of_pictures"),
    _made("20: 50 pages", "a.tiff", grey_tiff(page_count=50), "a.png", "converted to PNG", "50 pages made single pictures"),
    _made("21: a chain of pages that comes back to its first", "a.tif", grey_tiff(last_next=264), "a.png",
          "converted to PNG"),
    _made("21: a chain that comes back to its second", "a.tif",
          grey_tiff(page_count=3, last_next=264 + 2 + 9 * 12 + 4), "a.png", "converted to PNG",
          "3 pages made single pictures"),
    _refused("TIFF: a side too long", "a.tif", grey_tiff({256: (LONG, [30_000])}), "side_too_long"),
    _refused("TIFF: too many pixels in few bytes", "a.tif",
             grey_tiff({256: (LONG, [16_000]), 257: (LONG, [16_000]), 258: (SHORT, [1]), 259: (SHORT, [4])}),
             "too_many_pixels"),
    _refused("TIFF: no height", "a.tif", grey_tiff({257: (LONG, [0])}), "no_pixels"),
    _refused("TIFF: a tile larger than any picture", "a.tif", grey_tiff(_LARGE_TILE), "unpacks_too_large"),
    _refused("TIFF: a strip behind the end", "a.tif", grey_tiff({273: (LONG, [1 << 20])}), "incomplete"),
    _refused("TIFF: a strip that is too short", "a.tif", grey_tiff({279: (LONG, [200])}), "incomplete"),
    _refused("TIFF: fewer strips than it takes", "a.tif", grey_tiff({278: (LONG, [1])}), "damaged"),
    _refused("TIFF: a thing named twice", "a.tif", tiff_that_names_its_width_twice(), "damaged"),
    _refused("TIFF: a chain that leaves the file", "a.tif", grey_tiff(last_next=1 << 20), "incomplete"),
    _refused("TIFF: packed as nobody does any more", "a.tif", grey_tiff({259: (SHORT, [6])}), "packed_unusually"),
    _refused("TIFF: a camera's raw file", "a.tif", grey_tiff({50706: (LONG, [1])}), "type_not_taken"),
    _refused("TIFF: more values than anyone needs", "a.tif",
             grey_tiff({258: (LONG, [8] * 9)}).replace(struct.pack("<HHI", 258, LONG, 9),
                                                     struct.pack("<HHI", 258, LONG, 1 << 31)), "damaged"),
    _refused("TIFF: no page", "a.tif", b"II*\0\0\0\0\0" + bytes(100), "incomplete"),
    _made("TIFF: a smaller copy among its pages", "a.tif",
          tiff(grey_page(), grey_page({254: (LONG, [1])}), pixels=bytes(range(256))), "a.png",
          "embedded thumbnail removed", "converted to PNG"),
    _made("TIFF: colours in planes", "a.tif", grey_tiff(_PLANES), "a.png", "converted to PNG"),
    _made("TIFF: in tiles", "a.tif", grey_tiff(_TILE), "a.png", "converted to PNG"),
    _made("TIFF: colours", "a.tiff", pages_tiff(2, compression="tiff_lzw"), "a.jpg", "converted to JPEG",
          "2 pages made single pictures"),
    _refused("GIF: a picture outside its screen", "a.gif", gif_that_grows(60_000), "side_too_long"),
    _refused("GIF: no end", "a.gif", images.gif(2)[:-1], "incomplete"),
    _refused("GIF: no picture", "a.gif", images.gif(0), "incomplete"),
    _refused("GIF: no width", "a.gif", b"GIF89a\0\0\0\0" + images.gif(1)[10:].replace(b"\x01\0\x01\0\0", b"\0\0\0\0\0"),
             "no_pixels"),
    _made("a GIF", "a.gif", gif_of(100), "a.png", "converted to PNG"),
    _made("a BMP", "a.bmp", bmp(), "a.png", "converted to PNG"),
    _made("BMP: from the top down", "a.bmp", bmp(height=-16), "a.png", "converted to PNG"),
    _made("BMP: in run lengths", "a.bmp", packed_bmp(), "a.png", "converted to PNG"),
    _made("BMP: something behind it", "a.bmp", bmp() + images.HIDDEN_ARCHIVE, "a.png", "bytes after the picture removed",
          "converted to PNG"),
    _refused("BMP: a side too long", "a.bmp", bmp(width=30_000, rows=b""), "side_too_long"),
    _refused("BMP: too many pixels", "a.bmp", bmp(16_000, 16_000, rows=b""), "too_many_pixels"),
    _refused("BMP: no width", "a.bmp", bmp(width=0), "no_pixels"),
    _refused("BMP: the lowest height there is", "a.bmp", bmp(height=-(1 << 31), rows=b""), "side_too_long"),
    _refused("BMP: rows missing", "a.bmp", bmp()[:-20], "incomplete"),
    _refused("BMP: run lengths without an end", "a.bmp", packed_bmp()[:-2], "incomplete"),
    _refused("BMP: run lengths that make nothing", "a.bmp", packed_bmp(b"\0\0" * (5 << 20)), "too_many_bytes"),
    _refused("BMP: run lengths of more pixels than are worth it", "a.bmp", bmp(7000, 7000, packing=1, rows=b"\0\1"),
             "packed_unusually"),
    _refused("BMP: run lengths that end early", "a.bmp", packed_bmp(b"\x10\x30\0\0\0\1"), "damaged"),
    _refused("BMP: a JPEG inside", "a.bmp", bmp(packing=4), "packed_unusually"),
    _refused("BMP: run lengths of 24 bits", "a.bmp", bmp(depth=24, packing=1), "packed_unusually"),
    _made("an AVIF", "a.avif", avif(), "a.jpg", "converted to JPEG"),
    _made("a moving AVIF", "a.avif", avif(save_all=True, append_images=[images.photo(seed=2)], duration=100), "a.jpg",
          "converted to JPEG", "movement removed, the first picture kept"),
    _refused("25: an AVIF of 200 megapixels", "a.avif", avif_with_size(16_000, 12_500), "too_many_pixels"),
    _refused("26: an AVIF cut short", "a.avif", avif()[:-100], "incomplete"),
    Row(row="a BMP named .jpg", name="a.jpg", make=bmp, verdict="converted", saved_as="a.png",
        notes=("converted to PNG", "renamed to match its content")),
)  # fmt: skip


def sound() -> Iterator[tuple[str, bytes]]:
    """(name, content) of sound pictures of these kinds, for cutting and damaging."""
    yield "a.gif", gif_of(100, 100, 100)
    yield "a.tif", images.saved(images.photo(), "TIFF")
    yield "lzw.tif", pages_tiff(2, compression="tiff_lzw")
    yield "jpeg.tif", pages_tiff(2, compression="jpeg").rstrip(b"\0")  # it is filled up behind its last page
    yield "fax.tif", images.saved(images.photo().convert("1"), "TIFF", compression="group4")
    yield "deep.tif", deep_tiff(0, 1000, 30_000, 65_535)
    yield "a.bmp", images.saved(images.photo(), "BMP")
    yield "runs.bmp", packed_bmp()
    yield "a.avif", avif(exif=images.camera_exif(), xmp=XMP)
    yield "moving.webp", images.moving_webp()
    yield "moving.png", images.moving_png()


def damaged(content: bytes, dice: random.Random) -> bytes:
    """The content with one bit turned over."""
    changed = bytearray(content)
    changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def frames_of(content: bytes) -> list[tuple[int, Image.Image]]:
    """How long each picture of an animation is shown, and the picture."""
    image = Image.open(io.BytesIO(content))
    frames = []
    for index in range(getattr(image, "n_frames", 1)):
        image.seek(index)
        image.load()
        frames.append((int(image.info["duration"]), image.convert("RGB")))
    return frames
