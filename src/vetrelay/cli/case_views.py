"""`case list show words`: who can read a case, and how to be sure of it."""

from collections.abc import Iterator
from typing import Any, Final

import click
from msgspec import to_builtins

from vetrelay.cli.by_email import case_mail_json, case_mail_lines
from vetrelay.cli.find import find_case, find_party, name_of, waiting
from vetrelay.cli.home import with_end
from vetrelay.cli.reading import freshest
from vetrelay.cli.run import EndCommand, IdText
from vetrelay.cli.terminal import Line, answer_json, answer_lines, as_table, printable
from vetrelay.cli.words import KINDS, ROLES, count, local
from vetrelay.client.end import End
from vetrelay.client.journal import CaseRow
from vetrelay.client.mail import MailState, mail_state
from vetrelay.client.names import card_of, title_of
from vetrelay.client.thread import Thread, read_thread
from vetrelay.errors import SENTENCES, Refusal
from vetrelay.protocol.finding import Patient
from vetrelay.protocol.ids import PartyId, fingerprint
from vetrelay.protocol.words import safety_numbers

INSPECTIONS: Final = {
    "intake": "the clinic's file check opens files, and nothing else",
    "ends": "every sender's own program checks a file before it is sealed; no other machine opens any",
}


@click.command("list", cls=EndCommand)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@with_end
async def list_cases(end: End, *, as_json: bool) -> None:
    """List the cases of this identity.

    \b
    Example:
      vetrelay case list
    """
    threads = [(row, read_thread(end, row.id)) for row in end.journal.cases() if row.tail.n]
    at_the_door = [row for row in end.journal.cases() if not row.tail.n]
    if as_json:
        known = [_summary(end, row, thread) for row, thread in threads]
        answer_json({"cases": known + [_at_the_door(end, row) for row in at_the_door]})
        return
    rows = [
        (row.id, _state(thread), count(len(thread.entries), "message"), printable(thread.title), _about(thread.patient))
        for row, thread in threads
    ]
    rows += [(row.id, "at the door", "", printable(title_of(end, row.id) or ""), "") for row in at_the_door]
    answer_lines(Line(text=line) for line in as_table(rows) or ["no cases yet"])


def _state(thread: Thread) -> str:
    return "closed" if thread.followed.roster.closed else "open"


def _about(patient: Patient | None) -> str:
    """Whom a case is about, for a person: Luna, dog, of Meier."""
    if patient is None:
        return ""
    owner = f"of {patient.owner}" if patient.owner else ""
    return printable(", ".join(part for part in (patient.name, patient.species, owner) if part))


def _patient_json(patient: Patient | None) -> dict[str, str] | None:
    return None if patient is None else to_builtins(patient)


def _summary(end: End, row: CaseRow, thread: Thread) -> dict[str, Any]:
    role = thread.followed.roster.role_of(end.keyring.party)
    return {
        "case": row.id,
        "title": thread.title,
        "patient": _patient_json(thread.patient),
        "state": _state(thread),
        "role": role,
        "messages": len(thread.entries),
        "n": row.tail.n,
        "blocked": row.blocked,
    }


def _at_the_door(end: End, row: CaseRow) -> dict[str, Any]:
    card = card_of(end, row.id)
    return {
        "case": row.id,
        "title": card.title if card else None,
        "patient": _patient_json(card.patient if card else None),
        "state": "at the door",
        "role": None,
        "messages": 0,
        "n": 0,
        "blocked": row.blocked,
    }


@click.command("show", cls=EndCommand)
@click.argument("case", type=IdText())
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@with_end
async def show(end: End, case: str, *, as_json: bool) -> None:
    """Show who can read a case, and on whose word.

    \b
    Example:
      vetrelay case show 8fK2xQ
    """
    thread = read_thread(end, (found := find_case(end, case)), await freshest(end, found))
    blocked = end.journal.case(found).blocked
    mail = mail_state(end, found, thread.followed)
    if as_json:
        answer_json(_shown(thread, mail, blocked))
    else:
        answer_lines(_lines(end, thread, mail, blocked))


def _shown(thread: Thread, mail: MailState, blocked: str | None) -> dict[str, Any]:
    roster = thread.followed.roster
    return {
        "case": thread.case,
        "title": thread.title,
        "patient": _patient_json(thread.patient),
        "state": _state(thread),
        "n": thread.followed.tail.n,
        "inspection": roster.policy.inspection if roster.policy else None,
        "parties": [_party(thread, party) for party in roster.members],
        "file_checks": [_party(thread, intake) for intake in roster.intakes],
        "bridges": [_party(thread, bridge) for bridge in roster.bridging],
        "mail": case_mail_json(mail),
        "invitations": [
            {"role": invitation.role, "by": invitation.party, "until_ms": invitation.until_ms}
            for invitation in roster.invitations.values()
        ],
        "blocked": blocked,
    }


def _party(thread: Thread, party: PartyId) -> dict[str, Any]:
    roster = thread.followed.roster
    member, chain, card = roster.members.get(party), roster.parties[party], thread.names.get(party)
    names = {person.person: person.name for person in card.people} if card else {}
    return {
        "party": party,
        "name": card.party if card else None,
        "kind": chain.kind,
        "role": member.role if member else roster.role_of(party),
        "fingerprint": fingerprint(party),
        "pending": bool(member and member.pending),
        "invited_by": member.invited_by if member else None,
        "since_n": member.since_n if member else None,
        "devices": [
            {
                "device": one.id,
                "person": one.person,
                "name": names.get(one.person),
                "role": one.role,
                "admin": one.admin,
            }
            for one in chain.active
        ],
    }


def _lines(end: End, thread: Thread, mail: MailState, blocked: str | None) -> Iterator[Line]:
    roster = thread.followed.roster
    yield Line(text=printable(thread.title), style="title")
    if about := _about(thread.patient):
        yield Line(text=f"about {about}")
    yield Line(text=f"case {thread.case}  {_state(thread)}", style="quiet")
    if blocked:
        yield Line(text=f"sending is blocked: {SENTENCES[blocked]}", style="bad")
    yield Line()
    yield Line(text="who can read this", style="title")
    for member in roster.active():
        yield from _party_lines(end, thread, member.party)
    for bridge in roster.bridging:
        yield Line(text=f"email bridge  fingerprint {fingerprint(bridge)}", indent=2)
    yield from case_mail_lines(mail)
    door = waiting(thread)
    if door:
        yield Line()
        yield Line(text="waiting to be let in (`vetrelay case approve`)", style="title")
        for member in door:
            yield from _party_lines(end, thread, member.party)
    yield Line()
    yield Line(text="who checks the files", style="title")
    yield Line(text=INSPECTIONS[roster.policy.inspection] if roster.policy else "", indent=2)
    for intake in roster.intakes:
        yield Line(text=f"file check  fingerprint {fingerprint(intake)}", indent=2)
    if not roster.intakes and roster.policy and roster.policy.inspection == "intake":
        yield Line(text="none is in service, so no files can be sent (`vetrelay clinic adopt`)", style="warn", indent=2)
    for invitation in roster.invitations.values():
        yield Line()
        by = printable(name_of(thread, invitation.party))
        yield Line(text=f"a link of {by} lets one more {ROLES[invitation.role]} in, until {local(invitation.until_ms)}")


def _party_lines(end: End, thread: Thread, party: PartyId) -> Iterator[Line]:
    facts = _party(thread, party)
    you = " (you)" if party == end.keyring.party else ""
    name, role = printable(name_of(thread, party)), ROLES[facts["role"]]
    yield Line(text=f"{name}{you}  {KINDS[facts['kind']]}, {role}", indent=2)
    by = (
        f", let in by {printable(name_of(thread, facts['invited_by']))}" if facts["invited_by"] else ", opened the case"
    )
    yield Line(text=f"fingerprint {facts['fingerprint']}{by}", style="quiet", indent=4)
    for device in facts["devices"]:
        person = printable(device["name"] or "not named yet")
        yield Line(text=f"{person}, {device['role']}, device {device['device'][:8]}", style="quiet", indent=4)


@click.command("words", cls=EndCommand)
@click.argument("case", type=IdText())
@click.argument("party", type=IdText(), required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@with_end
async def words(end: End, case: str, party: str | None, *, as_json: bool) -> None:
    """Show eight words to compare by telephone: the same on both sides means that nobody stands between.

    \b
    Example:
      vetrelay case words 8fK2xQ 'Wrenfield Practice'
    """
    found = find_case(end, case)
    thread = read_thread(end, found, await freshest(end, found))
    other = _other(end, thread, party)
    from mnemonic import Mnemonic

    listed = Mnemonic("english").wordlist
    said = [listed[number] for number in safety_numbers(end.keyring.party, other, found)]
    name = name_of(thread, other)
    if as_json:
        answer_json({"case": found, "party": other, "name": name, "words": said})
        return
    answer_lines(
        [
            Line(text=" ".join(said), style="title"),
            Line(
                text=f"Call {printable(name)} on a number that you knew before, and read these words to each other. "
                "All eight the same: nobody stands between you. If one differs: stop writing here, and say so by telephone."
            ),
        ]
    )


def _other(end: End, thread: Thread, wanted: str | None) -> PartyId:
    others = [party for party in thread.followed.roster.members if party != end.keyring.party]
    if wanted is not None:
        return find_party(thread, wanted, others)
    if not others:
        raise Refusal("no_such_party")
    if len(others) > 1:
        raise Refusal("which_party")
    return others[0]
