"""`vetrelay`: the commands by name, each loaded when it is called, and the one place where errors end."""

import importlib
import os
import sqlite3
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from vetrelay.cli.run import EndGroup, Run, run_options
from vetrelay.cli.terminal import Exit, exit_of, note, tell_error, tell_trouble
from vetrelay.errors import Fault, VetRelayError

PROGRAM: Final = "vetrelay"
DEBUG_VARIABLE: Final = "VETRELAY_DEBUG"
# Name → module (its command has the same name as the attribute) and the line that `--help` shows, so that help loads
# nothing else; a test holds these lines equal to the commands' own.
COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "up": ("up:up", "Run a whole gateway: message server, file check and email bridge."),
    "relay": ("relay:relay", "Run the message server alone, or look at what it knows."),
    "intake": ("intake:intake", "Run the file check alone."),
    "bridge": (
        "bridge:bridge",
        "Let clinics take part by email: who is written to, what letters wait, the bridge itself.",
    ),
    "clinic": ("clinic:clinic", "Set up a clinic."),
    "case": ("case:case", "Open, join and close cases; see who can read them."),
    "send": ("message:send", "Send a message with files; prints its id."),
    "receive": ("receive:receive", "Fetch what is new in all cases, and tell it once."),
    "read": ("message:read", "Read a case from its beginning."),
    "save": ("message:save", "Save the files of a message: the checked copies."),
    "watch": ("watch:watch", "File arriving records by patient into a folder, until it is stopped."),
    "verify": ("message:verify", "Check a whole case again from scratch: every signature, every link, every seal."),
    "inspect": ("inspect:inspect", "Check files and folders exactly as the file check does, on this machine."),
    "device": ("device:device", "Look after this device's keys."),
    "doctor": ("doctor:doctor", "Check this machine, and a gateway through its public address."),
    "bench": ("bench:bench", "Measure this machine against what must be reached."),
}
EPILOG: Final = """\b
Exit codes
  0  done
  1  a fault, ours or the network's: repeating is safe
  2  the command was not understood
  3  a rule said no
  4  nothing there

\b
Environment
  VETRELAY_HOME        like --home
  VETRELAY_RELAY       like --relay
  VETRELAY_PASSPHRASE  opens a locked keyring, and locks one that is made
  VETRELAY_CODE        like --code of `clinic create`
  VETRELAY_DEBUG=1     shows where in the program an unexpected error arose
  NO_COLOR             no colours

Every command can be repeated after it was cut short: it goes on where it was, and sends nothing twice. Reading commands
take --json: one document on standard output. A case or party may be named by the first six characters of its id.

VetRelay is not for emergencies: call your clinic or an emergency clinic.
"""


class Vetrelay(EndGroup):
    """The program: its commands come from `COMMANDS`, its errors end here."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order in which a person meets them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, loaded now."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(f"vetrelay.cli.{module}"), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in `--help`."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Runs one command line and ends the process with its exit code."""
        extra["standalone_mode"] = False
        try:
            ended = super().main(*args, **extra)
            code = int(ended) if isinstance(ended, int) else int(Exit.OK)
            sys.stdout.flush()
        except BaseException as error:  # noqa: BLE001  # the boundary: whatever it is gets its one form and exit code
            code = exit_with(error)
        sys.exit(code)


def exit_with(error: BaseException) -> int:
    """Tells an error in the one form; the exit code."""
    match error:
        case VetRelayError():
            tell_error(error)
            return exit_of(error)
        case click.exceptions.Exit():
            return error.exit_code
        case SystemExit():
            return error.code if isinstance(error.code, int) else int(Exit.FAULT)
        case click.ClickException():
            return _usage(error)
        case click.Abort() | KeyboardInterrupt():
            note("\nvetrelay: stopped; repeat the command to go on where it was")
            return Exit.INTERRUPTED
        case BrokenPipeError():
            # Whoever read the answer has enough; nothing may be written there any more, not even at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return Exit.OK
        case OSError() | sqlite3.Error():
            _debug(error)
            tell_error(Fault("home_failed", reason=error.strerror if isinstance(error, OSError) else "database"))
            return Exit.FAULT
        case _:
            _debug(error)
            tell_error(Fault("program_failed", at=_place(error)))
            return Exit.FAULT


def _usage(error: click.ClickException) -> int:
    context = getattr(error, "ctx", None)
    path = context.command_path if context else PROGRAM
    tell_trouble(
        error.format_message().rstrip("."),
        safe="nothing was done",
        mend=f"see `{path} --help`",
        code="usage",
    )
    return Exit.USAGE


def _place(error: BaseException) -> str:
    """Where it arose: type, file and line; never what it carried, which may be anything."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    return f"{type(error).__name__} {where}"


def _debug(error: BaseException) -> None:
    if os.environ.get(DEBUG_VARIABLE) == "1":
        traceback.print_exception(error)


@click.group(
    cls=Vetrelay,
    epilog=EPILOG,
    params=run_options(hidden=False),
    context_settings={"help_option_names": ["--help"], "max_content_width": 100},
)
@click.version_option(package_name=PROGRAM, prog_name=PROGRAM)
@click.pass_context
def cli(context: click.Context) -> None:
    """Sealed messages and files between an animal's people and their veterinarians.

    \b
    Example, as an owner with a link from the clinic:
      vetrelay case join 'https://clinic.example/j#i1.…' --name 'Anna Meier'
      vetrelay send - --text 'Luna scratches her ear.' ear.jpg
      vetrelay receive --wait 60
    """
    context.ensure_object(Run)
    if os.environ.get("NO_COLOR"):
        context.color = False


def main() -> None:
    """The entry point."""
    cli.main(prog_name=PROGRAM)


if __name__ == "__main__":
    main()
