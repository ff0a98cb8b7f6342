"""Who takes part in a case by email, and how they are written to; letters that staff decide about."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from vetrelay.cli.terminal import Line, printable
from vetrelay.cli.words import amount, count, local, utc
from vetrelay.client.mail import MailState
from vetrelay.errors import SENTENCES
from vetrelay.protocol.bymail import Correspondent, LetterWaiting
from vetrelay.protocol.ids import CaseId

MODES: Final[Mapping[str, str]] = {
    "notify": "a notice with a link, not one word of content",
    "pgp": "letters sealed with their PGP key",
    "smime": "letters sealed with their S/MIME certificate",
    "plain": "letters in plain email",
}
BEYOND: Final = "email is not sealed end to end beyond the bridge"
"""Said wherever somebody is about to speak to those who take part by email."""


def party_of_address(one: Correspondent) -> str:
    """A correspondent as a line names them: Dr. Eye <eye@clinic.example>, everybody at clinic.example."""
    if one.address.startswith("@"):
        everybody = f"everybody at {one.address[1:]}"
        return printable(f"{one.name}, {everybody}" if one.name else everybody)
    return printable(f"{one.name} <{one.address}>" if one.name else one.address)


def correspondent_json(state: MailState, one: Correspondent) -> dict[str, Any]:
    """A correspondent with what the bridge has told of its addresses (null until it did)."""
    mailbox = state.mailboxes.get(one.address)
    return {
        "address": one.address,
        "name": one.name,
        "mode": one.mode,
        "fingerprint": one.key,
        "reference": one.reference,
        "confirm": one.confirm,
        "plain_consent": state.may_be_plain(one.address),
        "mail": mailbox.mail if mailbox else None,
        "upload": mailbox.upload if mailbox else None,
        "code": mailbox.code if mailbox else None,
        "pgp": mailbox.pgp if mailbox else None,
    }


def case_mail_json(state: MailState) -> dict[str, Any]:
    """How a case's email stands."""
    return {
        "on": state.on,
        "front_door": state.front_door,
        "correspondents": [correspondent_json(state, one) for one in state.correspondents.values()],
        "waiting": len(state.waiting),
    }


def how_written(state: MailState, one: Correspondent) -> str:
    """How somebody is written to, as it stands: plain email needs the owner's consent."""
    words = MODES[one.mode]
    if one.mode == "plain" and not state.may_be_plain(one.address):
        words = f"{MODES['notify']}; plain email waits for the owner's consent"
    if one.address.startswith("@"):
        words = "may write to us; nothing is sent there"
    return words


def correspondent_lines(state: MailState, one: Correspondent, *, indent: int = 2) -> Iterator[Line]:
    """A correspondent, how they are written to, and what was agreed with them."""
    yield Line(text=f"{party_of_address(one)}  by email", indent=indent)
    facts = [how_written(state, one)]
    if one.key:
        facts.append(f"key {in_groups(one.key)}")
    if one.reference:
        facts.append(f"their number {printable(one.reference)}")
    if one.confirm:
        facts.append("each letter of theirs is confirmed")
    yield Line(text=", ".join(facts), style="quiet", indent=indent + 2)


def case_mail_lines(state: MailState) -> Iterator[Line]:
    """Who takes part by email, for `case show`; nothing where nobody can."""
    if not state.on and not state.correspondents:
        return
    yield Line()
    yield Line(text="by email", style="title")
    if not state.on:
        yield Line(text="email is off in this case: nothing goes out, and letters come back", style="warn", indent=2)
    else:
        yield Line(text=f"{BEYOND}: it can read all that is said to everybody here", style="warn", indent=2)
    for one in state.correspondents.values():
        yield from correspondent_lines(state, one)
    if state.on and not state.correspondents:
        yield Line(text="nobody is written to yet (`vetrelay bridge correspondents`)", indent=2)
    if state.front_door:
        yield Line(text="letters to the practice's general address come into this case", indent=2)
    if state.waiting:
        letters = count(len(state.waiting), "letter waits", "letters wait")
        yield Line(text=f"{letters} for staff (`vetrelay bridge waiting`)", style="warn", indent=2)


def composed_words(state: MailState) -> str | None:
    """What whoever has just written should know: who gets it by email; None where nobody does."""
    reached = [one for one in state.correspondents.values() if not one.address.startswith("@")]
    if not state.on or not reached:
        return None
    each = "; ".join(f"{party_of_address(one)} ({how_written(state, one)})" for one in reached)
    return f"by email too: {each}. {BEYOND[0].upper()}{BEYOND[1:]}."


def waiting_json(case: CaseId, letter: LetterWaiting) -> dict[str, Any]:
    """A letter that staff must decide about."""
    return {
        "case": case,
        "letter": letter.letter,
        "sender": letter.sender,
        "sender_proved": letter.known,
        "subject": letter.subject,
        "files": letter.files,
        "size_bytes": letter.size,
        "reason": letter.reason,
        "received_at": utc(letter.received),
    }


def waiting_lines(case: CaseId, letter: LetterWaiting) -> Iterator[Line]:
    """The same for a person. What a stranger wrote is shown as they wrote it, and steers nothing."""
    yield Line()
    yield Line(text=printable(letter.subject) or "(no subject)", style="title")
    proved = "" if letter.known else ", which nothing proves"
    yield Line(text=f"says it is from {printable(letter.sender)}{proved}", style="" if letter.known else "warn")
    files = f", {count(letter.files, 'file')}" if letter.files else ""
    yield Line(text=f"came {local(letter.received)}, {amount(letter.size)}{files}, case {case}", style="quiet")
    yield Line(text=reason_words(letter.reason), style="quiet")
    yield Line(text=f"letter {letter.letter}", style="quiet")


REASONS: Final[Mapping[str, str]] = {
    "not_listed": "its sender is not listed here, or nothing proves that it is theirs",
    "front_door": "it came to the practice's general address",
}
"""Why a letter waits, by the bridge's code."""


def reason_words(code: str) -> str:
    """Why a letter waits; an unknown code (a newer bridge) stays as it is."""
    return REASONS.get(code) or SENTENCES.get(code) or printable(code)


def in_groups(key_print: str) -> str:
    """A key's fingerprint in groups of four, as it is read out."""
    return " ".join(key_print[start : start + 4] for start in range(0, len(key_print), 4))
