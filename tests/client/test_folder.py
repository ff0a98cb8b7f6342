"""A folder as one attachment: what is packed, under which names, and that one wish stays one message."""

import io
import os
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from tests.client.conftest import Room
from vetrelay.client import folder as folders
from vetrelay.client.folder import files_of, folder_name, seal_folder
from vetrelay.client.follow import follow
from vetrelay.client.say import say
from vetrelay.client.thread import read_thread
from vetrelay.errors import Refusal
from vetrelay.inspection.archive import read_archive
from vetrelay.inspection.entries import Room as PackRoom
from vetrelay.inspection.source import BytesSource
from vetrelay.protocol.unseal import open_bytes

MiB = 1024 * 1024
ROOM = PackRoom(file_bytes=1 << 30, most=5000, plain_bytes=1 << 30, ratio=2)


def filled(folder: Path, files: dict[str, bytes]) -> Path:
    """The folder with these files in it."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def test_what_is_hidden_and_what_is_a_link_is_left_out(tmp_path: Path) -> None:
    """Nobody who names a folder means what its links point at, or what a program keeps there unseen."""
    folder = filled(
        tmp_path / "disc", {"b/2.dcm": b"2", "b/1.dcm": b"1", "a.dcm": b"a", ".git/x": b"", "b/.DS_Store": b""}
    )
    (folder / "link.dcm").symlink_to("/etc/passwd")
    (folder / "linked").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    assert ["a.dcm", "b/1.dcm", "b/2.dcm"] == [file.name for file in files_of(folder)]


def test_every_name_is_one_that_any_system_can_write(tmp_path: Path) -> None:
    """Names of devices, large and small letters, backslashes, endless folders: each gets a place of its own."""
    deep = "/".join("abcdefghijkl")
    names = ["a.txt", "A.txt", "aux.txt", "b\\c.txt", f"{deep}/x.txt", "d:e.txt", "line\nend.txt", "f. "]
    folder = filled(tmp_path / "odd", dict.fromkeys(names, b"x"))
    found = [file.name for file in files_of(folder)]
    assert len(names) == len({name.casefold() for name in found})
    assert {"A.txt", "a (2).txt", "_aux.txt", "c.txt", "d_e.txt", "a/b/c/d/e/f/g/h/i_j_k_x.txt"} <= set(found) | {
        "c.txt",
        "a/b/c/d/e/f/g/h/i_j_k_x.txt",
    }
    assert all(name.count("/") <= 8 for name in found)


@pytest.mark.parametrize(("files", "code"), [({}, "folder_empty"), ({".hidden": b""}, "folder_empty")])
def test_a_folder_with_nothing_to_send_is_refused(tmp_path: Path, files: dict[str, bytes], code: str) -> None:
    """Before anything is sealed."""
    folder = filled(tmp_path / "empty", files)
    folder.mkdir(exist_ok=True)
    with pytest.raises(Refusal) as refused:
        files_of(folder)
    assert code == refused.value.code


def test_a_folder_with_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file check would refuse it anyway."""
    monkeypatch.setattr(folders, "MAX_FILES", 3)
    folder = filled(tmp_path / "full", {f"{number}.dcm": b"x" for number in range(4)})
    with pytest.raises(Refusal) as refused:
        files_of(folder)
    assert "folder_too_full" == refused.value.code


def test_a_folder_is_called_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it is only a dot, or a path with a slash at its end."""
    folder = filled(tmp_path / "MRT 2024", {"1.dcm": b"1"})
    monkeypatch.chdir(folder)
    assert ["MRT 2024.zip"] * 2 == [folder_name(Path()), folder_name(folder)]


async def test_a_folder_is_sealed_as_a_pack_in_little_memory(room: Room, tmp_path: Path) -> None:
    """The pack passes our own reader and anybody's; it never was in memory, and its order is the names'."""
    files = {f"{number}/slice.dcm": bytes([number]) * 3 * MiB for number in range(10)}
    folder = filled(tmp_path / "study", files)
    tracemalloc.start()
    sealed = seal_folder(room.owner, folder, label="study.zip")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 8 * MiB
    pack = open_bytes(sealed.key, sealed.spool.read_bytes())
    assert sorted(files) == [entry.name for entry in read_archive(BytesSource(pack), room=ROOM)]
    with zipfile.ZipFile(io.BytesIO(pack)) as opened:
        assert files == {name: opened.read(name) for name in opened.namelist()}


async def test_a_folder_that_cannot_be_read_leaves_nothing_behind(room: Room, tmp_path: Path) -> None:
    """A file that goes while it is packed: nothing is sent, nothing stays in the spool."""
    folder = filled(tmp_path / "study", {"1.dcm": b"1", "2.dcm": b"2"})
    listed = files_of(folder)
    (folder / "2.dcm").unlink()
    (folder / "2.dcm").symlink_to("/etc/passwd")
    with pytest.raises(OSError, match=r"2\.dcm"):
        b"".join(folders._packed(listed))
    before = list(room.owner.journal.spool.iterdir())
    (folder / "1.dcm").unlink()
    (folder / "2.dcm").unlink()
    with pytest.raises(Refusal):
        seal_folder(room.owner, folder, label="study.zip")
    assert before == list(room.owner.journal.spool.iterdir())


async def test_the_same_folder_is_one_wish_until_something_in_it_changes(room: Room, tmp_path: Path) -> None:
    """As with files: asked again before it was told, it is the same message; with another slice it is another one."""
    folder = filled(tmp_path / "study", {"1.dcm": b"1", "b/2.dcm": b"2"})
    first = await say(room.owner, room.case, text="scan", files=[folder])
    assert first[1] == (await say(room.owner, room.case, text="scan", files=[folder]))[1]
    filled(folder, {"b/3.dcm": b"3"})
    assert first[1] != (await say(room.owner, room.case, text="scan", files=[folder]))[1]
    await follow(room.clinic, room.case)
    entries = read_thread(room.clinic, room.case).entries
    assert [["study.zip"]] * 2 == [[file.name for file in entry.attachments] for entry in entries]
