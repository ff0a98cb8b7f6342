"""What the relay keeps, as values, and the tables that verbs ask: each a protocol that `storage` fulfils.

A table is seen from inside one transaction. Reads see everything the transaction has written so far.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from vetrelay.protocol.envelope import Envelope
from vetrelay.protocol.ids import CaseId, DeviceId, EntryId, EnvelopeId, Hash, PartyId, SignKey
from vetrelay.protocol.log import Kind, Link, Tail
from vetrelay.protocol.partystate import Party
from vetrelay.protocol.roster import Roster
from vetrelay.protocol.signature import Signed

MAX_PAST: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class AskingDevice:
    """Who asks: an active device with a valid bearer, and its party."""

    device: DeviceId
    party: PartyId


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A case as it stands: the end of its log, and its rosters since the last narrowing, oldest first.

    `past` holds (position, roster from there on); its last roster is the one in force.
    """

    case: CaseId
    tail: Tail
    epoch: int
    backed_up_n: int
    used_bytes: int
    past: tuple[tuple[int, Roster], ...]

    @property
    def roster(self) -> Roster:
        """The roster in force."""
        return self.past[-1][1]

    def roster_at(self, n: int) -> Roster | None:
        """The roster at a position, or None where it lies before what is kept here, or after the tail."""
        at = bisect_right(self.past, n, key=lambda version: version[0])
        return self.past[at - 1][1] if at and n <= self.tail.n else None

    def after(self, tail: Tail, roster: Roster | None = None, *, more_bytes: int = 0) -> "Standing":
        """The case after one more entry, which changed the roster when one is given, and added to what is kept."""
        if roster is None:
            return self._with(tail, self.past, more_bytes)
        past = (*self.past, (tail.n, roster))
        # Nobody may send under a view from before the last narrowing, so no older roster is asked for.
        start = bisect_right(past, roster.narrowed_n, key=lambda version: version[0])
        return self._with(tail, past[max(start - 1, len(past) - MAX_PAST, 0) :], more_bytes)

    def _with(self, tail: Tail, past: tuple[tuple[int, Roster], ...], more_bytes: int) -> "Standing":
        # Spelled out, because `dataclasses.replace` would take as long as the rest of an append.
        return Standing(
            case=self.case,
            tail=tail,
            epoch=self.epoch,
            backed_up_n=self.backed_up_n,
            used_bytes=self.used_bytes + more_bytes,
            past=past,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One position of a log as it is stored: `signed` and `receipt` are wire-form JSON."""

    n: int
    time_ms: int
    kind: Kind
    entry: EntryId
    signed: bytes
    receipt: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEnvelope:
    """What was accepted under an envelope id."""

    id: EnvelopeId
    n: int
    entry: EntryId
    sender: PartyId


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """An object as the relay keeps it; `payload` is None where it came by upload, or the slip is gone."""

    h0: Hash
    entry: EntryId
    role: str
    p: Hash
    size_bytes: int
    header: bytes
    payload: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDevice:
    """What the relay looks up of a device: whose it is, what it signs with, whether it may act."""

    id: DeviceId
    party: PartyId
    sign: SignKey
    role: str
    active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A one-time enrolment code, known by its hash."""

    hash: Hash
    kind: str
    used_by: PartyId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """An invitation's entry, and the sealed card that came with it."""

    entry: EntryId
    content: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One place in a device's inbox: which position of which log."""

    seq: int
    case: CaseId
    n: int
    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """What a submit will ask the tables: whether its id and its objects are new.

    The writer takes that for granted, or asks once for a whole batch. Either way no job asks by itself.
    """

    case: CaseId
    envelope: EnvelopeId
    h0s: Sequence[Hash]


class PartyTable(Protocol):
    """Parties, their chains, their devices, their boxes, and enrolment codes."""

    def kind(self, party: PartyId) -> str | None:
        """What a party is, or None where it never enrolled here."""

    def chain(self, party: PartyId, *, after_seq: int = -1) -> Sequence[Signed]:
        """The statements of a party's chain, in order."""

    def state(self, party: PartyId) -> Party | None:
        """What a party's chain adds up to, with the times at which its statements were accepted."""

    def enrol(self, party: Party, chain: Sequence[Signed], *, boxes: Mapping[Hash, bytes], time_ms: int) -> None:
        """Take a new party in, whole."""

    def extend(self, after: Party, signed: Signed, *, boxes: Mapping[Hash, bytes], time_ms: int) -> None:
        """Take one more statement in; `after` is the party with it."""

    def entry_at(self, party: PartyId, seq: int) -> EntryId | None:
        """The entry id at a place of a chain."""

    def device(self, device: DeviceId) -> StoredDevice | None:
        """A device that some chain named, active or not."""

    def box(self, party: PartyId, sha256: Hash) -> bytes | None:
        """A box of a party, by hash."""

    def code(self, code_hash: Hash) -> Code | None:
        """A one-time code, used or not."""

    def add_code(self, code_hash: Hash, *, kind: str, time_ms: int) -> None:
        """Keep a fresh code's hash."""

    def use_code(self, code_hash: Hash, party: PartyId) -> None:
        """Say whom a code let in."""

    def count(self, kind: str) -> int:
        """How many parties of a kind there are."""


class CaseTable(Protocol):
    """Cases: their logs and where these end, whom they concern, their invitations' cards."""

    def standing(self, case: CaseId) -> Standing | None:
        """A case as it stands in this transaction, or None where there is none."""

    def roster_at(self, case: CaseId, n: int) -> Roster:
        """The roster at any position of the log, computed anew where it is not at hand."""

    def head_at(self, case: CaseId, n: int) -> Hash | None:
        """The log's head at a position, or None beyond its end."""

    def receipt(self, case: CaseId, entry: EntryId) -> bytes | None:
        """The stored receipt of an entry of this case."""

    def entry(self, case: CaseId, entry: EntryId) -> Entry | None:
        """An entry of this case."""

    def page(self, case: CaseId, *, after: int, limit: int) -> Iterator[Entry]:
        """The log from the position after `after`, in order; nothing is read beyond what is taken."""

    def links(self, case: CaseId, *, after: int, limit: int) -> Sequence[Link]:
        """The same positions of the log as bare links."""

    def append(self, standing: Standing, added: Sequence[Entry], *, parties: Mapping[PartyId, str] | None) -> None:
        """Add entries, the first ones too; `standing` is the case after them.

        `parties`, when given, replaces whom the case concerns.
        """

    def role(self, case: CaseId, party: PartyId) -> str | None:
        """How a case concerns a party now, or None."""

    def open_of(self, party: PartyId) -> Sequence[CaseId]:
        """The cases that concern a party and are not closed."""

    def add_card(self, case: CaseId, key: SignKey, card: Card) -> None:
        """Keep what an invitation shows."""

    def card(self, case: CaseId, key: SignKey) -> Card | None:
        """What an invitation shows."""


class EnvelopeTable(Protocol):
    """Envelopes and their objects, and the verdicts on them."""

    def find(self, case: CaseId, envelope: EnvelopeId) -> StoredEnvelope | None:
        """What was accepted under this id."""

    def answered(self, case: CaseId, entry: EntryId) -> StoredEnvelope | None:
        """The envelope with this entry id."""

    def taken(self, h0s: Collection[Hash]) -> bool:
        """Whether any of these objects belongs to an envelope already."""

    def uploaded(self, case: CaseId, payloads: Collection[Hash]) -> Mapping[Hash, int]:
        """Those of these payloads that are durable here for this case, with their sizes."""

    def standing_verdict(self, case: CaseId, answered: EntryId) -> StoredEnvelope | None:
        """The newest verdict on an envelope."""

    def add(self, stored: StoredEnvelope, envelope: Envelope, kept: Sequence[StoredObject]) -> None:
        """Keep an envelope and its objects."""

    def rule(self, verdict: StoredEnvelope, envelope: Envelope, *, answered: StoredEnvelope, time_ms: int) -> None:
        """Make a verdict's rulings the ones in force, and blank the slip it has answered."""

    def object_bytes(self, case: CaseId, at: Collection[int]) -> Mapping[int, int]:
        """How much of headers and inline payloads the envelope at each of these positions holds."""

    def objects(self, case: CaseId, at: Collection[int]) -> Mapping[int, Sequence[StoredObject]]:
        """The objects of the envelopes at these positions, in the order of their roles."""


class DeliveryTable(Protocol):
    """Each device's inbox, and how far it has acknowledged."""

    def deliver(self, to: Iterable[DeviceId], case: CaseId, positions: Sequence[tuple[int, Kind]]) -> None:
        """Put positions of a case's log into these devices' inboxes; the bells ring after the commit."""

    def page(self, device: DeviceId, *, after: int, limit: int) -> Sequence[Delivery]:
        """A device's inbox from the place after `after`, in order."""

    def last_seq(self, device: DeviceId) -> int:
        """The last place of a device's inbox."""

    def acknowledge(self, device: DeviceId, upto: int) -> int:
        """Remember how far a device has taken its inbox over; returns how far, which never goes back."""


class SessionTable(Protocol):
    """Bearers, hashed at rest."""

    def add(self, bearer_hash: Hash, device: DeviceId, *, until_ms: int, now_ms: int) -> None:
        """Keep a bearer's hash; those past their end go."""

    def find(self, bearer_hash: Hash) -> tuple[AskingDevice, int] | None:
        """The active device a bearer stands for, and until when."""

    def end(self, devices: Collection[DeviceId]) -> None:
        """Forget all bearers of these devices."""
