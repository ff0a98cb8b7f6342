"""`bridge on off address consent front-door`: a case's email as a whole."""

import time
from typing import Final

import click

from vetrelay.cli.by_email import BEYOND, correspondent_json, in_groups, party_of_address
from vetrelay.cli.find import find_case
from vetrelay.cli.home import with_end
from vetrelay.cli.run import EndCommand, IdText
from vetrelay.cli.terminal import Exit, Line, answer, answer_json, answer_lines, note, printable
from vetrelay.client.end import End
from vetrelay.client.follow import Followed, follow
from vetrelay.client.mail import MailState, give_consent, mail_state, set_front_door, turn_off, turn_on
from vetrelay.errors import Fault, Refusal
from vetrelay.protocol.ids import CaseId

LONG_POLL_SECONDS: Final = 20
ANSWER_SECONDS: Final = 30.0


async def be_on(end: End, case: CaseId, followed: Followed) -> None:
    """Turns email on where it is off, and says what that means."""
    if followed.roster.bridging:
        return
    promised = await turn_on(end, case)
    note(f"email is on in this case; everybody in it sees that, and {BEYOND}")
    end.journal.report(promised.id)


@click.command("on", cls=EndCommand)
@click.argument("case", type=IdText())
@with_end
async def turn_mail_on(end: End, case: str) -> None:
    """Let the clinic's email bridge into a case, so that it can go by email.

    The bridge can read what is said to everybody in the case from then on. Everybody in it sees that.

    \b
    Example:
      vetrelay bridge on 8fK2xQ
    """
    found = find_case(end, case)
    followed = await follow(end, found)
    if followed.roster.bridging:
        note("it was so before; nothing was changed")
    await be_on(end, found, followed)
    answer(f"case {found} goes by email too")


@click.command("off", cls=EndCommand)
@click.argument("case", type=IdText())
@with_end
async def turn_mail_off(end: End, case: str) -> None:
    """Put the email bridge out of a case; the owner may do it too.

    What is said from then on the bridge cannot open, and letters to the case's addresses come back to their senders.
    What was sent before cannot be unread.

    \b
    Example:
      vetrelay bridge off 8fK2xQ
    """
    found = find_case(end, case)
    if (await follow(end, found)).roster.bridges:
        promised = await turn_off(end, found)
        answer(f"case {found} goes by email no longer")
        end.journal.report(promised.id)
    else:
        answer(f"case {found} goes by email no longer")
        note("it was so before; nothing was changed")


@click.command("address", cls=EndCommand)
@click.argument("case", type=IdText())
@click.option(
    "--wait",
    "wait_seconds",
    type=click.FloatRange(min=0),
    default=ANSWER_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the bridge, which makes the addresses.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@with_end
async def address(end: End, case: str, *, wait_seconds: float, as_json: bool) -> int:
    """Show each correspondent's address, link for large files, and code.

    Turns email on in the case if it is off. Each correspondent has an address of their own: give it to nobody else. Tell
    the code by telephone, never by email. Ends with code 4 when nobody is listed.

    \b
    Example:
      vetrelay bridge address 8fK2xQ
    """
    found = find_case(end, case)
    await be_on(end, found, await follow(end, found))
    state = await _with_mailboxes(end, found, wait_seconds)
    told = [one for one in state.correspondents.values() if one.address in state.mailboxes]
    if as_json:
        answer_json({"case": found, "addresses": [correspondent_json(state, one) for one in told]})
    else:
        answer_lines(line for one in told for line in _address_lines(state, one.address, who=party_of_address(one)))
    if not state.correspondents:
        note("nobody is listed yet: vetrelay bridge correspondents CASE --add ADDRESS --name NAME")
        return Exit.NOTHING
    if len(told) < len(state.correspondents):
        raise Fault("bridge_silent")
    return Exit.OK


async def _with_mailboxes(end: End, case: CaseId, wait_seconds: float) -> MailState:
    """The case's email once the bridge has made every address, or after about this time."""
    deadline = time.monotonic() + wait_seconds
    followed = await follow(end, case)
    while True:
        state = mail_state(end, case, followed)
        left_seconds = deadline - time.monotonic()
        if state.correspondents.keys() <= state.mailboxes.keys() or left_seconds <= 0:
            return state
        followed = await follow(
            end, case, known=followed, wait_seconds=max(1, min(LONG_POLL_SECONDS, int(left_seconds)))
        )


def _address_lines(state: MailState, address: str, *, who: str) -> list[Line]:
    mailbox = state.mailboxes[address]
    lines = [
        Line(text=who, style="title"),
        Line(text=f"writes to    {printable(mailbox.mail)}", indent=2),
        Line(text=f"large files  {printable(mailbox.upload)}", indent=2),
        Line(text=f"code         {printable(mailbox.code)}", indent=2),
    ]
    return [*lines, Line(text=f"our PGP key  {in_groups(mailbox.pgp)}", style="quiet", indent=2)]


@click.command("consent", cls=EndCommand)
@click.argument("case", type=IdText())
@click.argument("address")
@click.option("--give/--withdraw", "given", default=None, help="Allow plain email to this address, or no longer.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@with_end
async def consent(end: End, case: str, address: str, *, given: bool | None, as_json: bool) -> None:
    """As the owner: allow plain email to one address, or no longer. Without either: show how it stands.

    Plain email can be read by every mail server on its way and stays in mailboxes for ever. Without your consent that
    address gets a notice with a link. What went out before cannot be called back.

    \b
    Example:
      vetrelay bridge consent 8fK2xQ eye@clinic.example --give
    """
    found, wanted = find_case(end, case), address.lower()
    state = mail_state(end, found, await follow(end, found))
    if wanted not in state.correspondents and given is not False:
        raise Refusal("no_such_correspondent")
    if given is not None and given != state.may_be_plain(wanted):
        promised = await give_consent(end, found, wanted, given=given)
        end.journal.report(promised.id)
    elif given is not None:
        note("it was so before; nothing was changed")
    now = state.may_be_plain(wanted) if given is None else given
    if as_json:
        answer_json({"case": found, "address": wanted, "plain_consent": now})
    else:
        answer(f"plain email to {printable(wanted)} is {'allowed' if now else 'not allowed'}")


@click.command("front-door", cls=EndCommand)
@click.argument("case", type=IdText())
@click.option("--on/--off", "on", default=None, help="Let such letters come into this case, or no longer.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@with_end
async def front_door(end: End, case: str, *, on: bool | None, as_json: bool) -> None:
    """Let letters to the practice's general address come into this case.

    They are filed from there: `vetrelay bridge unfiled` lists what waits. Take a case of staff alone, for what comes is
    anybody's; the newest word counts, so there is one such case. Without
    --on or --off: show how it stands.

    \b
    Example:
      vetrelay bridge front-door 8fK2xQ --on
    """
    found = find_case(end, case)
    followed = await follow(end, found)
    stands = mail_state(end, found, followed).front_door
    if on is not None and on != stands:
        if on:
            await be_on(end, found, followed)
        promised = await set_front_door(end, found, on=on)
        end.journal.report(promised.id)
    elif on is not None:
        note("it was so before; nothing was changed")
    now = stands if on is None else on
    if as_json:
        answer_json({"case": found, "front_door": now})
    else:
        where = "come into" if now else "do not come into"
        answer(f"letters to the practice's general address {where} case {found}")
