"""The rest of the photo types, through the real jail: GIF, TIFF, BMP, AVIF, and what moves."""

import io
import random
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any, cast

import pytest
import pytest_asyncio
from PIL import Image

from tests.hostile import images
from tests.hostile import picture_types as types
from tests.hostile.bare import leftovers
from tests.hostile.test_images import MADE, check_made, difference, opened
from vetrelay.inspection import policy
from vetrelay.inspection.finding import Finding
from vetrelay.inspection.inspect import Inspector, Settings
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.outlines import webp
from vetrelay.inspection.wishes import Wishes
from vetrelay.inspection.words import JAIL_ENDS, Reason, Verdict

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOUND = list(types.sound())
# The first of each kind is tried often, the other ways of packing it less so.
OFTEN, LESS_OFTEN = 100, 30
MOVING = Wishes(keep_motion=True)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def inspector() -> AsyncIterator[Inspector]:
    """One inspector for all files: none of them may leave it unfit for the next."""
    async with Inspector.start(Settings()) as started:
        yield started


def check_pages(finding: Finding) -> None:
    """What was made is one bare picture for each page, and one preview."""
    *records, preview = finding.outputs
    assert ["record"] * max(1, finding.facts.items if finding.kind is Kind.TIFF else 1) == [
        made.role for made in records
    ]
    check_made(replace(finding, outputs=(records[0], preview)))
    for made in records:
        assert [] == leftovers(made.content)
        assert (made.width, made.height) == opened(made.content).size


@pytest.mark.parametrize("row", [pytest.param(row, id=row.row) for row in types.ROWS])
async def test_the_checklist_holds(inspector: Inspector, row: images.Row) -> None:
    """Each row's verdict, reason, notes and name; whatever is made of it is bare."""
    finding = await inspector.inspect(row.make(), row.name)
    reason = None if finding.reason is None else finding.reason.key
    assert (row.verdict, row.reason, row.notes) == (finding.verdict, reason, finding.notes)
    if finding.verdict in MADE:
        assert row.saved_as == finding.name
        check_pages(finding)
    else:
        assert () == finding.outputs


# --- TIFF -----------------------------------------------------------------------------------------------------------------


def greys(content: bytes, count: int) -> list[int]:
    """The grey in the middle of each of so many fields."""
    shown = opened(content)
    found = [shown.getpixel((8 * index + 4, 4)) for index in range(count)]
    assert all(isinstance(grey, int) for grey in found)
    return cast("list[int]", found)


@pytest.mark.parametrize(
    ("values", "white_is_zero", "kept", "shown"),
    [
        ((0, 1000, 30_000, 65_535), False, (0, 1000, 30_000, 65_535), (0, 4, 117, 255)),
        ((0, 1000, 2000, 4095), False, (0, 16_000, 32_000, 65_520), (0, 62, 125, 255)),
        ((40_000, 40_100, 40_200, 40_255), False, (40_000, 40_100, 40_200, 40_255), (0, 100, 200, 255)),
        ((0, 1000, 30_000, 65_535), True, (65_535, 64_535, 35_535, 0), (255, 251, 138, 0)),
        ((0, 1000, 2000, 4095), True, (65_520, 49_520, 33_520, 0), (255, 193, 131, 0)),
    ],
)
async def test_a_deep_scan_keeps_its_greys_and_its_preview_shows_them(
    inspector: Inspector,
    values: tuple[int, ...],
    white_is_zero: bool,  # noqa: FBT001  # a parameter of the table above
    kept: tuple[int, ...],
    shown: tuple[int, ...],
) -> None:
    """Row 19: no two greys become one; what Pillow would show all white is fitted to the screen, the right way round."""
    finding = await inspector.inspect(types.deep_tiff(*values, white_is_zero=white_is_zero), "a.tif")
    record, preview = finding.outputs
    assert (Verdict.CONVERTED, "image/png") == (finding.verdict, finding.media_type)
    assert 16 == record.content[24]  # IHDR: bits per sample
    assert list(kept) == greys(record.content, len(kept))
    assert all(abs(want - seen) <= 4 for want, seen in zip(shown, greys(preview.content, len(shown)), strict=True))


async def test_a_deep_scan_is_resized_with_its_greys(inspector: Inspector) -> None:
    """A large X-ray comes out in 16 bits, too, and its preview is small."""
    wide = (
        Image.linear_gradient("L").resize((3000, 300)).convert("I").point(lambda grey: grey * 250 + 0).convert("I;16")
    )
    finding = await inspector.inspect(images.saved(wide, "TIFF"), "a.tif")
    record, preview = finding.outputs
    assert (2560, 256, 16, 320) == (record.width, record.height, record.content[24], preview.width)
    whole = await inspector.inspect(images.saved(wide, "TIFF"), "a.tif", wishes=Wishes(full_size=True))
    assert (3000, 300) == (whole.outputs[0].width, whole.outputs[0].height)
    low, high = opened(whole.outputs[0].content).getextrema()
    assert wide.getextrema() == (low, high)


@pytest.mark.parametrize("values", [(-1000.0, 0.0, 500.0, 3000.0), (0.0, 0.25, 0.5, 1.0)])
async def test_numbers_below_zero_and_fractions_are_not_clipped(
    inspector: Inspector, values: tuple[float, ...]
) -> None:
    """A map of fractions, or a CT's values, spans black to white."""
    pixels = b"".join(struct.pack("<f", value) * 8 for value in values) * 8
    content = images.saved(Image.frombytes("F", (8 * len(values), 8), pixels), "TIFF")
    finding = await inspector.inspect(content, "a.tif")
    shown = greys(finding.outputs[0].content, len(values))
    assert ("brightness fitted to the screen" in finding.notes, 0, 255) == (True, shown[0], shown[-1])
    assert sorted(set(shown)) == shown


async def test_a_map_of_no_numbers_is_refused(inspector: Inspector) -> None:
    """Infinity has no grey."""
    pixels = struct.pack("<4f", 0, 1, float("inf"), 2)
    content = images.saved(Image.frombytes("F", (4, 1), pixels), "TIFF")
    assert Reason.DAMAGED is (await inspector.inspect(content, "a.tif")).reason


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "jpeg", "tiff_adobe_deflate", "packbits"])
async def test_every_page_becomes_a_picture_in_order(inspector: Inspector, compression: str) -> None:
    """However it is packed: each page its own picture, the first also as a preview."""
    finding = await inspector.inspect(types.pages_tiff(4, compression=compression), "scan.tiff")
    check_pages(finding)
    assert [(60, 40), (70, 40), (80, 40), (90, 40)] == [(made.width, made.height) for made in finding.outputs[:-1]]
    assert [f"scan-{number}.jpg" for number in range(1, 5)] == [made.name for made in finding.outputs[:-1]]
    for number, made in enumerate(finding.outputs[:-1]):
        assert difference(images.photo(60 + 10 * number, 40, seed=number), opened(made.content)) < 12


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
async def test_a_fax_is_kept_exactly(inspector: Inspector, compression: str) -> None:
    """Black and white is not blurred by JPEG."""
    page = images.photo().convert("1")
    finding = await inspector.inspect(images.saved(page, "TIFF", compression=compression), "a.tif")
    assert "image/png" == finding.media_type
    assert 0 == difference(page, opened(finding.outputs[0].content))


@pytest.mark.parametrize("orientation", range(1, 9))
async def test_a_page_comes_out_upright(inspector: Inspector, orientation: int) -> None:
    """Turned once, and not twice."""
    stored = images.photo().quantize(64).convert("RGB")
    finding = await inspector.inspect(images.saved(stored, "TIFF", tiffinfo={274: orientation}), "a.tif")
    expected = await inspector.inspect(images.saved(stored, "PNG", exif=_orientation(orientation)), "a.png")
    assert 0 == difference(opened(expected.outputs[0].content), opened(finding.outputs[0].content))
    assert ("turned upright" in finding.notes) == (orientation > 1)
    assert (160, 120) == (finding.facts.width, finding.facts.height)


def _orientation(number: int) -> Image.Exif:
    exif = Image.Exif()
    exif[274] = number
    return exif


# --- what moves -------------------------------------------------------------------------------------------------------------


def check_moving(finding: Finding) -> None:
    """What was made is a bare animation and a still preview."""
    record, preview = finding.outputs
    assert ("record", "image/webp", "preview", "image/jpeg") == (
        record.role,
        record.media_type,
        preview.role,
        preview.media_type,
    )
    assert webp.read(record.content).bare
    assert (record.width, record.height) == opened(record.content).size
    assert [] == leftovers(preview.content)
    assert set(opened(record.content).info) <= {"loop", "background", "timestamp", "duration"}


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("a.gif", lambda: types.gif_of(100, 250, 400)),
        ("a.webp", lambda: _moving("WEBP")),
        ("a.png", lambda: _moving("PNG")),
        ("a.png", lambda: _moving("PNG", default_image=True)),
    ],
)
async def test_an_animation_keeps_its_pictures_and_their_times_if_asked(
    inspector: Inspector, name: str, make: Callable[[], bytes]
) -> None:
    """Each picture is shown as long as before, in the same order."""
    content = make()
    finding = await inspector.inspect(content, name, wishes=MOVING)
    check_moving(finding)
    assert ("a.webp", 3, 750) == (finding.name, finding.facts.items, finding.facts.duration_ms)
    assert (Verdict.CLEAN if name == "a.webp" else Verdict.CONVERTED) is finding.verdict
    made = types.frames_of(finding.outputs[0].content)
    assert [100, 250, 400] == [shown_ms for shown_ms, _ in made]
    for number, (_, picture) in enumerate(made):
        # Lossy, and a GIF's own colours are few: alike, and closer to this picture than to any other.
        far = [difference(images.photo(90, 60, seed=other), picture) for other in range(3)]
        assert far[number] == min(far)
        assert far[number] < 25


def _moving(format_name: str, *, default_image: bool = False) -> bytes:
    pictures = [images.photo(90, 60, seed=number) for number in range(3)]
    options = {"default_image": True} if default_image else {}
    first, later = (images.photo(90, 60, seed=99), pictures) if default_image else (pictures[0], pictures[1:])
    return images.saved(first, format_name, save_all=True, append_images=later, duration=[100, 250, 400], **options)


async def test_a_fast_animation_is_thinned_and_lasts_as_long(inspector: Inspector) -> None:
    """Fifty pictures a second become ten, in the same time."""
    finding = await inspector.inspect(types.gif_of(*[20] * 50), "a.gif", wishes=MOVING)
    check_moving(finding)
    made = types.frames_of(finding.outputs[0].content)
    assert ([100] * 10, 1000) == ([shown_ms for shown_ms, _ in made], finding.facts.duration_ms)
    assert ("converted to WebP", "40 pictures left out of the movement") == finding.notes


async def test_transparency_moves_too(inspector: Inspector) -> None:
    """An animation with transparent parts keeps them; the preview has a white ground."""
    pictures = [Image.new("RGBA", (64, 64), (0, 0, 0, 0)) for _ in range(2)]
    for number, picture in enumerate(pictures):
        picture.paste((200, 0, 0, 255), (16 * number, 0, 16 * number + 32, 64))
    content = images.saved(pictures[0], "PNG", save_all=True, append_images=pictures[1:], duration=200)
    finding = await inspector.inspect(content, "a.png", wishes=MOVING)
    check_moving(finding)
    assert (0, 255) == opened(finding.outputs[0].content).getchannel("A").getextrema()
    white = opened(finding.outputs[1].content).getpixel((60, 30))
    assert isinstance(white, tuple)
    assert min(white) > 250


@pytest.mark.parametrize(
    "make",
    [
        lambda: images.gif(301),
        lambda: images.gif(3000),
        lambda: _huge_gif(60),
    ],
)
async def test_an_animation_beyond_the_limits_is_refused_moving_and_taken_still(
    inspector: Inspector, make: Callable[[], bytes]
) -> None:
    """Row 24: more than 300 pictures, or more than 200 million pixels together."""
    content = make()
    assert Reason.MOVES_TOO_LONG is (await inspector.inspect(content, "a.gif", wishes=MOVING)).reason
    still = await inspector.inspect(content, "a.gif")
    assert Verdict.CONVERTED is still.verdict
    check_made(still)


def _huge_gif(count: int) -> bytes:
    """One pixel changes, again and again, on a screen of two thousand by two thousand."""
    small = images.gif(count)
    return small[:6] + struct.pack("<HH", 2000, 2000) + small[10:]


async def test_an_animation_too_short_to_be_seen_is_a_still_picture(inspector: Inspector) -> None:
    """What is over in less than two tenths of a second at ten pictures a second is one picture."""
    finding = await inspector.inspect(types.gif_of(50, 50), "a.gif", wishes=MOVING)
    assert ("converted to PNG", "movement removed, the first of 2 pictures kept") == finding.notes
    check_made(finding)


async def test_a_picture_that_does_not_move_is_not_changed_by_the_wish(inspector: Inspector) -> None:
    """The wish to keep motion says nothing of a photo."""
    plain = await inspector.inspect(images.webp(), "a.webp")
    assert plain == await inspector.inspect(images.webp(), "a.webp", wishes=MOVING)


# --- all of them ------------------------------------------------------------------------------------------------------------


def everything() -> dict[str, bytes]:
    """One file of each kind that carries everything its kind can carry along."""
    told: dict[str, Any] = {"exif": images.camera_exif(orientation=6), "icc_profile": images.wide_gamut_profile()}
    moving: dict[str, Any] = {"save_all": True, "append_images": [images.photo(seed=2)], "duration": 200}
    return {
        "a.gif": types.everything_gif(),
        "a.tif": types.everything_tiff(),
        "a.avif": types.avif(xmp=types.XMP, **told),
        "a.webp": images.webp(xmp=types.XMP, **told),
        "moving.webp": images.webp(xmp=types.XMP, **moving, **told),
        "moving.png": images.png(**moving, **told),
        "a.bmp": types.bmp() + b"CANARY behind it",
    }


@pytest.mark.parametrize("name", everything())
@pytest.mark.parametrize("wishes", [Wishes(), MOVING])
async def test_nothing_that_a_file_carries_along_is_in_its_copies(
    inspector: Inspector, name: str, wishes: Wishes
) -> None:
    """Comments, application blocks, tags, EXIF, XMP, IPTC: in no output, in no chunk of one."""
    content = everything()[name]
    assert any(canary in content for canary in types.CANARIES)
    finding = await inspector.inspect(content, name, wishes=wishes)
    assert finding.verdict in MADE
    if finding.media_type == "image/webp":
        check_moving(finding)
    else:
        check_pages(finding)
    for made in finding.outputs:
        assert [] == [canary for canary in types.CANARIES if canary in made.content]
    if name == "a.tif":
        assert {
            "location removed",
            "names removed",
            "camera serial removed",
            "comment removed",
            "camera details removed",
            "editing record removed",
        } <= set(finding.notes)
    if name == "a.gif":
        assert {"comment removed", "editing record removed", "bytes after the picture removed"} <= set(finding.notes)


def times(name: str) -> int:
    """How often a file is cut and damaged."""
    return OFTEN if name.startswith("a.") else LESS_OFTEN


@pytest.mark.parametrize(("name", "content"), SOUND)
async def test_a_picture_cut_anywhere_is_refused(inspector: Inspector, name: str, content: bytes) -> None:
    """No part of a picture passes for the whole, wherever the upload broke off."""
    assert (await inspector.inspect(content, name)).verdict in MADE
    dice = random.Random(name)
    for place in sorted({1, len(content) - 1, *(dice.randrange(1, len(content)) for _ in range(times(name)))}):
        finding = await inspector.inspect(content[:place], name)
        assert Verdict.REFUSED is finding.verdict, place


@pytest.mark.parametrize(("name", "content"), SOUND)
async def test_a_damaged_picture_never_takes_the_check_down(inspector: Inspector, name: str, content: bytes) -> None:
    """One bit turned over: a verdict about the content, never a crash or a hang; what is made is bare."""
    dice = random.Random(name)
    most_bytes = policy.ROWS[Kind.TIFF].output_bytes
    for _ in range(times(name)):
        finding = await inspector.inspect(types.damaged(content, dice), name, wishes=MOVING)
        assert finding.reason not in JAIL_ENDS
        if finding.verdict in MADE:
            assert sum(len(made.content) for made in finding.outputs) < most_bytes
            check_moving(finding) if finding.media_type == "image/webp" else check_pages(finding)


async def test_the_same_file_gives_the_same_copy(inspector: Inspector) -> None:
    """Two jobs agree byte for byte, animations and pages included."""
    for name, content in (("a.gif", types.gif_of(100, 200)), ("a.tif", types.pages_tiff(2)), ("a.avif", types.avif())):
        copies = [(await inspector.inspect(content, name, wishes=MOVING)).outputs for _ in range(2)]
        assert copies[0] == copies[1], name


async def test_colours_are_right_in_every_type(inspector: Inspector) -> None:
    """The same photo in every type looks the same in its copy."""
    photo = images.photo()
    for name, content in {
        "a.tif": images.saved(photo, "TIFF"),
        "cmyk.tif": images.saved(photo.convert("CMYK"), "TIFF", compression="tiff_lzw"),
        "ycc.tif": images.saved(photo, "TIFF", compression="jpeg"),
        "a.bmp": images.saved(photo, "BMP"),
        "a.avif": types.avif(quality=90),
        "a.gif": images.saved(photo, "GIF"),
    }.items():
        finding = await inspector.inspect(content, name)
        shown = Image.open(io.BytesIO(finding.outputs[0].content))
        assert difference(photo, shown) < (20 if name == "a.gif" else 12), name
