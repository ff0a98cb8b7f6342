"""`clinic create` and `clinic adopt`: a clinic's first device, and its machines."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click

from vetrelay.cli.home import (
    at_work,
    current_run,
    end_of,
    keep_keyring,
    now_ms,
    own_keyring,
    passphrase_to_set,
    with_end,
)
from vetrelay.cli.run import EndGroup, Run
from vetrelay.cli.terminal import answer, may_ask, note, printable
from vetrelay.client.api import connect
from vetrelay.client.end import End
from vetrelay.client.enrolment import drop_enrolment, keep_enrolment, kept_enrolment
from vetrelay.client.keyring import FILE_NAME
from vetrelay.client.names import check_name
from vetrelay.client.parties import NewParty, adopt, enrol, new_party, own_party, read_offer
from vetrelay.errors import Refusal
from vetrelay.protocol.ids import PartyId, fingerprint

CODE_VARIABLE = "VETRELAY_CODE"
IN_SERVICE: Final[Mapping[str, tuple[str, str]]] = {
    "intake": ("file check", "It works for all open cases now."),
    "bridge": ("email bridge", "It has no part in any case until you turn it on there: vetrelay bridge on CASE"),
}
"""What a machine is called, and what its adoption means."""


@click.group(cls=EndGroup)
def clinic() -> None:
    """Set up a clinic."""


async def _made(run: Run, name: str, person: str) -> NewParty | None:
    """The clinic of this home: made now or in an earlier attempt; None when the relay has taken it in already.

    Raises Refusal `identity_exists` for another identity's home, `relay_needed`.
    """
    if (run.home / FILE_NAME).exists():
        keyring = own_keyring(run)
        if (keyring.kind, keyring.party_name, keyring.person_name) != ("clinic", name, person):
            raise Refusal("identity_exists")
        return kept_enrolment(run.home, keyring)
    if run.relay_url is None:
        raise Refusal("relay_needed")
    check_name(name)
    check_name(person)
    async with connect(run.relay_url, device="", signer=None, now_ms=now_ms) as api:
        facts = await api.relay_facts()
    party = new_party(
        "clinic",
        party_name=name,
        person_name=person,
        relay=facts.relay,
        relay_url=run.relay_url,
        random_bytes=os.urandom,
    )
    # Durable before anything is sent: whatever is cut short from here on is finished by the same command.
    keep_enrolment(run.home, party)
    keep_keyring(run.home, party.keyring, passphrase=passphrase_to_set())
    return party


async def _create(run: Run, name: str, person: str, code: str | None) -> PartyId:
    party = await _made(run, name, person)
    if party is None:
        note("this clinic was created before; nothing was changed")
        return own_keyring(run).party
    if code is None and may_ask():
        code = click.prompt("One-time code (the gateway's `ready.json` has it)", err=True)
    if code is None:
        raise Refusal("needs_code")
    async with end_of(run, party.keyring) as end:
        await enrol(end.api, party, code=code)
    drop_enrolment(run.home)
    return party.keyring.party


@clinic.command()
@click.argument("name")
@click.option("--as", "person", required=True, metavar="PERSON", help="Who you are, as owners shall see it.")
@click.option("--code", envvar=CODE_VARIABLE, show_envvar=True, help="The one-time code of the message server.")
def create(name: str, person: str, code: str | None) -> None:
    """Create a clinic, with this home as its first device.

    \b
    Example:
      vetrelay --relay http://127.0.0.1:8440 clinic create 'Wrenfield Practice' \
          --as 'Dr. Oleander' --code ABCD-EFGH-IJKL-MNOP
    """
    run = current_run()
    with at_work(run.home):
        party = asyncio.run(_create(run, name, person, code))
        keyring = own_keyring(run)
    answer(f"{printable(keyring.party_name)}  fingerprint {fingerprint(party)}")
    note(f"message server at {keyring.relay_url}  fingerprint {fingerprint(keyring.relay)}")
    note("This fingerprint is the clinic. Back up the home folder: it holds the clinic's keys.")


@clinic.command("adopt")
@click.argument("offer", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--beside", is_flag=True, help="Keep the file checks in service too: they share the work.")
@with_end
async def adopt_machine(end: End, offer: Path, *, beside: bool) -> None:
    """Take a machine (the file check, the email bridge) into service, by the offer that it wrote on its own disk.

    It takes the place of the one before. With --beside, several work side by side: each file is checked by one of them,
    and when one dies the others finish its files.

    \b
    Example:
      vetrelay clinic adopt /srv/vetrelay/offers/intake.json
      vetrelay clinic adopt --beside /mnt/second/intake.offer.json
    """
    offered = read_offer(offer)
    before = (await own_party(end)).seq
    machine = await adopt(end, offered, beside=beside)
    after = await own_party(end)
    what, how = IN_SERVICE[offered.role]
    answer(f"{what}  fingerprint {fingerprint(machine.id)}")
    if before == after.seq:
        note("it was adopted before; nothing was changed")
    else:
        note(f"Compare this fingerprint with the one that the machine shows at its own start. {how}")
    if len(after.intakes) > 1:
        note(f"{len(after.intakes)} file checks share the files now")
