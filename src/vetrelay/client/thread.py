"""The thread of a case as a person reads it: what was said, by whom, with which files in which state.

Everything comes from the journal, checked when it came and opened now. What cannot be believed or opened is listed with
its code, never silently left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from vetrelay.client.attachments import AttachmentView, attachments_of
from vetrelay.client.end import End
from vetrelay.client.follow import Followed, party_of, recall
from vetrelay.client.journal import LogRow
from vetrelay.client.names import card_of
from vetrelay.client.opening import manifest_of
from vetrelay.errors import Refusal
from vetrelay.protocol.bymail import Delivery, Letter, LetterWaiting, MailEvent
from vetrelay.protocol.envelope import Envelope, parse_envelope
from vetrelay.protocol.finding import CheckedFiles, Findings, Patient
from vetrelay.protocol.ids import CaseId, EntryId, PartyId, fingerprint
from vetrelay.protocol.log import Kind
from vetrelay.protocol.manifest import Names, OpenedManifest, Text, Unknown
from vetrelay.protocol.signature import Signed, parse_wire, verify

SPOKEN = frozenset({"message", "reply", "internal", "notice"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who speaks. Names are their own party's word; role and ids are the roster's."""

    party: PartyId
    person: str
    name: str
    role: str


NOBODY: Final = Author(party="", person="", name="unknown", role="unknown")
"""Who is named for what nobody is known to have signed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryView:
    """One thing said. `problem` is the code when it cannot be believed or opened; `letter` is what came by email.

    `mail` is what the email bridge has to tell; `deliveries` how far this went by email, the newest word for each address.
    """

    n: int
    envelope: str
    entry: EntryId
    class_: str
    kind: str
    author: Author
    sent_at_ms: int
    accepted_at_ms: int
    text: str | None
    attachments: tuple[AttachmentView, ...]
    problem: str | None = None
    letter: Letter | None = None
    mail: LetterWaiting | MailEvent | None = None
    deliveries: tuple[Delivery, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spoken:
    """An envelope in its place, opened if that is possible; whose it is, is not told unless they signed it."""

    row: LogRow
    envelope: Envelope
    opened: OpenedManifest | None
    fault: str | None
    signed: bool


@dataclass(kw_only=True)
class _Reading:
    """What is gathered on the way through a case."""

    names: dict[PartyId, Names] = field(default_factory=dict)
    title: str | None = None
    patient: Patient | None = None
    findings: dict[EntryId, tuple[Findings, Envelope]] = field(default_factory=dict)
    deliveries: dict[EntryId, dict[str, Delivery]] = field(default_factory=dict)
    spoken: list["_Spoken"] = field(default_factory=list)
    unread: list[EntryView] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Thread:
    """A case as it reads now. `patient` is whom the newest card names that names one; a name decides nothing."""

    case: CaseId
    title: str
    patient: Patient | None
    entries: tuple[EntryView, ...]
    followed: Followed
    names: dict[PartyId, Names]


def read_thread(end: End, case: CaseId, followed: Followed | None = None) -> Thread:
    """The whole thread, from the journal alone."""
    followed = followed or recall(end, case)
    reading = _Reading()
    for row in end.journal.rows(case, upto=followed.tail.n):
        if row.link.kind is not Kind.ENVELOPE or row.signed is None:
            continue
        signed = parse_wire(row.signed)
        try:
            envelope = parse_envelope(signed)
        except Refusal as unread:
            reading.unread.append(_unread(row, unread.code))
            continue
        _gather(end, followed, reading, envelope, row, authentic=row.fault is None or _is_signed(followed, signed))
    entries = tuple(sorted([*_entries(followed, reading), *reading.unread], key=lambda entry: entry.n))
    kept = card_of(end, case)
    title = reading.title or (kept.title if kept else "") or "(no title yet)"
    patient = reading.patient or (kept.patient if kept else None)
    return Thread(case=case, title=title, patient=patient, entries=entries, followed=followed, names=reading.names)


def _unread(row: LogRow, code: str) -> EntryView:
    """An envelope whose clear part cannot be read: of a later version, or of none."""
    return EntryView(
        n=row.n,
        envelope="",
        entry=row.link.entry,
        class_="unknown",
        kind="unknown",
        author=NOBODY,
        sent_at_ms=row.link.time_ms,
        accepted_at_ms=row.link.time_ms,
        text=None,
        attachments=(),
        problem=code,
    )


def _is_signed(followed: Followed, signed: Signed) -> bool:
    """Whether an envelope that is not believed is at least signed by the device that it names."""
    device_id = parse_envelope(signed).device
    found = [party.devices[device_id] for party in followed.roster.parties.values() if device_id in party.devices]
    try:
        verify(signed, "envelope", [device.sign for device in found])
    except Refusal:
        return False
    return True


def _gather(
    end: End, followed: Followed, reading: _Reading, envelope: Envelope, row: LogRow, *, authentic: bool
) -> None:
    opened: OpenedManifest | None = None
    fault = row.fault
    if fault is None:
        try:
            opened = manifest_of(end, envelope)
        except Refusal as broken:
            fault = broken.code
    sender = party_of(followed.roster, envelope.device)
    match opened.content if opened else None:
        case Names() as names if sender is not None:
            reading.names[sender] = names
            reading.title = names.title or reading.title
            reading.patient = names.patient or reading.patient
        case Findings() as findings if envelope.class_ == "verdict":
            # Believed only if it is the first, or supersedes the one in force (section 6): so the last one stands.
            reading.findings[findings.answers] = (findings, envelope)
        case Delivery() as delivery if _is_bridge(followed, envelope):
            reading.deliveries.setdefault(delivery.answers, {})[delivery.address] = delivery
        case content:
            told = isinstance(content, LetterWaiting | MailEvent) and _is_bridge(followed, envelope)
            if envelope.class_ in SPOKEN or fault is not None or told:
                reading.spoken.append(_Spoken(row=row, envelope=envelope, opened=opened, fault=fault, signed=authentic))


def _is_bridge(followed: Followed, envelope: Envelope) -> bool:
    """Whether an envelope is the word of the case's email bridge: nobody else's counts on what became of a letter."""
    party = party_of(followed.roster, envelope.device)
    return party is not None and followed.roster_at(envelope.view.n).role_of(party) == "bridge"


def _entries(followed: Followed, reading: _Reading) -> Iterator[EntryView]:
    for one in reading.spoken:
        envelope, opened, entry = one.envelope, one.opened, one.row.link.entry
        content = opened.content if opened else None
        letter = content if isinstance(content, Letter) else None
        mail = content if isinstance(content, LetterWaiting | MailEvent) else None
        kind = content.kind if isinstance(content, Unknown) else "letter" if letter else "mail" if mail else "text"
        yield EntryView(
            n=one.row.n,
            envelope=envelope.id,
            entry=entry,
            class_=envelope.class_,
            kind=kind,
            author=author_of(followed, reading.names, envelope) if one.signed else NOBODY,
            sent_at_ms=envelope.sent_at,
            accepted_at_ms=one.row.link.time_ms,
            text=content.text if isinstance(content, Text | CheckedFiles | Letter) else None,
            attachments=attachments_of(envelope, opened, reading.findings.get(entry)) if opened else (),
            problem="newer_version" if isinstance(content, Unknown) else one.fault,
            letter=letter,
            mail=mail,
            deliveries=tuple(reading.deliveries.get(entry, {}).values()),
        )


def author_of(followed: Followed, names: dict[PartyId, Names], envelope: Envelope) -> Author:
    """Who signed an envelope, with the name their own party gave them."""
    party = party_of(followed.roster, envelope.device) or ""
    device = followed.roster.parties[party].devices[envelope.device] if party else None
    card = names.get(party)
    person = device.person if device else ""
    named = next((one.name for one in card.people if one.person == person), None) if card else None
    at_view = followed.roster_at(min(envelope.view.n, followed.tail.n))
    role = at_view.role_of(party) or followed.roster.role_of(party) or "unknown"
    return Author(party=party, person=person, name=named or party_label(party), role=role)


def party_label(party: PartyId) -> str:
    """What a party is called before it told its name."""
    return f"party {fingerprint(party)[:9]}" if party else "unknown"


def find_entry(thread: Thread, wanted: str) -> EntryView:
    """An entry by its envelope id, entry id or position. Raises Refusal `no_such_envelope`."""
    for entry in thread.entries:
        if wanted in (entry.envelope, entry.entry, str(entry.n)):
            return entry
    raise Refusal("no_such_envelope")
