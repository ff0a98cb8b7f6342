"""A letter, an X-ray study and a video made on the spot for the demo, with what such files carry along."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageDraw

from vetrelay.cli.demo_pictures import draw_paw

SLICES: Final = 6
VIDEO_SECONDS: Final = 3
FRAMES_PER_SECOND: Final = 15
VIDEO_PX: Final = (480, 640)
SLICE_PX: Final = 256
_UID_ROOT: Final = "1.2.826.0.1.3680043.10.1461"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSecrets:
    """Words planted where programs and machines plant them; the demo searches the copies for them afterwards."""

    author: str
    script: str
    private_tag: str
    place: str


def make_pdf(path: Path, text: str, secrets: RecordSecrets) -> Path:
    """A one-page letter with a text layer, an author, and a script that runs when it is opened."""
    import pikepdf

    with pikepdf.new() as pdf:
        page = pdf.add_blank_page(page_size=(595, 842))
        font = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
        page.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font))
        lines = "".join(f"({line}) Tj T* " for line in text.split("\n"))
        page.Contents = pdf.make_stream(f"BT /F1 14 Tf 18 TL 60 760 Td {lines}ET".encode())
        pdf.Root.OpenAction = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS=f"app.alert('{secrets.script}')")
        pdf.docinfo["/Author"] = secrets.author
        pdf.save(path)
    return path


def make_study(folder: Path, patient: str, owner: str, secrets: RecordSecrets) -> Path:
    """A folder as an X-ray machine writes it: a series of slices, a private tag, and a viewer program."""
    folder.mkdir(parents=True)
    for number in range(1, SLICES + 1):
        _slice(number, patient, owner, secrets).save_as(folder / f"IM{number:03}.dcm", enforce_file_format=True)
    (folder / "VIEWER.EXE").write_bytes(b"MZ" + bytes(510))
    return folder


def _slice(number: int, patient: str, owner: str, secrets: RecordSecrets) -> Any:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = CTImageStorage
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = UID(f"{_UID_ROOT}.1.1.{number}")
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.StudyInstanceUID, image.SeriesInstanceUID = f"{_UID_ROOT}.1", f"{_UID_ROOT}.1.1"
    image.PatientName, image.PatientID, image.ResponsiblePerson = patient, "4711", owner
    image.PatientSpeciesDescription, image.Modality, image.SeriesDescription = "Canine", "CT", "left front paw"
    image.StudyDate, image.SeriesNumber, image.InstanceNumber = "20260504", 1, number
    image.BodyPartExamined, image.Laterality = "EXTREMITY", "L"
    block = image.private_block(0x0019, "DEMO MACHINE", create=True)
    block.add_new(0x01, "LO", secrets.private_tag)
    image.Rows = image.Columns = SLICE_PX
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
    image.WindowCenter, image.WindowWidth = 1600, 3200
    image.PixelData = _bones(number)
    return image


def _bones(number: int) -> bytes:
    """Twelve-bit grey: soft tissue around five bright bones that wander from slice to slice."""
    picture = Image.new("I;16", (SLICE_PX, SLICE_PX), 60)
    soft = Image.new("L", (SLICE_PX, SLICE_PX), 0)
    pen = ImageDraw.Draw(soft)
    pen.ellipse((28, 40, 228, 230), fill=60)
    for x, y in ((70, 96), (108, 80), (146, 80), (184, 100), (126, 168)):
        size = 12 + 3 * abs(number - SLICES // 2)
        pen.ellipse((x - size + number, y - size, x + size + number, y + size), fill=200)
    picture.paste(soft.convert("I").point(lambda value: value * 16 + 0).convert("I;16"))
    return picture.tobytes()


def can_make_video() -> bool:
    """Whether the extra `video` is installed."""
    return find_spec("av") is not None


def make_video(path: Path, secrets: RecordSecrets) -> Path:
    """A few seconds of a paw on its way across the screen, with the place where it was filmed."""
    import av

    with av.open(str(path), "w", format="mp4", options={"movflags": "use_metadata_tags"}) as container:
        container.metadata["location"] = secrets.place
        container.metadata["comment"] = secrets.author
        stream = container.add_stream("libx264", rate=FRAMES_PER_SECOND)
        stream.width, stream.height, stream.pix_fmt = *VIDEO_PX, "yuv420p"
        stream.time_base = Fraction(1, FRAMES_PER_SECOND)
        for picture in _frames():
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))  # type: ignore[no-untyped-call]  # av says no type
        container.mux(stream.encode(None))
    return path


def _frames() -> Iterator[Image.Image]:
    paw = draw_paw(1).resize((VIDEO_PX[0] // 2, VIDEO_PX[1] // 2))
    for number in range(VIDEO_SECONDS * FRAMES_PER_SECOND):
        frame = Image.new("RGB", VIDEO_PX, (140, 160, 130))
        frame.paste(paw, (4 * number % (VIDEO_PX[0] // 2), VIDEO_PX[1] // 4))
        yield frame
