"""The spool: letters on disk, encrypted, each either whole and durable or not there (email.md, durability rule).

    begin → tmp/ID grows → finish: fsync of the file, rename to new/ID, fsync of the folder → destroy, or put aside in broken/

A file is  MAGIC, its own key sealed under the spool's (SecretBox), a secretstream header, and then secretstream chunks
(XChaCha20-Poly1305) of 64 KiB, the last one tagged as last. Every chunk is bound to the file's id. So a file that was
cut, changed, or exchanged for another does not read.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from threading import Lock
from typing import Final

from nacl.secret import SecretBox

from vetrelay.bridge.store.sealing import Seals, new_id
from vetrelay.bridge.store.spoolfile import CHUNK_BYTES, HEAD_BYTES, SEALED_CHUNK_BYTES, SpoolFile, disk_faults, opened
from vetrelay.client.keyring import sync_folder
from vetrelay.errors import Fault

ID_LETTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyz234567")
ORPHAN_SECONDS: Final = 3600
"""A whole file without a row is swept when it is older: its row may be on its way."""


def no_checkpoint(_name: str, /) -> None:
    """Outside tests nothing happens at a crash point."""


class Spool:
    """The folder of spooled letters under `folder`. `key` is the bridge's (spoolkey.load_or_make_key)."""

    def __init__(
        self,
        folder: Path,
        key: bytes,
        random_bytes: Callable[[int], bytes],
        *,
        checkpoint: Callable[[str], None] = no_checkpoint,
    ) -> None:
        self._tmp, self._new, self._broken = folder / "tmp", folder / "new", folder / "broken"
        for place in (folder, self._tmp, self._new, self._broken):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._box = SecretBox(Seals(key, random_bytes).key_for("spool"))
        self._random_bytes = random_bytes
        self._checkpoint = checkpoint
        self._counting = Lock()
        self._used_bytes = self._measured_bytes()

    @property
    def used_bytes(self) -> int:
        """What the spool takes on disk, files that are still growing included."""
        return self._used_bytes

    def free_share(self) -> float:
        """How much of its file system is free for us, 0 to 1."""
        disk = os.statvfs(self._new)
        return disk.f_bavail / max(disk.f_blocks, 1)

    def begin(self) -> SpoolFile:
        """A new file. Raises Fault `storage_full`, `storage_failed`."""
        name = new_id(self._random_bytes)
        return SpoolFile(
            name,
            self._tmp / name,
            self._new / name,
            box=self._box,
            random_bytes=self._random_bytes,
            checkpoint=self._checkpoint,
            grown=self._grown,
        )

    def finish_all(self, files: Sequence[SpoolFile]) -> dict[str, Fault]:
        """Makes many files durable for little more than the price of one; by id, what failed. Others stand in new/.

        Files of one spool; it takes as long as the disk does, so call it in a thread.
        """
        failed: dict[str, Fault] = {}

        def each(step: Callable[[SpoolFile], None]) -> None:
            for file in files:
                if file.id not in failed:
                    try:
                        step(file)
                    except Fault as fault:
                        failed[file.id] = fault

        # Each step for all files before the next: while the disk works on the first file's sync, the others' bytes are
        # on their way, and one folder sync covers every rename.
        for step in (SpoolFile.seal, SpoolFile.start_sync, SpoolFile.sync, SpoolFile.rename):
            each(step)
        if len(failed) < len(files):
            try:
                with disk_faults():
                    sync_folder(self._new)
            except Fault as fault:
                failed.update((file.id, fault) for file in files)
        each(SpoolFile.close)
        return failed

    def chunks(self, id_: str) -> Iterator[bytes]:
        """The content in order, in chunks of 64 KiB, each verified before it is handed out; memory does not grow.

        Raises Fault `spool_damaged` where the file is not what was written: at its head, at a chunk, or at its end.
        """
        with opened(self._path(id_)) as file:
            yield from file.chunks(self._box, id_)

    def read(self, id_: str) -> bytes:
        """The whole content. Raises Fault `spool_damaged`, and then returns none of it."""
        return b"".join(self.chunks(id_))

    def size_bytes(self, id_: str) -> int:
        """How long the content is, by the file's length. Raises Fault `spool_damaged` when there is no such file."""
        try:
            sealed = self._path(id_).stat().st_size - HEAD_BYTES
        except FileNotFoundError as gone:
            raise Fault("spool_damaged") from gone
        count = -(-sealed // SEALED_CHUNK_BYTES)
        return max(sealed - count * (SEALED_CHUNK_BYTES - CHUNK_BYTES), 0)

    def holds(self, id_: str) -> bool:
        """Whether there is such a file, whole or damaged, that was not put aside."""
        return self._path(id_).exists()

    def destroy(self, id_: str) -> None:
        """Removes a file; gone already is as good."""
        self._remove(self._path(id_))

    def put_aside(self, id_: str) -> None:
        """Moves a file to broken/, where it stays until a person looks at it. Gone already is as good."""
        path = self._path(id_)
        if path.exists():
            path.rename(self._broken / id_)
            sync_folder(self._broken)
            sync_folder(self._new)

    def sweep(self, known: AbstractSet[str], *, older_than_seconds: int = ORPHAN_SECONDS) -> int:
        """Removes what a crash left: files in tmp/ that nobody writes, and old files in new/ that no row names (`known`).

        Returns how many.
        """
        orphans = [path for path in self._tmp.iterdir() if not SpoolFile.is_being_written(path)]
        probe = self.begin()
        disk_now_ns = probe.changed_ns()  # by the clock that stamped the others
        probe.abort()
        for path in self._new.iterdir():
            try:
                age_ns = disk_now_ns - path.stat().st_mtime_ns
            except FileNotFoundError:
                continue
            if path.name not in known and age_ns >= older_than_seconds * 1_000_000_000:
                orphans.append(path)
        for path in orphans:
            path.unlink(missing_ok=True)
        with self._counting:
            self._used_bytes = self._measured_bytes()
        return len(orphans)

    def _remove(self, path: Path) -> None:
        try:
            size_bytes = path.stat().st_size
            path.unlink()
        except FileNotFoundError:
            return
        self._grown(-size_bytes)

    def _grown(self, by_bytes: int) -> None:
        with self._counting:  # letters grow on the loop and end in threads
            self._used_bytes += by_bytes

    def _path(self, id_: str) -> Path:
        if len(id_) != 26 or not ID_LETTERS.issuperset(id_):
            raise Fault("spool_damaged")  # a row that was tampered with must not name other files
        return self._new / id_

    def _measured_bytes(self) -> int:
        total_bytes = 0
        for folder in (self._tmp, self._new, self._broken):
            for entry in os.scandir(folder):
                try:
                    total_bytes += entry.stat().st_size
                except FileNotFoundError:
                    continue  # another process ended it meanwhile
        return total_bytes
