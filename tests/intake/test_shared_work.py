"""Two intakes of one clinic share the work on one case: real processes, one relay, files with a verdict each."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from tests.intake.poisoned_worker import POISON
from tests.practice import VERDICT_SECONDS, Practice, Visit, end_of, photo, practice, visit
from tests.processes import Process, enrolment_code, intake_at
from vetrelay.client.end import End
from vetrelay.client.follow import envelope_of, follow
from vetrelay.client.news import receive
from vetrelay.client.parties import adopt, own_party, read_offer
from vetrelay.client.thread import read_thread
from vetrelay.protocol.ids import DeviceId

FILES = 20
LEASE_SECONDS = 4
SHORT = f"lease_seconds = {LEASE_SECONDS}\n"


@contextmanager
def second_intake(here: Practice, *, worker: str = "real", beside: bool = True) -> Iterator[Process]:
    """Another intake of the same relay, in a folder of its own, adopted by the clinic beside the first."""
    folder = here.folder / "second machine"
    folder.mkdir()
    code = asyncio.run(enrolment_code(here.folder, "machine"))
    second = intake_at(folder, here.url, code=code, worker=worker, settings=SHORT)
    second.start()

    async def adopted() -> None:
        async with end_of(here.folder / "veterinarian", here.clinic) as veterinarian:
            await adopt(veterinarian, read_offer(Path(str(second.told["offer"]))), beside=beside)

    try:
        asyncio.run(adopted())
        yield second
    finally:
        second.end()
