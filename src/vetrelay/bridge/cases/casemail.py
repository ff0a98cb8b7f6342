"""What the bridge knows of one case's email: kept by itself, for its keys to the case's older words are forgotten weekly."""

from typing import Final

import msgspec
from msgspec import structs

from vetrelay.bridge.store.notes import Notes
from vetrelay.client.end import End
from vetrelay.client.follow import Followed
from vetrelay.client.mail import Told, told_by_mail
from vetrelay.protocol.bymail import Correspondent, FrontDoor, LetterRuling, MailConsent
from vetrelay.protocol.envelope import parse_envelope
from vetrelay.protocol.ids import CaseId, EntryId
from vetrelay.protocol.log import Kind
from vetrelay.protocol.signature import parse_wire

GOES_OUT: Final = frozenset({"message", "reply", "notice"})
FRONT_DOOR: Final = "front door"


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """Something said in a case that is still to be carried out by email: where it stands, and since when it waits."""

    entry: EntryId
    n: int
    since_ms: int


class CaseMail(msgspec.Struct, frozen=True, kw_only=True):
    """One case's email up to position `upto_n`: who takes part, what the owner allows, what is still to be carried out."""

    upto_n: int = 0
    on: bool = False
    closed: bool = False
    correspondents: dict[str, Correspondent] = {}
    plain: frozenset[str] = frozenset()
    outgoing: tuple[Outgoing, ...] = ()

    def may_be_plain(self, address: str) -> bool:
        """Whether the owner's newest word allows plain email to this address."""
        return address in self.plain


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """What was newly said of a case's email, besides what `CaseMail` holds."""

    rulings: tuple[LetterRuling, ...]
    ruled_by: tuple[str, ...]
    front_door: bool | None


def case_mail(notes: Notes, case: CaseId) -> CaseMail:
    """What is known of a case's email; an empty value for a case that is new. Raises Fault `spool_damaged`."""
    kept = notes.get(f"case {case}")
    return CaseMail() if kept is None else msgspec.json.decode(kept, type=CaseMail)


def keep_case_mail(notes: Notes, case: CaseId, mail: CaseMail) -> None:
    """Durable when it returns."""
    notes.put(f"case {case}", msgspec.json.encode(mail))


def taken_over(end: End, followed: Followed, before: CaseMail) -> tuple[CaseMail, Words]:
    """A case's email after everything that was said since `before`, and what was said of letters and the front door."""
    told = tuple(told_by_mail(end, followed, after=before.upto_n))
    correspondents, plain = dict(before.correspondents), set(before.plain)
    for one in told:
        match one.content:
            case Correspondent(listed=True) as listed:
                correspondents[listed.address] = listed
            case Correspondent() as struck:
                correspondents.pop(struck.address, None)
            case MailConsent() as consent:
                (plain.add if consent.given else plain.discard)(consent.address)
            case _:
                pass
    after = structs.replace(
        before,
        upto_n=followed.tail.n,
        on=followed.roster.role_of(end.keyring.party) == "bridge",
        closed=followed.roster.closed,
        correspondents=correspondents,
        plain=frozenset(plain),
        outgoing=(*before.outgoing, *_newly_said(end, followed, after=before.upto_n)),
    )
    return after, _words(told)


def _words(told: tuple[Told, ...]) -> Words:
    rulings = tuple((one.content, one.party) for one in told if isinstance(one.content, LetterRuling))
    doors = [one.content.on for one in told if isinstance(one.content, FrontDoor)]
    return Words(
        rulings=tuple(ruling for ruling, _ in rulings),
        ruled_by=tuple(party for _, party in rulings),
        front_door=doors[-1] if doors else None,
    )


def _newly_said(end: End, followed: Followed, *, after: int) -> tuple[Outgoing, ...]:
    """What others said for everybody since then. What cannot be believed is nobody's word."""
    new = []
    for row in end.journal.log(followed.case, after=after):
        if row.link.kind is not Kind.ENVELOPE or row.signed is None or row.fault is not None:
            continue
        envelope = parse_envelope(parse_wire(row.signed))
        if envelope.class_ in GOES_OUT and envelope.audience == "case" and envelope.device != end.device.id:
            new.append(Outgoing(entry=row.link.entry, n=row.n, since_ms=row.link.time_ms))
    return tuple(new)
