"""Messages: sent, received once, read, saved, verified."""

import hashlib
import io
import json
import signal
import sqlite3
import subprocess
import time
import wave
import zipfile
from contextlib import suppress
from pathlib import Path

import pikepdf
import pytest
from PIL import Image

from tests.gateway import PROGRAM, Gateway, Person, clean_environment, type_command
from vetrelay.cli import message

ENTRY_KEYS = {"n", "envelope", "class", "kind", "from", "sent_at", "accepted_at", "text", "attachments", "problem"}
ATTACHMENT_KEYS = {
    "name",
    "media_type",
    "size_bytes",
    "sha256",
    "verdict",
    "checked_by",
    "reason",
    "notes",
    "items",
    "duration_ms",
    "patient",
    "members",
    "objects",
}
MEMBER_KEYS = {"name", "media_type", "verdict", "reason", "notes"}
NO_KNOWN_KIND = b"\x00\xff\x01\xfe" * 64
AWAY = "http://127.0.0.1:9"  # where nobody listens
OBJECT_KEYS = {"role", "name", "media_type", "size_bytes", "sha256"}


@pytest.fixture(scope="module")
def vet(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Person:
    """A clinic."""
    return gateway.clinic(tmp_path_factory.mktemp("vet") / "home")


@pytest.fixture
def luna(gateway: Gateway, vet: Person, tmp_path: Path) -> tuple[str, Person]:
    """A case with its owner, in which everybody knows everybody's name."""
    case, anna = gateway.case(vet, tmp_path / "anna", title="Luna, itchy ear")
    vet.run("receive", code=None)
    anna.run("receive", code=4)
    return case, anna


def photo(path: Path) -> Path:
    """A photo that must be turned upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 40), "brown").save(path, exif=exif)
    return path


def checked(person: Person, case: str) -> list[dict[str, object]]:
    """The files of the last message, once the file check has ended."""
    for _ in range(10):
        person.run("receive", "--wait", "5", code=None)
        files: list[dict[str, object]] = person.json("read", case)["entries"][-1]["attachments"]
        if all(file["verdict"] != "pending" for file in files):
            return files
    raise AssertionError("the file check does not answer")


def test_words_go_both_ways_and_are_told_once(luna: tuple[str, Person], vet: Person) -> None:
    """Each hears the other, once, and never themselves."""
    case, anna = luna
    sent = anna.word("send", case, "--text", "Luna scratches.\nHer ear is red.")
    news = vet.receive()["cases"]
    assert [(case, sent, "Luna scratches.\nHer ear is red.")] == [
        (one["case"], entry["envelope"], entry["text"]) for one in news for entry in one["entries"]
    ]
    assert {"cases": []} == vet.json("receive", code=4)
    vet.run("send", case, "--text", "Please send a photo.")
    told = anna.run("receive", "--wait", "10").out
    assert "Dr. Oleander, treating clinic" in told
    assert "Please send a photo." in told
    assert "scratches" not in told
    assert "nothing new" in anna.run("receive", code=4).err


def test_reading_does_not_take_news_away(luna: tuple[str, Person], vet: Person) -> None:
    """Who reads in between still gets every event from `receive`."""
    case, anna = luna
    anna.run("send", case, "--text", "one")
    assert "one" in vet.run("read", case).out
    assert ["one"] == [entry["text"] for one in vet.receive()["cases"] for entry in one["entries"]]


def test_read_json_has_the_documented_form(luna: tuple[str, Person], vet: Person) -> None:
    """Case, title, entries; each with its author, times, text, attachments."""
    case, anna = luna
    anna.run("send", case, "--text", "hello")
    thread = vet.json("read", case)
    assert {"case", "title", "entries"} == thread.keys()
    (entry,) = thread["entries"]
    assert entry.keys() == ENTRY_KEYS
    assert {"party", "person", "name", "role"} == entry["from"].keys()
    assert ("message", "text", "Anna Meier", "owner") == (
        entry["class"],
        entry["kind"],
        entry["from"]["name"],
        entry["from"]["role"],
    )
    assert entry["sent_at"][-1] == entry["accepted_at"][-1] == "Z"


def test_a_photo_is_checked_read_and_saved(luna: tuple[str, Person], vet: Person, tmp_path: Path) -> None:
    """The verdict reaches both sides; the copy is what its hash says, upright, and overwrites nothing."""
    case, anna = luna
    sent = anna.word("send", case, "--text", "See", str(photo(tmp_path / "ear.jpg")), "--purpose", "skin")
    (file,) = checked(vet, case)
    assert file.keys() == ATTACHMENT_KEYS
    assert ("clean", None) == (file["verdict"], file["reason"])
    assert "turned upright" in str(file["notes"])
    objects = {part["role"]: part for part in file["objects"]}  # type: ignore[attr-defined]  # JSON
    assert {"record", "preview", "original"} == objects.keys()
    assert [OBJECT_KEYS] * 3 == [part.keys() for part in objects.values()]
    assert hashlib.sha256((tmp_path / "ear.jpg").read_bytes()).hexdigest() == objects["original"]["sha256"]
    for name in ("ear.jpg", "ear.jpg"):  # asked again, what is there is not written a second time
        saved = vet.run("save", case, sent, "--out", str(tmp_path / "out"))
        assert str(tmp_path / "out" / name) == saved.out.strip()
    copy = tmp_path / "out" / "ear.jpg"
    assert hashlib.sha256(copy.read_bytes()).hexdigest() == objects["record"]["sha256"]
    with Image.open(copy) as upright:
        assert (40, 60) == upright.size
    copy.write_bytes(b"mine")
    assert str(tmp_path / "out" / "ear (2).jpg") == vet.word("save", case, sent, "--out", str(tmp_path / "out"))
    assert b"mine" == copy.read_bytes()
    told = anna.run("receive", "--wait", "5").out
    assert "ear.jpg" in told
    assert "ready (" in told


def test_a_file_that_is_not_ready_is_saved_only_as_the_unsafe_original(
    luna: tuple[str, Person], vet: Person, tmp_path: Path
) -> None:
    """Exit 3 after the others were saved; the original says so in its name."""
    case, anna = luna
    (tmp_path / "notes.dat").write_bytes(NO_KNOWN_KIND)
    photo(tmp_path / "ear.jpg")
    sent = anna.word("send", case, str(tmp_path / "notes.dat"), str(tmp_path / "ear.jpg"))
    files = checked(vet, case)
    assert ["held", "clean"] == [file["verdict"] for file in files]
    refused = vet.run("save", case, sent, "--out", str(tmp_path / "out"), code=3)
    assert str(tmp_path / "out" / "ear.jpg") == refused.out.strip()
    assert "notes.dat: " in refused.err
    assert "code   not_all_saved" in refused.err
    told = vet.json("save", case, sent, "--out", str(tmp_path / "again"), code=3)
    assert (["ear.jpg"], ["notes.dat"]) == (
        [Path(one["path"]).name for one in told["saved"]],
        [one["name"] for one in told["missed"]],
    )
    vet.run("save", case, sent, "--original", "--out", str(tmp_path / "raw"), code=None)
    assert NO_KNOWN_KIND == (tmp_path / "raw" / "notes.dat.unsafe").read_bytes()
    assert "waiting for staff" in vet.run("read", case).out
    anna.run("save", case, sent, "--original", "--out", str(tmp_path / "mine"))
    assert (tmp_path / "ear.jpg").read_bytes() == (tmp_path / "mine" / "ear.jpg.unsafe").read_bytes()


def pdf_of_pages(count: int) -> bytes:
    """A PDF of empty pages."""
    out = io.BytesIO()
    with pikepdf.new() as document:
        for _ in range(count):
            document.add_blank_page()
        document.save(out)
    return out.getvalue()


def tone(seconds: int) -> bytes:
    """A sound of this length."""
    out = io.BytesIO()
    with wave.open(out, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(range(0, 200, 2)) * 160 * seconds)
    return out.getvalue()


def test_pages_length_and_what_a_pack_left_out_are_told(luna: tuple[str, Person], vet: Person, tmp_path: Path) -> None:
    """For a person at most twenty names and a number, for a program all of it; whom a record is about."""
    case, anna = luna
    whole = photo(tmp_path / "ear.jpg").read_bytes()
    with zipfile.ZipFile(tmp_path / "visit.zip", "w") as pack:
        pack.writestr("report.pdf", pdf_of_pages(2))
        for number in range(22):
            pack.writestr(f"half{number:02}.jpg", whole[: len(whole) // 2])
    (tmp_path / "report.pdf").write_bytes(pdf_of_pages(12))
    (tmp_path / "cough.wav").write_bytes(tone(42))
    anna.run("send", case, *(str(tmp_path / name) for name in ("report.pdf", "cough.wav", "visit.zip")))
    report, cough, visit = checked(vet, case)
    assert (12, None, []) == (report["items"], report["duration_ms"], report["members"])
    assert (None, 42_000) == (cough["items"], cough["duration_ms"])
    members = visit["members"]
    assert isinstance(members, list)
    assert [MEMBER_KEYS] * 23 == [member.keys() for member in members]
    assert ("report.pdf", "clean", None) == tuple(members[0][key] for key in ("name", "verdict", "reason"))
    assert ("half00.jpg", "refused", "incomplete") == tuple(members[1][key] for key in ("name", "verdict", "reason"))
    shown = vet.run("read", case).out
    assert ", 12 pages  ready" in shown
    assert ", 0:42  ready" in shown
    assert ", 1 file  ready" in shown
    assert "    half19.jpg  left out: This file is incomplete; send it again." in shown
    assert "half20.jpg" not in shown
    assert "    and 2 more\n" in shown


def test_small_pictures_are_saved_on_wish(luna: tuple[str, Person], vet: Person, tmp_path: Path) -> None:
    """Beside the checked copies; there are none of an original."""
    case, anna = luna
    sent = anna.word("send", case, str(photo(tmp_path / "ear.jpg")))
    checked(vet, case)
    saved = vet.json("save", case, sent, "--out", str(tmp_path / "out"), "--previews")["saved"]
    assert [("record", "ear.jpg"), ("preview", "ear-preview.jpg")] == [
        (one["role"], Path(one["path"]).name) for one in saved
    ]
    assert "code   usage" in vet.run("save", case, sent, "--previews", "--original", code=2).err


def test_what_is_not_there_cannot_be_saved(luna: tuple[str, Person], vet: Person) -> None:
    """No such message, or one without files: nothing there."""
    case, anna = luna
    sent = anna.word("send", case, "--text", "no files")
    assert "no_such_envelope" in vet.run("save", case, "nonsense", code=4).err
    assert "no_files" in vet.run("save", case, sent, code=4).err


def test_a_text_may_come_from_standard_input(luna: tuple[str, Person], vet: Person) -> None:
    """For long ones, and for pipes."""
    case, anna = luna
    anna.run("send", case, "--text", "-", text="from a pipe\nwith two lines\n")
    assert ["from a pipe\nwith two lines"] == [entry["text"] for entry in vet.json("read", case)["entries"]]


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        ([], "nothing_to_send", 3),
        (["--text", "x" * 200_001], "too_large", 3),
        (["no-such-file"], "usage", 2),
        (["--purpose", "fun", "--text", "x"], "usage", 2),
    ],
)
def test_what_cannot_be_sent_is_refused_before_anything_is(
    luna: tuple[str, Person], words: list[str], code: str, exit_code: int
) -> None:
    """Neither text nor file, a text beyond all bounds, a file that is not there."""
    assert f"code   {code}" in luna[1].run("send", luna[0], *words, code=exit_code).err


def test_what_others_wrote_is_shown_and_not_obeyed(luna: tuple[str, Person], vet: Person) -> None:
    """Escape sequences in a text are signs on the screen; in JSON they are what was written."""
    case, anna = luna
    anna.run("send", case, "--text", "\x1b]0;owned\a\x1b[2J")
    shown = vet.run("read", case).out
    assert "\x1b" not in shown
    assert "␛]0;owned␇␛[2J" in shown
    assert "\x1b]0;owned\a\x1b[2J" == vet.json("read", case)["entries"][0]["text"]


def test_verify_checks_everything_again(luna: tuple[str, Person], vet: Person) -> None:
    """Positions, statements, messages; nothing wrong."""
    case, anna = luna
    anna.run("send", case, "--text", "hello")
    for person in (anna, vet):
        told = person.json("verify", case)
        assert [] == told["problems"]
        assert told["positions"] == told["statements"] + told["envelopes"] + told["not_for_us"]
        assert "everything holds" in person.run("verify", case).out


def test_a_tampered_journal_is_found_out(luna: tuple[str, Person], vet: Person) -> None:
    """Whoever changed this device's own records is found out."""
    case, anna = luna
    anna.run("send", case, "--text", "hello")
    with sqlite3.connect(anna.home / "journal.sqlite3") as journal:
        journal.execute("UPDATE cases SET head = (SELECT entry FROM log LIMIT 1) WHERE id = ?", (case,))
    journal.close()
    assert "code   journal_damaged" in anna.run("verify", case, code=1).err


def test_a_relay_that_is_away_is_said_and_reading_goes_on(luna: tuple[str, Person]) -> None:
    """What was received stays readable; a message is kept, and goes with the next command."""
    case, anna = luna
    anna.run("send", case, "--text", "before")
    shown = anna.run("read", case, VETRELAY_RELAY=AWAY)
    assert "before" in shown.out
    assert "cannot be reached" in shown.err
    assert "code   unreachable" in anna.run("send", case, "--text", "while away", code=1, VETRELAY_RELAY=AWAY).err
    assert "code   unreachable" in anna.run("receive", code=1, VETRELAY_RELAY=AWAY).err
    anna.run("send", case, "--text", "after")
    texts = [entry["text"] for entry in anna.json("read", case)["entries"]]
    assert ["before", "while away", "after"] == texts


def test_what_was_refused_later_is_told_with_its_words(luna: tuple[str, Person], vet: Person) -> None:
    """A message that waited until the case was closed is not lost silently."""
    case, anna = luna
    anna.run("send", case, "--text", "too late, alas", code=1, VETRELAY_RELAY=AWAY)
    vet.run("case", "close", case)
    told = anna.run("receive", code=None).err
    assert "too late, alas" in told
    assert "code   case_closed" in told
    assert "too late" not in anna.run("receive", code=None).err


def test_a_receiver_outlives_a_short_absence_of_the_relay(luna: tuple[str, Person]) -> None:
    """Waiting, an unreachable relay is tried again until the time is over."""
    _, anna = luna
    ended = anna.run("receive", "--wait", "2", code=1, VETRELAY_RELAY=AWAY)
    assert "code   unreachable" in ended.err


def test_the_json_document_is_all_there_is_on_standard_output(luna: tuple[str, Person]) -> None:
    """In a process of its own, with everything that libraries might print."""
    case, anna = luna
    for words in (("read", case), ("case", "show", case), ("case", "list"), ("verify", case), ("receive",)):
        done = type_command(*words, "--json", home=anna.home)
        assert done.code in (0, 4)
        json.loads(done.out)


def waiting_receiver(person: Person) -> "subprocess.Popen[str]":
    """`receive --wait` in a process of its own, once it is at work in its home."""
    process = subprocess.Popen(
        [*PROGRAM, "--home", str(person.home), "receive", "--wait", "60", "--json"],
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    journal = str(person.home / "journal.sqlite3")
    while process.poll() is None:
        with suppress(OSError):  # a descriptor may be gone by the time it is looked at
            if any(journal == str(path.readlink()) for path in Path(f"/proc/{process.pid}/fd").iterdir()):
                return process
        time.sleep(0.01)
    raise AssertionError(process.communicate())


def test_one_may_wait_and_write_in_one_home_at_once(luna: tuple[str, Person], vet: Person) -> None:
    """A receiver that waits keeps no other command of its person from working."""
    case, anna = luna
    process = waiting_receiver(vet)
    vet.run("send", case, "--text", "I am here")
    anna.run("send", case, "--text", "so am I")
    out, _ = process.communicate(timeout=90)
    assert ["so am I"] == [entry["text"] for one in json.loads(out)["cases"] for entry in one["entries"]]


def test_a_command_that_is_stopped_says_so(luna: tuple[str, Person]) -> None:
    """Ctrl-C: no traceback, and the code that shells know."""
    process = waiting_receiver(luna[1])
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (130, "") == (process.returncode, out)
    assert "vetrelay: stopped; repeat the command to go on where it was" in err
    assert "Traceback" not in err


def test_purposes_are_those_of_the_file_check() -> None:
    """What a sender can say is what the file check understands."""
    from vetrelay.inspection.policy import CLOSE_LOOK_PURPOSES

    assert CLOSE_LOOK_PURPOSES == set(message.PURPOSES)
