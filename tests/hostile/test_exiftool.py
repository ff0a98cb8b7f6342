"""Metadata planted by exiftool into one file of each type is in no copy: searched in the bytes, and by exiftool itself."""

import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import pytest_asyncio

from tests.hostile import images
from vetrelay.cli.demo_records import RecordSecrets, make_pdf, make_video
from vetrelay.inspection.finding import Output
from vetrelay.inspection.inspect import Inspector, Settings

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed (libimage-exiftool-perl)"),
]

WORD = "KEPTCANARY"
NO_SECRETS = RecordSecrets(author="", script="", private_tag="", place="")
# What exiftool may be asked to write; what a type has no place for it leaves out by itself.
PLANTED = (
    f"-Artist={WORD}-artist",
    f"-Author={WORD}-author",
    f"-Creator={WORD}-creator",
    f"-Comment={WORD}-comment",
    f"-Title={WORD}-title",
    f"-Description={WORD}-description",
    f"-Copyright={WORD}-copyright",
    f"-Make={WORD}-make",
    f"-SerialNumber={WORD}-serial",
    f"-OwnerName={WORD}-owner",
    f"-Software={WORD}-software",
    f"-XMP-dc:Subject={WORD}-subject",
    f"-XMP-exif:UserComment={WORD}-xmp",
    f"-IPTC:Keywords={WORD}-keyword",
    f"-Keys:DisplayName={WORD}-keys",
    f"-UserData:Model={WORD}-model",
    "-GPSLatitude=52.5200",
    "-GPSLongitude=13.4050",
    "-GPSLatitudeRef=N",
    "-GPSLongitudeRef=E",
    "-GPSCoordinates=52.5200, 13.4050, 34",
)
# Groups of tags in which a file could still say something of its making.
FORBIDDEN_GROUPS = ("GPS", "XMP", "IPTC", "ICC", "Photoshop", "IFD0", "IFD1", "ExifIFD", "Keys", "UserData", "ItemList")
NEEDED = {"a.heic": "pillow_heif", "a.mp4": "av", "a.mov": "av"}


def sound(name: str, folder: Path) -> Path:
    """A sound file of this type without metadata."""
    path = folder / name
    ending = path.suffix.removeprefix(".")
    if ending == "pdf":
        return make_pdf(path, "Dear colleague", NO_SECRETS)
    if ending == "heic":
        path.write_bytes(images.heic())
        return path
    if ending in {"mp4", "mov"}:
        return make_video(path, NO_SECRETS)
    names = {"jpg": "JPEG", "tif": "TIFF"}
    path.write_bytes(images.saved(images.photo(), names.get(ending, ending.upper())))
    return path


def told(path: Path) -> str:
    """Everything exiftool finds in a file, doubles and unknown tags too, by group."""
    done = subprocess.run(
        ["exiftool", "-a", "-u", "-U", "-ee3", "-G1", "-j", str(path)], capture_output=True, text=True, check=False
    )
    return json.dumps(json.loads(done.stdout))


def leftovers(output: Output, folder: Path) -> list[str]:
    """What exiftool still finds in a copy, and the word in its bytes."""
    path = folder / output.name
    path.write_bytes(output.content)
    found = json.loads(told(path))[0]
    left = [tag for tag in found if tag.partition(":")[0].startswith(FORBIDDEN_GROUPS) or WORD in str(found[tag])]
    return left + ([f"{output.name}: bytes"] if WORD.encode() in output.content else [])


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def inspector() -> AsyncIterator[Inspector]:
    """One inspector for all."""
    async with Inspector.start(Settings(parallel_jobs=1)) as started:
        yield started


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name,
            marks=pytest.mark.skipif(
                name in NEEDED and find_spec(NEEDED[name]) is None, reason=f"{NEEDED.get(name)} is not installed"
            ),
        )
        for name in ("a.jpg", "a.png", "a.webp", "a.gif", "a.tif", "a.avif", "a.heic", "a.pdf", "a.mp4", "a.mov")
    ],
)
async def test_what_exiftool_planted_exiftool_does_not_find_again(
    inspector: Inspector, name: str, tmp_path: Path
) -> None:
    """Names, comments, serial numbers, places, XMP: read before, gone from every copy."""
    path = sound(name, tmp_path)
    subprocess.run(["exiftool", "-m", "-overwrite_original", *PLANTED, str(path)], capture_output=True, check=False)  # noqa: ASYNC221 - it ends at once, and nothing else waits
    assert WORD in told(path)
    finding = await inspector.inspect(path.read_bytes(), name)
    assert finding.reason is None
    out = tmp_path / "out"
    out.mkdir()
    assert {output.name: [] for output in finding.outputs} == {
        output.name: leftovers(output, out) for output in finding.outputs
    }
