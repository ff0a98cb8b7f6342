"""The whole way of a 12-megapixel photo through relay and intake, against bare Pillow doing the same to its pixels.

Run as a script: `python -m tests.benchmarks.bench_intake [ROUNDS]` prints a table and one line of JSON. The figure is
the time from *accepted* to *normalized copy published*, both by the relay's own log, over the time that Pillow alone
takes in this process for decoding, resizing, turning, encoding and the preview; it must stay below 1.5.
"""

import asyncio
import io
import json
import statistics
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from PIL import Image, ImageCms

from tests.practice import GPS_IFD, ORIENTATION, Practice, Visit, practice, visit
from tests.processes import STEP_MARK, TELL_STEPS
from vetrelay.client.journal import LogRow
from vetrelay.protocol.envelope import parse_envelope
from vetrelay.protocol.signature import parse_wire

WIDTH_PX, HEIGHT_PX = 4032, 3024
NORMALIZED_PX, PREVIEW_PX, QUALITY = 2560, 320, 85
MOST = 1.5
STEPS = ("stored", "fetched", "inspected", "promised", "uploaded", "submitted")


def phone_photo() -> bytes:
    """12 megapixels as a phone writes them: about 4 MB, on its side, with a place and a colour profile."""
    grain = Image.effect_noise((WIDTH_PX, HEIGHT_PX), 24)
    slope = Image.linear_gradient("L").resize((WIDTH_PX, HEIGHT_PX))
    picture = Image.merge("RGB", (Image.blend(slope, grain, 0.3), Image.blend(grain, slope, 0.8), slope))
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif.get_ifd(GPS_IFD).update({1: "N", 2: (48.0, 8.0, 14.0), 3: "E", 4: (11.0, 34.0, 31.0)})
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    written = io.BytesIO()
    picture.save(written, "JPEG", exif=exif, quality=90, icc_profile=profile)
    return written.getvalue()


def bare_pillow(content: bytes) -> float:
    """Milliseconds that Pillow alone needs for the same pixels."""
    began = perf_counter()
    picture = Image.open(io.BytesIO(content))
    picture.load()
    side = max(picture.size)
    size_px = (round(picture.width * NORMALIZED_PX / side), round(picture.height * NORMALIZED_PX / side))
    small = picture.resize(size_px, Image.Resampling.LANCZOS, reducing_gap=3.0).transpose(Image.Transpose.ROTATE_270)
    preview = small.copy()
    preview.thumbnail((PREVIEW_PX, PREVIEW_PX), Image.Resampling.LANCZOS, reducing_gap=3.0)
    for made in (small, preview):
        made.info = {}
        made.save(io.BytesIO(), "JPEG", quality=QUALITY)
    return (perf_counter() - began) * 1000


def position_of(case: Visit, entry: str) -> tuple[LogRow, LogRow]:
    """A message and the verdict on it, as the relay's log has them."""
    rows = [row for row in case.veterinarian.journal.log(case.case) if row.signed is not None and row.link.kind == 3]
    (asked,) = (row for row in rows if row.link.entry == entry)
    (answered,) = (row for row in rows if parse_envelope(parse_wire(row.signed or b"")).derived_from == entry)
    return asked, answered


async def measure_in(here: Practice, rounds: int) -> dict[str, float]:
    """The figures, in a practice that is open; the first round warms up and is not counted."""
    content = phone_photo()
    bare: list[float] = []
    whole: list[float] = []
    marks: dict[str, list[float]] = {step: [] for step in STEPS}
    async with visit(here, "benchmark") as case:
        for index in range(rounds + 1):
            took_ms = bare_pillow(content)
            entry = await case.send({f"photo {index}.jpg": content})
            read = await case.checked(entry)
            assert "clean" == read.attachments[0].verdict
            asked, answered = position_of(case, entry)
            if index:
                bare.append(took_ms)
                whole.append(answered.link.time_ms - asked.link.time_ms)
                for step, at_ms in _last_marks(here).items():
                    marks[step].append(at_ms - asked.link.time_ms)
    return {
        "ratio": statistics.median(ours / theirs for ours, theirs in zip(whole, bare, strict=True)),
        "bare_pillow_milliseconds": statistics.median(bare),
        "accepted_to_published_milliseconds": statistics.median(whole),
        **{f"{step}_at_milliseconds": statistics.median(marks[step]) for step in STEPS},
        "photo_megabytes": len(content) / 1e6,
    }


def _last_marks(here: Practice) -> dict[str, float]:
    told = [
        line.removeprefix(STEP_MARK).split() for line in here.intake.log.read_text().splitlines() if STEP_MARK in line
    ]
    last = {step: float(at_ms) for step, at_ms in told}
    return {step: last[step] for step in STEPS}


def measure(rounds: int = 7) -> dict[str, float]:
    """Starts relay and intake, sends photos one after the other, and compares each with Pillow just before it."""
    with tempfile.TemporaryDirectory() as folder, practice(Path(folder), die_at=TELL_STEPS, worker="real") as here:
        return asyncio.run(measure_in(here, rounds))


def main() -> None:
    """Measure and print."""
    figures = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
    print(f"a photo of {figures['photo_megabytes']:.1f} MB, accepted to published, against bare Pillow")
    print(f"  {figures['ratio']:.2f} times bare Pillow  (must stay below {MOST})")
    for name, figure in figures.items():
        if name.endswith("_milliseconds"):
            print(f"  {name.removesuffix('_milliseconds'):<24} {figure:7.0f} ms")
    print(json.dumps({name: round(figure, 3) for name, figure in figures.items()}))


if __name__ == "__main__":
    main()
