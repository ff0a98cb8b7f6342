"""Fetching and saving: the whole file or none of it, once, whatever the relay or the way does."""

import asyncio
from pathlib import Path

import pytest

from tests.client.conftest import Room
from tests.client.town import verdict_on
from vetrelay.client.end import End
from vetrelay.client.fetch import save_attachments, save_object
from vetrelay.client.follow import envelope_of, follow
from vetrelay.client.say import say
from vetrelay.client.thread import EntryView, read_thread
from vetrelay.errors import Fault
from vetrelay.protocol.ids import unb64

COPY = b"a normalized copy " * 20_000


async def sent(room: Room, folder: Path, *names: str) -> str:
    """A message with files; its entry id."""
    files = []
    for count, name in enumerate(names):
        path = folder / str(count) / name
        path.parent.mkdir(parents=True)
        path.write_bytes(f"original {count}".encode())
        files.append(path)
    _, receipt = await say(room.owner, room.case, text="look", files=files)
    assert receipt.entry is not None
    return receipt.entry


async def checked(room: Room, entry: str, *, code: str = "clean", copy: bytes | None = COPY) -> None:
    """The file check has its say."""
    await follow(room.intake, room.case)
    found = envelope_of(room.intake, room.case, entry)
    assert found is not None
    await verdict_on(room.intake, found[2], entry, sender=room.owner.keyring.party, copy=copy, code=code)


async def shown(end: End, case: str, entry: str) -> EntryView:
    """The message as an end reads it now."""
    await follow(end, case)
    return next(one for one in read_thread(end, case).entries if one.entry == entry)


async def test_a_copy_is_saved_under_its_own_name(room: Room, tmp_path: Path) -> None:
    """And nothing of it stays in the spool."""
    entry = await sent(room, tmp_path, "a.jpg")
    await checked(room, entry)
    view = await shown(room.clinic, room.case, entry)
    saved, missed = await save_attachments(room.clinic, view, tmp_path / "out", original=False)
    assert ([COPY], []) == ([one.path.read_bytes() for one in saved], missed)
    assert [] == list(room.clinic.journal.spool.iterdir())


async def test_saving_again_writes_nothing_twice(room: Room, tmp_path: Path) -> None:
    """A command that is repeated after a kill says where the file is."""
    entry = await sent(room, tmp_path, "a.jpg")
    await checked(room, entry)
    view = await shown(room.clinic, room.case, entry)
    first, _ = await save_attachments(room.clinic, view, tmp_path / "out", original=False)
    again, _ = await save_attachments(room.clinic, view, tmp_path / "out", original=False)
    assert first == again
    assert 1 == len(list((tmp_path / "out").iterdir()))


async def test_a_file_of_that_name_stays_what_it_is(room: Room, tmp_path: Path) -> None:
    """Another content gets another name."""
    entry = await sent(room, tmp_path, "a.jpg")
    await checked(room, entry)
    view = await shown(room.clinic, room.case, entry)
    out = tmp_path / "out"
    out.mkdir()
    (out / "copy.jpg").write_text("mine")
    saved, _ = await save_attachments(room.clinic, view, out, original=False)
    assert [out / "copy (2).jpg"] == [one.path for one in saved]
    assert "mine" == (out / "copy.jpg").read_text()


@pytest.mark.parametrize(
    ("code", "copy", "missed"),
    [
        (None, None, "not_ready"),
        ("held", None, "needs_original"),
        ("refused", None, "needs_original"),
        ("kept-sealed", None, "needs_original"),
        ("clean", None, "verdict_differs"),
    ],
)
async def test_what_has_no_copy_is_not_saved(
    room: Room, tmp_path: Path, code: str | None, copy: bytes | None, missed: str
) -> None:
    """And says why: also when the file check calls a file clean and brings nothing."""
    entry = await sent(room, tmp_path, "a.jpg")
    if code is not None:
        await checked(room, entry, code=code, copy=copy)
    view = await shown(room.clinic, room.case, entry)
    saved, lost = await save_attachments(room.clinic, view, tmp_path / "out", original=False)
    assert ([], [missed]) == (saved, [one.code for one in lost])


async def test_the_sender_saves_its_original_as_unsafe(room: Room, tmp_path: Path) -> None:
    """Its own files are withheld from nobody but others."""
    entry = await sent(room, tmp_path, "a.jpg", "b.jpg")
    view = await shown(room.owner, room.case, entry)
    saved, _ = await save_attachments(room.owner, view, tmp_path / "out", original=True)
    assert ["a.jpg.unsafe", "b.jpg.unsafe"] == sorted(one.path.name for one in saved)
    lost = (await save_attachments(room.clinic, await shown(room.clinic, room.case, entry), tmp_path, original=True))[1]
    assert ["withheld", "withheld"] == [one.code for one in lost]


async def test_a_fetch_that_is_cut_goes_on(room: Room, tmp_path: Path) -> None:
    """The relay's side goes away in the middle of the answer, twice."""
    entry = await sent(room, tmp_path, "a.jpg")
    await checked(room, entry)
    view = await shown(room.clinic, room.case, entry)
    (copy,) = (one for one in view.attachments[0].objects if one.role == "record")
    spool = room.clinic.journal.spool
    part = spool / f"{unb64(copy.ref.h0).hex()}.part"
    async with room.clinic.api.open("GET", f"/v1/objects/{copy.ref.h0}?part=payload") as answer:
        part.write_bytes((await answer.read())[:100_000])  # what an earlier command had got before it was killed
    saved = await save_object(room.clinic, copy, tmp_path / "out")
    assert COPY == saved.path.read_bytes()
    assert [] == list(spool.iterdir())


async def test_two_processes_may_save_the_same_file_at_once(room: Room, tmp_path: Path) -> None:
    """One fetches it, the other finds it; neither writes into the other's part."""
    entry = await sent(room, tmp_path, "a.jpg")
    await checked(room, entry)
    view = await shown(room.clinic, room.case, entry)
    other = await room.town.again(room.clinic)
    results = await asyncio.gather(
        *(save_attachments(end, view, tmp_path / "out", original=False) for end in (room.clinic, other) * 3)
    )
    assert [[]] * 6 == [missed for _, missed in results]
    assert 1 == len(list((tmp_path / "out").iterdir()))


async def test_a_relay_that_is_gone_is_told_and_the_part_stays(room: Room, tmp_path: Path) -> None:
    """The next command goes on from it."""
    entry = await sent(room, tmp_path, "a.jpg")
    await checked(room, entry)
    view = await shown(room.clinic, room.case, entry)
    (copy,) = (one for one in view.attachments[0].objects if one.role == "record")
    part = room.clinic.journal.spool / f"{unb64(copy.ref.h0).hex()}.part"
    part.write_bytes(b"some of it")
    clinic = await room.town.again(room.clinic, url="http://127.0.0.1:1")
    with pytest.raises(Fault) as away:
        await save_attachments(clinic, view, tmp_path / "out", original=False)
    assert "unreachable" == away.value.code
    assert b"some of it" == part.read_bytes()


async def test_a_folder_that_cannot_be_written_is_told(room: Room, tmp_path: Path) -> None:
    """It is this machine's disk, not the network."""
    entry = await sent(room, tmp_path, "a.jpg")
    await checked(room, entry)
    view = await shown(room.clinic, room.case, entry)
    (tmp_path / "out").write_text("a file, not a folder")
    with pytest.raises(Fault) as full:
        await save_attachments(room.clinic, view, tmp_path / "out", original=False)
    assert "home_failed" == full.value.code
