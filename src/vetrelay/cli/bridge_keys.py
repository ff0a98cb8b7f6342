"""`bridge keys`: the key that letters to a correspondent are sealed with, approved by its fingerprint."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from msgspec import structs

from vetrelay.cli.bridge_case import be_on
from vetrelay.cli.bridge_correspondents import checked_address
from vetrelay.cli.by_email import MODES, in_groups, party_of_address
from vetrelay.cli.find import find_case
from vetrelay.cli.home import with_end
from vetrelay.cli.run import EndCommand, IdText
from vetrelay.cli.terminal import Line, answer, answer_json, answer_lines, may_ask, note, printable
from vetrelay.cli.words import local
from vetrelay.client.end import End
from vetrelay.client.follow import follow
from vetrelay.client.mail import MailState, mail_state, set_correspondent
from vetrelay.errors import Refusal
from vetrelay.protocol.bymail import Correspondent
from vetrelay.protocol.ids import CaseId, b64

if TYPE_CHECKING:
    from vetrelay.bridge.letters.mailkeys import MailKey

KEY_FILE_BYTES: Final = 96 * 1024


@click.command("keys", cls=EndCommand)
@click.argument("case", type=IdText())
@click.argument("address")
@click.argument("file", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--fingerprint", metavar="DIGITS", help="The fingerprint as its owner read it to you by telephone.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@with_end
async def keys(end: End, case: str, address: str, *, file: Path | None, fingerprint: str | None, as_json: bool) -> None:
    """Show the keys of a correspondent; approve the one in FILE by its fingerprint.

    FILE is a PGP key or an S/MIME certificate, as the correspondent gave it to you. Call them on a number that you knew
    before, let them read its fingerprint to you, and type it: nothing else shows that the key is theirs. From then on
    letters to them are sealed with it. A key that came with a letter is only a suggestion.

    \b
    Examples:
      vetrelay bridge keys 8fK2xQ eye@clinic.example
      vetrelay bridge keys 8fK2xQ eye@clinic.example eye.asc
      vetrelay bridge keys 8fK2xQ eye@clinic.example eye.asc --fingerprint '951B 1C23 …'
    """
    if fingerprint is not None and file is None:
        raise click.UsageError("--fingerprint goes with FILE, the key that it is of.")
    found, wanted = find_case(end, case), checked_address(address)
    followed = await follow(end, found)
    state = mail_state(end, found, followed)
    one = state.correspondents.get(wanted)
    if one is None:
        raise Refusal("no_such_correspondent")
    if file is not None:
        await be_on(end, found, followed)
        one = await _approve(end, found, one, file, fingerprint)
    if as_json:
        answer_json(_keys_json(found, one, state))
    elif file is None:
        answer_lines(_key_lines(one, state))


async def _approve(end: End, case: CaseId, one: Correspondent, file: Path, fingerprint: str | None) -> Correspondent:
    key = _read(file, end.now_ms())
    known_by = key.fingerprint.upper()
    note(f"this key says it is of: {', '.join(printable(name) for name in key.names) or 'nobody'}")
    if fingerprint is None and may_ask():
        fingerprint = click.prompt("Its fingerprint, as its owner reads it to you", err=True)
    if fingerprint is None:
        raise Refusal("fingerprint_needed")
    if "".join(fingerprint.replace(":", " ").split()).upper() != known_by:
        raise Refusal("fingerprint_differs")
    approved = structs.replace(one, mode=key.kind, key=known_by, key_material=b64(key.public))
    if approved != one:
        promised = await set_correspondent(end, case, approved)
        end.journal.report(promised.id)
    else:
        note("it was so before; nothing was changed")
    answer(f"{party_of_address(approved)}: {MODES[approved.mode]}, {in_groups(known_by)}")
    return approved


def _read(file: Path, now_ms: int) -> "MailKey":
    """The key in a file, fit to be sealed to today. Raises Refusal `file_unreadable`, `mail_key_*`; Fault `openpgp_absent`."""
    from vetrelay.bridge.letters.mailkeys import parse_mail_key, require_fit

    try:
        content = file.read_bytes()
    except OSError as wrong:
        raise Refusal("file_unreadable") from wrong
    if len(content) > KEY_FILE_BYTES:
        raise Refusal("mail_key_unreadable")
    key = parse_mail_key(content)
    require_fit(key, now_ms=now_ms)
    return key


def _suggested(one: Correspondent, state: MailState) -> list[tuple[int, str]]:
    """When keys came with letters, and what the bridge said of them."""
    return [
        (event.at, event.detail or "")
        for event in state.events
        if event.what == "key_suggested" and event.about == one.address
    ]


def _keys_json(case: CaseId, one: Correspondent, state: MailState) -> dict[str, Any]:
    return {
        "case": case,
        "address": one.address,
        "mode": one.mode,
        "approved": one.key,
        "suggested": [{"at_ms": at_ms, "key": detail} for at_ms, detail in _suggested(one, state)],
    }


def _key_lines(one: Correspondent, state: MailState) -> list[Line]:
    approved = f"approved   {in_groups(one.key)}" if one.key else "approved   none"
    lines = [Line(text=f"{party_of_address(one)}: {MODES[one.mode]}", style="title"), Line(text=approved, indent=2)]
    for at_ms, detail in _suggested(one, state):
        lines.append(Line(text=f"suggested  {printable(detail)}  with a letter of {local(at_ms)}", indent=2))
    return lines
