"""`case join`: a household comes in by a link, or an identity that is here already takes part in one more case."""

import os
from contextlib import suppress

from vetrelay.cli.home import end_of, keep_keyring, now_ms, own_keyring, passphrase_to_set
from vetrelay.cli.run import Run
from vetrelay.cli.terminal import note, printable
from vetrelay.cli.words import ROLES
from vetrelay.client.api import connect
from vetrelay.client.cases import Welcome, join, join_intent, look_at_invitation
from vetrelay.client.end import End
from vetrelay.client.enrolment import drop_enrolment, keep_enrolment, kept_enrolment
from vetrelay.client.follow import follow_or_recall
from vetrelay.client.keyring import FILE_NAME, Keyring
from vetrelay.client.names import check_name
from vetrelay.client.outbox import deliver_all
from vetrelay.client.parties import NewParty, new_party, own_party
from vetrelay.errors import Refusal
from vetrelay.protocol.ids import CaseId, fingerprint
from vetrelay.protocol.invitation import InvitationLink, parse_link


def invitation_of(text: str) -> InvitationLink:
    """An invitation link. Raises Refusal `link_broken`, `not_a_link` for one of another kind."""
    link = parse_link(text)
    if not isinstance(link, InvitationLink):
        raise Refusal("not_a_link")
    return link


async def join_case(run: Run, link: InvitationLink, name: str | None) -> tuple[CaseId, bool]:
    """Joins, as often as it takes; the case, and whether this party still waits to be let in.

    Raises Refusal `wrong_relay`, `name_needed`, and what `look_at_invitation` and `join` refuse.
    """
    is_new = not (run.home / FILE_NAME).exists()
    keyring = await _new_identity(run, link, name) if is_new else own_keyring(run)
    if keyring.relay != link.relay:
        raise Refusal("wrong_relay")
    async with end_of(run, keyring) as end:
        newcomer = kept_enrolment(run.home, keyring)
        await deliver_all(end)
        if newcomer is not None and not is_new and await _is_known(end):
            drop_enrolment(run.home)
            newcomer = None
        promised_before = end.journal.intended(join_intent(link)) is not None
        waits = None if promised_before else await _waits(end, link)
        if waits is not None:
            note("this was done before; nothing was changed")
            return link.case, waits
        welcome = None if promised_before else await look_at_invitation(end.api, link)
        if welcome is not None:
            _show(welcome)
        return await _joined(run, end, link, welcome, newcomer)


async def _joined(
    run: Run, end: End, link: InvitationLink, welcome: Welcome | None, newcomer: NewParty | None
) -> tuple[CaseId, bool]:
    promised, followed = await join(end, link, welcome, newcomer)
    drop_enrolment(run.home)
    end.journal.report(promised.id)
    waits = followed is None or followed.roster.role_of(end.keyring.party) is None
    return link.case, waits


async def _new_identity(run: Run, link: InvitationLink, name: str | None) -> Keyring:
    """A new household; durable before anything is sent. Raises Refusal `name_needed`, `name_too_long`."""
    if name is None:
        raise Refusal("name_needed")
    check_name(name)
    url = run.relay_url or link.base_url
    async with connect(url, device="", signer=None, now_ms=now_ms) as api:
        await look_at_invitation(api, link)  # no identity is made for a link that leads nowhere
    party = new_party(
        "household",
        party_name=name,
        person_name=name,
        relay=link.relay,
        relay_url=url,
        random_bytes=os.urandom,
    )
    keep_enrolment(run.home, party)
    keep_keyring(run.home, party.keyring, passphrase=passphrase_to_set())
    return party.keyring


async def _is_known(end: End) -> bool:
    with suppress(Refusal):
        await own_party(end)
        return True
    return False


async def _waits(end: End, link: InvitationLink) -> bool | None:
    """Whether this party, in the very case that the link leads to already, waits at the door; None where it is not in."""
    if end.journal.case(link.case).tail.n <= link.n:
        return None
    followed, _ = await follow_or_recall(end, link.case)
    member = followed.roster.members.get(end.keyring.party)
    return member.pending if member is not None and followed.heads[link.n] == link.head else None


def _show(welcome: Welcome) -> None:
    note(f"{printable(welcome.person)}, {printable(welcome.party)}, invites you as {ROLES[welcome.role]}")
    note(f"about: {printable(welcome.title) or '(no title)'}")


def own_mark(run: Run) -> str:
    """This party's fingerprint, for who must recognise it at the door."""
    return fingerprint(own_keyring(run).party)
