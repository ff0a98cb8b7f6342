"""`bridge correspondents`: who takes part in a case by email, and how they are written to."""

import re
from typing import Final

import click

from vetrelay.cli.bridge_case import be_on
from vetrelay.cli.by_email import BEYOND, case_mail_json, correspondent_lines, how_written, party_of_address
from vetrelay.cli.find import find_case
from vetrelay.cli.home import with_end
from vetrelay.cli.run import EndCommand, IdText
from vetrelay.cli.terminal import Line, answer, answer_json, answer_lines, note, printable
from vetrelay.client.end import End
from vetrelay.client.follow import follow
from vetrelay.client.mail import MailState, mail_state, set_correspondent, strike_off
from vetrelay.errors import Refusal
from vetrelay.protocol.bymail import Correspondent, MailMode
from vetrelay.protocol.ids import CaseId

MODES: Final = ("notify", "pgp", "smime", "plain")
SEALED: Final = frozenset({"pgp", "smime"})
_ADDRESS: Final = re.compile(r"[^\s@<>\"(),:;\\]{0,64}@[^\s@<>\"(),:;\\]{1,253}")
_REFERENCE: Final = re.compile(r"[A-Za-z0-9 ./_-]{0,40}")
_MOST_NAME: Final = 100


@click.command("correspondents", cls=EndCommand)
@click.argument("case", type=IdText())
@click.option(
    "--add", metavar="ADDRESS", help="List this address, or change how it is written to; @DOMAIN is everybody there."
)
@click.option("--remove", metavar="ADDRESS", help="Strike this address off.")
@click.option("--name", help="With --add: who that is, as everybody in the case shall see it.")
@click.option("--mode", type=click.Choice(MODES), help="With --add: how they are written to (notify unless said).")
@click.option(
    "--reference", metavar="NUMBER", help="With --add: their own number for the case, shown in Subject; '' for none."
)
@click.option(
    "--confirm/--no-confirm", default=None, help="With --add: confirm each of their letters with its receipt, or not."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@with_end
async def correspondents(
    end: End,
    case: str,
    *,
    add: str | None,
    remove: str | None,
    name: str | None,
    mode: MailMode | None,
    reference: str | None,
    confirm: bool | None,
    as_json: bool,
) -> None:
    """Show who takes part by email; list somebody, or strike them off.

    \b
    How somebody is written to:
      notify  a notice with a link, not one word of content
      pgp     letters sealed with their PGP key          (first: vetrelay bridge keys)
      smime   letters sealed with their certificate      (first: vetrelay bridge keys)
      plain   plain email; only with the owner's consent (vetrelay bridge consent)

    \b
    Examples:
      vetrelay bridge correspondents 8fK2xQ
      vetrelay bridge correspondents 8fK2xQ --add eye@clinic.example --name 'Dr. Eye' --reference 'P-4711'
      vetrelay bridge correspondents 8fK2xQ --remove eye@clinic.example
    """
    if add is not None and remove is not None:
        raise click.UsageError("--add and --remove are two wishes; give them one after the other.")
    if add is None and (name, mode, reference, confirm) != (None, None, None, None):
        raise click.UsageError("--name, --mode, --reference and --confirm go with --add.")
    found = find_case(end, case)
    if add is not None:
        await _add(end, found, add, name=name, mode=mode, reference=reference, confirm=confirm)
    elif remove is not None:
        await _remove(end, found, remove)
    state = mail_state(end, found, await follow(end, found))
    if as_json:
        answer_json({"case": found, **case_mail_json(state)})
    elif add is None and remove is None:
        answer_lines(_lines(state))


def checked_address(untrusted: str) -> str:
    """An address as it is kept: lower-case. Raises Refusal `no_mail_address`."""
    lowered = untrusted.strip().lower()
    if _ADDRESS.fullmatch(lowered) is None:
        raise Refusal("no_mail_address")
    return lowered


async def _add(
    end: End,
    case: CaseId,
    untrusted_address: str,
    *,
    name: str | None,
    mode: MailMode | None,
    reference: str | None,
    confirm: bool | None,
) -> None:
    address = checked_address(untrusted_address)
    if reference is not None and _REFERENCE.fullmatch(reference) is None:
        raise click.UsageError("--reference is up to 40 letters, digits, spaces and . / _ -")
    if name is not None and not 0 < len(name) <= _MOST_NAME:
        raise Refusal("name_too_long")
    followed = await follow(end, case)
    state = mail_state(end, case, followed)
    before = state.correspondents.get(address)
    wanted = _wanted(address, before, name=name, mode=mode, reference=reference, confirm=confirm)
    if wanted == before and state.on:
        note("it was so before; nothing was changed")
        return
    await be_on(end, case, followed)
    promised = await set_correspondent(end, case, wanted)
    answer(f"{party_of_address(wanted)}: {how_written(state, wanted)}")
    end.journal.report(promised.id)
    note(f"{BEYOND}; `vetrelay bridge address` shows where they write to")


def _wanted(
    address: str,
    before: Correspondent | None,
    *,
    name: str | None,
    mode: MailMode | None,
    reference: str | None,
    confirm: bool | None,
) -> Correspondent:
    """The new word on an address: what is not said stays as it was. A key goes with the mode that it was approved for."""
    new_mode = mode or (before.mode if before else "notify")
    keeps_key = before is not None and before.mode == new_mode and new_mode in SEALED
    return Correspondent(
        address=address,
        name=name or (before.name if before else address),
        listed=True,
        mode=new_mode,
        key=before.key if before and keeps_key else None,
        key_material=before.key_material if before and keeps_key else None,
        reference=(reference or None) if reference is not None else (before.reference if before else None),
        confirm=confirm if confirm is not None else bool(before and before.confirm),
    )


async def _remove(end: End, case: CaseId, untrusted_address: str) -> None:
    address = checked_address(untrusted_address)
    promised = await strike_off(end, case, address)
    answer(f"{printable(address)} takes part no longer")
    end.journal.report(promised.id)
    note("letters from there wait for staff from now on; what was sent cannot be called back")


def _lines(state: MailState) -> list[Line]:
    head = [] if state.on else [Line(text="email is off in this case (`vetrelay bridge on`)", style="warn")]
    people = [line for one in state.correspondents.values() for line in correspondent_lines(state, one, indent=0)]
    return head + (people or [Line(text="nobody takes part by email")])
