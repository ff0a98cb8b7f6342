"""An end: an identity, its journal, a relay's address, and the clock and dice it was handed."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from vetrelay.client.api import RelayApi, connect
from vetrelay.client.journal import Journal
from vetrelay.client.keyring import Keyring
from vetrelay.client.progress import Progress, silent
from vetrelay.protocol.identity import DeviceIdentity

NowMs = Callable[[], int]
RandomBytes = Callable[[int], bytes]


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


@asynccontextmanager
async def open_end(
    home: Path, keyring: Keyring, *, now_ms: NowMs, random_bytes: RandomBytes, progress: Progress = silent
) -> AsyncIterator[End]:
    """An end at work: its journal open, its relay's address known (nothing is sent yet)."""
    device = keyring.device
    journal = Journal(home)
    try:
        async with connect(keyring.relay_url, device=device.id, signer=device.signer, now_ms=now_ms) as api:
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
    finally:
        journal.close()
