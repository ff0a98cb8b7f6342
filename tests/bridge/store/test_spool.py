"""The spool: what it holds is secret, whole or not there, and never read past where it was changed."""

import os
import resource
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vetrelay.bridge.store.spool import Spool
from vetrelay.bridge.store.spoolfile import CHUNK_BYTES, HEAD_BYTES, SEALED_CHUNK_BYTES
from vetrelay.bridge.store.spoolkey import load_or_make_key
from vetrelay.errors import Fault

KEY = bytes(range(32))
CANARY = b"Biscuit was given 20 ml of xylazine"
SIZES = (0, 1, 1000, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 3 * CHUNK_BYTES + 17)


def spool_in(folder: Path, key: bytes = KEY) -> Spool:
    """A spool with real dice."""
    return Spool(folder, key, os.urandom)


def put(spool: Spool, content: bytes, *, piece_bytes: int = 50_000) -> str:
    """Writes a file in pieces; its id."""
    file = spool.begin()
    for start in range(0, len(content), piece_bytes):
        file.write(content[start : start + piece_bytes])
    file.finish()
    return file.id


def code_of(action: Callable[[], object]) -> str:
    """The code of the Fault that the action raises."""
    with pytest.raises(Fault) as caught:
        action()
    return caught.value.code


def everything_in(folder: Path) -> list[str]:
    """The names of all files below the folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("size_bytes", SIZES)
def test_a_finished_file_reads_as_it_was_written(tmp_path: Path, size_bytes: int) -> None:
    """At every boundary of the chunks: content, and size told from the outside."""
    spool, content = spool_in(tmp_path), os.urandom(size_bytes)
    name = put(spool, content)
    assert content == spool.read(name)
    assert size_bytes == spool.size_bytes(name)
    assert [f"new/{name}"] == everything_in(tmp_path)


@settings(max_examples=40)
@given(pieces=st.lists(st.integers(0, 100_000), max_size=8))
def test_how_a_file_was_cut_into_pieces_makes_no_difference(pieces: list[int]) -> None:
    """Whatever the network's chunks were, the content is their sum, in chunks of at most 64 KiB."""
    with tempfile.TemporaryDirectory() as folder:
        spool = spool_in(Path(folder))
        file, content = spool.begin(), os.urandom(sum(pieces))
        start = 0
        for size_bytes in pieces:
            file.write(content[start : start + size_bytes])
            start += size_bytes
        file.finish()
        chunks = list(spool.chunks(file.id))
        assert content == b"".join(chunks)
        assert max(map(len, chunks)) <= CHUNK_BYTES
        assert len(content) == file.size_bytes == spool.size_bytes(file.id)


def test_row_27_no_word_of_a_letter_stands_on_the_disk(tmp_path: Path) -> None:
    """Neither while it is written, nor in the finished file, nor after it was put aside; and no two files share a byte run."""
    spool = spool_in(tmp_path)
    file = spool.begin()
    file.write(CANARY * 10_000)
    assert b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()).find(CANARY[:8]) == -1
    file.finish()
    other = put(spool, CANARY * 10_000)
    first, second = (tmp_path / "new" / name for name in (file.id, other))
    assert CANARY[:8] not in first.read_bytes()
    assert first.read_bytes()[100:200] != second.read_bytes()[100:200]
    spool.put_aside(file.id)
    assert CANARY[:8] not in (tmp_path / "broken" / file.id).read_bytes()


def test_row_27_without_the_key_nothing_is_read(tmp_path: Path) -> None:
    """Another key is told apart from the right one, and gives no byte."""
    name = put(spool_in(tmp_path), CANARY)
    assert "spool_damaged" == code_of(lambda: spool_in(tmp_path, bytes(32)).read(name))


@pytest.mark.parametrize("size_bytes", [10, CHUNK_BYTES, 2 * CHUNK_BYTES + 500])
def test_row_27_every_cut_is_noticed_and_gives_only_verified_chunks(tmp_path: Path, size_bytes: int) -> None:
    """Cut anywhere, at the chunks' boundaries too: what comes before the Fault is a true beginning of the content."""
    spool, content = spool_in(tmp_path), os.urandom(size_bytes)
    name = put(spool, content)
    path = tmp_path / "new" / name
    whole = path.read_bytes()
    boundaries = {HEAD_BYTES + count * SEALED_CHUNK_BYTES for count in range(3)}
    near = {boundary + by for boundary in boundaries for by in (-1, 0, 1)}
    for length in sorted({0, 1, 17, 60, len(whole) - 1, *near, *range(0, len(whole), 9973)}):
        if 0 <= length < len(whole):
            path.write_bytes(whole[:length])
            assert_only_verified(spool, name, content)


@settings(max_examples=150)
@given(offset=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_row_27_every_changed_bit_is_noticed_and_gives_only_verified_chunks(offset: float, bit: int) -> None:
    """A bit turned anywhere in the file, its head included."""
    name, whole, content = SAMPLE
    with tempfile.TemporaryDirectory() as folder:
        spool = spool_in(Path(folder))
        changed = bytearray(whole)
        changed[int(offset * len(whole))] ^= 1 << bit
        (Path(folder) / "new" / name).write_bytes(changed)
        assert_only_verified(spool, name, content)


def assert_only_verified(spool: Spool, name: str, content: bytes) -> None:
    """Reading ends in `spool_damaged`, and what came before is how the content begins, in whole chunks."""
    taken = bytearray()

    def read() -> None:
        for chunk in spool.chunks(name):
            taken.extend(chunk)

    assert "spool_damaged" == code_of(read)
    assert content[: len(taken)] == bytes(taken)
    assert 0 == len(taken) % CHUNK_BYTES


def sample() -> tuple[str, bytes, bytes]:
    """A file of three chunks: name, bytes on disk, content."""
    with tempfile.TemporaryDirectory() as folder:
        spool, content = spool_in(Path(folder)), os.urandom(2 * CHUNK_BYTES + 5000)
        name = put(spool, content)
        return name, (Path(folder) / "new" / name).read_bytes(), content


SAMPLE = sample()


def test_row_27_bytes_after_the_end_are_noticed(tmp_path: Path) -> None:
    """Neither rubbish nor a second copy of the last chunk can be hung on."""
    spool = spool_in(tmp_path)
    name = put(spool, b"a letter")
    path = tmp_path / "new" / name
    whole = path.read_bytes()
    for more in (b"x", whole[HEAD_BYTES:]):
        path.write_bytes(whole + more)
        assert "spool_damaged" == code_of(lambda: spool.read(name))


def test_row_27_a_file_in_the_place_of_another_is_noticed(tmp_path: Path) -> None:
    """Whole and well sealed, but somebody else's: it does not read under this id."""
    spool = spool_in(tmp_path)
    one, other = put(spool, b"one"), put(spool, b"other")
    (tmp_path / "new" / one).rename(tmp_path / "new" / other)
    assert "spool_damaged" == code_of(lambda: spool.read(other))


def test_a_file_that_is_gone_or_misnamed_is_a_fault(tmp_path: Path) -> None:
    """A tampered table can name neither what is not there nor what is elsewhere."""
    spool = spool_in(tmp_path)
    (tmp_path / "secret").write_bytes(b"x")
    for name in ("a" * 26, "../secret", "", "A" * 26):
        assert "spool_damaged" == code_of(lambda name=name: spool.read(name))  # type: ignore[misc]  # mypy cannot infer it
        assert "spool_damaged" == code_of(lambda name=name: spool.size_bytes(name))  # type: ignore[misc]  # the same


def test_an_aborted_file_leaves_nothing(tmp_path: Path) -> None:
    """At any point, twice, and even when it was whole already; what it took is given back."""
    spool = spool_in(tmp_path)
    for finish in (False, True):
        file = spool.begin()
        file.write(os.urandom(200_000))
        assert spool.used_bytes > 0
        if finish:
            file.finish()
        file.abort()
        file.abort()
        assert [] == everything_in(tmp_path)
        assert 0 == spool.used_bytes


def test_files_end_by_destroy_or_in_broken(tmp_path: Path) -> None:
    """Both may be asked twice: a kill may have come between the deed and its row."""
    spool = spool_in(tmp_path)
    one, other = put(spool, b"one"), put(spool, b"other")
    for _ in range(2):
        spool.destroy(one)
        spool.put_aside(other)
    assert [f"broken/{other}"] == everything_in(tmp_path)
    assert not spool.holds(one)
    assert (tmp_path / "broken" / other).stat().st_size == spool.used_bytes


def test_what_the_spool_takes_is_known_and_found_again(tmp_path: Path) -> None:
    """Counted as it grows, and measured when a spool is opened."""
    spool = spool_in(tmp_path)
    assert 0 == spool.used_bytes
    name = put(spool, os.urandom(500_000))
    on_disk = (tmp_path / "new" / name).stat().st_size
    assert on_disk == spool.used_bytes == spool_in(tmp_path).used_bytes
    spool.destroy(name)
    assert 0 == spool.used_bytes
    assert 0 < spool.free_share() <= 1


def test_many_files_are_finished_at_once(tmp_path: Path) -> None:
    """Each is there whole; a letter that fails fails alone."""
    spool = spool_in(tmp_path)
    files = [spool.begin() for _ in range(20)]
    for number, file in enumerate(files):
        file.write(b"%d" % number * 10_000)
    (tmp_path / "tmp" / files[7].id).unlink()
    failed = spool.finish_all(files)
    assert {files[7].id: "storage_failed"} == {name: fault.code for name, fault in failed.items()}
    for number, file in enumerate(files):
        if number != 7:
            assert b"%d" % number * 10_000 == spool.read(file.id)
    files[7].abort()
    assert 19 == len(everything_in(tmp_path))


def test_a_sweep_removes_what_nobody_writes_and_nobody_knows(tmp_path: Path) -> None:
    """What is being written stays, by whatever process; what a row names stays; what is fresh may yet get its row."""
    spool = spool_in(tmp_path)
    known, orphan = put(spool, b"known"), put(spool, b"orphan")
    growing = spool.begin()
    growing.write(b"under way")
    (tmp_path / "tmp" / ("b" * 26)).write_bytes(b"left by a crash")
    assert 1 == spool_in(tmp_path).sweep({known})
    assert sorted([f"new/{known}", f"new/{orphan}", f"tmp/{growing.id}"]) == everything_in(tmp_path)
    os.utime(tmp_path / "new" / orphan, (0, 0))
    os.utime(tmp_path / "new" / known, (0, 0))
    assert 1 == spool.sweep({known})
    growing.finish()
    assert b"under way" == spool.read(growing.id)
    assert sorted([f"new/{known}", f"new/{growing.id}"]) == everything_in(tmp_path)


def test_only_its_owner_can_look_into_the_spool(tmp_path: Path) -> None:
    """0700 for folders, 0600 for files and key."""
    key = load_or_make_key(tmp_path, os.urandom)
    spool = Spool(tmp_path / "spool", key, os.urandom)
    name = put(spool, b"x")
    modes = {
        path: stat.S_IMODE((tmp_path / path).stat().st_mode) for path in ("spool.key", "spool/new", f"spool/new/{name}")
    }
    assert {"spool.key": 0o600, "spool/new": 0o700, f"spool/new/{name}": 0o600} == modes


def test_the_key_is_made_once_and_never_replaced(tmp_path: Path) -> None:
    """A second start reads it; a damaged one is a Fault, because a new one would lose every waiting letter."""
    key = load_or_make_key(tmp_path, os.urandom)
    assert 32 == len(key)
    assert key == load_or_make_key(tmp_path, os.urandom)
    assert ["spool.key"] == everything_in(tmp_path)
    (tmp_path / "spool.key").write_bytes(key[:31])
    assert "spool_key" == code_of(lambda: load_or_make_key(tmp_path, os.urandom))


def test_a_disk_that_is_full_is_storage_full_and_leaves_no_half_file(tmp_path: Path) -> None:
    """Shown by the limit on file sizes, which the kernel answers like a full disk; in a child, because it stays."""
    program = f"""
import os, resource, signal
from pathlib import Path
from vetrelay.bridge.store.spool import Spool
from vetrelay.errors import Fault
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, {resource.RLIM_INFINITY}))
spool = Spool(Path({str(tmp_path)!r}), bytes(32), os.urandom)
file = spool.begin()
try:
    for _ in range(10):
        file.write(os.urandom(50_000))
except Fault as fault:
    print(fault.code)
file.abort()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "storage_full" == done.stdout.strip()
    assert [] == everything_in(tmp_path)


def test_a_long_file_is_read_and_written_in_little_memory(tmp_path: Path) -> None:
    """64 MiB pass through a child that never holds more than a few of its chunks."""
    program = f"""
import os, resource
from pathlib import Path
from vetrelay.bridge.store.spool import Spool
spool = Spool(Path({str(tmp_path)!r}), bytes(32), os.urandom)
def rss_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
def once(count):
    file = spool.begin()
    for _ in range(count):
        file.write(bytes(100_000))
    file.finish()
    total = sum(map(len, spool.chunks(file.id)))
    spool.destroy(file.id)
    return total
once(10)
before = rss_bytes()
assert once(671) == 67_100_000
print(rss_bytes() - before)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 4 * 1024 * 1024


def test_a_writer_that_is_killed_leaves_whole_files_and_orphans_only(tmp_path: Path) -> None:
    """Killed by SIGKILL again and again: what it had called finished is there and reads; the rest is swept."""
    program = """
import os, sys
from pathlib import Path
from vetrelay.bridge.store.spool import Spool
spool = Spool(Path(sys.argv[1]), bytes(range(32)), os.urandom)
while True:
    file = spool.begin()
    file.write(file.id.encode() * 8000)
    file.finish()
    os.write(1, file.id.encode() + b"\\n")
"""
    finished: list[str] = []
    for round_ in range(6):
        with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            finished += [writer.stdout.readline().decode().strip() for _ in range(1 + 7 * round_)]
            writer.send_signal(signal.SIGKILL)
            finished += [line.decode().strip() for line in writer.stdout if line.endswith(b"\n")]
    spool = spool_in(tmp_path)
    names = {path.name for path in (tmp_path / "new").iterdir()}
    assert set(finished) <= names
    assert len(names) <= len(finished) + 6
    for name in names:  # the one that was renamed but not yet told is whole too
        assert name.encode() * 8000 == spool.read(name)
    spool.sweep(set(finished), older_than_seconds=0)
    assert sorted(f"new/{name}" for name in finished) == everything_in(tmp_path)
