"""Speed of records: PDF and DICOM through the jail and sealed, over the bare libraries doing the same; and a long queue.

Run as a script: `python tests/benchmarks/bench_records.py` prints a table and one line of JSON. The limits are those of
the design: 1.2 times the bare library, and cores that stay busy with a queue of 200 mixed files.
"""

import asyncio
import io
import json
import os
import random
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter

import numpy as np
import pikepdf
import pydicom
import pypdfium2
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels.processing import apply_windowing
from pydicom.uid import UID, ComputedRadiographyImageStorage, ExplicitVRLittleEndian

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.hostile import images
from vetrelay.inspection.finding import Finding
from vetrelay.inspection.inspect import Inspector, Settings
from vetrelay.inspection.policy import PAGE_PREVIEW_SIDE_PX
from vetrelay.protocol.age.stream import StreamSealer

LIMITS = {"pdf_over_bare": 1.2, "dicom_over_bare": 1.2}
PAGES, LINES_ON_A_PAGE = 20, 45
XRAY_PX = (2500, 2048)
ROUNDS = 7
QUEUE = 200
PREVIEW_PX = 1024
_SEED = 1


def letter(pages: int = PAGES) -> bytes:
    """A PDF of text, with one picture on each fourth page, as practice programs print them."""
    dice = random.Random(_SEED)
    photo = images.saved(images.photo(800, 600), "JPEG", quality=85)
    buffer = io.BytesIO()
    with pikepdf.new() as pdf:
        font = pdf.make_indirect(
            pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
        )
        picture = pdf.make_stream(
            photo,
            Type=pikepdf.Name.XObject,
            Subtype=pikepdf.Name.Image,
            Width=800,
            Height=600,
            ColorSpace=pikepdf.Name.DeviceRGB,
            BitsPerComponent=8,
            Filter=pikepdf.Name.DCTDecode,
        )
        for number in range(pages):
            page = pdf.add_blank_page(page_size=(595, 842))
            page.Resources = pikepdf.Dictionary(
                Font=pikepdf.Dictionary(F1=font), XObject=pikepdf.Dictionary(P1=picture)
            )
            words = " ".join("".join(dice.choices("abcdefghij", k=7)) for _ in range(10))
            text = f"BT /F1 11 Tf 15 TL 50 790 Td {f'({words}) Tj T* ' * LINES_ON_A_PAGE}ET"
            drawn = "q 200 0 0 150 50 60 cm /P1 Do Q " if number % 4 == 0 else ""
            page.Contents = pdf.make_stream((drawn + text).encode())
        pdf.save(buffer)
    return buffer.getvalue()


def xray(columns: int = XRAY_PX[0], rows: int = XRAY_PX[1]) -> bytes:
    """A 12-bit radiograph, 10 MB, as a detector writes it."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = ComputedRadiographyImageStorage
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = UID("1.2.826.0.1.3680043.10.1461.2")
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.StudyInstanceUID, image.SeriesInstanceUID = "1.2.826.0.1.3680043.10.1461.3", "1.2.826.0.1.3680043.10.1461.4"
    image.PatientName, image.Modality, image.StudyDate = "Miller^Rex", "CR", "20260504"
    image.Rows, image.Columns, image.SamplesPerPixel = rows, columns, 1
    image.PhotometricInterpretation, image.PixelRepresentation = "MONOCHROME2", 0
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 12, 11
    image.WindowCenter, image.WindowWidth = 2048, 4096
    grey = np.random.default_rng(_SEED).integers(0, 4096, (rows, columns), dtype="<u2")
    image.PixelData = grey.tobytes()
    buffer = io.BytesIO()
    image.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def bare_pdf(content: bytes) -> None:
    """The same by hand: every page into a new file, saved; page 1 drawn and written as JPEG."""
    with pikepdf.open(io.BytesIO(content)) as old, pikepdf.new() as new:
        new.pages.extend(old.pages)
        buffer = io.BytesIO()
        new.save(buffer, deterministic_id=True, fix_metadata_version=False)
    document = pypdfium2.PdfDocument(buffer.getvalue())
    page = document[0]
    scale = PAGE_PREVIEW_SIDE_PX / max(page.get_size())
    page.render(scale=scale).to_pil().convert("RGB").save(io.BytesIO(), "JPEG", quality=85)
    document.close()


def bare_dicom(content: bytes) -> None:
    """The same by hand: read, private tags off, written; the image windowed, made smaller and written as JPEG."""
    image = pydicom.dcmread(io.BytesIO(content))
    image.remove_private_tags()
    image.save_as(io.BytesIO(), enforce_file_format=True)
    grey = apply_windowing(image.pixel_array, image)
    scaled = ((grey - grey.min()) / max(1.0, float(grey.max() - grey.min())) * 255).astype("uint8")
    preview = Image.fromarray(scaled)
    preview.thumbnail((PREVIEW_PX, PREVIEW_PX), Image.Resampling.LANCZOS)
    preview.save(io.BytesIO(), "JPEG", quality=85)


def seal(finding: Finding) -> None:
    """What the intake does with every copy before it leaves."""
    for made in finding.outputs:
        sealer = StreamSealer(bytes(16), bytes(16))
        sealer.update(made.content)
        sealer.finish()


async def ratio(content: bytes, name: str, bare: Callable[[bytes], None]) -> dict[str, float]:
    """Best milliseconds of both, taken in turns so that a busy machine slows both alike, and their ratio."""
    theirs, ours = [], []
    async with Inspector.start(Settings(parallel_jobs=1)) as inspector:
        for _ in range(ROUNDS):
            begin = perf_counter()
            bare(content)
            middle = perf_counter()
            finding = await inspector.inspect(content, name)
            seal(finding)
            assert finding.reason is None, finding.reason
            theirs.append((middle - begin) * 1000)
            ours.append((perf_counter() - middle) * 1000)
    kind = name.rpartition(".")[2]
    return {f"{kind}_bare_ms": min(theirs), f"{kind}_ms": min(ours), f"{kind}_over_bare": min(ours) / min(theirs)}


def _mixed(dice: random.Random) -> list[tuple[bytes, str]]:
    """Photos, letters, X-rays and notes, as a busy clinic gets them on a Monday."""
    small, large = images.saved(images.photo(900, 700), "JPEG"), images.saved(images.photo(2400, 1800), "JPEG")
    kinds = [(small, "small.jpg"), (large, "large.jpg"), (letter(4), "letter.pdf"), (xray(512, 512), "xray.dcm")]
    kinds.append((b"ate well\n" * 200, "notes.txt"))
    return dice.choices(kinds, weights=(90, 50, 30, 20, 10), k=QUEUE)


def _worked_seconds(pids: list[int]) -> float:
    """Processor time of the zygotes and of all their jobs that have ended."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


async def queue() -> dict[str, float]:
    """How much of the cores the jails use while 200 mixed files wait, and how many files a second leave."""
    cores = os.cpu_count() or 1
    files = _mixed(random.Random(_SEED))
    async with Inspector.start(Settings(parallel_jobs=cores)) as inspector:

        async def through(some: list[tuple[bytes, str]]) -> None:
            tasks: list[Awaitable[Finding]] = [inspector.inspect(content, name) for content, name in some]
            await asyncio.gather(*tasks)

        while any(places < cores for places in inspector._pool._places.values()) or inspector._pool._growing:
            await through(files[:20])  # until as many zygotes as there are cores have come
        pids = [zygote.pid for zygote in inspector._pool._alive]
        before, begin = _worked_seconds(pids), perf_counter()
        await through(files)
        spent = perf_counter() - begin
        worked = _worked_seconds(pids) - before
    return {"queue_files_per_second": QUEUE / spent, "queue_cores_busy": worked / spent / cores}


async def _measure() -> dict[str, float]:
    return {
        **await ratio(letter(), "a.pdf", bare_pdf),
        **await ratio(xray(), "a.dcm", bare_dicom),
        **await queue(),
    }


def measure() -> dict[str, float]:
    """All figures of this file, by name."""
    figures = asyncio.run(_measure())
    return {name.replace("dcm_", "dicom_"): value for name, value in figures.items()}


if __name__ == "__main__":
    told = measure()
    for name, value in told.items():
        limit = LIMITS.get(name)
        print(f"{name:36} {value:9.2f}" + (f"   limit {limit}" if limit else ""))
    print(json.dumps(told))
