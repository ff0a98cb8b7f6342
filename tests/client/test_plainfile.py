"""Plain files: complete or not there, overwriting nothing (N12, N51)."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from vetrelay.client.plainfile import find_saved, free_path, open_into
from vetrelay.errors import Refusal
from vetrelay.protocol.age.stream import CHUNK_BYTES, NONCE_BYTES, TAG_BYTES, StreamSealer
from vetrelay.protocol.ids import b64, sha256

KEY = bytes(range(16))
PLAIN = bytes(range(256)) * 1024  # four chunks exactly
SEALED_CHUNK = CHUNK_BYTES + TAG_BYTES


def sealed(plain: bytes = PLAIN) -> bytes:
    """A payload."""
    sealer = StreamSealer(KEY, bytes(16))
    return b"".join(sealer.update(plain) + sealer.finish())


def chunks(payload: bytes) -> list[bytes]:
    """Its nonce, then its sealed chunks."""
    rest = payload[NONCE_BYTES:]
    return [payload[:NONCE_BYTES], *(rest[at : at + SEALED_CHUNK] for at in range(0, len(rest), SEALED_CHUNK))]


def opened(tmp_path: Path, payload: bytes, *, plain: bytes = PLAIN, name: str = "photo.jpg") -> Path:
    """Opens a payload into a folder of its own."""
    (tmp_path / "payload").write_bytes(payload)
    folder = tmp_path / "out"
    folder.mkdir(exist_ok=True)
    return open_into(tmp_path / "payload", folder, name, KEY, plain_sha256=b64(sha256(plain)))


@pytest.fixture(params=["unnamed", "hidden"])
def file_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system with files that have no name, and one without: a memory stick."""
    if request.param == "hidden":
        monkeypatch.setattr(os, "O_TMPFILE", os.O_DIRECTORY)  # what a kernel without it makes of it: EISDIR


@pytest.mark.usefixtures("file_system")
def test_a_file_is_opened_under_its_name(tmp_path: Path) -> None:
    """And nothing else is left in the folder."""
    path = opened(tmp_path, sealed())
    assert tmp_path / "out" / "photo.jpg" == path
    assert PLAIN == path.read_bytes()
    assert [path] == list((tmp_path / "out").iterdir())


@pytest.mark.usefixtures("file_system")
def test_a_name_that_is_taken_is_left_alone(tmp_path: Path) -> None:
    """A file, a folder and a dangling link under the wished names stay what they are."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "photo.jpg").write_text("mine")
    (folder / "photo (2).jpg").mkdir()
    (folder / "photo (3).jpg").symlink_to(tmp_path / "nowhere")
    assert folder / "photo (4).jpg" == free_path(folder, "photo.jpg")
    assert folder / "photo (4).jpg" == opened(tmp_path, sealed())
    assert "mine" == (folder / "photo.jpg").read_text()
    assert not (tmp_path / "nowhere").exists()


BROKEN: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "swapped": lambda parts: [parts[0], parts[2], parts[1], *parts[3:]],
    "doubled": lambda parts: [*parts[:2], parts[1], *parts[2:]],
    "last dropped": lambda parts: parts[:-1],
    "cut in the last": lambda parts: [*parts[:-1], parts[-1][:-1]],
    "bytes after the end": lambda parts: [*parts, b"\0"],
    "nonce alone": lambda parts: parts[:1],
    "empty": lambda _parts: [],
    "one bit": lambda parts: [*parts[:2], bytes([parts[2][0] ^ 1]) + parts[2][1:], *parts[3:]],
}


@pytest.mark.usefixtures("file_system")
@pytest.mark.parametrize("how", BROKEN)
def test_of_a_payload_that_is_not_whole_nothing_is_written(tmp_path: Path, how: str) -> None:
    """(N12, N51) Not even its good first chunks, under any name."""
    with pytest.raises(Refusal) as refused:
        opened(tmp_path, b"".join(BROKEN[how](chunks(sealed()))))
    assert "cannot_open" == refused.value.code
    assert [] == list((tmp_path / "out").iterdir())


@pytest.mark.usefixtures("file_system")
def test_another_plaintext_than_its_author_signed_is_not_written(tmp_path: Path) -> None:
    """A whole payload under the right key, and the wrong content."""
    with pytest.raises(Refusal) as refused:
        opened(tmp_path, sealed(b"another"))
    assert "binding_differs" == refused.value.code
    assert [] == list((tmp_path / "out").iterdir())


def test_what_was_saved_before_is_found_under_any_of_its_names(tmp_path: Path) -> None:
    """A command that is repeated after a kill writes nothing twice."""
    (tmp_path / "photo.jpg").write_bytes(b"another")
    (tmp_path / "photo (2).jpg").write_bytes(PLAIN)
    wanted = {"sha256": b64(sha256(PLAIN)), "size_bytes": len(PLAIN)}
    assert tmp_path / "photo (2).jpg" == find_saved(tmp_path, "photo.jpg", **wanted)  # type: ignore[arg-type]  # two keywords in one
    assert find_saved(tmp_path, "other.jpg", **wanted) is None  # type: ignore[arg-type]  # the same


KILLED = textwrap.dedent("""
    import os, signal, sys
    from pathlib import Path
    from vetrelay.client import plainfile
    seen = 0
    def write(*_arguments):
        raise SystemExit
    class Opener(plainfile.PayloadOpener):
        def finish(self):
            os.kill(os.getpid(), signal.SIGKILL)
    plainfile.PayloadOpener = Opener
    plainfile.open_into(Path(sys.argv[1]), Path(sys.argv[2]), "photo.jpg", bytes(range(16)), plain_sha256="")
""")


def test_a_kill_while_opening_leaves_nothing(tmp_path: Path) -> None:
    """All but the last byte has been opened when it happens."""
    (tmp_path / "payload").write_bytes(sealed())
    folder = tmp_path / "out"
    folder.mkdir()
    try:
        os.close(os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600))
    except OSError:
        pytest.skip("this file system knows no files without a name")
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "payload"), str(folder)], check=False)
    assert -9 == done.returncode
    assert [] == list(folder.iterdir())
