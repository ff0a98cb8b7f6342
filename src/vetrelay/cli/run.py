"""What every command is told: where its home folder is, and which relay it should talk to. Kept light: `--help` loads it."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click

HOME_VARIABLE: Final = "VETRELAY_HOME"
RELAY_VARIABLE: Final = "VETRELAY_RELAY"
DEFAULT_HOME: Final = Path("~/.local/share/vetrelay")
# An id, or the beginning of one: no option here is a single dash and a word.
_DASHED_ID: Final = re.compile(r"-(?:[A-Za-z0-9_-]{21}|[A-Za-z0-9_-]{42}|[A-Za-z0-9_][A-Za-z0-9_-]{4,41})")
_MARK: Final = "\0"  # no argument can hold it, so it stands for "what follows is no option"


@dataclass
class Run:
    """Filled from the options wherever on the command line they stand."""

    home: Path = field(default_factory=DEFAULT_HOME.expanduser)
    relay_url: str | None = None


class IdText(click.ParamType[str]):
    """An id, or the beginning of one: ids are base64url, and one in 64 begins with a dash."""

    name = "id"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The id as it was typed."""
        del param, ctx
        return value.removeprefix(_MARK)


def _set_home(context: click.Context, _parameter: click.Parameter, value: Path | None) -> None:
    if value is not None:
        context.ensure_object(Run).home = value.expanduser()


def _set_relay(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        context.ensure_object(Run).relay_url = value.rstrip("/")


def run_options(*, hidden: bool) -> list[click.Parameter]:
    """`--home` and `--relay`: shown once, understood before and after the command's name."""
    home = click.Option(
        ["--home"],
        type=click.Path(path_type=Path, file_okay=False),
        metavar="DIR",
        envvar=None if hidden else HOME_VARIABLE,
        show_envvar=not hidden,
        expose_value=False,
        is_eager=True,
        callback=_set_home,
        hidden=hidden,
        help=f"Folder of one person's identity on this machine (default {DEFAULT_HOME}).",
    )
    relay = click.Option(
        ["--relay"],
        metavar="URL",
        envvar=None if hidden else RELAY_VARIABLE,
        show_envvar=not hidden,
        expose_value=False,
        is_eager=True,
        callback=_set_relay,
        hidden=hidden,
        help="The clinic's message server; after creating or joining it is known.",
    )
    return [home, relay]


class EndCommand(click.Command):
    """A command of an end: it knows `--home` and `--relay`, and takes ids that begin with a dash."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(run_options(hidden=True))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The arguments, with ids that look like options marked."""
        return super().parse_args(ctx, [_MARK + arg if _DASHED_ID.fullmatch(arg) else arg for arg in args])


class EndGroup(click.Group):
    """A group of such commands."""

    command_class = EndCommand
