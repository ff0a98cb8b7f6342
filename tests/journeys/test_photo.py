"""A file's whole way: sealed by its owner, accepted by a relay, checked by an intake, read by a veterinarian."""

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.intake.poisoned_worker import POISON
from tests.practice import Practice, photo, practice, visit
from vetrelay.client.fetch import save_attachments
from vetrelay.intake.jobs import FILE_NAME

OLD_DOCUMENT = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    """A practice whose jail is broken by a poisoned file, and by nothing else."""
    with practice(tmp_path_factory.mktemp("practice"), worker="poisoned") as opened:
        yield opened


async def test_a_photo_arrives_upright_and_without_its_place(here: Practice, tmp_path: Path) -> None:
    """The veterinarian gets a normalized copy: turned upright, no GPS, nothing of the camera, and is told so."""
    async with visit(here, "one photo") as case:
        entry = await case.checked(await case.send({"paw.jpg": photo()}))
        saved, missed = await save_attachments(case.veterinarian, entry, tmp_path, original=False)
    (file,) = entry.attachments
    assert ("clean", None) == (file.verdict, file.reason)
    assert {"location removed", "turned upright"} <= set(file.notes)
    assert ["record", "preview", "original"] == [made.role for made in file.objects]
    assert [] == missed
    with Image.open(saved[0].path) as picture:
        assert (480, 640) == picture.size
        assert {} == dict(picture.getexif())
        assert (255, 255, 255) == picture.getpixel((20, 20))


async def test_every_file_of_a_message_gets_its_own_word(here: Practice) -> None:
    """One verdict for all: a photo is clean, an old document goes on sealed, a cut photo is refused; none stops another."""
    files = {
        "paw.jpg": photo(),
        "blood values.doc": OLD_DOCUMENT,
        "cut.jpg": photo()[:3000],
        "page.jpg": b"<html>hello</html>",
    }
    async with visit(here, "four files") as case:
        entry = await case.checked(await case.send(files))
    assert [
        ("paw.jpg", "clean", None),
        ("blood values.doc", "kept-sealed", "open_with_care"),
        ("cut.jpg", "refused", "incomplete"),
        ("page.jpg", "refused", "content_differs_from_name"),
    ] == [(file.name, file.verdict, file.reason) for file in entry.attachments]


async def test_the_owner_reads_the_same_verdict(here: Practice) -> None:
    """Whoever reads the message reads what was said of its files."""
    async with visit(here, "the owner too") as case:
        sent = await case.send({"paw.jpg": photo()})
        theirs, ours = await case.checked(sent), await case.checked(sent, by=case.owner)
    assert theirs.attachments == ours.attachments


async def test_the_sender_may_ask_that_the_original_be_kept(here: Practice, tmp_path: Path) -> None:
    """Ticked, the original is handed out on explicit wish beside the copy; else it is withheld."""
    async with visit(here, "originals") as case:
        kept = await case.checked(await case.send({"kept.jpg": photo()}, keep_original=True))
        dropped = await case.checked(await case.send({"dropped.jpg": photo()}))
        saved, _ = await save_attachments(case.veterinarian, kept, tmp_path, original=True)
        _, missed = await save_attachments(case.veterinarian, dropped, tmp_path, original=True)
    assert photo() == saved[0].path.read_bytes()
    assert ["withheld"] == [one.code for one in missed]


async def test_a_close_look_is_kept_larger(here: Practice) -> None:
    """A photo of a wound keeps 4096 pixels where others keep 2560."""
    async with visit(here, "a wound") as case:
        entry = await case.checked(await case.send({"wound.jpg": photo(5000, 3000)}, purpose="wound"))
    assert "resized to 4096 px" in entry.attachments[0].notes


async def test_a_file_too_large_for_any_row_of_the_table_is_not_fetched(here: Practice) -> None:
    """A photo that large is refused by what its name says, for nobody opens it."""
    async with visit(here, "large files") as case:
        entry = await case.checked(await case.send({"huge.jpg": bytes(41 * 1024 * 1024)}))
    assert [("refused", "too_many_bytes")] == [(file.verdict, file.reason) for file in entry.attachments]


async def test_a_poisoned_file_is_held_and_stops_nobody(here: Practice) -> None:
    """It is tried twice and then held; the photo beside it, and the one sent after it, are done all the same."""
    async with visit(here, "poison") as case:
        poisoned = await case.send({"poison.jpg": photo() + POISON, "beside.jpg": photo()})
        entry = await case.checked(await case.send({"after.jpg": photo()}))
        assert "clean" == entry.attachments[0].verdict
        entry = await case.checked(poisoned)
    assert [("held", "jail_crashed"), ("clean", None)] == [(file.verdict, file.reason) for file in entry.attachments]
    with sqlite3.connect(here.intake_home / FILE_NAME) as table:
        assert [(2,)] == table.execute("SELECT max(count) FROM tries").fetchall()


async def test_two_cases_are_worked_on_at_once(here: Practice) -> None:
    """Each gets the verdict on its own files."""
    async with visit(here, "first case") as one, visit(here, "second case") as other:
        sent = await one.send({"a.jpg": photo()}), await other.send({"b.doc": OLD_DOCUMENT})
        first, second = await asyncio.gather(one.checked(sent[0], by=one.owner), other.checked(sent[1], by=other.owner))
    assert (["clean"], ["kept-sealed"]) == (
        [file.verdict for file in first.attachments],
        [file.verdict for file in second.attachments],
    )


async def test_what_was_sent_while_the_intake_was_away_is_checked_when_it_is_back(here: Practice) -> None:
    """Told to stop, it stops cleanly; the relay keeps what comes, and its next start finds it."""
    async with visit(here, "away") as case:
        assert 0 == here.intake.end()
        sent = await case.send({"paw.jpg": photo()})
        here.restart_intake(worker="poisoned")
        entry = await case.checked(sent)
    assert "clean" == entry.attachments[0].verdict
