"""A file of any size is sealed, sent and fetched in constant memory."""

import os
import resource
import subprocess
from pathlib import Path

import pytest

from tests.gateway import PROGRAM, Gateway, Person, clean_environment

MiB = 1024 * 1024
MOST_GROWTH_BYTES = 32 * MiB


def peak_bytes(home: Path, *words: str) -> int:
    """The peak memory of one command in a process of its own."""
    process = subprocess.Popen(
        [*PROGRAM, "--home", str(home), *words], env=clean_environment(), stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert 0 == process.returncode
    assert isinstance(usage, resource.struct_rusage)
    return usage.ru_maxrss * 1024


def a_file(path: Path, size_bytes: int) -> Path:
    """A file that is no known type, so that its way is that of any record."""
    with path.open("wb") as file:
        file.write(b"\x01record\x02")
        file.truncate(size_bytes)
    return path


def there_and_back(gateway: Gateway, folder: Path, size_bytes: int) -> tuple[int, int]:
    """Peak memory of sending a file of this size and of saving it again, byte for byte."""
    vet = gateway.clinic(folder / "vet")
    case, owner = gateway.case(vet, folder / "owner")
    peaks = {}
    for name, bytes_now in (("small.bin", MiB), ("large.bin", size_bytes)):
        sent = a_file(folder / name, bytes_now)
        up = peak_bytes(owner.home, "send", case, "--text", name, str(sent))
        envelope = last_envelope(owner, case)
        down = peak_bytes(owner.home, "save", case, envelope, "--original", "--out", str(folder / "out"))
        saved = folder / "out" / f"{name}.unsafe"
        assert bytes_now == saved.stat().st_size
        subprocess.run(["cmp", sent, saved], check=True)
        peaks[name] = (up, down)
        sent.unlink()
        saved.unlink()
    return tuple(peaks["large.bin"][way] - peaks["small.bin"][way] for way in (0, 1))  # type: ignore[return-value]  # two ways


def last_envelope(owner: Person, case: str) -> str:
    """The envelope that was sent last."""
    return str(owner.json("read", case)["entries"][-1]["envelope"])


def test_a_file_of_192_mib_takes_no_more_memory_than_one_of_1_mib(gateway: Gateway, tmp_path: Path) -> None:
    """Sealing, sending, fetching and opening hold a few pieces, never the file."""
    growth = there_and_back(gateway, tmp_path, 192 * MiB)
    assert max(growth) < MOST_GROWTH_BYTES, growth


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_file_of_2_gib_takes_no_more_memory_than_one_of_1_mib(gateway: Gateway, tmp_path: Path) -> None:
    """The same at the largest size that the relay takes by default."""
    growth = there_and_back(gateway, tmp_path, 2048 * MiB)
    print(f"2 GiB: sending grew by {growth[0] / MiB:.1f} MiB, saving by {growth[1] / MiB:.1f} MiB")
    assert max(growth) < MOST_GROWTH_BYTES, growth
