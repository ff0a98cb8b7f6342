"""`doctor`: is this machine, and a gateway seen through its public address, fit for the work? One line for each check."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import click

from vetrelay.cli.checkup import Check, clock, disk, relay_ready, sandbox
from vetrelay.cli.doctor_mail import mail
from vetrelay.cli.home import current_run, end_of, now_ms, own_keyring, replace_address
from vetrelay.cli.run import EndGroup, Run, run_options
from vetrelay.cli.terminal import Exit, Line, Style, answer_json, answer_lines
from vetrelay.cli.upload_check import upload_progress
from vetrelay.client.api import connect
from vetrelay.client.keyring import FILE_NAME, Keyring
from vetrelay.errors import VetRelayError

STYLES: dict[str, Style] = {"ok": "good", "warn": "warn", "bad": "bad"}


class _Doctor(EndGroup):
    """A command with an address that need not be named, and others below it: the first word that is theirs calls them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(run_options(hidden=True))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The arguments; before a command below, a place is left for the address that is not named."""
        below = bool(args) and args[0] in self.commands
        ctx.allow_interspersed_args = not below  # else what follows the address would be taken for a command
        return super().parse_args(ctx, ["", *args] if below else args)


@click.group(cls=_Doctor, invoke_without_command=True)
@click.argument("url", required=False)
@click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False, exists=True), help="A folder whose disk to check."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def doctor(context: click.Context, url: str | None, *, data: Path | None, as_json: bool) -> int:
    """Check this machine, and a gateway through its public address.

    With a home that takes part in a case there, it also proves that no proxy on the way holds uploads back. Ends with
    code 1 when something is bad.

    \b
    Examples:
      vetrelay doctor https://messages.example-clinic.test
      vetrelay doctor mail --config /etc/vetrelay/bridge.toml
    """
    if context.invoked_subcommand is not None:
        return Exit.OK
    checks = asyncio.run(_all(current_run(), url, data))
    if as_json:
        shown = [{"check": one.name, "verdict": one.verdict, "what": one.what, "to_do": one.mend} for one in checks]
        answer_json({"checks": shown})
    else:
        answer_lines(line for one in checks for line in _lines(one))
    return Exit.FAULT if any(one.verdict == "bad" for one in checks) else Exit.OK


doctor.add_command(mail)


def _lines(check: Check) -> list[Line]:
    first = Line(text=f"{check.verdict:<4}  {check.name}: {check.what}", style=STYLES[check.verdict])
    return [first, Line(text=check.mend, style="quiet", indent=6)] if check.mend else [first]


async def _all(run: Run, url: str | None, data: Path | None) -> list[Check]:
    checks = [*await sandbox(), *disk(data or (run.home if run.home.exists() else Path.cwd()))]
    keyring = own_keyring(run) if (run.home / FILE_NAME).exists() else None
    address = (url or run.relay_url or (keyring.relay_url if keyring else "")).rstrip("/")
    if not address:
        checks.append(
            Check(
                name="message server",
                verdict="warn",
                what="not checked",
                mend="name its address: vetrelay doctor URL",
            )
        )
        return checks
    return checks + [check async for check in _through(run, address, keyring)]


async def _through(run: Run, address: str, keyring: Keyring | None) -> AsyncIterator[Check]:
    """What can be seen of a gateway from here, through whatever stands in between."""
    try:
        async with connect(address, device="", signer=None, now_ms=now_ms) as api:
            yield await clock(api, now_ms)
            yield await relay_ready(api)
            same = keyring is not None and (await api.relay_facts()).relay == keyring.relay
    except VetRelayError as error:
        happened, _, mend = error.sentence.partition("; ")
        yield Check(name="message server", verdict="bad", what=happened, mend=mend)
        return
    yield await _uploads(run, address, keyring if same else None)


async def _uploads(run: Run, address: str, keyring: Keyring | None) -> Check:
    name = "uploads on the way"
    if keyring is None:
        return Check(
            name=name,
            verdict="warn",
            what="not checked: this home has no identity at that message server",
            mend="run it with --home of somebody who takes part in a case there",
        )
    async with end_of(run, replace_address(keyring, address)) as end:
        cases = [row.id for row in end.journal.cases() if row.tail.n]
        if not cases:
            return Check(
                name=name,
                verdict="warn",
                what="not checked: an upload belongs to a case, and this identity has none",
                mend="open a case first: vetrelay case open --title test",
            )
        try:
            return await upload_progress(end, cases[-1], name=name)
        except VetRelayError as error:
            happened, _, mend = error.sentence.partition("; ")
            return Check(name=name, verdict="bad", what=happened, mend=mend)
