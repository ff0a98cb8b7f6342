"""`up`: a whole gateway on one machine: message server, file check and email bridge, as processes of their own, kept running."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from vetrelay.cli.ready import (
    BRIDGE_FILE,
    INTAKE_FILE,
    MACHINES,
    READY_FILE,
    RELAY_FILE,
    MailPlaces,
    alone,
    answers_ready,
    choose_mail_places,
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
@click.option(
    "--smtp",
    multiple=True,
    metavar="HOST:PORT",
    help="Where letters come in, one or several (default 127.0.0.1:8425, or a free port where --listen has one).",
)
@click.option("--pages", metavar="HOST:PORT", help="Where the email bridge's web pages are (default 127.0.0.1:8426).")
def up(*, data: Path, listen: tuple[str, ...], smtp: tuple[str, ...], pages: str | None) -> None:
    """Run a whole gateway: message server, file check and email bridge.

    When it is ready it prints one line with its address, and writes DIR/ready.json with the address, a one-time code for
    a clinic, the offers of its machines, and where letters come in. It runs until it is told to stop (SIGTERM, Ctrl-C).

    \b
    Examples:
      vetrelay up --data /srv/vetrelay --listen 127.0.0.1:8440
      vetrelay up --data /srv/vetrelay --listen 127.0.0.1:8440 --smtp 0.0.0.0:25
    """
    folder = data.absolute()
    with alone(folder):
        drop_ready(folder)
        prepare(folder)
        mail = choose_mail_places(folder, smtp, pages, beside=listen)
        places = choose_places(folder, listen)
        if is_unnamed(folder, places):
            note(
                "listening everywhere: name the address that others use as `origins` in relay.toml, or they cannot sign in"
            )
        os.chdir(folder)
        try:
            asyncio.run(_run(folder, places, mail))
        finally:
            drop_ready(folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """The gateway's programs."""

    relay: Child
    intake: Child
    bridge: Child

    @property
    def all(self) -> tuple[Child, ...]:
        return self.relay, self.intake, self.bridge


def _parts(folder: Path, places: Sequence[str], mail: MailPlaces) -> _Parts:
    where = [word for place in places for word in ("--listen", place)]
    known_as = [word for origin in origins_of(places) for word in ("--origin", origin)]
    letters = [word for place in mail.smtp for word in ("--listen", place)]
    commands = {
        "message server": ("relay", "--config", RELAY_FILE, *where, *known_as),
        "file check": ("intake", "--config", INTAKE_FILE),
        "email bridge": (
            *("bridge", "run", "--config", BRIDGE_FILE, *letters),
            *("--pages", mail.pages, "--pages-url", mail.pages_url),
        ),
    }
    children = [Child(name=name, command=(*PROGRAM, *words), folder=folder) for name, words in commands.items()]
    return _Parts(relay=children[0], intake=children[1], bridge=children[2])


async def _run(folder: Path, places: Sequence[str], mail: MailPlaces) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    parts = _parts(folder, places, mail)
    running = [asyncio.create_task(keep_running(child, stopping)) for child in parts.all]
    coming = asyncio.create_task(_say_when_ready(folder, places, mail, parts))
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


async def _say_when_ready(folder: Path, places: Sequence[str], mail: MailPlaces, parts: _Parts) -> None:
    await parts.relay.ready.wait()
    while not await answers_ready(folder):  # noqa: ASYNC110  # another process tells; there is no event to wait for
        await asyncio.sleep(POLL_SECONDS)
    await parts.intake.ready.wait()
    await parts.bridge.ready.wait()
    for _, code in MACHINES:
        (folder / code).unlink(missing_ok=True)  # used; the machines have their keys now
    url = public_url(folder, places)
    write_ready(folder, url, mail)
    answer(f"ready {url}")
    sys.stdout.flush()
    note(f"how to go on: {folder / READY_FILE}")
