"""`up`: a whole gateway on one machine: message server and file check, as processes of their own, kept running."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from vetrelay.cli.ready import (
    INTAKE_CODE,
    INTAKE_FILE,
    READY_FILE,
    RELAY_FILE,
    alone,
    answers_ready,
    choose_places,
    drop_ready,
    is_unnamed,
    origins_of,
    prepare,
    public_url,
    write_ready,
)
from vetrelay.cli.run import EndCommand
from vetrelay.cli.supervise import Child, keep_running
from vetrelay.cli.terminal import answer, note

POLL_SECONDS: Final = 0.05
PROGRAM: Final = (sys.executable, "-m", "vetrelay.cli.main")


@click.command(cls=EndCommand)
@click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False), required=True, help="Where it keeps everything."
)
@click.option(
    "--listen",
    multiple=True,
    metavar="HOST:PORT",
    help="Where to listen, one or several (default 127.0.0.1:8440); port 0 means a free one.",
)
def up(*, data: Path, listen: tuple[str, ...]) -> None:
    """Run a whole gateway: message server and file check.

    When it is ready it prints one line with its address, and writes DIR/ready.json with the address, a one-time code for
    a clinic, and the offers of its machines. It runs until it is told to stop (SIGTERM, Ctrl-C).

    \b
    Example:
      vetrelay up --data /srv/vetrelay --listen 127.0.0.1:8440
    """
    folder = data.absolute()
    with alone(folder):
        drop_ready(folder)
        prepare(folder)
        places = choose_places(folder, listen)
        if is_unnamed(folder, places):
            note(
                "listening everywhere: name the address that others use as `origins` in relay.toml, or they cannot sign in"
            )
        os.chdir(folder)
        try:
            asyncio.run(_run(folder, places))
        finally:
            drop_ready(folder)


def _children(folder: Path, places: Sequence[str]) -> tuple[Child, Child]:
    where = [word for place in places for word in ("--listen", place)]
    known_as = [word for origin in origins_of(places) for word in ("--origin", origin)]
    relay = Child(
        name="message server",
        command=(*PROGRAM, "relay", "--config", RELAY_FILE, *where, *known_as),
        folder=folder,
    )
    intake = Child(name="file check", command=(*PROGRAM, "intake", "--config", INTAKE_FILE), folder=folder)
    return relay, intake


async def _run(folder: Path, places: Sequence[str]) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    relay, intake = _children(folder, places)
    running = [asyncio.create_task(keep_running(child, stopping)) for child in (relay, intake)]
    coming = asyncio.create_task(_say_when_ready(folder, places, relay, intake))
    try:
        await asyncio.wait({*running, coming}, return_when=asyncio.FIRST_COMPLETED)
        if coming.done() and not coming.exception():
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    finally:
        coming.cancel()
        stopping.set()
        ended = await asyncio.gather(*running, coming, return_exceptions=True)
    failed = next((one for one in ended if isinstance(one, Exception)), None)
    if failed is not None:
        raise failed
    note("stopped")


async def _say_when_ready(folder: Path, places: Sequence[str], relay: Child, intake: Child) -> None:
    await relay.ready.wait()
    while not await answers_ready(folder):  # noqa: ASYNC110  # another process tells; there is no event to wait for
        await asyncio.sleep(POLL_SECONDS)
    await intake.ready.wait()
    (folder / INTAKE_CODE).unlink(missing_ok=True)  # used; the file check has its keys now
    url = public_url(folder, places)
    write_ready(folder, url)
    answer(f"ready {url}")
    sys.stdout.flush()
    note(f"how to go on: {folder / READY_FILE}")
