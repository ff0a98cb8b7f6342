"""`case open invite join approve remove close reopen`: what changes who takes part in a case."""

import asyncio
from contextlib import suppress
from typing import Literal

import click

from vetrelay.cli.case_views import list_cases, show, words
from vetrelay.cli.find import find_case, find_party, name_of, party_meant
from vetrelay.cli.home import at_work, current_run, with_end
from vetrelay.cli.join import invitation_of, join_case, own_mark
from vetrelay.cli.run import EndGroup, IdText
from vetrelay.cli.terminal import answer, note, printable
from vetrelay.client.cases import approve, approve_intent, invite, open_case, remove, remove_intent, set_state
from vetrelay.client.end import End
from vetrelay.client.follow import follow
from vetrelay.client.names import patient_from
from vetrelay.client.outbox import deliver
from vetrelay.client.promises import Outgoing
from vetrelay.client.thread import Thread, read_thread
from vetrelay.errors import Refusal
from vetrelay.protocol.case import Inspection, MemberRole
from vetrelay.protocol.ids import PartyId

INVITED_ROLES = ("owner", "care", "consultant", "provider")
INSPECTED_BY = ("intake", "ends")


@click.group(cls=EndGroup)
def case() -> None:
    """Open, join and close cases; see who can read them."""


case.add_command(list_cases)
case.add_command(show)
case.add_command(words)


@case.command("open")
@click.option("--title", required=True, help="What it is about; sealed, like everything that is said.")
@click.option("--animal", help="What the animal is called: records of another one are noted.")
@click.option("--species", help="What it is: dog, cat, horse, …")
@click.option("--owner", help="Whose it is; a household's own, unless it says otherwise.")
@click.option(
    "--inspection",
    type=click.Choice(INSPECTED_BY),
    default="intake",
    show_default=True,
    help="Who checks files: the clinic's file check, or every sender's own program (then nobody sends from a browser).",
)
@with_end
async def open_new(
    end: End, *, title: str, animal: str | None, species: str | None, owner: str | None, inspection: Inspection
) -> None:
    """Open a case; prints its id.

    \b
    Examples:
      vetrelay case open --title 'Luna, itchy ear' --animal Luna --species dog --owner Meier
      vetrelay case open --title 'Second opinion' --inspection ends
    """
    patient = patient_from(end, animal=animal, species=species, owner=owner)
    promised, opened = await open_case(end, title, patient=patient, inspection=inspection)
    answer(opened)
    end.journal.report(promised.id)
    note("opened; `vetrelay case invite` makes a link for the owner")


@case.command("invite")
@click.argument("case", type=IdText())
@click.option(
    "--role", type=click.Choice(INVITED_ROLES), default="owner", show_default=True, help="What the newcomer may do."
)
@with_end
async def invite_party(end: End, case: str, role: MemberRole) -> None:
    """Make a link that lets one party into a case; prints it.

    \b
    Example:
      vetrelay case invite 8fK2xQ --role owner
    """
    answer(await invite(end, find_case(end, case), role))
    note("Whoever opens this link first is in, for 14 days: give it to one person, by a way that you trust.")


@case.command("join")
@click.argument("link")
@click.option("--name", help="What you are called; needed the first time.")
def join_by_link(link: str, name: str | None) -> None:
    """Take part in a case by the link that you were given; prints the case's id.

    \b
    Example:
      vetrelay case join 'https://clinic.example/j#i1.…' --name 'Anna Meier'
    """
    run = current_run()
    invitation = invitation_of(link)
    with at_work(run.home):
        joined, waits = asyncio.run(join_case(run, invitation, name))
        mark = own_mark(run) if waits else ""
    answer(joined)
    if waits:
        note(f"You are at the door. Somebody in the case lets you in; your fingerprint is {mark}")
    else:
        note("joined; `vetrelay send` writes, `vetrelay receive` fetches what is new")


@case.command("approve")
@click.argument("case", type=IdText())
@click.argument("party", type=IdText(), required=False)
@with_end
async def approve_party(end: End, case: str, party: str | None) -> None:
    """Let a party in that waits at the door; it may be left out when only one waits.

    \b
    Example:
      vetrelay case approve 8fK2xQ
    """
    found = find_case(end, case)
    thread = read_thread(end, found, await follow(end, found))
    done = await _begun_before(end, thread, approve_intent(found), party)
    promised = done or await approve(end, found, party_meant(thread, party).party)
    answer(f"{printable(name_of(thread, _party_of(promised)))} can read this case from now on")
    end.journal.report(promised.id)


@case.command("remove")
@click.argument("case", type=IdText())
@click.argument("party", type=IdText(), required=False)
@with_end
async def remove_party(end: End, case: str, party: str | None) -> None:
    """End a party's part in a case, or turn away one that waits. What was read cannot be unread.

    \b
    Example:
      vetrelay case remove 8fK2xQ 'Anna Meier'
    """
    found = find_case(end, case)
    thread = read_thread(end, found, await follow(end, found))
    done = await _begun_before(end, thread, remove_intent(found), party)
    promised = done or await remove(end, found, party_meant(thread, party).party)
    answer(f"{printable(name_of(thread, _party_of(promised)))} cannot read what comes from now on")
    end.journal.report(promised.id)


def _party_of(promised: Outgoing) -> PartyId:
    return promised.intent.split(":")[2]


async def _begun_before(end: End, thread: Thread, intent: str, wanted: str | None) -> Outgoing | None:
    """The same wish, cut short earlier: finished now, if it is about the party that is meant."""
    for promised in end.journal.unreported(intent):
        party = _party_of(promised)
        with suppress(Refusal):
            if wanted is None or find_party(thread, wanted, [party]) == party:
                await deliver(end, promised)
                await follow(end, thread.case)
                return promised
    return None


async def _set(end: End, wanted: str, state: Literal["close", "reopen"]) -> None:
    found = find_case(end, wanted)
    closed = (await follow(end, found)).roster.closed
    if closed == (state == "close"):
        note("it was so before; nothing was changed")
        promised = None
    else:
        promised = await set_state(end, found, state)
    answer(f"case {found} is {'closed' if state == 'close' else 'open'}")
    if promised is not None:
        end.journal.report(promised.id)


@case.command("close")
@click.argument("case", type=IdText())
@with_end
async def close_case(end: End, case: str) -> None:
    """End the conversation; reading goes on.

    \b
    Example:
      vetrelay case close 8fK2xQ
    """
    await _set(end, case, "close")


@case.command("reopen")
@click.argument("case", type=IdText())
@with_end
async def reopen_case(end: End, case: str) -> None:
    """Go on with a closed case.

    \b
    Example:
      vetrelay case reopen 8fK2xQ
    """
    await _set(end, case, "reopen")
