"""A clinic's machines: adopted, adopted beside one another, replaced; with real processes, by typed commands."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.gateway import PROGRAM, Gateway, Person, clean_environment


@pytest.fixture
def second(gateway: Gateway, tmp_path: Path) -> Iterator[Path]:
    """The offer of another file check, started by hand on a folder of its own."""
    nobody = Person(home=tmp_path / "nobody")
    code = nobody.word("relay", "code", "machine", "--config", str(gateway.folder / "relay.toml"))
    settings = tmp_path / "intake.toml"
    settings.write_text(f'data = "{tmp_path / "intake"}"\nrelay_url = "{gateway.url}"\ncode = "{code}"\n')
    log = tmp_path / "intake.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*PROGRAM, "intake", "--config", str(settings)],
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=out,
        )
    try:
        assert process.stdout is not None
        with process.stdout as told:
            ready = told.readline().decode().split()
        assert ready[:1] == ["ready"], log.read_text()
        yield Path(ready[1])
    finally:
        process.terminate()
        process.wait()


def checked(person: Person, case: str) -> list[str]:
    """The verdicts on the files of the last message, once they are there."""
    for _ in range(10):
        person.run("receive", "--wait", "5", code=None)
        files = person.json("read", case)["entries"][-1]["attachments"]
        if files and all(file["verdict"] != "pending" for file in files):
            return [file["verdict"] for file in files]
    raise AssertionError("no file check answers")


def test_a_second_file_check_works_beside_the_first(gateway: Gateway, second: Path, tmp_path: Path) -> None:
    """From the clinic's word on both are in every case, also in one that was open before; a file has one verdict."""
    vet = gateway.clinic(tmp_path / "vet")
    case, anna = gateway.case(vet, tmp_path / "anna")
    assert 1 == len(vet.json("case", "show", case)["file_checks"])
    done = vet.run("clinic", "adopt", "--beside", str(second))
    assert "2 file checks share the files now" in done.err
    again = vet.run("clinic", "adopt", "--beside", str(second))
    assert "nothing was changed" in again.err
    assert 2 == len(vet.json("case", "show", case)["file_checks"])
    text = vet.run("case", "show", case).out
    assert 2 == text.count("file check  fingerprint ")
    Image.new("RGB", (60, 40), "brown").save(tmp_path / "ear.jpg")
    anna.run("receive", code=None)
    anna.run("send", case, "--text", "look", str(tmp_path / "ear.jpg"))
    assert ["clean"] == checked(vet, case)


def test_adopting_without_beside_takes_the_place_of_the_others(gateway: Gateway, second: Path, tmp_path: Path) -> None:
    """So one is taken out of service by adopting the one that stays."""
    vet = gateway.clinic(tmp_path / "vet")
    case = vet.word("case", "open", "--title", "Luna")
    vet.run("clinic", "adopt", "--beside", str(second))
    vet.run("clinic", "adopt", str(second))
    (alone,) = vet.json("case", "show", case)["file_checks"]
    vet.run("clinic", "adopt", str(gateway.offers[0]))
    (other,) = vet.json("case", "show", case)["file_checks"]
    assert alone["party"] != other["party"]


def test_an_email_bridge_is_adopted_into_no_case(gateway: Gateway, tmp_path: Path) -> None:
    """It is the clinic's, and the clinic says case by case where it has a part."""
    vet = gateway.clinic(tmp_path / "vet")
    again = vet.run("clinic", "adopt", str(gateway.offers[1]))
    assert "email bridge  fingerprint " in again.out
    assert "nothing was changed" in again.err
    case = vet.word("case", "open", "--title", "Luna")
    assert [] == vet.json("case", "show", case)["bridges"]
    other = Person(home=tmp_path / "other")
    code = vet.word("relay", "code", "clinic", "--config", str(gateway.folder / "relay.toml"))
    other.run("--relay", gateway.url, "clinic", "create", "Other", "--as", "Dr. O", "--code", code)
    assert "vetrelay bridge on CASE" in other.run("clinic", "adopt", str(gateway.offers[1])).err
