"""Names travel sealed: a case's title and this party's own names, told to everybody who has come in (protocol.md section 6)."""

from contextlib import suppress
from typing import Final

from vetrelay.client.end import End
from vetrelay.client.follow import Followed, follow, party_of
from vetrelay.client.notes import open_note, seal_note
from vetrelay.client.opening import manifest_of
from vetrelay.client.outbox import deliver, promise_envelope
from vetrelay.client.say import draft_of, own_names
from vetrelay.errors import Refusal
from vetrelay.protocol.envelope import parse_envelope
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


def save_title(end: End, case: CaseId, title: str) -> None:
    """Keeps a case's title as a sealed note."""
    end.journal.save_title(case, seal_note(end, title.encode()))


def title_of(end: End, case: CaseId) -> str | None:
    """A case's title as this end last learned it."""
    sealed = end.journal.case(case).title
    return open_note(end, sealed).decode() if sealed is not None else None


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
    draft = draft_of(end, case, class_="control", audience="case", content=own_names(end, title_of(end, case)))
    promised = await promise_envelope(end, f"names:{case}:{newest}", draft, (), once=True, known=followed)
    await deliver(end, promised)
    with end.journal.transaction():
        end.journal.save_named(case, newest)
        end.journal.report(promised.id)


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
