"""The file store keeps the contract of every store, and what only files can promise."""

import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contracts.blob_store import PAYLOAD, UPLOAD, BlobStoreContract, P, read_all, receive
from vetrelay.errors import Fault
from vetrelay.protocol.ids import b64, sha256, unb64
from vetrelay.relay.blobs.files import FileBlobs
from vetrelay.relay.payloads import Blobs


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[FileBlobs]:
    """An opened, empty store in a folder of its own."""
    blobs = FileBlobs(tmp_path, workers=2)
    await blobs.open()
    yield blobs
    await blobs.close()


class TestFileBlobs(BlobStoreContract):
    """The contract, on files."""


def incoming_file(folder: Path, upload: str = UPLOAD) -> Path:
    """Where an upload's bytes lie while they arrive."""
    return folder / "incoming" / unb64(upload).hex()


async def test_a_blob_lies_under_its_hash_and_nobody_else_reads_it(store: FileBlobs, tmp_path: Path) -> None:
    """blobs/ab/cd/<sha256 hex>, readable by the relay's own user alone."""
    await receive(store, PAYLOAD)
    name = unb64(P).hex()
    path = tmp_path / "blobs" / name[:2] / name[2:4] / name
    assert PAYLOAD == path.read_bytes()
    assert 0o600 == path.stat().st_mode & 0o777
    assert 0o700 == path.parent.stat().st_mode & 0o777


async def test_after_a_restart_an_upload_goes_on_where_it_was(store: FileBlobs, tmp_path: Path) -> None:
    """A new process finds the bytes, computes their hash anew, and names the whole by the right hash."""
    partial = await store.partial(UPLOAD)
    await partial.append([PAYLOAD[:777_777]])
    await partial.sync()
    await partial.close()
    reopened = FileBlobs(tmp_path, workers=2)
    await reopened.open()
    assert 777_777 == await reopened.received_bytes(UPLOAD)
    partial = await reopened.partial(UPLOAD)
    await partial.append([PAYLOAD[777_777:]])
    await partial.sync()
    assert P == await partial.keep()
    await partial.close()
    assert PAYLOAD == await read_all(reopened, P)
    await reopened.close()


async def test_bytes_that_were_never_vouched_for_do_not_survive_a_restart(store: FileBlobs, tmp_path: Path) -> None:
    """What a killed process held back for a checksum lies in a file of its own, and the sweep lists it."""
    partial = await store.partial(UPLOAD)
    await partial.append([b"good"])
    await partial.sync()
    await partial.hold()
    await partial.append([b"unchecked"])
    reopened = FileBlobs(tmp_path, workers=2)
    await reopened.open()
    assert 4 == await reopened.received_bytes(UPLOAD)
    assert incoming_file(tmp_path).with_suffix(".chunk").exists()
    await reopened.drop(UPLOAD)
    assert [] == list((tmp_path / "incoming").iterdir())
    await reopened.close()
    await partial.close()


async def test_the_same_payload_again_is_young_again(store: FileBlobs) -> None:
    """A blob that a new upload just named is not swept for the age of the first one."""
    await receive(store, PAYLOAD)
    name = unb64(P).hex()
    path = store._blobs / name[:2] / name[2:4] / name
    os.utime(path, (1, 1))
    await receive(store, PAYLOAD)
    assert not await store.remove(P, before_ms=10_000)
    assert PAYLOAD == await read_all(store, P)


async def test_a_failed_write_takes_nothing_back(store: FileBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills up in the middle of a write: what was there stays, exactly, and the upload can go on."""
    partial = await store.partial(UPLOAD)
    await partial.append([PAYLOAD[:1_000]])
    await partial.sync()
    really, calls = os.pwritev, []

    def fills_up(file: int, pieces: list[bytes | memoryview], at: int) -> int:
        calls.append(at)
        if len(calls) == 1:
            return really(file, [memoryview(pieces[0])[:10]], at)
        raise OSError(errno.ENOSPC, "planted")

    with monkeypatch.context() as planted:
        planted.setattr(os, "pwritev", fills_up)
        with pytest.raises(Fault, match="storage_full"):
            await partial.append([PAYLOAD[1_000:]])
    assert [1_000, 1_010] == calls
    assert 1_000 == partial.offset_bytes
    await partial.append([PAYLOAD[1_000:]])
    await partial.sync()
    assert P == await partial.keep()
    await partial.close()


async def test_a_failed_sync_gives_up_what_may_be_lost(
    store: FileBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a failed fdatasync only what was durable before it counts: a second one would report a false success."""
    partial = await store.partial(UPLOAD)
    await partial.append([b"durable"])
    await partial.sync()
    await partial.append([b" lost"])

    def breaks(_file: int) -> None:
        raise OSError(errno.EIO, "planted")

    with monkeypatch.context() as planted:
        planted.setattr(os, "fdatasync", breaks)
        with pytest.raises(Fault, match="storage_failed"):
            await partial.sync()
    await partial.close()
    assert 7 == await store.received_bytes(UPLOAD)
    assert b"durable" == incoming_file(tmp_path).read_bytes()


async def test_a_short_write_is_continued(store: FileBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may take less than it was given; the rest follows."""
    really = os.pwritev

    def writes_little(file: int, pieces: list[bytes | memoryview], at: int) -> int:
        return really(file, [memoryview(pieces[0])[:100_000]], at)

    monkeypatch.setattr(os, "pwritev", writes_little)
    pieces = [PAYLOAD[:300_001], PAYLOAD[300_001:300_002], PAYLOAD[300_002:]]
    partial = await store.partial(UPLOAD)
    await partial.append(pieces)
    await partial.sync()
    assert P == await partial.keep()
    await partial.close()
    assert PAYLOAD == await read_all(store, P)


async def test_many_tiny_pieces_are_one_write_after_another(store: FileBlobs) -> None:
    """More pieces than one gathered write takes."""
    partial = await store.partial(UPLOAD)
    await partial.append([bytes([number % 251]) for number in range(2_000)])
    await partial.sync()
    assert b64(sha256(bytes(number % 251 for number in range(2_000)))) == await partial.keep()
    await partial.close()


async def test_the_past_is_remembered_within_bounds(store: FileBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes under way are kept for the newest uploads; an older one is computed anew."""
    monkeypatch.setattr("vetrelay.relay.blobs.files.MAX_KNOWN_PARTIALS", 2)
    uploads = [b64(sha256(bytes([number]))) for number in range(3)]
    for upload in uploads:
        partial = await store.partial(upload)
        await partial.append([b"abc"])
        await partial.sync()
        await partial.close()
    assert uploads[1:] == list(store._progress)
    assert 3 == await store.received_bytes(uploads[0])


async def test_a_blob_cut_short_by_others_is_a_fault(store: FileBlobs, tmp_path: Path) -> None:
    """A file that is shorter than its row says is never served as if it were whole."""
    await receive(store, PAYLOAD)
    name = unb64(P).hex()
    os.truncate(tmp_path / "blobs" / name[:2] / name[2:4] / name, 100)
    with pytest.raises(Fault, match="blob_missing"):
        await read_all(store, P)


async def test_a_file_system_without_links_is_refused_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot keep the promise is said at the start, not in the middle of somebody's upload."""

    def cannot(_source: Path, _target: Path) -> None:
        raise OSError(errno.EPERM, "planted")

    blobs = FileBlobs(tmp_path, workers=1)
    monkeypatch.setattr(Path, "hardlink_to", cannot)
    with pytest.raises(Fault, match="blobs_unfit"):
        await blobs.open()
    await blobs.close()


async def test_files_of_others_in_the_folder_are_left_alone(store: FileBlobs, tmp_path: Path) -> None:
    """The sweep lists only names that are ours."""
    (tmp_path / "incoming" / "notes.txt").write_text("mine")
    (tmp_path / "blobs" / "00" / "00").mkdir()
    (tmp_path / "blobs" / "00" / "00" / ".hidden").write_text("mine")
    assert [] == await store.received_before(2**50)
    assert [] == [batch async for batch in store.named_before(2**50)]


def test_the_file_store_meets_its_port(tmp_path: Path) -> None:
    """mypy reads this line; at run time it is a store like any other."""
    blobs: Blobs = FileBlobs(tmp_path)
    assert blobs is not None
