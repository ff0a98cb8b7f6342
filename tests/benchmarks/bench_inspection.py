"""Speed of the jail: what an empty job costs, and what a 12-megapixel photo costs over bare Pillow doing the same.

Run as a script: `python tests/benchmarks/bench_inspection.py` prints a table and one line of JSON. The limits are those
of the design: 3 ms for an empty job, 1.15 times bare Pillow for a photo.
"""

import asyncio
import io
import json
import random
import statistics
import sys
from pathlib import Path
from time import perf_counter

from PIL import Image, ImageCms, ImageOps

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.hostile import images
from tests.inspection.misbehaving_worker import EMPTY
from vetrelay.inspection.frames import Request
from vetrelay.inspection.handover import handed_over
from vetrelay.inspection.inspect import Inspector, Settings
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.policy import NORMALIZED_SIDE_PX, PREVIEW_SIDE_PX, ROWS, limits_of
from vetrelay.inspection.sandbox import Zygote
from vetrelay.inspection.source import BytesSource

LIMITS = {"empty_job_median_ms": 3.0, "empty_job_p95_ms": 3.0, "photo_over_bare_pillow": 1.15}
WORKER = Path(__file__).resolve().parents[1] / "inspection" / "misbehaving_worker.py"
PHOTO_PX = (4032, 3024)
EMPTY_JOBS, PHOTOS = 200, 9
# A job comes now and then: the pause lets the zygote have its next child ready, as it does between two letters.
PAUSE_SECONDS = 0.01


def phone_photo() -> bytes:
    """What a phone writes: 12 megapixels of some 4 MB, on its side, with its place, and an sRGB profile."""
    noise = Image.frombytes("RGB", (504, 378), random.Random(1).randbytes(504 * 378 * 3)).resize(PHOTO_PX)
    picture = Image.blend(images.photo().resize(PHOTO_PX, Image.Resampling.BICUBIC), noise, 0.35)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = images.camera_exif(orientation=6)
    return images.saved(picture, "JPEG", quality=95, exif=exif, icc_profile=profile)


def bare_pillow(content: bytes) -> list[bytes]:
    """The same work by hand, in the best order: decode, make smaller, turn, encode, preview."""
    picture: Image.Image = Image.open(io.BytesIO(content))
    picture.thumbnail((NORMALIZED_SIDE_PX, NORMALIZED_SIDE_PX), Image.Resampling.LANCZOS)
    picture = ImageOps.exif_transpose(picture)
    made = []
    for side in (NORMALIZED_SIDE_PX, PREVIEW_SIDE_PX):
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
        picture.info = {}
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=85)
        made.append(buffer.getvalue())
    return made


async def empty_jobs(*, load: str, pause_seconds: float) -> list[float]:
    """Milliseconds of each of many empty jobs, sorted: hand over, lock down, answer."""
    zygote = await Zygote.start((sys.executable, "-I", str(WORKER), "all-formats"), load)
    spent = []
    for _ in range(EMPTY_JOBS):
        await asyncio.sleep(pause_seconds)
        begin = perf_counter()
        async with handed_over(BytesSource(b"x"), most_bytes=1, head_bytes=1) as handover:
            request = Request(job=EMPTY, size_bytes=1, limits=limits_of(ROWS[Kind.JPEG], size_bytes=1))
            await zygote.run(request, handover.descriptor)
        spent.append((perf_counter() - begin) * 1000)
    await zygote.close()
    return sorted(spent)


async def photos() -> tuple[float, float]:
    """Best milliseconds of bare Pillow and of the jail, taken in turns so that a busy machine slows both alike."""
    content = phone_photo()
    bare, jail = [], []
    async with Inspector.start(Settings(parallel_jobs=1)) as inspector:
        for _ in range(PHOTOS):
            begin = perf_counter()
            bare_pillow(content)
            middle = perf_counter()
            await inspector.inspect(content, "a.jpg")
            bare.append((middle - begin) * 1000)
            jail.append((perf_counter() - middle) * 1000)
    return min(bare), min(jail)


async def _measure() -> dict[str, float]:
    idle = await empty_jobs(load="pictures", pause_seconds=PAUSE_SECONDS)
    busy = await empty_jobs(load="pictures", pause_seconds=0)
    full_idle = await empty_jobs(load="all", pause_seconds=PAUSE_SECONDS)
    full_busy = await empty_jobs(load="all", pause_seconds=0)
    bare_ms, jail_ms = await photos()
    return {
        "empty_job_median_ms": statistics.median(idle),
        "empty_job_p95_ms": idle[int(len(idle) * 0.95)],
        "empty_job_back_to_back_median_ms": statistics.median(busy),
        "empty_full_job_median_ms": statistics.median(full_idle),
        "empty_full_job_back_to_back_median_ms": statistics.median(full_busy),
        "photo_bare_pillow_ms": bare_ms,
        "photo_jail_ms": jail_ms,
        "photo_over_bare_pillow": jail_ms / bare_ms,
    }


def measure() -> dict[str, float]:
    """All figures of this file, by name."""
    return asyncio.run(_measure())


if __name__ == "__main__":
    figures = measure()
    for name, value in figures.items():
        limit = LIMITS.get(name)
        print(f"{name:36} {value:9.2f}" + (f"   limit {limit}" if limit else ""))
    print(json.dumps(figures))
