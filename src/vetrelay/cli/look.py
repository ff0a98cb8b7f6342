"""`relay look`: all that the message server knows, in words, and what it does not know."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from sqlalchemy import Engine

from vetrelay.cli.run import EndCommand, IdText
from vetrelay.cli.settings import relay_config
from vetrelay.cli.terminal import Line, answer_json, answer_lines
from vetrelay.cli.words import amount, count, local
from vetrelay.protocol.ids import PartyId, fingerprint
from vetrelay.relay.look import CaseSeen, PartySeen, PositionSeen, RelaySeen, look_at_case, look_at_relay
from vetrelay.relay.storage.engine import reader_engine

NOT_KNOWN: Final = (
    "That is all. It has no names of people, animals or clinics, no titles, no texts, no file names, no picture and no "
    "file that it could open, and no key that opens any: what the sizes above stand for is sealed to the parties listed. "
    "It does know the above: who (by number) writes to whom, when, how often and how much, what the file check's codes "
    "were, and how far each device has fetched. It could delay or drop what is sent, and those who take part would see it."
)


@click.command(cls=EndCommand)
@click.argument("case", type=IdText(), required=False)
@click.option("--data", type=click.Path(path_type=Path, exists=True, file_okay=False), help="The folder given to `up`.")
@click.option(
    "--config", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="The relay's settings file."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def look(case: str | None, *, data: Path | None, config: Path | None, as_json: bool) -> None:
    """Show all that the message server knows of a case, or of all of them. Reads its database, changes nothing.

    \b
    Example:
      vetrelay relay look --data /srv/vetrelay 8fK2xQ
    """
    if (data is None) == (config is None):
        raise click.UsageError("Name the gateway by --data or by --config, one of them.")
    engine = _engine(config or Path(data or "") / "relay.toml")
    try:
        if case is None:
            seen = look_at_relay(engine)
            _answer(seen, _relay_lines(seen), as_json=as_json)
        else:
            one = look_at_case(engine, case)
            _answer(one, _case_lines(one), as_json=as_json)
    finally:
        engine.dispose()


def _engine(config: Path) -> Engine:
    if not config.exists():
        raise click.UsageError(f"There is no {config.name} in this folder.")
    from vetrelay.relay.process import DATABASE

    database = Path(relay_config(config).data) / DATABASE
    if not database.exists():
        raise click.UsageError("The message server has not been started here yet.")
    return reader_engine(database)


def _answer(seen: RelaySeen | CaseSeen, lines: Iterator[Line], *, as_json: bool) -> None:
    if as_json:
        answer_json({**_plain(asdict(seen)), "not_known": NOT_KNOWN})
    else:
        answer_lines(lines)


def _plain(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return msgspec.to_builtins(value)
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


STATEMENTS: Final = {
    "genesis": "comes into being",
    "machines": "names its machines",
    "device.add": "adds a device",
    "device.role": "changes what a device may do",
    "rotate": "changes its keys",
    "door": "opens or closes its door",
    "case.open": "opens the case",
    "invite.open": "makes a link for one newcomer",
    "invite.close": "takes a link back",
    "party.add": "joins by a link",
    "party.approve": "lets a newcomer in",
    "party.remove": "ends a party's part",
    "policy": "changes what the case has decided",
    "close": "closes the case",
    "reopen": "reopens the case",
    "bridge": "lets an email bridge in, or puts it out",
}
"""Statements in words; one that is not here is shown by its own name."""


def _mark(party: PartyId | None) -> str:
    """Enough of a fingerprint to tell parties apart in a list."""
    return fingerprint(party)[:9] if party else "unknown"


def _relay_lines(seen: RelaySeen) -> Iterator[Line]:
    yield Line(text="What this message server knows", style="title")
    codes = count(seen.unused_codes, "unused code")
    files = count(seen.files, "sealed file")
    yield Line(
        text=f"{count(len(seen.cases), 'case')}, {files} of {amount(seen.file_bytes)}, {codes} for new clinics and machines"
    )
    yield Line()
    yield Line(text="parties", style="title")
    for party in seen.parties:
        yield from _party_lines(party, in_case=False)
    yield Line()
    yield Line(text="cases", style="title")
    for case in seen.cases:
        yield Line(text=_case_facts(case), indent=2)
    yield Line()
    yield Line(text=NOT_KNOWN)


def _case_facts(case: CaseSeen) -> str:
    closed = f"closed {local(case.closed_ms)}" if case.closed_ms else "open"
    return (
        f"{case.case}  opened {local(case.opened_ms)}, {closed}, {count(case.n, 'position')}, {amount(case.used_bytes)}"
    )


def _case_lines(case: CaseSeen) -> Iterator[Line]:
    yield Line(text="What this message server knows of the case", style="title")
    yield Line(text=_case_facts(case))
    yield Line()
    yield Line(text="who takes part", style="title")
    for party in case.parties:
        yield from _party_lines(party, in_case=True)
    yield Line()
    yield Line(text="what was accepted, in order", style="title")
    for position in case.positions:
        yield Line(text=_position_words(position), indent=2)
    yield Line()
    yield Line(text=NOT_KNOWN)


def _party_lines(party: PartySeen, *, in_case: bool) -> Iterator[Line]:
    role = f" as {party.role}" if in_case else ""
    yield Line(text=f"{fingerprint(party.party)}  a {party.kind}{role}, here since {local(party.came_ms)}", indent=2)
    for device in party.devices:
        fetched = f", has fetched up to position {device.fetched_n}" if in_case else ""
        signed_in = f", last signed in {local(device.signed_in_ms)}" if device.signed_in_ms else ""
        state = "" if device.active else ", revoked"
        works_on = f", had {count(device.works_on, 'message')} in hand lately" if device.works_on else ""
        yield Line(
            text=f"device {device.device[:8]}, {device.role}{state}{fetched}{signed_in}{works_on}",
            style="quiet",
            indent=4,
        )


def _position_words(position: PositionSeen) -> str:
    place = f"{position.n:>4}  {local(position.time_ms)}  {_mark(position.party)}"
    envelope = position.envelope
    if envelope is None:
        return f"{place}  {STATEMENTS.get(position.statement, position.statement)}"
    readers = ", ".join(sorted({_mark(unit.party) for unit in envelope.recipients}))
    numbers = Counter(str(part.role) for part in envelope.objects)
    sizes = {role: sum(part.size for part in envelope.objects if part.role == role) for role in numbers}
    parts = ", ".join(f"{count(numbers[role], role)} {amount(size)}" for role, size in sizes.items())
    codes = Counter(str(ruling.code) for ruling in envelope.verdict or ())
    verdict = f"; verdict: {', '.join(f'{number} {code}' for code, number in codes.items())}" if codes else ""
    return f"{place}  sends a {envelope.class_} to {readers} (audience {envelope.audience}), sealed: {parts}{verdict}"
