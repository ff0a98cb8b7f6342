"""`intake`: the file check in the foreground."""

from pathlib import Path

import click

from vetrelay.cli.run import EndCommand
from vetrelay.cli.settings import end_with_supervisor, intake_config, work_beside
from vetrelay.cli.terminal import answer, printable


@click.command(cls=EndCommand)
@click.option(
    "--config", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=True, help="Its settings file."
)
def intake(config: Path) -> None:
    """Run the file check alone.

    It runs in the foreground until it is told to stop (SIGTERM, Ctrl-C). It proves its sandbox first, and opens no file
    where that fails. When it works, it prints one line that names its offer, which a clinic adopts it by.

    \b
    Example:
      vetrelay intake --config /etc/vetrelay/intake.toml
    """
    from vetrelay.intake.process import run

    end_with_supervisor()
    settings = intake_config(config)
    work_beside(config)
    run(settings, ready=lambda offer: answer(f"ready {printable(str(offer.absolute()))}"))
