"""`bridge keys`: the key that letters to a correspondent are sealed with, approved by its fingerprint."""

from dataclasses import dataclass
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
from vetrelay.protocol.ids import CaseId, b64, unb64

if TYPE_CHECKING:
    from vetrelay.bridge.letters.mailkeys import MailKey

KEY_FILE_BYTES: Final = 96 * 1024


@click.command("keys", cls=EndCommand)
@click.argument("case", type=IdText())
@click.argument("address")
@click.argument("file", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--suggested", is_flag=True, help="Approve the key that came with their newest letter, instead of FILE.")
@click.option("--fingerprint", metavar="DIGITS", help="The fingerprint as its owner read it to you by telephone.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@with_end
async def keys(
    end: End,
    case: str,
    address: str,
    *,
    file: Path | None,
    suggested: bool,
    fingerprint: str | None,
    as_json: bool,
) -> None:
    """Show the keys of a correspondent; approve the one in FILE by its fingerprint.

    FILE is a PGP key or an S/MIME certificate, as the correspondent gave it to you. Call them on a number that you knew
    before, let them read its fingerprint to you, and type it: nothing else shows that the key is theirs. From then on
    letters to them are sealed with it. A key that came with a letter is only a suggestion: approve it the same way, with
    --suggested in the place of FILE.

    \b
    Examples:
      vetrelay bridge keys 8fK2xQ eye@clinic.example
      vetrelay bridge keys 8fK2xQ eye@clinic.example eye.asc
      vetrelay bridge keys 8fK2xQ eye@clinic.example eye.asc --fingerprint '951B 1C23 …'
    """
    if (file is not None) and suggested:
        raise click.UsageError("FILE and --suggested are two keys; name one.")
    if fingerprint is not None and file is None and not suggested:
        raise click.UsageError("--fingerprint goes with FILE or --suggested, the key that it is of.")
    found, wanted = find_case(end, case), checked_address(address)
    followed = await follow(end, found)
    state = mail_state(end, found, followed)
    one = state.correspondents.get(wanted)
    if one is None:
        raise Refusal("no_such_correspondent")
    if file is not None or suggested:
        content = _content(file) if file is not None else _newest_suggestion(one, state)
        await be_on(end, found, followed)
        one = await _approve(end, found, one, content, fingerprint)
    if as_json:
        answer_json(_keys_json(found, one, state))
    elif file is None and not suggested:
        answer_lines(_key_lines(one, state))


async def _approve(
    end: End, case: CaseId, one: Correspondent, content: bytes, fingerprint: str | None
) -> Correspondent:
    key = _read(content, end.now_ms())
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


def _content(file: Path) -> bytes:
    """The bytes of a key file. Raises Refusal `file_unreadable`."""
    try:
        return file.read_bytes()
    except OSError as wrong:
        raise Refusal("file_unreadable") from wrong


def _newest_suggestion(one: Correspondent, state: MailState) -> bytes:
    """The key that came last with a letter of theirs. Raises Refusal `mail_key_unreadable` where none did."""
    found = _suggested(one, state)
    if not found:
        raise Refusal("mail_key_unreadable")
    return unb64(found[-1].key)


def _read(content: bytes, now_ms: int) -> "MailKey":
    """A key, fit to be sealed to today. Raises Refusal `mail_key_*`; Fault `openpgp_absent`."""
    from vetrelay.bridge.letters.mailkeys import parse_mail_key, require_fit

    if len(content) > KEY_FILE_BYTES:
        raise Refusal("mail_key_unreadable")
    key = parse_mail_key(content)
    require_fit(key, now_ms=now_ms)
    return key


@dataclass(frozen=True, slots=True, kw_only=True)
class _Came:
    """A key that came with a letter: when, its fingerprint as the bridge read it, and the key (base64url)."""

    at_ms: int
    fingerprint: str
    key: str


def _suggested(one: Correspondent, state: MailState) -> list[_Came]:
    """The keys that came with letters of theirs, oldest first."""
    told = [event for event in state.events if event.what == "key_suggested" and event.about == one.address]
    parts = [(event.at, (event.detail or "").partition(" ")) for event in told]
    return [_Came(at_ms=at_ms, fingerprint=fingerprint, key=key) for at_ms, (fingerprint, _, key) in parts]


def _keys_json(case: CaseId, one: Correspondent, state: MailState) -> dict[str, Any]:
    return {
        "case": case,
        "address": one.address,
        "mode": one.mode,
        "approved": one.key,
        "suggested": [{"at_ms": came.at_ms, "fingerprint": came.fingerprint} for came in _suggested(one, state)],
    }


def _key_lines(one: Correspondent, state: MailState) -> list[Line]:
    approved = f"approved   {in_groups(one.key)}" if one.key else "approved   none"
    lines = [Line(text=f"{party_of_address(one)}: {MODES[one.mode]}", style="title"), Line(text=approved, indent=2)]
    came = (f"suggested  {in_groups(printable(one.fingerprint))}  {local(one.at_ms)}" for one in _suggested(one, state))
    return [*lines, *(Line(text=text, indent=2) for text in came)]
