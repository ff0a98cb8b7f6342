"""An imaging study on its whole way: a folder of an owner's, one attachment, checked slice by slice, saved as one pack."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from tests.hostile import dicoms, packs
from tests.journeys.people import people
from tests.journeys.test_send_crash import said, sender
from tests.practice import Practice, practice, visit
from vetrelay.client.end import open_end
from vetrelay.client.fetch import save_attachments
from vetrelay.client.follow import follow
from vetrelay.client.say import say
from vetrelay.inspection.formats.dicom_tags import MUST_STAY

SLICES = 30
SECRET = "what the machine hid"


def study(folder: Path) -> Path:
    """A disc as an imaging centre writes it: slices in a folder, an index, a viewer."""
    (folder / "DICOM").mkdir(parents=True)
    for number in range(SLICES):
        image = dicoms.data_set()
        image.SOPInstanceUID, image.InstanceNumber = f"1.2.3.4.1.{number}", str(number)
        image.private_block(0x0019, "A MAKER", create=True).add_new(0x01, "LO", SECRET)
        content = dicoms.saved(image)
        (folder / "DICOM" / f"IM{number:03d}").write_bytes(b"MZ" + SECRET.encode().ljust(126) + content[128:])
    (folder / "DICOMDIR").write_bytes(dicoms.changed())
    (folder / "Viewer.exe").write_bytes(b"MZ" + bytes(100))
    (folder / ".Trash").mkdir()
    (folder / ".Trash" / "old.jpg").write_bytes(packs.photo())
    return folder


def check_slice(original: Dataset, content: bytes) -> None:
    """Pixels and what must stay are the original's, as pydicom reads both; what is hidden in it is gone."""
    copy = dcmread(io.BytesIO(content))
    assert bytes(128) == content[:128]
    assert original.PixelData == copy.PixelData
    assert original.file_meta.TransferSyntaxUID == copy.file_meta.TransferSyntaxUID
    kept = MUST_STAY & {int(element.tag) for element in original}
    assert {tag: original[tag].value for tag in kept} == {tag: copy[tag].value for tag in kept}
    assert [] == [element.tag for element in copy if element.tag.is_private]
    assert SECRET.encode() not in content


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Practice]:
    """A practice that is open."""
    with practice(tmp_path / "practice", worker="real") as opened:
        yield opened


async def test_a_folder_arrives_as_one_checked_study(here: Practice, tmp_path: Path) -> None:
    """One attachment, one verdict on it, every slice in the copy, the viewer left out and listed, a contact sheet."""
    folder = study(tmp_path / "Rex hips")
    async with visit(here, "a study") as case:
        _, receipt = await say(case.owner, case.case, text="The scan.", files=[folder])
        assert receipt.entry is not None
        entry = await case.checked(receipt.entry)
        saved, missed = await save_attachments(case.veterinarian, entry, tmp_path / "saved", original=False)
    (file,) = entry.attachments
    assert ("Rex hips.zip", "converted", None) == (file.name, file.verdict, file.reason)
    assert {"packed anew", "viewer program on the disc left out", "index of the disc left out"} <= set(file.notes)
    assert [] == missed
    (pack,) = [one.path for one in saved if one.path.suffix == ".zip"]
    with zipfile.ZipFile(pack) as opened:
        names = opened.namelist()
        assert [f"DICOM/IM{number:03d}.dcm" for number in range(SLICES)] == names
        assert opened.testzip() is None
        for name in names:
            check_slice(dcmread(folder / name.removesuffix(".dcm")), opened.read(name))
    assert {"preview", "original"} <= {made.role for made in file.objects}


async def test_a_sender_of_a_folder_killed_at_any_step_sends_exactly_once(tmp_path: Path) -> None:
    """(S1–S4) Killed before every third change of the disk or the network; the command is repeated until told."""
    folder = study(tmp_path / "study")
    async with people(tmp_path, with_intake=True) as here:
        if here.intake is not None:
            here.intake.end()  # adopted, and then out: what it would say of the files is not looked at here
        with sender(here, folder) as dying:
            sent = []
            before = (await follow(here.veterinarian, here.case)).tail.n
            for nth in range(1, 1000, 3):
                sent.append(f"killed at {nth}")
                if dying.send(sent[-1], nth=nth)["ended"] == 0:
                    break
                assert 0 == dying.send(sent[-1])["ended"]
                assert before + len(sent) == (await follow(here.veterinarian, here.case)).tail.n
            print(f"killed before every third of {nth} steps")
        assert sent == await said(here)
        assert () == here.owner.journal.outgoing()
        home, keyring = here.owner.home, here.owner.keyring
        await here.stack.aclose()
    async with open_end(home, keyring, now_ms=here.owner.now_ms, random_bytes=here.owner.random_bytes) as end:
        assert [] == list(end.journal.spool.iterdir())
