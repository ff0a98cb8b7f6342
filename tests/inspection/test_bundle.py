"""Too many records of one file go as one ZIP."""

import io
import zipfile

from vetrelay.inspection.archive import read_archive
from vetrelay.inspection.bundle import bundled
from vetrelay.inspection.entries import Room
from vetrelay.inspection.finding import Finding, Output
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.source import BytesSource
from vetrelay.inspection.words import Verdict

PAGES = tuple(
    Output(role="record", name=f"scan-{number}.png", media_type="image/png", content=bytes([number]))
    for number in (1, 2, 3)
)
PREVIEW = Output(role="preview", name="scan-preview.jpg", media_type="image/jpeg", content=b"small")
SCAN = Finding(
    verdict=Verdict.CONVERTED,
    reason=None,
    kind=Kind.TIFF,
    media_type="image/png",
    name="scan.png",
    outputs=(*PAGES, PREVIEW, PREVIEW),
)
ROOM = Room(file_bytes=10_000, most=10, plain_bytes=10_000, ratio=100)


def test_what_there_is_room_for_stays_as_it_is() -> None:
    """Three pages where three may be."""
    assert SCAN is bundled(SCAN, most=3)


def test_more_than_there_is_room_for_goes_as_one_zip_that_passes_our_own_check() -> None:
    """Every page under its name, and one preview; nothing is lost."""
    found = bundled(SCAN, most=2)
    pack, preview = found.outputs
    assert ("scan.zip", "application/zip", "record") == (pack.name, pack.media_type, pack.role)
    assert ("scan.zip", "application/zip", PREVIEW) == (found.name, found.media_type, preview)
    with zipfile.ZipFile(io.BytesIO(pack.content)) as opened:
        assert {made.name: made.content for made in PAGES} == {name: opened.read(name) for name in opened.namelist()}
    assert len(PAGES) == len(read_archive(BytesSource(pack.content), room=ROOM))
