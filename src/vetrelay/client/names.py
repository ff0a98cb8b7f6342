"""Names travel sealed: a case's title and this party's own names, told to everybody who has come in (protocol.md section 6)."""

from contextlib import suppress
from typing import Final

import msgspec

from vetrelay.client.end import End
from vetrelay.client.follow import Followed, follow, party_of
from vetrelay.client.notes import open_note, seal_note
from vetrelay.client.opening import manifest_of
from vetrelay.client.outbox import deliver, promise_envelope
from vetrelay.client.say import draft_of, own_names
from vetrelay.errors import Fault, Refusal
from vetrelay.protocol.envelope import parse_envelope
from vetrelay.protocol.finding import Patient
from vetrelay.protocol.ids import CaseId
from vetrelay.protocol.log import Kind
from vetrelay.protocol.manifest import Names
from vetrelay.protocol.signature import parse_wire

MAX_NAME: Final = 100
MAX_TITLE: Final = 200


def check_name(name: str, *, at_most: int = MAX_NAME) -> str:
    """A name or title as readers will take it. Raises Refusal `name_too_long`, `text_unreadable`."""
    if not 1 <= len(name) <= at_most:
        raise Refusal("name_too_long")
    if any("\ud800" <= sign <= "\udfff" for sign in name):
        raise Refusal("text_unreadable")
    return name


class KeptCard(msgspec.Struct, frozen=True, kw_only=True):
    """What this end tells of a case whenever somebody comes in: its title, and whom it is about."""

    title: str
    patient: Patient | None = None


def save_card(end: End, case: CaseId, card: KeptCard) -> None:
    """Keeps a case's title and patient as one sealed note."""
    end.journal.save_title(case, seal_note(end, msgspec.json.encode(card)))


def card_of(end: End, case: CaseId) -> KeptCard | None:
    """A case's title and patient as this end last learned them. Raises Fault `journal_damaged`."""
    sealed = end.journal.case(case).title
    if sealed is None:
        return None
    try:
        return msgspec.json.decode(open_note(end, sealed), type=KeptCard)
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise Fault("journal_damaged") from wrong


def title_of(end: End, case: CaseId) -> str | None:
    """A case's title as this end last learned it."""
    card = card_of(end, case)
    return card.title if card is not None else None


def patient_from(end: End, *, animal: str | None, species: str | None, owner: str | None) -> Patient | None:
    """Whom a new case is about, None where nothing is said; a household is its animal's owner unless it says otherwise.

    Raises Refusal `name_too_long`, `text_unreadable`.
    """
    if animal is None and species is None and owner is None:
        return None
    if owner is None and end.keyring.kind == "household":
        owner = end.keyring.party_name
    said = [check_name(part) if part is not None else "" for part in (animal, owner, species)]
    return Patient(name=said[0], owner=said[1], species=said[2], id="")


async def tell_names(end: End, case: CaseId) -> None:
    """Sends this party's case card, so that everybody in the case knows how to call it.

    Once for everybody who takes part now: repeated after a kill, or by another process, nothing is sent twice.
    """
    followed = await follow(end, case)
    newest = max((member.since_n for member in followed.roster.active()), default=0)
    if end.journal.case(case).named_n >= newest:
        return
    if _told_before(end, followed, newest):
        end.journal.save_named(case, newest)
        return
    draft = draft_of(end, case, class_="control", audience="case", content=_own_card(end, case))
    promised = await promise_envelope(end, f"names:{case}:{newest}", draft, (), once=True, known=followed)
    await deliver(end, promised)
    with end.journal.transaction():
        end.journal.save_named(case, newest)
        end.journal.report(promised.id)


def _own_card(end: End, case: CaseId) -> Names:
    kept = card_of(end, case)
    return own_names(end, kept.title, kept.patient) if kept is not None else own_names(end, None)


def _told_before(end: End, followed: Followed, newest: int) -> bool:
    """Whether this party's card went to whoever came last: sent by another of its devices, or before a kill."""
    for row in end.journal.rows(followed.case, after=newest, upto=followed.tail.n):
        if row.link.kind is not Kind.ENVELOPE or row.signed is None or row.fault is not None:
            continue
        envelope = parse_envelope(parse_wire(row.signed))
        mine = party_of(followed.roster, envelope.device) == end.keyring.party
        if mine and envelope.class_ == "control" and envelope.view.n >= newest:
            with suppress(Refusal):
                if isinstance(manifest_of(end, envelope).content, Names):
                    return True
    return False
