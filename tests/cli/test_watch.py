"""`watch`: records that arrive are filed by patient and day, each once."""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image

from tests.dying import mortal_program
from tests.gateway import PROGRAM, READY_SECONDS, Gateway, Person, clean_environment
from vetrelay.cli.filed import FILED_NAME

AWAY = "http://127.0.0.1:9"  # where nobody listens
LEAST_MOMENTS = 10


@pytest.fixture(scope="module")
def vet(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Person:
    """A clinic."""
    return gateway.clinic(tmp_path_factory.mktemp("vet") / "home")


@pytest.fixture
def luna(gateway: Gateway, tmp_path: Path) -> tuple[str, Person, Person]:
    """A case about Luna, its owner, and a clinic that has no other case."""
    clinic = gateway.clinic(tmp_path / "clinic")
    case = clinic.word("case", "open", "--title", "Itchy ear", "--animal", "Luna")
    anna = Person(home=tmp_path / "anna")
    anna.run("case", "join", clinic.word("case", "invite", case), "--name", "Anna Meier")
    return case, clinic, anna


def photo(path: Path, colour: str = "brown") -> str:
    """A photo."""
    Image.new("RGB", (60, 40), colour).save(path)
    return str(path)


def send_checked(person: Person, case: str, *files: str) -> str:
    """Sends files, waits until they were checked; the day here on which they were accepted."""
    sent = person.word("send", case, *files)
    for _ in range(10):
        (entry,) = (one for one in person.json("read", case)["entries"] if one["envelope"] == sent)
        if all(file["verdict"] != "pending" for file in entry["attachments"]):
            return datetime.fromisoformat(entry["accepted_at"]).astimezone().date().isoformat()
        person.run("receive", "--wait", "5", code=None)
    raise AssertionError("the file check does not answer")


def filed(folder: Path) -> list[str]:
    """What stands in the folder, but for the file that remembers it."""
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name != FILED_NAME
    )


def test_records_are_filed_by_patient_and_day_each_once(luna: tuple[str, Person, Person], tmp_path: Path) -> None:
    """The checked copies; not again on a second run, and not again after a program took them away."""
    case, clinic, anna = luna
    folder = tmp_path / "incoming"
    (tmp_path / "diary.txt").write_text("eats well")
    day = send_checked(anna, case, photo(tmp_path / "ear.jpg"), str(tmp_path / "diary.txt"))
    place = f"Luna ({case[:6]})/{day}"
    names = [f"{place}/diary.txt", f"{place}/ear.jpg"]
    told = clinic.run("watch", "--save-to", str(folder), "--once").out.split("\n")
    assert names == filed(folder)
    assert {str(folder / name) for name in names} == set(filter(None, told))
    assert "" == clinic.run("watch", "--save-to", str(folder), "--once").out
    for name in names:
        (folder / name).rename(tmp_path / f"taken {Path(name).name}")
    assert "" == clinic.run("watch", "--save-to", str(folder), "--once").out
    assert [] == filed(folder)
    send_checked(anna, case, photo(tmp_path / "paw.jpg", "red"))
    clinic.run("receive", code=None)  # another command took the news: it is filed all the same
    clinic.run("watch", "--save-to", str(folder), "--once")
    assert [f"{place}/paw.jpg"] == filed(folder)


def test_two_files_alike_are_two_files(luna: tuple[str, Person, Person], tmp_path: Path) -> None:
    """One content under two names is filed under both."""
    case, clinic, anna = luna
    send_checked(anna, case, photo(tmp_path / "left.jpg"), photo(tmp_path / "right.jpg"))
    clinic.run("watch", "--save-to", str(tmp_path / "incoming"), "--once")
    assert ["left.jpg", "right.jpg"] == [Path(name).name for name in filed(tmp_path / "incoming")]


def test_only_what_others_sent_is_filed_under_a_name_that_is_no_path(
    gateway: Gateway, vet: Person, tmp_path: Path
) -> None:
    """Without a patient's name the case's title stands for it; a slash in it leads nowhere."""
    case, anna = gateway.case(vet, tmp_path / "anna", title="../Luna / itchy ear")
    send_checked(vet, case, photo(tmp_path / "mine.jpg"))
    day = send_checked(anna, case, photo(tmp_path / "ear.jpg"))
    folder = tmp_path / "incoming"
    vet.run("watch", "--save-to", str(folder), "--once")
    assert [f"Luna itchy ear ({case[:6]})/{day}/ear.jpg"] == filed(folder)


def test_what_is_not_ready_is_told_and_not_filed(luna: tuple[str, Person, Person], tmp_path: Path) -> None:
    """Held and refused, each with its reason, once; the run is a good one all the same."""
    case, clinic, anna = luna
    whole = Path(photo(tmp_path / "ear.jpg")).read_bytes()
    (tmp_path / "half.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "trace.xyz").write_bytes(bytes(range(256)))
    send_checked(anna, case, *(str(tmp_path / name) for name in ("half.jpg", "trace.xyz", "ear.jpg")))
    done = clinic.run("watch", "--save-to", str(tmp_path / "incoming"), "--once")
    assert ["ear.jpg"] == [Path(name).name for name in filed(tmp_path / "incoming")]
    assert 1 == done.err.count("not filed: half.jpg: cannot be sent: This file is incomplete; send it again.")
    assert 1 == done.err.count("not filed: trace.xyz: waiting for staff: ")
    assert 2 == done.err.count("not filed")


def test_what_does_not_arrive_whole_is_told_with_a_code(
    gateway: Gateway, luna: tuple[str, Person, Person], tmp_path: Path
) -> None:
    """A rule said no, once for each file; the others are filed."""
    case, clinic, anna = luna
    folder = tmp_path / "incoming"
    send_checked(anna, case, photo(tmp_path / "ear.jpg"))
    blobs = gateway.folder / "relay" / "blobs"
    before = {path for path in blobs.rglob("*") if path.is_file()}
    send_checked(anna, case, photo(tmp_path / "paw.jpg", "red"))
    for path in {path for path in blobs.rglob("*") if path.is_file()} - before:
        path.chmod(0o600)
        path.write_bytes(bytes(path.stat().st_size))
    done = clinic.run("watch", "--save-to", str(folder), "--once", code=3)
    assert ["ear.jpg"] == [Path(name).name for name in filed(folder)]
    assert 1 == done.err.count("not filed: paw.jpg: ")
    assert "[payload_differs]" in done.err


def test_without_its_message_server_one_run_is_a_fault(luna: tuple[str, Person, Person], tmp_path: Path) -> None:
    """Repeating is safe."""
    done = luna[1].run("watch", "--save-to", str(tmp_path / "in"), "--once", code=1, VETRELAY_RELAY=AWAY)
    assert "code   unreachable" in done.err


def test_a_run_killed_anywhere_and_repeated_files_each_once(luna: tuple[str, Person, Person], tmp_path: Path) -> None:
    """kill -9 around each request, each commit, each mark: then everything is there once, and nothing else."""
    case, clinic, anna = luna
    (tmp_path / "diary.txt").write_text("eats well")
    send_checked(anna, case, photo(tmp_path / "ear.jpg"), str(tmp_path / "diary.txt"))
    last = 0
    with mortal_program() as program:

        def watching(moment: int) -> tuple[str, ...]:
            return ("--home", str(clinic.home), "watch", "--save-to", str(tmp_path / f"in {moment}"), "--once")

        for last in program.moments(watching):
            ended = program.run(*watching(last))
            assert ended is not None
            assert 0 == ended.code, ended.err
            folder = tmp_path / f"in {last}"
            assert ["diary.txt", "ear.jpg"] == [Path(name).name for name in filed(folder)]
            assert 2 == len((folder / FILED_NAME).read_text().split())
    assert last > LEAST_MOMENTS
    assert [] == list((clinic.home / "spool").iterdir())


@contextmanager
def watching(person: Person, folder: Path, log: Path, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    """`watch` in a process of its own until the block is left; what it says is in the log."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*PROGRAM, "--home", str(person.home), "watch", "--save-to", str(folder)],
            env=clean_environment(**environment),
            stdout=out,
            stderr=out,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(process: "subprocess.Popen[bytes]", log: Path, words: str) -> None:
    """Until the log says these words."""
    deadline = time.monotonic() + 2 * READY_SECONDS
    while words not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def test_a_watch_files_what_comes_until_it_is_stopped(luna: tuple[str, Person, Person], tmp_path: Path) -> None:
    """Each file told once however often it looks; nobody else may use the folder; Ctrl-C ends it with 130."""
    case, clinic, anna = luna
    folder, log = tmp_path / "incoming", tmp_path / "watch.log"
    (tmp_path / "trace.xyz").write_bytes(bytes(range(256)))
    with watching(clinic, folder, log) as process:
        anna.run("send", case, str(tmp_path / "trace.xyz"))
        wait_for(process, log, "not filed: trace.xyz")
        for name in ("ear", "paw"):
            anna.run("send", case, photo(tmp_path / f"{name}.jpg"))
            wait_for(process, log, f"{name}.jpg\n")
        second = clinic.run("watch", "--save-to", str(folder), "--once", code=3)
        assert "code   already_running" in second.err
        process.send_signal(signal.SIGINT)
        assert 130 == process.wait(60)
    told = log.read_text()
    assert ["ear.jpg", "paw.jpg"] == [Path(name).name for name in filed(folder)]
    assert [1, 1, 1] == [told.count(words) for words in ("not filed: trace.xyz", "/ear.jpg\n", "/paw.jpg\n")]
    assert "vetrelay: stopped; repeat the command to go on where it was" in told
    assert "Traceback" not in told


def test_a_watch_outlives_the_absence_of_its_message_server(luna: tuple[str, Person, Person], tmp_path: Path) -> None:
    """It says so once, and tries again."""
    log = tmp_path / "watch.log"
    with watching(luna[1], tmp_path / "incoming", log, VETRELAY_RELAY=AWAY) as process:
        wait_for(process, log, "Trying again until it works.")
        time.sleep(3)  # three tries more
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert 130 == process.wait(60)
    assert 1 == log.read_text().count("Trying again")
