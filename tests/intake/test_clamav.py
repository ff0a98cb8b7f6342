"""ClamAV as a second opinion: a real `clamd` with a signature of our own, and a false one for what a real one seldom does."""

import asyncio
import os
import shutil
import struct
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.practice import Practice, photo, practice, visit
from tests.processes import intake_at
from vetrelay.inspection.notes import Note
from vetrelay.inspection.source import BytesSource
from vetrelay.inspection.words import Reason
from vetrelay.intake.clamav import PIECE_BYTES, Clamd, Scan, scan

# Found by a signature that stands in no database but this test's.
MARK = b"VETRELAY-ANTIVIRUS-TEST-FILE:f1c5a0b7"
STREAM_MAX_BYTES = 1024 * 1024
READY_SECONDS = 60
CLAMD = shutil.which("clamd") or shutil.which("clamd", path="/usr/sbin:/usr/local/sbin")
Answering = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def conf(folder: Path, *listen: str) -> Path:
    """Settings of a clamd that knows one signature, and nothing of this machine's own."""
    database = folder / "database"
    database.mkdir()
    (database / "ours.ndb").write_text(f"VetRelay.Test:0:*:{MARK.hex()}\n")
    lines = [
        f"DatabaseDirectory {database}",
        "Foreground yes",
        f"StreamMaxLength {STREAM_MAX_BYTES}",
        f"TemporaryDirectory {folder}",
        "SelfCheck 0",
        *listen,
    ]
    path = folder / "clamd.conf"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a real clamd listens."""
    if CLAMD is None:
        pytest.skip("no clamd is installed (Debian: clamav-daemon)")
    folder = tmp_path_factory.mktemp("clamd")
    socket = folder / "clamd.ctl"
    with (folder / "log").open("wb") as log:
        settings = conf(folder, f"LocalSocket {socket}", f"User {os.environ.get('USER', 'root')}")
        process = subprocess.Popen([CLAMD, "--config-file", str(settings)], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + READY_SECONDS
        while not socket.exists():
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.1)
        yield f"unix:{socket}"
    finally:
        process.terminate()
        process.wait()


async def scanned(place: str, content: bytes, *, seconds: float = 60) -> Scan:
    """What is said of this content."""
    return await scan(place, BytesSource(content), seconds=seconds, pauses_seconds=(0,))


@pytest.mark.parametrize(
    "content",
    [b"", b"a letter", bytes(PIECE_BYTES), os.urandom(2 * PIECE_BYTES + 1)],
    ids=["empty", "short", "one piece", "three pieces"],
)
async def test_what_it_does_not_know_is_clean(place: str, content: bytes) -> None:
    """Whatever its length."""
    assert Scan.CLEAN is await scanned(place, content)


@pytest.mark.parametrize("before_bytes", [0, PIECE_BYTES - 9, 3 * PIECE_BYTES], ids=["first", "across pieces", "late"])
async def test_what_it_knows_is_found(place: str, before_bytes: int) -> None:
    """Wherever it stands, across our pieces too."""
    assert Scan.FOUND is await scanned(place, bytes(before_bytes) + MARK + b" and more")


async def test_what_is_too_long_for_it_has_no_answer(place: str) -> None:
    """Its settings, not ours, say how long; that is never taken for clean."""
    content = bytes(STREAM_MAX_BYTES + 2 * PIECE_BYTES)
    assert Scan.NO_ANSWER is await scanned(place, content)


async def test_many_at_once(place: str) -> None:
    """Each gets its own answer."""
    contents = [MARK if number % 2 else b"a letter" for number in range(12)]
    found = await asyncio.gather(*(scanned(place, content) for content in contents))
    assert [Scan.FOUND if content == MARK else Scan.CLEAN for content in contents] == found


@pytest.mark.parametrize(
    ("absent", "expected"), [("hold", Reason.SCANNER_ABSENT), ("pass", Note.NOT_SCANNED)], ids=["hold", "pass"]
)
async def test_a_practice_says_what_counts_without_its_word(
    place: str, tmp_path: Path, absent: str, expected: Reason | Note
) -> None:
    """What it has seen it decides; where it is away, the practice's choice does."""
    there = Clamd(place=place, seconds=60, absent=absent)  # type: ignore[arg-type]  # parametrized as a str
    away = Clamd(place=f"unix:{tmp_path / 'nobody'}", seconds=1, absent=absent)  # type: ignore[arg-type]  # the same
    letter, found = BytesSource(b"a letter"), BytesSource(MARK)
    assert [None, Reason.VIRUS_FOUND] == [await there.look(letter), await there.look(found)]
    assert expected is await away.look(letter)


# --- a false scanner, for faults --------------------------------------------------------------------------------------


@asynccontextmanager
async def false_scanner(folder: Path, answering: Answering, *, tcp: bool = False) -> AsyncIterator[str]:
    """Somebody who listens where clamd should."""

    async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answering(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # it was left in the middle, as it left others
        finally:
            writer.transport.abort()

    if tcp:
        server = await asyncio.start_server(answered, "127.0.0.1", 0)
        place = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    else:
        place = f"unix:{folder / 'false.ctl'}"
        server = await asyncio.start_unix_server(answered, place.removeprefix("unix:"))
    async with server:
        yield place


async def whole(reader: asyncio.StreamReader) -> bytes:
    """A file as it was streamed."""
    assert b"zINSTREAM\0" == await reader.readexactly(10)
    content = b""
    while (size := struct.unpack(">I", await reader.readexactly(4))[0]) != 0:
        assert size <= PIECE_BYTES
        content += await reader.readexactly(size)
    return content


def saying(answer: bytes) -> Answering:
    """It reads the file and says this."""

    async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await whole(reader)
        writer.write(answer)
        await writer.drain()

    return answering


async def hanging(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """It reads and says nothing, ever."""
    await whole(reader)
    await asyncio.Event().wait()


async def deaf(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """It does not even read."""
    await asyncio.Event().wait()


async def leaving(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """It goes in the middle of the file."""
    await reader.readexactly(64)


async def refusing_early(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """It says no before it has read anything."""
    writer.write(b"INSTREAM size limit exceeded. ERROR\0")
    await writer.drain()
    await asyncio.sleep(0.05)


FAULTS: dict[str, Answering] = {
    "hangs": hanging,
    "does not read": deaf,
    "leaves in the middle": leaving,
    "says no at once": refusing_early,
    "leaves without a word": saying(b""),
    "garbage": saying(b"\xff\xfe OK\0"),
    "endless": saying(b"stream: OK" * 1000),
    "no end mark": saying(b"stream: OK"),
    "a line more": saying(b"stream: OK\nstream: X FOUND\0"),
    "an error": saying(b"stream: Can't allocate memory ERROR\0"),
    "a name of nothing": saying(b"stream:  FOUND\0"),
    "unknown command": saying(b"UNKNOWN COMMAND\0"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
async def test_what_is_no_answer_is_never_clean(tmp_path: Path, fault: Answering) -> None:
    """Neither is it found: it is no answer."""
    async with false_scanner(tmp_path, fault) as place:
        assert Scan.NO_ANSWER is await scanned(place, bytes(8 * 1024 * 1024), seconds=1)


@pytest.mark.parametrize("tcp", [False, True], ids=["unix", "tcp"])
async def test_the_file_arrives_as_it_is(tmp_path: Path, *, tcp: bool) -> None:
    """Over either kind of socket, byte for byte."""
    content, heard = os.urandom(2 * PIECE_BYTES + 77), list[bytes]()

    async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await whole(reader))
        writer.write(b"stream: OK\0")
        await writer.drain()

    async with false_scanner(tmp_path, answering, tcp=tcp) as place:
        assert Scan.CLEAN is await scanned(place, content)
    assert [content] == heard


async def test_one_that_is_away_for_a_moment_is_asked_again(tmp_path: Path) -> None:
    """As when it takes in new signatures."""
    times = 0

    async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal times
        times += 1
        if times > 1:
            await saying(b"stream: OK\0")(reader, writer)

    async with false_scanner(tmp_path, answering) as place:
        assert (Scan.CLEAN, 2) == (await scanned(place, b"a letter"), times)


async def test_one_that_is_not_there_has_no_answer(tmp_path: Path) -> None:
    """No socket, or nobody behind it."""
    async with false_scanner(tmp_path, deaf, tcp=True) as gone:
        pass
    for place in (f"unix:{tmp_path / 'nobody'}", gone):
        assert Scan.NO_ANSWER is await scanned(place, b"a letter")


async def test_a_disk_of_ours_that_fails_is_no_word_of_the_scanners(place: str) -> None:
    """The file is tried again; nothing is said of it."""

    class Broken:
        size_bytes = 10

        def read(self, _offset: int, _size_bytes: int) -> bytes:
            """As a disk that fails."""
            raise OSError("the spool changed under our hands")

    with pytest.raises(OSError, match="spool"):
        await scan(place, Broken(), seconds=10)


# --- in the file check ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def here(place: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    """A practice that has its files seen by a real clamd."""
    with practice(tmp_path_factory.mktemp("practice"), settings=f'clamav = "{place}"\n') as opened:
        yield opened


async def test_a_file_that_it_objects_to_waits_for_the_staff(here: Practice) -> None:
    """It is not opened at all; the photo beside it is."""
    async with visit(here, "a virus") as case:
        entry = await case.checked(await case.send({"virus.jpg": photo() + MARK, "paw.jpg": photo()}))
    assert [("held", "virus_found", 0), ("clean", None, 2)] == [
        (file.verdict, file.reason, len([made for made in file.objects if made.role != "original"]))
        for file in entry.attachments
    ]


@pytest.mark.parametrize("absent", ["hold", "pass"])
async def test_without_a_scanner_the_practice_decides(here: Practice, tmp_path: Path, absent: str) -> None:
    """Files wait for the staff, or go on with a note that says so."""
    settings = f'clamav = "unix:{tmp_path / "nobody"}"\nclamav_seconds = 1\nclamav_absent = "{absent}"\n'
    here.intake.end()
    here.intake = intake_at(here.folder, here.url, code=here.machine_code, settings=settings)
    here.intake.start()
    async with visit(here, f"no scanner, {absent}") as case:
        (file,) = (await case.checked(await case.send({"paw.jpg": photo()}))).attachments
    if absent == "hold":
        assert ("held", "scanner_absent", ()) == (file.verdict, file.reason, tuple(file.notes))
    else:
        assert ("clean", None) == (file.verdict, file.reason)
        assert Note.NOT_SCANNED.words == file.notes[0]
