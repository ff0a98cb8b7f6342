"""Packs through the real jail: small ones lie loose, large ones are packed anew, studies are told by their series."""

import io
import tracemalloc
import zipfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from tests.hostile import dicoms, packs
from vetrelay.inspection.archive import read_archive
from vetrelay.inspection.finding import Finding, Output
from vetrelay.inspection.inspect import Inspector, Settings
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.notes import Note
from vetrelay.inspection.policy import ROWS
from vetrelay.inspection.result import Patient
from vetrelay.inspection.source import BytesSource
from vetrelay.inspection.study import STUDY_ROOM
from vetrelay.inspection.wishes import Wishes
from vetrelay.inspection.words import Reason, Verdict

pytestmark = pytest.mark.asyncio(loop_scope="module")
SIDE_PX = 200
SLICES = 300


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def inspector() -> AsyncIterator[Inspector]:
    """One inspector for all packs."""
    async with Inspector.start(Settings()) as started:
        yield started


def image(number: int, *, series: int = 1, side_px: int = 40) -> bytes:
    """One slice of a series."""
    return dicoms.changed(
        SOPInstanceUID=f"1.2.3.4.{series}.{number}",
        SeriesInstanceUID=f"1.2.3.4.{series}",
        SeriesNumber=str(series),
        InstanceNumber=str(number),
        Rows=side_px,
        Columns=side_px,
        PixelData=bytes(2 * side_px * side_px),
    )


def made_of(finding: Finding, role: str) -> Output:
    """The output that was made of the pack as a whole."""
    (made,) = [one for one in finding.outputs if one.role == role and one.member is None]
    return made


async def test_a_small_pack_is_unpacked_into_its_files(inspector: Inspector) -> None:
    """Each under its own name; those that two folders have alike get their folder's name too."""
    files = [("left/ear.jpg", packs.photo()), ("right/ear.jpg", packs.photo(90, 60)), ("__MACOSX/left/._ear.jpg", b"x")]
    finding = await inspector.inspect(packs.zipped(files), "ears.zip")
    assert (Verdict.CONVERTED, "application/zip", 2) == (finding.verdict, finding.media_type, finding.facts.items)
    assert ("unpacked into its files", "hidden system file left out") == finding.notes
    assert [("left/ear.jpg", "clean"), ("right/ear.jpg", "clean")] == [
        (member.name, member.verdict) for member in finding.members
    ]
    assert [
        ("record", "ear.jpg", 0),
        ("preview", "ear-preview.jpg", 0),
        ("record", "right - ear.jpg", 1),
        ("preview", "right - ear-preview.jpg", 1),
    ] == [(made.role, made.name, made.member) for made in finding.outputs]


async def test_a_large_pack_is_packed_anew(inspector: Inspector) -> None:
    """More than 24 files: one pack of the copies, one sheet of sixteen, a text of what is not in it."""
    files = [(f"{folder}/{number}.jpg", packs.photo()) for folder in "ab" for number in range(20)]
    pack = packs.zipped([*files, ("run.exe", b"MZ" + bytes(100)), ("a/1.JPG.txt", packs.TEXT)])
    finding = await inspector.inspect(pack, "photos.zip")
    assert ("packed anew", "1 file left out") == finding.notes
    record, sheet, text = (made_of(finding, role) for role in ("record", "preview", "text"))
    assert (("photos.zip", "application/zip"), ("photos-preview.jpg", 960, 1048), "photos-text.txt") == (
        (record.name, record.media_type),
        (sheet.name, sheet.width, sheet.height),
        text.name,
    )
    assert [name for name, _ in files] + ["a/1.JPG.txt"] == [
        entry.name for entry in read_archive(BytesSource(record.content), room=STUDY_ROOM)
    ]
    with zipfile.ZipFile(io.BytesIO(record.content)) as opened:
        assert opened.testzip() is None
        assert packs.TEXT == opened.read("a/1.JPG.txt")
    assert text.content.decode().startswith("Left out:\nrun.exe: Files of this type are not taken here")


async def test_a_disc_gives_its_images_and_neither_its_program_nor_its_index(inspector: Inspector) -> None:
    """The viewer is listed and left out unopened; the index says where things were and is made anew by every reader."""
    images = [(f"DICOM/IM{number:04d}", image(number, series=1 + number % 2)) for number in range(6)]
    viewer = [("AUTORUN.INF", b"[autorun]"), ("VIEWER/View.exe", b"MZ"), ("index.html", b"<html>")]
    disc = packs.zipped([*viewer, ("DICOMDIR", dicoms.changed()), *images])
    expected = Patient(name="Rex", owner="Schmidt", species="dog")
    finding = await inspector.inspect(disc, "disc.zip", wishes=Wishes(patient=expected))
    assert {"unpacked into its files", "viewer program on the disc left out", "index of the disc left out"} <= set(
        finding.notes
    )
    assert any("owner" in note for note in finding.notes)
    refused = [member.name for member in finding.members if member.verdict is Verdict.REFUSED]
    assert ["AUTORUN.INF", "VIEWER/View.exe", "index.html"] == refused
    assert 6 == len([made for made in finding.outputs if made.media_type == "application/dicom"])
    assert (480, 262 * 2) == (made_of(finding, "preview").width // 2, made_of(finding, "preview").height)
    lines = made_of(finding, "text").content.decode().splitlines()
    assert ["Müller^Rex", "Canine", "Müller^Anna", "DE-7"] == lines[0].split(" · ")
    assert ["Series 1 · 20240506 · DX · PELVIS · VD · L · Hips · 3 images", "Series 2"] == [lines[1], lines[2][:8]]


async def test_one_record_of_another_animal_in_a_pack_is_enough_for_a_warning(inspector: Inspector) -> None:
    """Wherever in the pack it is; the first record alone would not have told."""
    other = dicoms.changed(PatientName="Meier^Luna", PatientSpeciesDescription="Feline")
    pack = packs.zipped([("1.dcm", image(1)), ("2.dcm", image(2)), ("3.dcm", other)])
    expected = Patient(name="Rex", owner="Müller", species="dog")
    finding = await inspector.inspect(pack, "hips.zip", wishes=Wishes(patient=expected))
    same = await inspector.inspect(packs.zipped([("1.dcm", image(1))]), "hips.zip", wishes=Wishes(patient=expected))
    warnings = {Note.OTHER_ANIMAL.words, Note.OTHER_SPECIES.words}
    assert warnings == warnings & set(finding.notes)
    assert set() == warnings & set(same.notes)


async def test_a_study_of_three_hundred_slices_needs_the_memory_of_a_few(inspector: Inspector, tmp_path: Path) -> None:
    """Read slice by slice from its file, written slice by slice into another; neither is ever held whole."""
    slice_bytes = image(1, side_px=SIDE_PX)
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as pack:
        for number in range(SLICES):
            pack.writestr(f"series/{number:04d}.dcm", image(number, side_px=SIDE_PX))
    with (tmp_path / "study.zip").open("rb") as source, (tmp_path / "made.zip").open("wb") as sink:
        tracemalloc.start()
        finding = await inspector.inspect(source.fileno(), "study.zip", sink=sink)
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert (Verdict.CONVERTED, SLICES) == (finding.verdict, finding.facts.items)
    record = made_of(finding, "record")
    assert record.written is not None
    assert (b"", (tmp_path / "made.zip").stat().st_size) == (record.content, record.written.size_bytes)
    print(f"peak {peak_bytes >> 20} MiB for {record.written.size_bytes >> 20} MiB")
    assert peak_bytes < record.written.size_bytes / 2
    with zipfile.ZipFile(tmp_path / "made.zip") as opened:
        assert SLICES == len(opened.namelist())
        assert len(opened.read("series/0007.dcm")) > len(slice_bytes) - 1000
    assert "Series 1 · 20240506 · DX · PELVIS · VD · L · Hips · 300 images" in made_of(finding, "text").content.decode()


async def test_a_member_that_is_too_large_for_every_row_is_left_out_unopened(tmp_path: Path) -> None:
    """The others are taken."""
    rows = {kind: replace(row, file_bytes=min(row.file_bytes, 20_000)) for kind, row in ROWS.items()}
    rows[Kind.ZIP] = ROWS[Kind.ZIP]
    pack = packs.zipped([("a.txt", b"x\n" * 20_000), ("b.txt", packs.TEXT)])
    async with Inspector.start(Settings(parallel_jobs=1, rows=rows)) as tightened:
        finding = await tightened.inspect(pack, "two.zip")
        assert [("a.txt", Reason.TOO_MANY_BYTES), ("b.txt", None)] == [
            (member.name, member.reason) for member in finding.members
        ]
        rows[Kind.ZIP] = replace(ROWS[Kind.ZIP], accept=False)
    async with Inspector.start(Settings(parallel_jobs=1, rows=rows)) as closed:
        assert Reason.TYPE_SWITCHED_OFF is (await closed.inspect(pack, "two.zip")).reason


async def test_a_pack_under_a_photos_name_is_refused_unopened(inspector: Inspector) -> None:
    """What a name says must be of the content's family; a document's name makes it a document."""
    pack = packs.zipped([("paw.jpg", packs.photo())])
    assert Reason.CONTENT_DIFFERS_FROM_NAME is (await inspector.inspect(pack, "paw.jpg")).reason
    assert () == (await inspector.inspect(pack, "paw.jpg")).members
    assert Kind.ZIP is not (await inspector.inspect(pack, "letter.docx")).kind
