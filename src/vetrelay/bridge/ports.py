"""What the parts of the bridge say to each other: values, and the ports between the mail's side and the case's side.

An *arrival* is a letter (or an upload by link) on its way in; a *departure* is a letter on its way out. Both stand in
tables of the bridge, and their bytes in its encrypted spool.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal, Protocol

from vetrelay.protocol.ids import CaseId, EntryId

MiB: Final = 1024 * 1024
ArrivalId = str
"""26 letters of base32, drawn at random when the letter's first byte is written."""
DepartureId = str
"""The same for a letter that leaves; the envelope sender of each try carries it."""
Mode = Literal["notify", "pgp", "smime", "plain"]
"""How a correspondent is written to (A, B, C, D of the plaintext policy)."""


# --- the wire's side ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Who speaks SMTP to us. `helo` is untrusted; `tls` says whether the session is encrypted."""

    address: str
    helo: str
    tls: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One SMTP answer: basic code, enhanced code (RFC 3463), one sentence. `close` ends the session after it."""

    code: int
    enhanced: str
    text: str
    close: bool = False

    def __str__(self) -> str:
        return f"{self.code} {self.enhanced} {self.text}"

    @property
    def accepts(self) -> bool:
        """Whether it says yes."""
        return self.code < 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Arriving:
    """The transaction a letter came in. Recipients are those that RCPT accepted, lower-case, each once."""

    peer: Peer
    mail_from: str
    recipients: tuple[str, ...]


class Incoming(Protocol):
    """Where a letter's bytes go while DATA runs; nothing of it counts until `commit` has returned."""

    size_bytes: int

    def write(self, chunk: bytes) -> None:
        """Takes the next bytes of the letter, dots unstuffed, line ends as they came. Raises Fault `storage_full`."""
        ...

    async def commit(self) -> Reply:
        """The letter is whole: looks at it, makes it durable (file, folder, row), and only then says 250.

        Runs to its end whatever happens to the connection. Raises nothing: a fault is a 451.
        """
        ...

    def abort(self) -> None:
        """The letter did not become whole: nothing of it stays."""
        ...


class Reception(Protocol):
    """What the SMTP session asks. The answers are quick, but for `Incoming.commit`, and never raise."""

    def may_begin(self, peer: Peer, mail_from: str, *, size_bytes: int | None) -> Reply | None:
        """At MAIL: None to go on, or 452 4.3.1, 552 5.3.4 (with the upload page's address), 530 5.7.0."""
        ...

    async def may_reach(self, peer: Peer, recipient: str) -> Reply | None:
        """At RCPT: None to go on, or 550 5.1.1, 550 5.7.1, 550 5.2.1. The same words and time for wrong token and wrong domain."""
        ...

    def begin(self, arriving: Arriving) -> Incoming:
        """At DATA. Raises Fault `storage_full`."""
        ...


# --- who a letter is from -------------------------------------------------------------------------------------------

Outcome = Literal["pass", "fail", "none", "temporary"]
DmarcPolicy = Literal["none", "quarantine", "reject"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticated:
    """What SPF, DKIM and DMARC say of a letter's From (RFC 7208, 6376, 7489).

    `outcome`: "pass" is aligned SPF or DKIM for `domain`; "none" is no aligned one, and no policy that objects; "fail" is
    none, and a policy (`policy`) of quarantine or reject; "temporary" is a DNS answer that has to be asked for again.
    `address` is the one address in From, lower-case; None where there is not exactly one.
    """

    outcome: Outcome
    address: str | None
    domain: str | None
    policy: DmarcPolicy | None
    spf: str
    dkim: tuple[str, ...]


# --- the tables -----------------------------------------------------------------------------------------------------


class ArrivalState(StrEnum):
    """Where an arrival stands. Only DONE, DENIED and BROKEN end it; BROKEN keeps its bytes."""

    RECEIVED = "received"  # durable, 250 was said; nothing else has happened
    WAITING = "waiting"  # staff must approve or deny it
    UNFILED = "unfiled"  # came to the front door; staff file or decline it
    TAKEN = "taken"  # may go into its case
    DONE = "done"
    DENIED = "denied"
    BROKEN = "broken"


ArrivalKind = Literal["letter", "upload", "bounce"]
ArrivalClass = Literal["person", "auto"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One row of `arrivals`, opened. A letter to several addresses is several arrivals of one spool file.

    `token` is the case address's token, None for the front door. `name` is an upload's file name.
    """

    id: ArrivalId
    spool: str
    kind: ArrivalKind
    state: ArrivalState
    class_: ArrivalClass
    case: CaseId | None
    token: str | None
    received_ms: int
    size_bytes: int
    peer: Peer
    mail_from: str
    authenticated: Authenticated | None
    name: str | None = None
    tries: int = 0


class DepartureState(StrEnum):
    """Where a departure stands (email.md, outbound)."""

    QUEUED = "queued"
    SENDING = "sending"
    HANDED = "handed"  # the peer said 250: emailed
    DELIVERED = "delivered"  # a delivery report said so
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """One row of `departures`, opened: one letter to one address. Its bytes stand in the spool under `id`.

    `answers` is the envelope it carries out (None for our own notices); `person` is False for what no person wrote (a
    notice, a confirmation); `demands_tls` means that it goes over a verified connection or not at all.
    """

    id: DepartureId
    state: DepartureState
    case: CaseId | None
    answers: EntryId | None
    recipient: str
    mode: Mode
    person: bool
    demands_tls: bool
    created_ms: int
    due_ms: int
    attempts: int
    message_id: str
    told: frozenset[str] = field(default_factory=frozenset)


DeliveryState = Literal["emailed", "delivered", "not_yet", "delayed", "failed", "downgraded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Something to tell in the case about a departure, once each."""

    departure: Departure
    state: DeliveryState
    at_ms: int
    reason: str | None
