"""Supervising: programs that are started again when they die, with growing pauses, and stopped in order."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from vetrelay.cli.settings import SUPERVISED_VARIABLE
from vetrelay.cli.terminal import note
from vetrelay.errors import Fault

FIRST_PAUSE_SECONDS: Final = 0.2
LONGEST_PAUSE_SECONDS: Final = 15.0
STEADY_SECONDS: Final = 20.0  # whoever lived so long has not died of its start
LOOP_DEATHS: Final = 3
STOP_SECONDS: Final = 20.0


@dataclass(kw_only=True)
class Child:
    """A program under supervision. `ready` is set while it works, by the first line that it prints."""

    name: str
    command: Sequence[str]
    folder: Path
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    process: asyncio.subprocess.Process | None = None
    deaths: int = 0


async def keep_running(child: Child, stopping: asyncio.Event) -> None:
    """Runs a program until `stopping`, however often it dies.

    Raises Fault `gateway_failed` when it dies several times without ever having been ready: then it will not by itself.
    """
    was_ready = False
    while not stopping.is_set():
        started = time.monotonic()
        await _one_life(child, stopping)
        if stopping.is_set():
            return
        was_ready = was_ready or child.ready.is_set()
        child.ready.clear()
        child.deaths = 1 if time.monotonic() - started > STEADY_SECONDS else child.deaths + 1
        if child.deaths >= LOOP_DEATHS and not was_ready:
            raise Fault("gateway_failed", part=child.name)
        await _pause(child, stopping)


async def _one_life(child: Child, stopping: asyncio.Event) -> None:
    """One start, to its end; its whole process group goes with it, so that no helper of it lives on."""
    with _pipe() as (words, its_output):
        child.process = process = await asyncio.create_subprocess_exec(
            *child.command,
            cwd=child.folder,
            env={**os.environ, SUPERVISED_VARIABLE: str(os.getpid())},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=its_output,
            start_new_session=True,
        )
    listening = asyncio.create_task(_hear(child, words))
    ended = asyncio.create_task(process.wait())
    stop = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({ended, stop}, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            await _stop(process)
    finally:
        for task in (stop, listening):
            task.cancel()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        child.process = None


@contextmanager
def _pipe() -> Iterator[tuple[int, int]]:
    """A pipe of our own: one of asyncio's would keep a dead child from being noticed while a helper of it holds on."""
    reading, writing = os.pipe()
    try:
        yield reading, writing
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)


async def _hear(child: Child, words: int) -> None:
    reader = asyncio.StreamReader()
    heard, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(words, "rb", buffering=0)
    )
    try:
        while line := await reader.readline():
            if line.startswith(b"ready "):
                child.ready.set()
    finally:
        heard.close()


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Asks it to end, and waits as long as an honest end may take."""
    with suppress(ProcessLookupError):
        process.terminate()
    with suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), STOP_SECONDS)


async def _pause(child: Child, stopping: asyncio.Event) -> None:
    seconds = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (child.deaths - 1))
    often = f", {child.deaths} times in a row (`vetrelay doctor` may say why)" if child.deaths >= LOOP_DEATHS else ""
    note(f"the {child.name} has ended by itself{often}; it is started again in {seconds:.1f} s")
    with suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)
