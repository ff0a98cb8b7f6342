"""`bridge`: the email bridge in the foreground, its queue, and what staff and owners decide about a case's email."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from vetrelay.cli.bridge_case import address, consent, front_door, turn_mail_off, turn_mail_on
from vetrelay.cli.bridge_correspondents import correspondents
from vetrelay.cli.bridge_keys import keys
from vetrelay.cli.bridge_letters import unfiled, waiting
from vetrelay.cli.bridge_queue import queue, retry
from vetrelay.cli.run import EndGroup
from vetrelay.cli.settings import bridge_config, end_with_supervisor, work_beside
from vetrelay.cli.terminal import answer, printable

if TYPE_CHECKING:
    from vetrelay.bridge.process import Ready

SETTINGS_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group(cls=EndGroup)
def bridge() -> None:
    """Let clinics take part by email: who is written to, what letters wait, the bridge itself."""


@bridge.command("run")
@click.option("--config", type=SETTINGS_FILE, required=True, help="Its settings file.")
@click.option(
    "--listen", multiple=True, metavar="HOST:PORT", help="Where letters come in, instead of the file's places."
)
@click.option("--pages", metavar="HOST:PORT", help="Where its web pages are, instead of the file's place.")
@click.option(
    "--pages-url", metavar="URL", help="The address of its web pages as letters name it, instead of the file's."
)
def run_bridge(config: Path, listen: tuple[str, ...], pages: str | None, pages_url: str | None) -> None:
    """Run the email bridge alone.

    It runs in the foreground until it is told to stop (SIGTERM, Ctrl-C). When it takes letters it prints one line: its
    offer, which a clinic adopts it by, the address of its mail server, and that of its web pages.

    \b
    Example:
      vetrelay bridge run --config /etc/vetrelay/bridge.toml
    """
    from vetrelay.bridge.process import run

    end_with_supervisor()
    settings = bridge_config(config)
    settings = msgspec.structs.replace(
        settings,
        listen=listen or settings.listen,
        web_listen=pages or settings.web_listen,
        web_url=pages_url or settings.web_url,
    )
    work_beside(config)

    def ready(at: "Ready") -> None:
        answer(f"ready {printable(str(at.offer.absolute()))} {','.join(at.smtp)} {at.pages}")

    run(settings, ready=ready)


for command in (queue, retry, turn_mail_on, turn_mail_off, address, correspondents, keys, consent, waiting, unfiled):
    bridge.add_command(command)
bridge.add_command(front_door)
