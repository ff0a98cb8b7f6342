"""`inspect`: the file check on local files."""

import hashlib
from pathlib import Path

import pytest
from PIL import Image

from tests.gateway import Done, type_here


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """A photo, a picture of another kind, a text, and half a photo."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 40), "brown").save(tmp_path / "ear.jpg", exif=exif)
    Image.new("RGB", (40, 40), "red").save(tmp_path / "paw.webp")
    (tmp_path / "notes.txt").write_text("eats well")
    whole = (tmp_path / "ear.jpg").read_bytes()
    (tmp_path / "half.jpg").write_bytes(whole[: len(whole) // 2])
    return [str(tmp_path / name) for name in ("ear.jpg", "paw.webp", "notes.txt", "half.jpg")]


def inspect(*words: str, code: int = 0) -> Done:
    """The command."""
    done = type_here("inspect", *words)
    assert code == done.code, done.err
    return done


def test_json_has_the_documented_form(files: list[str]) -> None:
    """Each file in the order it was named, and the counts of all."""
    told = inspect(*files, "--json").json()
    assert files == [one["path"] for one in told["files"]]
    assert ["clean", "converted", "held", "refused"] == [one["verdict"] for one in told["files"]]
    assert [None, None, "held_type_text", "incomplete"] == [one["reason"] for one in told["files"]]
    for one in told["files"]:
        assert {"path", "verdict", "reason", "media_type", "notes", "outputs"} <= one.keys()
    assert "turned upright" in told["files"][0]["notes"]
    assert {"clean": 1, "converted": 1, "kept-sealed": 0, "held": 1, "refused": 1} == told["counts"]


def test_what_was_made_can_be_written_and_overwrites_nothing(files: list[str], tmp_path: Path) -> None:
    """Normalized copies and previews, under free names."""
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
    assert "This photo is incomplete; send it again." in out
    assert out.endswith("4 inspected: 1 clean, 1 converted, 1 held, 1 refused\n")


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    """And so is naming none."""
    inspect(str(tmp_path / "nothing"), code=2)
    inspect(code=2)
