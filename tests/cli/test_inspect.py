"""`inspect`: the file check on local files and folders."""

import hashlib
import io
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from tests.gateway import Done, type_here

LOOSE_MEMBERS = 60
"""More files than a pack may have whose copies stand beside each other: it is packed anew."""
FILE_KEYS = {
    "path",
    "written",
    "name",
    "kind",
    "verdict",
    "reason",
    "sentence",
    "media_type",
    "notes",
    "facts",
    "members",
    "outputs",
}


def photo(*, side_px: tuple[int, int] = (60, 40), turned: bool = False) -> bytes:
    """A photo; one that is turned must be made upright."""
    exif = Image.Exif()
    if turned:
        exif[0x0112] = 6
    out = io.BytesIO()
    Image.new("RGB", side_px, "brown").save(out, "JPEG", exif=exif)
    return out.getvalue()


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """A photo, a picture of another kind, something that nobody knows, and half a photo."""
    Image.new("RGB", (40, 40), "red").save(tmp_path / "paw.webp")
    whole = photo(turned=True)
    (tmp_path / "ear.jpg").write_bytes(whole)
    (tmp_path / "trace.xyz").write_bytes(bytes(range(256)))
    (tmp_path / "half.jpg").write_bytes(whole[: len(whole) // 2])
    return [str(tmp_path / name) for name in ("ear.jpg", "paw.webp", "trace.xyz", "half.jpg")]


def packed(path: Path, names: dict[str, bytes]) -> str:
    """A ZIP of these files."""
    with zipfile.ZipFile(path, "w") as pack:
        for name, content in names.items():
            pack.writestr(name, content)
    return str(path)


def inspect(*words: str, code: int = 0) -> Done:
    """The command."""
    done = type_here("inspect", *words)
    assert code == done.code, done.err
    return done


def test_json_has_the_documented_form(files: list[str]) -> None:
    """Each file in the order it was named, and the counts of all."""
    told = inspect(*files, "--json").json()
    assert {"files", "counts", "kinds"} == told.keys()
    assert files == [one["path"] for one in told["files"]]
    assert ["clean", "converted", "held", "refused"] == [one["verdict"] for one in told["files"]]
    assert [None, None, "held_type_unknown", "incomplete"] == [one["reason"] for one in told["files"]]
    assert ["jpeg", "webp", "unknown", "jpeg"] == [one["kind"] for one in told["files"]]
    assert [FILE_KEYS] * 4 == [one.keys() for one in told["files"]]
    assert "turned upright" in told["files"][0]["notes"]
    assert (60, 40) == (told["files"][0]["facts"]["width"], told["files"][0]["facts"]["height"])
    assert {"clean": 1, "converted": 1, "kept-sealed": 0, "held": 1, "refused": 1} == told["counts"]
    assert {"jpeg": {"clean": 1, "refused": 1}, "unknown": {"held": 1}, "webp": {"converted": 1}} == told["kinds"]


def test_what_was_made_can_be_written_and_overwrites_nothing(files: list[str], tmp_path: Path) -> None:
    """Checked copies and previews, under free names."""
    out = tmp_path / "out"
    told = inspect(files[0], "--out", str(out), "--json").json()["files"][0]
    assert [str(out / "ear.jpg"), str(out / "ear-preview.jpg")] == told["written"]
    hashes = [hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in told["written"]]
    assert hashes == [made["sha256"] for made in told["outputs"]]
    again = inspect(files[0], "--out", str(out), "--json").json()["files"][0]
    assert [str(out / "ear (2).jpg"), str(out / "ear-preview (2).jpg")] == again["written"]


def test_a_person_reads_verdicts_and_counts(files: list[str]) -> None:
    """In the words of the screen, with what to do."""
    out = inspect(*files).out
    assert "clean: ready (" in out
    assert "refused: cannot be sent" in out
    assert "This file is incomplete; send it again." in out
    assert out.endswith("4 inspected: 1 clean, 1 converted, 1 held, 1 refused\n")


def test_a_folder_is_every_file_below_it(files: list[str], tmp_path: Path) -> None:
    """In the order of their names, hidden ones too; links are not followed; a table at the end."""
    folder = tmp_path / "records"
    (folder / "b").mkdir(parents=True)
    (folder / "b" / "ear.jpg").write_bytes(photo())
    (folder / "a.jpg").write_bytes(photo())
    (folder / "link.jpg").symlink_to(files[0])
    (folder / "round").symlink_to(folder)
    told = inspect(str(folder), "--json").json()["files"]
    assert [str(folder / "a.jpg"), str(folder / "b" / "ear.jpg")] == [one["path"] for one in told]
    out = inspect(str(folder)).out
    assert "kind  clean  converted" in out
    assert out.endswith("2 inspected: 2 clean\n")


def test_a_summary_says_no_more_than_the_numbers(files: list[str]) -> None:
    """Nothing of any single file, for a person and for a program."""
    out = inspect(files[0], "--summary").out
    assert "ear.jpg" not in out
    assert out.startswith("kind ")
    assert {"counts", "kinds"} == inspect(files[0], "--summary", "--json").json().keys()


def test_wishes_of_a_sender_can_be_tried(tmp_path: Path) -> None:
    """Full size, and motion kept."""
    (tmp_path / "large.jpg").write_bytes(photo(side_px=(3000, 20)))
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "green", "blue")]
    frames[0].save(tmp_path / "gait.gif", save_all=True, append_images=frames[1:], duration=500)
    names = [str(tmp_path / "large.jpg"), str(tmp_path / "gait.gif")]

    def widths(*words: str) -> tuple[int, str]:
        large, gait = inspect(*names, *words, "--json").json()["files"]
        return large["outputs"][0]["width"], gait["media_type"]

    assert (2560, "image/png") == widths()
    assert (3000, "image/webp") == widths("--full-size", "--keep-motion")


def test_the_settings_of_a_practice_are_kept_to(files: list[str], tmp_path: Path) -> None:
    """A type that it switched off is held; a file beyond its own limit is refused; a wrong setting is named."""
    config = tmp_path / "intake.toml"
    config.write_text('data = "/nowhere"\nrelay_url = "unix:/nowhere"\n[types.webp]\naccept = false\n')
    told = inspect(files[0], files[1], "--config", str(config), "--json").json()["files"]
    assert [None, "type_switched_off"] == [one["reason"] for one in told]
    config.write_text('data = "/nowhere"\nrelay_url = "unix:/nowhere"\n[types.jpeg]\nfile_mib = 41\n')
    assert "types.jpeg.file_mib" in inspect(files[0], "--config", str(config), code=1).err


def test_a_small_pack_is_told_file_by_file(files: list[str], tmp_path: Path) -> None:
    """Its copies stand beside each other; each member is in the list, with its own verdict."""
    half = Path(files[3]).read_bytes()
    pack = packed(tmp_path / "visit.zip", {"ear.jpg": photo(), "half.jpg": half})
    out = tmp_path / "out"
    told = inspect(pack, "--out", str(out), "--json").json()["files"][0]
    assert ("zip", "converted") == (told["kind"], told["verdict"])
    assert [("ear.jpg", "clean", None), ("half.jpg", "refused", "incomplete")] == [
        (member["name"], member["verdict"], member["reason"]) for member in told["members"]
    ]
    assert {0} == {made["member"] for made in told["outputs"]}
    assert all(Path(path).is_file() for path in told["written"])
    shown = inspect(pack).out
    assert "ear.jpg  ready" in shown
    assert "half.jpg  left out: This file is incomplete; send it again." in shown


def test_a_large_pack_is_packed_anew_into_the_folder(tmp_path: Path) -> None:
    """As one file under a free name, with the very bytes that its hash says."""
    names = {f"{number:03}.jpg": photo(side_px=(10 + number, 10)) for number in range(LOOSE_MEMBERS)}
    pack = packed(tmp_path / "scan.zip", names)
    out = tmp_path / "out"
    out.mkdir()
    (out / "scan.zip").write_bytes(b"mine")
    told = inspect(pack, "--out", str(out), "--json").json()["files"][0]
    assert "packed anew" in told["notes"]
    record = next(made for made in told["outputs"] if made["role"] == "record")
    assert str(out / "scan (2).zip") in told["written"]
    assert len(told["outputs"]) == len(told["written"])
    anew = (out / "scan (2).zip").read_bytes()
    assert (record["sha256"], record["size_bytes"]) == (hashlib.sha256(anew).hexdigest(), len(anew))
    with zipfile.ZipFile(io.BytesIO(anew)) as read:
        assert LOOSE_MEMBERS == len([name for name in read.namelist() if "preview" not in name])
    assert b"mine" == (out / "scan.zip").read_bytes()


def test_of_a_pack_that_came_to_nothing_nothing_is_left(tmp_path: Path) -> None:
    """Its last file is damaged, so all of it is refused, when much of it was packed anew already."""
    names = {f"{number:03}.jpg": photo(side_px=(10 + number, 10)) for number in range(LOOSE_MEMBERS)}
    pack = Path(packed(tmp_path / "scan.zip", names))
    content = pack.read_bytes()
    last = names[f"{LOOSE_MEMBERS - 1:03}.jpg"]
    pack.write_bytes(content.replace(last, last[:-1] + b"\0"))
    told = inspect(str(pack), "--out", str(tmp_path / "out"), "--json").json()["files"][0]
    assert ("refused", [], []) == (told["verdict"], told["outputs"], told["written"])
    assert [] == list((tmp_path / "out").iterdir())


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    """And so is naming none."""
    inspect(str(tmp_path / "nothing"), code=2)
    inspect(code=2)
