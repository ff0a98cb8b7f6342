"""Payloads as local files: `blobs/ab/cd/<sha256>` at rest, `incoming/<upload>` while they arrive (relay.md, Blobs).

No library writes files that survive a power cut, so these are our own: written by threads of our own pool, so
that the event loop never waits for a disk; hashed while they arrive; linked to their name only when durable.
A payload keeps its incoming file until its row is committed, so no crash takes back a byte that was acknowledged.
"""

import asyncio
import os
import re
import shutil
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from vetrelay.errors import Fault
from vetrelay.protocol.ids import Hash, b64, unb64
from vetrelay.relay.blobs.partial import FilePartial, Home, Progress, disk_faults, sync_folder

READ_BYTES: Final = 256 * 1024
MAX_KNOWN_PARTIALS: Final = 10_000
NAME: Final = re.compile(r"[0-9a-f]{64}(\.chunk)?")
T = TypeVar("T")


class FileBlobs:
    """A folder of payloads. `workers` threads do all file work; one process at a time uses the folder."""

    def __init__(self, folder: Path, *, workers: int = 8) -> None:
        self._blobs = folder / "blobs"
        self._incoming = folder / "incoming"
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="blobs")
        self._naming = threading.Lock()  # a blob is never removed between being found old and being named anew
        self._progress: dict[str, Progress] = {}
        self._shards: set[Path] = set()

    async def open(self) -> None:
        """Make the folders, durably, and prove that the file system can do what is needed of it.

        Raises Fault `blobs_unfit` where files cannot be linked, `storage_full` or `storage_failed`.
        """
        await self._run(self._open)

    async def close(self) -> None:
        """Wait for what the threads are doing, and end them."""
        await asyncio.get_running_loop().run_in_executor(None, self._pool.shutdown)

    async def partial(self, upload: Hash) -> FilePartial:
        """The incoming file of an upload, made if need be, durable as far as it goes, and its hash so far.

        The caller holds the upload's turn until it closed this. After a restart the hash is computed anew, once.
        """
        return await self._run(lambda: self._partial(upload))

    async def received_bytes(self, upload: Hash) -> int:
        """How much of an upload is durable here; 0 where nothing arrived yet."""
        known = self._progress.get(upload)
        if known is not None:
            return known.offset_bytes
        if not await self._run((self._incoming / _hex(upload)).exists):
            return 0
        opened = await self.partial(upload)
        await opened.close()
        return opened.offset_bytes

    async def drop(self, upload: Hash) -> None:
        """Remove an upload's incoming file, if there is one. Need not be durable: a sweep repeats it."""
        self._progress.pop(upload, None)
        path = self._incoming / _hex(upload)
        for file in (path, path.with_suffix(".chunk")):
            await self._run(partial(file.unlink, missing_ok=True))

    async def size_bytes(self, p: Hash) -> int | None:
        """The size of a payload at rest, or None where there is none."""
        try:
            return (await self._run(self._path(p).stat)).st_size
        except FileNotFoundError:
            return None

    async def read(self, p: Hash, *, start_bytes: int, size_bytes: int) -> AsyncGenerator[bytes, None]:
        """Exactly `size_bytes` of a payload from `start_bytes`, in pieces.

        Raises Fault `blob_missing` where the file is gone or shorter.
        """
        try:
            file = await self._run(lambda: os.open(self._path(p), os.O_RDONLY | os.O_CLOEXEC))
        except FileNotFoundError as gone:
            raise Fault("blob_missing", p=p) from gone
        try:
            end = start_bytes + size_bytes
            while start_bytes < end:
                piece = await self._run(partial(os.pread, file, min(READ_BYTES, end - start_bytes), start_bytes))
                if not piece:
                    raise Fault("blob_missing", p=p)
                start_bytes += len(piece)
                yield piece
        finally:
            os.close(file)

    async def remove(self, p: Hash, *, before_ms: int) -> bool:
        """Remove a payload last named before this time; the caller knows that no row names it. True if it is gone."""
        return await self._run(lambda: self._remove(self._path(p), before_ms))

    async def named_before(self, before_ms: int) -> AsyncIterator[list[Hash]]:
        """All payloads at rest that were last named before this time, in batches (for the sweep)."""
        for shard in await self._run(lambda: sorted(self._blobs.iterdir())):
            found = await self._run(partial(_old_files, shard.glob("*/*"), before_ms))
            if found:
                yield [b64(bytes.fromhex(path.name)) for path in found]

    async def received_before(self, before_ms: int) -> list[Hash]:
        """The uploads whose incoming files were last written before this time (for the sweep)."""
        found = await self._run(lambda: _old_files(self._incoming.iterdir(), before_ms))
        return sorted({b64(bytes.fromhex(path.stem)) for path in found})

    async def free_bytes(self) -> int:
        """How much the disk still takes from us."""
        return await self._run(lambda: shutil.disk_usage(self._blobs).free)

    def _open(self) -> None:
        with disk_faults():
            for folder in (self._blobs, self._incoming):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                sync_folder(folder.parent)
            for number in range(256):
                (self._blobs / f"{number:02x}").mkdir(mode=0o700, exist_ok=True)
            sync_folder(self._blobs)
        probe = f".probe-{os.getpid()}"
        first, second = self._incoming / probe, self._blobs / probe
        try:
            first.write_bytes(b"")
            second.unlink(missing_ok=True)
            second.hardlink_to(first)
        except OSError as unfit:
            raise Fault("blobs_unfit") from unfit
        finally:
            for file in (first, second):
                with suppress(OSError):
                    file.unlink(missing_ok=True)

    def _partial(self, upload: Hash) -> FilePartial:
        home = Home(run=self._run, remember=self._remember(upload), place=self._place)
        return FilePartial.open(self._incoming / _hex(upload), known=self._progress.get(upload), home=home)

    def _remember(self, upload: Hash) -> Callable[[Progress], None]:
        def remember(progress: Progress) -> None:
            # Only durable progress is remembered; the oldest is forgotten first and can be computed anew.
            self._progress.pop(upload, None)
            self._progress[upload] = progress
            if len(self._progress) > MAX_KNOWN_PARTIALS:
                self._progress.pop(next(iter(self._progress)), None)

        return remember

    def _place(self, incoming: Path, p: Hash) -> None:
        path = self._path(p)
        with disk_faults(), self._naming:
            self._make_shard(path.parent)
            os.utime(incoming)  # the age of a blob counts from its naming, not from its last byte
            try:
                path.hardlink_to(incoming)
            except FileExistsError:
                os.utime(path)  # the same payload was stored before: it starts to be young again
            sync_folder(path.parent)

    def _make_shard(self, shard: Path) -> None:
        # Made when first needed: all 65,536 in advance would be 260 MB of empty folders and seconds of every first start.
        if shard not in self._shards:
            shard.mkdir(mode=0o700, exist_ok=True)
            sync_folder(shard.parent)
            self._shards.add(shard)

    def _remove(self, path: Path, before_ms: int) -> bool:
        with disk_faults(), self._naming:
            try:
                if path.stat().st_mtime_ns // 1_000_000 >= before_ms:
                    return False
                path.unlink()
            except FileNotFoundError:
                return True
            return True

    def _path(self, p: Hash) -> Path:
        name = _hex(p)
        return self._blobs / name[:2] / name[2:4] / name

    async def _run(self, job: Callable[[], T]) -> T:
        running = asyncio.get_running_loop().run_in_executor(self._pool, job)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            # A thread cannot be stopped: whoever has the next turn must find it finished.
            await asyncio.wait([running])
            raise


def _hex(name: Hash) -> str:
    return unb64(name, 32).hex()


def _old_files(paths: Iterable[Path], before_ms: int) -> list[Path]:
    found = []
    for path in paths:
        with suppress(FileNotFoundError):  # finished or dropped meanwhile
            if NAME.fullmatch(path.name) and path.stat().st_mtime_ns // 1_000_000 < before_ms:
                found.append(path)
    return found
