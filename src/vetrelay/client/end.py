"""An end: an identity, its journal, a relay's address, and the clock and dice it was handed."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from vetrelay.client.api import RelayApi, connect
from vetrelay.client.journal import Journal
from vetrelay.client.keyring import Keyring
from vetrelay.client.progress import Progress, silent
from vetrelay.client.turns import presence
from vetrelay.errors import Fault
from vetrelay.protocol.identity import DeviceIdentity

NowMs = Callable[[], int]
RandomBytes = Callable[[int], bytes]
HOUR_MS: Final = 60 * 60 * 1000
LEFTOVER_MS: Final = 36 * HOUR_MS  # parts of a fetch that nobody went on with
SEALED: Final = ".payload"
TOLD_MS: Final = 24 * HOUR_MS


@dataclass(frozen=True, kw_only=True)
class End:
    """Everything the client's verbs work on. Open one with `open_end`."""

    home: Path
    keyring: Keyring = field(repr=False)
    device: DeviceIdentity = field(repr=False)
    journal: Journal
    api: RelayApi
    now_ms: NowMs
    random_bytes: RandomBytes
    progress: Progress

    @property
    def turns(self) -> Path:
        """Where the turns between the processes of this home are taken."""
        return self.home / "turns"


@asynccontextmanager
async def open_end(
    home: Path, keyring: Keyring, *, now_ms: NowMs, random_bytes: RandomBytes, progress: Progress = silent
) -> AsyncIterator[End]:
    """An end at work: its journal open, its relay's address known (nothing is sent yet).

    Several processes may work in one home; the first to come sweeps what a kill left behind. Raises Fault
    `home_failed` when the journal cannot be read or written, now or later.
    """
    device = keyring.device
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with presence(home) as here, _faults_told(), closing(Journal(home)) as journal:
        sweep(journal, home / "turns", alone=here.alone, now_ms=now_ms())
        here.share()
        async with connect(
            keyring.relay_url, device=device.id, signer=device.signer, now_ms=now_ms, relay=keyring.relay
        ) as api:
            yield End(
                home=home,
                keyring=keyring,
                device=device,
                journal=journal,
                api=api,
                now_ms=now_ms,
                random_bytes=random_bytes,
                progress=progress,
            )


@contextmanager
def _faults_told() -> Iterator[None]:
    """SQLite's errors as ours: its text may name the place of the file."""
    try:
        yield
    except sqlite3.Error as wrong:
        raise Fault("home_failed") from wrong


def sweep(journal: Journal, turns: Path, *, alone: bool, now_ms: int) -> None:
    """Removes what a kill left: sealed files that no promise waits for, parts of a fetch, locks.

    What another process may be working on right now is left to a later start; a part of a fetch is gone on from for
    36 hours.
    """
    journal.drop_settled_payloads()
    journal.prune(before_ms=now_ms - TOLD_MS)
    awaited = journal.spooled()
    for path in journal.spool.iterdir():
        with suppress(FileNotFoundError):  # its owner was faster
            is_old = path.stat().st_mtime_ns // 1_000_000 < now_ms - LEFTOVER_MS
            if path not in awaited and (alone if path.suffix == SEALED else is_old):
                path.unlink()
    if alone and turns.is_dir():
        for path in turns.iterdir():
            path.unlink(missing_ok=True)
