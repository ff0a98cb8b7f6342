"""The image rows of the checklist, through the real jail: each file gets the verdict that stands beside it."""

import io
import random
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image, ImageChops, ImageOps, ImageStat

from tests.corpora import ABSENT, corpora_folder
from tests.hostile import images
from tests.hostile.bare import leftovers
from vetrelay.inspection.finding import Finding
from vetrelay.inspection.inspect import Inspector, Settings
from vetrelay.inspection.kinds import KINDS, Family
from vetrelay.inspection.wishes import Wishes
from vetrelay.inspection.words import JAIL_ENDS, Verdict

pytestmark = pytest.mark.asyncio(loop_scope="module")

HAS_HEIC = find_spec("pillow_heif") is not None
NEEDS_HEIC = pytest.mark.skipif(not HAS_HEIC, reason="pillow-heif is not installed: the extra [heif] brings it")
SOUND = list(images.sound(with_heic=HAS_HEIC))
CUTS, CHANGES = 20, 25
MADE = {Verdict.CLEAN, Verdict.CONVERTED}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def inspector() -> AsyncIterator[Inspector]:
    """One inspector for all files: none of them may leave it unfit for the next."""
    async with Inspector.start(Settings()) as started:
        yield started


def opened(content: bytes) -> Image.Image:
    """A picture, decoded."""
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def check_made(finding: Finding) -> None:
    """What was made is a bare picture and its preview."""
    normalized, preview = finding.outputs
    assert ("record", "preview") == (normalized.role, preview.role)
    for output in finding.outputs:
        assert [] == leftovers(output.content), output.name
        assert (output.width, output.height) == opened(output.content).size
    assert max(preview.width, preview.height) <= 320


@pytest.mark.parametrize(
    "row",
    [pytest.param(row, id=row.row, marks=[NEEDS_HEIC] if row.needs_heic else []) for row in images.ROWS],
)
async def test_the_checklist_holds(inspector: Inspector, row: images.Row) -> None:
    """Each row's verdict, reason and notes; whatever is made of it is bare."""
    finding = await inspector.inspect(row.make(), row.name)
    reason = None if finding.reason is None else finding.reason.key
    assert (row.verdict, row.reason, row.notes) == (finding.verdict, reason, finding.notes)
    assert (row.saved_as or row.name) == finding.name or finding.verdict is Verdict.CONVERTED
    if finding.verdict in MADE:
        check_made(finding)
    else:
        assert () == finding.outputs


@pytest.mark.parametrize("make", [images.everything_jpeg, images.everything_png])
async def test_nothing_that_a_picture_carries_along_is_in_the_copy(inspector: Inspector, make: object) -> None:
    """EXIF, place, profile, comment, XMP, Photoshop data and a hidden archive are gone, and each is told."""
    assert callable(make)
    finding = await inspector.inspect(make(), "a")
    check_made(finding)
    expected = {
        "location removed",
        "camera serial removed",
        "names removed",
        "camera details removed",
        "comment removed",
        "editing record removed",
        "bytes after the picture removed",
        "turned upright",
        "colours converted to sRGB",
    }
    assert expected == set(finding.notes) - {"converted to JPEG"}
    assert "2024-05-06T07:08:09+02:00" == finding.facts.capture_time
    assert (160, 120) == (finding.facts.width, finding.facts.height)
    for output in finding.outputs:
        for told in (b"Prying", b"SERIAL", b"Miller", b"Elm", b"2024", b"PK\x03\x04", b"php", b"script", b"xmp"):
            assert told not in output.content


@pytest.mark.parametrize(("name", "content"), SOUND)
async def test_a_picture_cut_anywhere_is_refused(inspector: Inspector, name: str, content: bytes) -> None:
    """No part of a picture passes for the whole, wherever the upload broke off."""
    assert (await inspector.inspect(content, name)).verdict in MADE
    dice = random.Random(name)
    places = sorted({1, len(content) - 1, *(dice.randrange(1, len(content)) for _ in range(CUTS))})
    for place in places:
        finding = await inspector.inspect(content[:place], name)
        assert Verdict.REFUSED is finding.verdict, place


@pytest.mark.parametrize(("name", "content"), SOUND)
async def test_a_damaged_picture_never_takes_the_check_down(inspector: Inspector, name: str, content: bytes) -> None:
    """Bytes changed at random: a verdict about the content, never a crash or a hang; what is made is bare."""
    dice = random.Random(name)
    for _ in range(CHANGES):
        changed = bytearray(content)
        for _ in range(dice.randrange(1, 6)):
            changed[dice.randrange(len(changed))] = dice.randrange(256)
        finding = await inspector.inspect(bytes(changed), name)
        assert finding.reason is None or finding.reason not in JAIL_ENDS
        if finding.verdict in MADE:
            check_made(finding)


async def test_the_same_file_gives_the_same_copy() -> None:
    """Two inspectors on two days agree byte for byte, so that a copy can be checked against its original."""
    content = images.everything_jpeg()
    copies = set()
    for _ in range(2):
        async with Inspector.start(Settings(parallel_jobs=1)) as inspector:
            finding = await inspector.inspect(content, "a.jpg")
        copies.add(tuple(output.content for output in finding.outputs))
    assert 1 == len(copies)


# --- how it looks -----------------------------------------------------------------------------------------------------


def difference(left: Image.Image, right: Image.Image) -> float:
    """The mean difference of two pictures of one size, in steps of 255."""
    assert left.size == right.size
    return max(ImageStat.Stat(ImageChops.difference(left.convert("RGB"), right.convert("RGB"))).mean)


@pytest.mark.parametrize("orientation", range(1, 9))
async def test_every_way_of_holding_a_phone_comes_out_upright(inspector: Inspector, orientation: int) -> None:
    """The pixels are turned as the orientation says, exactly, for all eight of them."""
    stored = images.photo().quantize(64)  # few enough colours for an exact copy
    content = images.saved(stored, "PNG", exif=images.camera_exif(orientation=orientation))
    upright = ImageOps.exif_transpose(opened(content))
    finding = await inspector.inspect(content, "a.png")
    assert 0 == difference(upright, opened(finding.outputs[0].content))
    assert ("turned upright" in finding.notes) == (orientation > 1)


@pytest.mark.corpora
@pytest.mark.skipif(corpora_folder() is None, reason=ABSENT)
@pytest.mark.parametrize("shape", ["Landscape", "Portrait"])
async def test_the_corpus_of_orientations_is_all_upright(inspector: Inspector, corpora: Path, shape: str) -> None:
    """Row 17: cameras' files of all nine orientations look like the one that needed no turning."""
    folder = corpora / "images" / "orientation"
    upright = opened((folder / f"{shape}_1.jpg").read_bytes())
    small = (60, 40) if shape == "Landscape" else (40, 60)
    for orientation in range(9):
        content = (folder / f"{shape}_{orientation}.jpg").read_bytes()
        normalized = (await inspector.inspect(content, "a.jpg")).outputs[0]
        assert upright.size == (normalized.width, normalized.height)
        assert difference(upright.resize(small), opened(normalized.content).resize(small)) < 4, orientation


@pytest.mark.parametrize(
    ("values", "expected", "notes"),
    [
        ((0, 1000, 30_000, 65_535), (0, 3, 116, 255), ()),
        ((0, 1000, 2000, 4095), (0, 62, 124, 255), ("brightness fitted to the screen",)),
        ((0, 100, 200, 255), (0, 100, 200, 255), ("brightness fitted to the screen",)),
    ],
)
async def test_a_deep_grey_picture_is_scaled_and_not_clipped(
    inspector: Inspector, values: tuple[int, ...], expected: tuple[int, ...], notes: tuple[str, ...]
) -> None:
    """An X-ray of 16 bits, or of 12 bits in 16, is shown with all its greys instead of white."""
    finding = await inspector.inspect(images.deep_png(*values), "a.png")
    shown = opened(finding.outputs[0].content)
    assert ("clean", notes) == (finding.verdict, finding.notes)
    for index, grey in enumerate(expected):
        seen = shown.crop((8 * index + 4, 4, 8 * index + 5, 5)).tobytes()
        assert abs(grey - seen[0]) <= 1


async def test_transparency_is_kept_and_shown_on_white(inspector: Inspector) -> None:
    """A PNG with transparency stays one; its preview has a white ground."""
    drawing = Image.new("RGBA", (400, 400), (0, 0, 0, 0))
    drawing.paste((200, 0, 0, 255), (0, 0, 200, 400))
    finding = await inspector.inspect(images.saved(drawing, "PNG"), "a.png")
    normalized, preview = (opened(output.content) for output in finding.outputs)
    assert ("clean", "RGBA", (200, 0, 0, 255)) == (finding.verdict, normalized.mode, normalized.getpixel((10, 10)))
    assert "JPEG" == preview.format
    white = preview.getpixel((300, 160))
    assert isinstance(white, tuple)
    assert min(white) > 250


async def test_a_transparent_colour_counts_as_transparency(inspector: Inspector) -> None:
    """A PNG may name one colour as transparent instead of carrying a channel."""
    drawing = Image.new("RGB", (50, 50), (1, 2, 3))
    drawing.paste((200, 0, 0), (0, 0, 20, 50))
    finding = await inspector.inspect(images.saved(drawing, "PNG", transparency=(1, 2, 3)), "a.png")
    normalized = opened(finding.outputs[0].content)
    assert ("RGBA", 0) == (normalized.mode, normalized.getchannel("A").getpixel((40, 10)))


@pytest.mark.parametrize("colours", [2, 256])
async def test_a_drawing_stays_exact(inspector: Inspector, colours: int) -> None:
    """A PNG of few colours (a screenshot, a chart) is not blurred by JPEG."""
    drawing = images.photo().quantize(colours)
    finding = await inspector.inspect(images.saved(drawing, "PNG"), "a.png")
    assert ("clean", "image/png") == (finding.verdict, finding.media_type)
    assert 0 == difference(drawing, opened(finding.outputs[0].content))


async def test_a_photo_for_print_has_the_colours_of_the_screen(inspector: Inspector) -> None:
    """Row 18: CMYK comes out as RGB that looks the same, not as its negative."""
    finding = await inspector.inspect(images.cmyk_jpeg(), "a.jpg")
    normalized = opened(finding.outputs[0].content)
    assert "RGB" == normalized.mode
    assert difference(images.photo(), normalized) < 12


async def test_a_wide_gamut_photo_is_brought_to_srgb(inspector: Inspector) -> None:
    """The profile is applied, not merely dropped; a profile that says sRGB is left alone."""
    plain = await inspector.inspect(images.jpeg(), "a.jpg")
    wide = await inspector.inspect(images.jpeg(icc_profile=images.wide_gamut_profile()), "a.jpg")
    assert () == plain.notes
    assert ("colours converted to sRGB",) == wide.notes
    # The profile under test is sRGB by another name: applying it must change next to nothing.
    assert difference(opened(plain.outputs[0].content), opened(wide.outputs[0].content)) < 3


async def test_a_profile_that_makes_no_sense_is_ignored(inspector: Inspector) -> None:
    """A broken profile costs the exact colours, not the picture."""
    finding = await inspector.inspect(images.jpeg(icc_profile=b"no profile" * 20), "a.jpg")
    assert ("clean", ("unreadable colour profile ignored",)) == (finding.verdict, finding.notes)


@pytest.mark.parametrize(
    ("purpose", "longest", "note"),
    [
        (None, 2560, "resized to 2560 px"),
        ("certificate", 2560, "resized to 2560 px"),
        ("wound", 4096, "resized to 4096 px"),
        ("skin", 4096, "resized to 4096 px"),
        ("eye", 4096, "resized to 4096 px"),
    ],
)
async def test_a_large_photo_is_kept_larger_where_its_texture_matters(
    inspector: Inspector, purpose: str | None, longest: int, note: str
) -> None:
    """Up to 2560 pixels, and up to 4096 for a wound, skin or an eye."""
    content = images.saved(images.photo().resize((5000, 1000)), "JPEG")
    finding = await inspector.inspect(content, "a.jpg", wishes=Wishes(purpose=purpose))
    normalized = finding.outputs[0]
    assert (longest, round(longest / 5), (note,)) == (normalized.width, normalized.height, finding.notes)
    assert (5000, 1000) == (finding.facts.width, finding.facts.height)


@pytest.mark.parametrize("size", [(16_384, 1), (1, 16_384), (1, 1), (3000, 2)])
async def test_a_strange_shape_keeps_at_least_one_pixel(inspector: Inspector, size: tuple[int, int]) -> None:
    """A line one pixel high does not vanish when it is made shorter."""
    finding = await inspector.inspect(images.saved(images.photo().resize(size), "PNG"), "a.png")
    assert finding.verdict in MADE
    check_made(finding)


# --- the corpus ---------------------------------------------------------------------------------------------------------


@pytest.mark.corpora
@pytest.mark.skipif(corpora_folder() is None, reason=ABSENT)
async def test_real_files_are_judged_without_a_crash_and_come_out_bare(inspector: Inspector, corpora: Path) -> None:
    """Every file of the image corpora: a verdict about its content, and no trace of metadata in what is made."""
    counts: dict[str, int] = {}
    for path in sorted(path for path in (corpora / "images").rglob("*") if path.is_file()):
        finding = await inspector.inspect(path.read_bytes(), path.name)
        assert finding.reason is None or finding.reason not in JAIL_ENDS, path.name
        if KINDS[finding.kind].family is not Family.PICTURE:
            continue  # the corpora's own notes and scripts
        counts[finding.verdict] = counts.get(finding.verdict, 0) + 1
        if finding.verdict in MADE:
            check_made(finding)
    print(counts)
    assert counts["clean"] + counts["converted"] > 80 - (0 if HAS_HEIC else 30)


@pytest.mark.corpora
@NEEDS_HEIC
@pytest.mark.skipif(corpora_folder() is None, reason=ABSENT)
@pytest.mark.parametrize(
    ("name", "reason"), [("truncated.heic", "incomplete"), ("corrupted.heic", "damaged"), ("empty.heic", "empty")]
)
async def test_a_broken_heic_of_the_corpus_is_refused(
    inspector: Inspector, corpora: Path, name: str, reason: str
) -> None:
    """Row 26: libheif alone would have shown the truncated one."""
    finding = await inspector.inspect((corpora / "images" / "heif" / name).read_bytes(), name)
    assert finding.reason is not None
    assert (Verdict.REFUSED, reason) == (finding.verdict, finding.reason.key)
