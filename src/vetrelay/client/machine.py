"""A machine's process: alone in its folder, and at work until it is told to stop."""

import asyncio
import contextlib
import fcntl
import os
import signal
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

from vetrelay.errors import Fault


@contextlib.contextmanager
def alone(home: Path, lock_name: str) -> Iterator[None]:
    """Makes the folder if need be, and holds it: two machines in one would clear away what the other has in hand.

    Raises Fault `already_running`.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(home / lock_name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as held:
        raise Fault("already_running") from held
    finally:
        os.close(lock)


async def until_stopped(work: Coroutine[Any, Any, None]) -> None:
    """Runs this until it ends by itself or SIGTERM or SIGINT comes; then it is cancelled. Raises what it raised."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    working = asyncio.create_task(work)
    waiting = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        working.cancel()  # does nothing to work that has ended by itself
        with contextlib.suppress(asyncio.CancelledError):
            await working
