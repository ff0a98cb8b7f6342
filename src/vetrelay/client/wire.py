"""What the relay answers, as values (protocol.md, chapter transport). Unknown extra fields are ignored: relays may grow."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from vetrelay.protocol.ids import Count, Hash, Milliseconds, Position
from vetrelay.protocol.signature import Signed


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Root of the relay's answers."""


class RelayFacts(Answer, frozen=True):
    """`GET /v1/relay`."""

    relay: Hash
    log_key: Hash
    time: Milliseconds
    version: str
    limits: dict[str, Any] = {}


class SessionNonce(Answer, frozen=True):
    """`POST /v1/session`, first half."""

    relay: Hash
    nonce: Hash
    time: Milliseconds


class Session(Answer, frozen=True):
    """`POST /v1/session`, second half."""

    bearer: str
    until: Milliseconds


class Invitation(Answer, frozen=True):
    """An open invitation: the signed statement and the sealed card."""

    entry: Signed
    card: str | None
    relay: Hash
    time: Milliseconds


class Appended(Answer, frozen=True):
    """Where a party chain ends now."""

    seq: int
    head: Hash


class PartyChain(Answer, frozen=True):
    """A party's chain."""

    chain: tuple[Signed, ...]


class Receipted(Answer, frozen=True):
    """The relay's signed head for what it has just accepted, or had accepted before."""

    receipt: Signed


class ObjectPart(Answer, frozen=True):
    """An object's header, and its payload when it travelled in the submit (base64url)."""

    h0: Hash
    header: str
    payload: str | None = None


class Item(Answer, frozen=True):
    """One position of a case's queue; `signed` is null when it is not for us."""

    n: Position
    time: Milliseconds
    kind: Annotated[int, Meta(ge=0, le=255)]
    entry: Hash
    signed: Signed | None
    objects: tuple[ObjectPart, ...] = ()


class CaseInbox(Answer, frozen=True):
    """A page of a case's queue."""

    items: tuple[Item, ...]
    head: Signed


class LogPage(Answer, frozen=True):
    """A page of the log."""

    links: str
    entries: tuple[Signed | None, ...] | None
    head: Signed


class Pointer(Answer, frozen=True):
    """One delivery of the merged inbox."""

    seq: Count
    case: Hash
    n: Position
    kind: int


class Lease(Answer, frozen=True):
    """A word on one envelope: whose work it is, until when by the relay's clock, or that a verdict stands."""

    case: Hash
    entry: Hash
    state: Literal["granted", "taken", "answered"]
    until: Milliseconds | None


class Leases(Answer, frozen=True):
    """`POST /v1/inbox/lease`."""

    leases: tuple[Lease, ...]
    time: Milliseconds


class Inbox(Answer, frozen=True):
    """A page of the merged inbox."""

    items: tuple[Pointer, ...]
    heads: dict[str, Signed]
    caught_up: bool
