"""`doctor mail`: the records to publish, and whether letters come and go as they should. One line for each check."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from vetrelay.cli.checkup import Check, disk
from vetrelay.cli.home import now_ms
from vetrelay.cli.run import EndCommand
from vetrelay.cli.settings import bridge_config, work_beside
from vetrelay.cli.terminal import Exit, Line, Style, answer_json, answer_lines
from vetrelay.config import BridgeConfig
from vetrelay.errors import Fault

if TYPE_CHECKING:
    from vetrelay.cli.mail_records import Record

STYLES: Final[dict[str, Style]] = {"ok": "good", "warn": "warn", "bad": "bad"}


@click.command("mail", cls=EndCommand)
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help="The email bridge's settings file.",
)
@click.option(
    "--to", metavar="DOMAIN", help="A clinic's domain: can this machine reach its mail server? Nothing is sent."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def mail(config: Path, *, to: str | None, as_json: bool) -> int:
    """Check the email bridge, and print the DNS records to publish.

    Names, certificate, policies, ports, pages: one line for each. It sends no letter, and asks only the DNS, this bridge's own addresses, the smarthost, and the domain that --to names.
    Ends with code 1 when something is bad.

    \b
    Example:
      vetrelay doctor mail --config /etc/vetrelay/bridge.toml --to clinic.example
    """
    settings = bridge_config(config)
    work_beside(config)
    from vetrelay.cli.mail_records import records_of

    records = records_of(settings)
    checks = asyncio.run(_all(settings, to))
    if as_json:
        answer_json(
            {
                "records": [{"name": one.name, "type": one.kind, "value": one.value} for one in records],
                "checks": [
                    {"check": one.name, "verdict": one.verdict, "what": one.what, "to_do": one.mend} for one in checks
                ],
            }
        )
    else:
        answer_lines([*_record_lines(records), *(line for one in checks for line in _lines(one))])
    return Exit.FAULT if any(one.verdict == "bad" for one in checks) else Exit.OK


def _record_lines(records: "tuple[Record, ...]") -> list[Line]:
    lines = [Line(text="publish these records", style="title")]
    lines += [Line(text=f"{one.name}  {one.kind}  {one.value}", indent=2) for one in records]
    return [*lines, Line(), Line(text="as it stands", style="title")]


def _lines(check: Check) -> list[Line]:
    first = Line(text=f"{check.verdict:<4}  {check.name}: {check.what}", style=STYLES[check.verdict])
    return [first, Line(text=check.mend, style="quiet", indent=6)] if check.mend else [first]


async def _all(config: BridgeConfig, to: str | None) -> list[Check]:
    from vetrelay.bridge.resolver import DnsResolver
    from vetrelay.cli import mail_checkup, mail_reach

    resolver = DnsResolver((config.resolver,) if config.resolver else ())
    asked: list[tuple[str, Callable[[], Awaitable[Check]]]] = [
        ("MX record", lambda: mail_checkup.mail_servers(config, resolver)),
        ("reverse name", lambda: mail_checkup.reverse_name(config, resolver)),
        ("SPF", lambda: mail_checkup.sender_policy(config, resolver)),
        ("DKIM", lambda: mail_checkup.key_published(config, resolver)),
        ("DMARC", lambda: mail_checkup.demand(config, resolver)),
        ("mail port here", lambda: mail_reach.own_port(config)),
        ("port 25 inward", lambda: mail_reach.port_in(config, resolver)),
        ("port 25 outward", lambda: mail_reach.way_out(config, resolver, to=to)),
        ("web pages", lambda: mail_checkup.pages(config)),
    ]
    folder = Path(config.data)
    here = [
        *(disk(folder) if folder.exists() else []),
        *mail_checkup.sealing(),
        mail_checkup.certificate(config, now_ms=now_ms()),
    ]
    return here + list(await asyncio.gather(*(_answered(name, ask) for name, ask in asked)))


async def _answered(name: str, ask: Callable[[], Awaitable[Check]]) -> Check:
    """The check; where nobody answered its question, a word about that."""
    try:
        return await ask()
    except Fault as fault:
        what, _, mend = fault.sentence.partition("; ")
        return Check(name=name, verdict="warn", what=what, mend=mend)
