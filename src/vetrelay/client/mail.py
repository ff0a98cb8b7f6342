"""A case's email: what staff decide of it, what an owner consents to, and how it stands, from the case alone.

Every change is a sealed `control` envelope, which the bridge carries out when it reads it. Nothing here talks to the
bridge itself: whoever may speak in the case may steer its email by the table of roles, and nobody else.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from vetrelay.client.cases import declare
from vetrelay.client.end import End
from vetrelay.client.follow import Followed, check_may_send, follow, party_of, recall
from vetrelay.client.journal import LogRow
from vetrelay.client.notes import wish
from vetrelay.client.opening import manifest_of
from vetrelay.client.outbox import deliver, promise_envelope
from vetrelay.client.promises import Outgoing
from vetrelay.client.say import draft_of
from vetrelay.errors import Refusal
from vetrelay.protocol.bymail import (
    ByMail,
    Correspondent,
    Delivery,
    FrontDoor,
    Letter,
    LetterRuling,
    LetterWaiting,
    Mailbox,
    MailConsent,
    MailEvent,
)
from vetrelay.protocol.case import Bridge
from vetrelay.protocol.envelope import parse_envelope
from vetrelay.protocol.ids import CaseId, EntryId, PartyId, b64
from vetrelay.protocol.log import Kind
from vetrelay.protocol.signature import parse_wire
from vetrelay.protocol.statement import VERSION, render

STAFF: Final = "care"
WHO_SAYS: Final[dict[type[ByMail], str]] = {
    Correspondent: STAFF,
    FrontDoor: STAFF,
    LetterRuling: STAFF,
    MailConsent: "owner",
    Mailbox: "bridge",
    LetterWaiting: "bridge",
    Delivery: "bridge",
    MailEvent: "bridge",
    Letter: "bridge",
}
"""The role whose word each of these is; from anybody else it means nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One thing said of a case's email, by who may say it: its place in the log, its entry, and when it was accepted."""

    n: int
    entry: EntryId
    party: str
    accepted_ms: int
    content: ByMail


@dataclass(kw_only=True)
class MailState:
    """How a case's email stands. `deliveries` has the newest word for each envelope and address."""

    on: bool = False
    front_door: bool = False
    correspondents: dict[str, Correspondent] = field(default_factory=dict)
    mailboxes: dict[str, Mailbox] = field(default_factory=dict)
    waiting: dict[str, LetterWaiting] = field(default_factory=dict)
    ruled: dict[str, LetterRuling] = field(default_factory=dict)
    consents: dict[str, MailConsent] = field(default_factory=dict)
    deliveries: dict[tuple[EntryId, str], Delivery] = field(default_factory=dict)
    events: list[MailEvent] = field(default_factory=list)

    def take(self, content: ByMail) -> None:
        """What was said next."""
        match content:
            case Correspondent() if content.listed:
                self.correspondents[content.address] = content
            case Correspondent():
                self.correspondents.pop(content.address, None)
                self.mailboxes.pop(content.address, None)
            case FrontDoor():
                self.front_door = content.on
            case LetterRuling():
                self.ruled[content.letter] = content
                self.waiting.pop(content.letter, None)
            case MailConsent():
                self.consents[content.address] = content
            case Mailbox():
                self.mailboxes[content.address] = content
            case LetterWaiting() if content.letter not in self.ruled:
                self.waiting[content.letter] = content
            case Delivery():
                self.deliveries[content.answers, content.address] = content
            case MailEvent():
                self.events.append(content)
            case _:
                return

    def may_be_plain(self, address: str) -> bool:
        """Whether the owner's newest word allows plain email to this address."""
        consent = self.consents.get(address)
        return consent is not None and consent.given


def told_by_mail(end: End, followed: Followed, *, after: int = 0) -> Iterator[Told]:
    """Everything that was said of a case's email after this position, by who may say it, in order.

    What cannot be opened or believed is no word of anybody's.
    """
    for row in end.journal.rows(followed.case, upto=followed.tail.n):
        if row.n > after and row.link.kind is Kind.ENVELOPE and row.signed is not None and row.fault is None:
            told = _told(end, followed, row)
            if told is not None:
                yield told


def _told(end: End, followed: Followed, row: LogRow) -> Told | None:
    assert row.signed is not None
    try:
        envelope = parse_envelope(parse_wire(row.signed))
        content = manifest_of(end, envelope).content
    except Refusal:
        return None
    party = party_of(followed.roster, envelope.device)
    if party is None or not isinstance(content, ByMail):
        return None
    if followed.roster_at(envelope.view.n).role_of(party) != WHO_SAYS[type(content)]:
        return None
    return Told(n=row.n, entry=row.link.entry, party=party, accepted_ms=row.link.time_ms, content=content)


def mail_state(end: End, case: CaseId, followed: Followed | None = None) -> MailState:
    """How a case's email stands, from the journal alone."""
    followed = followed or recall(end, case)
    state = MailState(on=bool(followed.roster.bridging))
    for told in told_by_mail(end, followed):
        state.take(told.content)
    return state


async def turn_on(end: End, case: CaseId) -> Outgoing:
    """Lets this clinic's email bridge into a case. The caller tells the person, then reports.

    Raises Refusal `no_bridge` for a clinic that has adopted none, `no_mail_here` where the ends inspect: nobody would
    have checked what comes by email. `may_not` as the table of roles says.
    """
    followed = await follow(end, case)
    own = followed.roster.parties.get(end.keyring.party)
    if own is None or own.bridge is None:
        raise Refusal("no_bridge")
    if followed.roster.ends_inspect:
        raise Refusal("no_mail_here")
    return await _turned(end, followed, own.id, on=True)


async def turn_off(end: End, case: CaseId) -> Outgoing:
    """Puts the email bridge out of a case: what is said from then on it cannot open. The owner may do it too.

    Raises Refusal `no_bridge` where none is in.
    """
    followed = await follow(end, case)
    clinics = sorted(followed.roster.bridges)
    if not clinics:
        raise Refusal("no_bridge")
    party = end.keyring.party if end.keyring.party in clinics else clinics[0]
    return await _turned(end, followed, party, on=False)


async def _turned(end: End, followed: Followed, party: PartyId, *, on: bool) -> Outgoing:
    check_may_send(end, followed)
    statement = Bridge(v=VERSION, case=followed.case, nonce=b64(end.random_bytes(16)), party=party, on=on)
    return await declare(end, followed.case, f"bridge:{followed.case}:{party}:{on}:{followed.roster.n}", statement)


async def _told_all(end: End, case: CaseId, content: ByMail) -> Outgoing:
    followed = await follow(end, case)
    role = followed.roster.role_of(end.keyring.party)
    if role != WHO_SAYS[type(content)]:
        raise Refusal("may_not")
    check_may_send(end, followed, class_="control")
    mark = wish(end, case, render(content).decode(), str(followed.tail.n))
    draft = draft_of(end, case, class_="control", audience="case", content=content)
    promised = await promise_envelope(end, f"mail:{mark}", draft, ())
    await deliver(end, promised)
    return promised


async def set_correspondent(end: End, case: CaseId, correspondent: Correspondent) -> Outgoing:
    """Staff's word on one address: listed or struck off, and how it is written to.

    Raises Refusal `key_wanted` for a sealed mode without an approved key, `whole_domain` for an address that letters
    cannot be sent to.
    """
    if correspondent.listed and correspondent.mode in {"pgp", "smime"} and correspondent.key_material is None:
        raise Refusal("key_wanted")
    if correspondent.listed and correspondent.mode != "notify" and correspondent.address.startswith("@"):
        raise Refusal("whole_domain")
    return await _told_all(end, case, correspondent)


async def strike_off(end: End, case: CaseId, address: str) -> Outgoing:
    """This address takes part no longer. Raises Refusal `no_such_correspondent`."""
    known = mail_state(end, case, await follow(end, case)).correspondents.get(address)
    if known is None:
        raise Refusal("no_such_correspondent")
    return await _told_all(end, case, _plainly(address, known.name, listed=False))


def _plainly(address: str, name: str, *, listed: bool) -> Correspondent:
    return Correspondent(
        address=address,
        name=name,
        listed=listed,
        mode="notify",
        key=None,
        key_material=None,
        reference=None,
        confirm=False,
    )


async def rule_letter(
    end: End, case: CaseId, letter: str, *, take: bool, into: CaseId | None = None, listed: bool = False
) -> Outgoing:
    """Staff's word on a waiting letter; `into` files one from the front door; `listed` lists its sender as well.

    Raises Refusal `no_such_letter`.
    """
    waiting = mail_state(end, case, await follow(end, case)).waiting.get(letter)
    if waiting is None:
        raise Refusal("no_such_letter")
    where = into or case
    if take and listed and waiting.sender not in mail_state(end, where, await follow(end, where)).correspondents:
        await _told_all(end, where, _plainly(waiting.sender, waiting.sender[:100], listed=True))
    return await _told_all(end, case, LetterRuling(letter=letter, take=take, into=into))


async def set_front_door(end: End, case: CaseId, *, on: bool) -> Outgoing:
    """Letters to the practice's own address come into this case, or no longer."""
    return await _told_all(end, case, FrontDoor(on=on))


async def give_consent(end: End, case: CaseId, address: str, *, given: bool) -> Outgoing:
    """The owner's word that this address may be written to in plain email, or may no longer."""
    return await _told_all(end, case, MailConsent(about="plain_mail", address=address, given=given))
