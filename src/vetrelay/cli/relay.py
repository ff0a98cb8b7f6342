"""`relay`: the message server in the foreground, a fresh code for it, and a look at what it knows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import click
import msgspec

from vetrelay.cli.look import look
from vetrelay.cli.run import EndGroup
from vetrelay.cli.settings import end_with_supervisor, relay_config, work_beside
from vetrelay.cli.terminal import answer

SETTINGS_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group(cls=EndGroup, invoke_without_command=True)
@click.option("--config", type=SETTINGS_FILE, help="Its settings file.")
@click.option("--listen", multiple=True, metavar="PLACE", help="HOST:PORT or unix:PATH, instead of those in the file.")
@click.option(
    "--origin", multiple=True, metavar="URL", help="An address that clients know it by, besides those in the file."
)
@click.pass_context
def relay(context: click.Context, config: Path | None, listen: tuple[str, ...], origin: tuple[str, ...]) -> None:
    """Run the message server alone, or look at what it knows.

    It runs in the foreground until it is told to stop (SIGTERM, Ctrl-C). When it answers, it prints one line.

    \b
    Examples:
      vetrelay relay --config /etc/vetrelay/relay.toml
      vetrelay relay look --config /etc/vetrelay/relay.toml
    """
    if context.invoked_subcommand is not None:
        return
    if config is None:
        raise click.UsageError("Name its settings file by --config, or a command: look, code.", context)
    _serve(config, listen, origin)


def _serve(config: Path, listen: Sequence[str], origin: Sequence[str]) -> None:
    from vetrelay.relay.process import run

    end_with_supervisor()
    settings = relay_config(config)
    settings = msgspec.structs.replace(
        settings,
        listen=tuple(listen) or settings.listen,
        origins=tuple(dict.fromkeys((*settings.origins, *origin))),
    )
    work_beside(config)
    run(settings, ready=lambda origins: answer(f"ready {' '.join(origins)}"))


@relay.command("code")
@click.argument("kind", type=click.Choice(["clinic", "machine"]))
@click.option("--config", type=SETTINGS_FILE, required=True, help="Its settings file (`up` writes DIR/relay.toml).")
def code(kind: Literal["clinic", "machine"], config: Path) -> None:
    """Print a fresh one-time code that lets one clinic, or one machine, enrol.

    \b
    Example:
      vetrelay relay code clinic --config /srv/vetrelay/relay.toml
    """
    from vetrelay.relay.process import issue_code

    answer(issue_code(relay_config(config), kind))


relay.add_command(look)
