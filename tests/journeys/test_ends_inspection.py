"""A case where the ends inspect: no machine but the sender's own opens a file, and nothing else of it leaves that machine."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from tests.gateway import Person
from tests.practice import photo
from tests.processes import relay
from vetrelay.protocol.age.stream import sealed_size

MARK = b"a mark that stands in no copy"
NOT_SENT = "file_not_sent"


@dataclass(frozen=True, kw_only=True)
class Town:
    """A relay without a file check, a veterinarian and an owner, and their case."""

    folder: Path
    vet: Person
    anna: Person
    case: str

    @property
    def blobs(self) -> Path:
        """Where the relay keeps what was uploaded."""
        return self.folder / "relay" / "blobs"

    def uploaded(self) -> set[Path]:
        """The files that the relay keeps."""
        return {path for path in self.blobs.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Two homes of the command line at one relay; nobody has ever adopted an intake."""
    folder = tmp_path_factory.mktemp("town")
    with relay(folder) as running:
        vet, anna = Person(home=folder / "vet"), Person(home=folder / "anna")
        code = vet.word("relay", "code", "clinic", "--config", str(folder / "relay.toml"))
        vet.run("--relay", str(running.told["url"]), "clinic", "create", "Wrenfield", "--as", "Dr. O", "--code", code)
        case = vet.word("case", "open", "--title", "Luna", "--animal", "Luna", "--inspection", "ends")
        anna.run("case", "join", vet.word("case", "invite", case), "--name", "Anna Meier")
        yield Town(folder=folder, vet=vet, anna=anna, case=case)


def written(folder: Path, name: str, content: bytes) -> str:
    """A file to be sent."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    return str(folder / name)


def marked() -> bytes:
    """A photo with its place, a camera's name, and a mark behind its end."""
    return photo() + MARK


def read_file(person: Person, town: Town, sent: str) -> dict[str, object]:
    """The one file of a message, as somebody reads it."""
    person.run("receive", code=None)
    entries = person.json("read", town.case)["entries"]
    (entry,) = (one for one in entries if one["envelope"] == sent)
    (file,) = entry["attachments"]
    assert isinstance(file, dict)
    return file


def test_the_reader_gets_the_copy_that_the_sender_made(town: Town, tmp_path: Path) -> None:
    """Upright, without its place; said to be checked by the sender's own program; no original is there."""
    path = written(tmp_path, "paw.jpg", marked())
    sent = town.anna.word("send", town.case, "--text", "Her paw.", path)
    file = read_file(town.vet, town, sent)
    assert ("clean", "sender", None) == (file["verdict"], file["checked_by"], file["reason"])
    assert "location removed" in str(file["notes"])
    objects = file["objects"]
    assert isinstance(objects, list)
    assert ["record", "preview"] == [one["role"] for one in objects]
    saved = Path(town.vet.word("save", town.case, sent, "--out", str(tmp_path / "out")))
    assert MARK not in saved.read_bytes()
    with Image.open(saved) as picture:
        assert ((480, 640), {}) == (picture.size, dict(picture.getexif()))
    shown = town.vet.run("read", town.case).out
    assert "ready, checked by the sender's own program" in shown
    assert "Her paw." in shown


def test_nothing_of_the_original_is_at_the_relay(town: Town, tmp_path: Path) -> None:
    """What was uploaded is the copy and its preview; there is no original to ask for."""
    before = town.uploaded()
    sent = town.anna.word("send", town.case, "--text", "again", written(tmp_path, "ear.jpg", marked()))
    new = [path.read_bytes() for path in town.uploaded() - before]
    assert 2 == len(new)
    assert not any(MARK in raw for raw in new)
    file = read_file(town.vet, town, sent)
    copies = [one["size_bytes"] for one in file["objects"]]  # type: ignore[attr-defined]  # JSON
    assert sorted(sealed_size(size_bytes) for size_bytes in copies) == sorted(map(len, new))
    refused = town.vet.run("save", town.case, sent, "--original", "--out", str(tmp_path / "out"), code=None)
    assert not refused.out


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("paw.jpg", b"MZ\x90\x00" + bytes(400), "content_differs_from_name"),
        ("setup.exe", b"MZ\x90\x00" + bytes(400), "type_not_taken"),
        ("cut.jpg", photo()[:2000], "incomplete"),
    ],
)
def test_a_hostile_file_is_refused_before_it_is_sealed(
    town: Town, tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    """With its name and the reason; the good file beside it is not sent either, and nothing stays in the spool."""
    before = town.uploaded()
    good = written(tmp_path, "good.jpg", photo())
    done = town.anna.run("send", town.case, "--text", "Look!", written(tmp_path, name, content), good, code=3)
    assert f"{name}: " in done.err
    assert f"[{reason}]" in done.err
    assert NOT_SENT in done.err
    assert before == town.uploaded()
    assert [] == list((town.folder / "anna" / "spool").iterdir())
    assert "Look!" not in town.vet.run("read", town.case).out


def test_an_original_goes_along_when_it_is_wished_and_is_marked_unsafe(town: Town, tmp_path: Path) -> None:
    """Sealed like everything else; the reader has to ask for it by name."""
    path = written(tmp_path, "skin.jpg", marked())
    sent = town.anna.word("send", town.case, "--text", "untouched", path, "--keep-original")
    file = read_file(town.vet, town, sent)
    objects = file["objects"]
    assert isinstance(objects, list)
    assert ["record", "preview", "original"] == [one["role"] for one in objects]
    safe = town.vet.word("save", town.case, sent, "--out", str(tmp_path / "out"))
    assert safe.endswith("skin.jpg")
    unsafe = town.vet.word("save", town.case, sent, "--original", "--out", str(tmp_path / "out"))
    assert unsafe.endswith("skin.jpg.unsafe")
    assert marked() == Path(unsafe).read_bytes()


def test_a_folder_goes_as_one_pack_that_was_checked_here(town: Town, tmp_path: Path) -> None:
    """Every file in it is rebuilt."""
    folder = tmp_path / "photos"
    for name in ("one.jpg", "two.jpg"):
        written(folder, name, marked())
    sent = town.vet.word("send", town.case, "--text", "Both ears.", str(folder))
    file = read_file(town.anna, town, sent)
    assert "sender" == file["checked_by"]
    paths = town.anna.run("save", town.case, sent, "--out", str(tmp_path / "out")).out.split("\n")[:-1]
    assert paths
    assert not any(MARK in Path(path).read_bytes() for path in paths)


def test_the_case_says_who_checks_its_files(town: Town) -> None:
    """No machine stands in its roster."""
    shown = town.vet.json("case", "show", town.case)
    assert ("ends", []) == (shown["inspection"], shown["file_checks"])
    assert "every sender's own program checks a file" in town.vet.run("case", "show", town.case).out
