"""The case log: links, heads, receipts (docs/protocol.md, chapter 12).

head_0 = SHA-256("VetRelay-v1 log" 00 case); each link hashes the head before it, its
position, time, kind and entry. Whoever keeps one head notices every other past.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from vetrelay.errors import Refusal
from vetrelay.protocol.ids import (
    CaseId,
    Count,
    EntryId,
    Hash,
    Milliseconds,
    Position,
    RelayId,
    SignKey,
    b64,
    labelled,
    relay_id,
    sha256,
    unb64,
)
from vetrelay.protocol.signature import Signed, Signer, sign, verify
from vetrelay.protocol.statement import MAX_INTEGER, VERSION, Body, convert, parse_signed

LINK_BYTES: Final = 8 + 1 + 32
STALE_HEAD_MS: Final = 24 * 60 * 60 * 1000


class Kind(IntEnum):
    """What a link points at."""

    CASE = 1
    PARTY = 2
    ENVELOPE = 3
    GRANT = 4
    PURGE = 5
    EPOCH = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One position of the log: when it was accepted, what kind, which entry."""

    time_ms: int
    kind: Kind
    entry: EntryId

    def pack(self) -> bytes:
        """41 bytes: u64be time, u8 kind, 32-byte entry id."""
        return self.time_ms.to_bytes(8, "big") + bytes([self.kind]) + unb64(self.entry, 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """The end of a log as far as it is known."""

    n: int
    head: Hash
    time_ms: int


class Head(Body, frozen=True):
    """The relay's signed word on where the log stands; with an entry named, a receipt."""

    v: int
    relay: RelayId
    case: CaseId
    epoch: Count
    n: Position
    head: Hash
    time: Milliseconds
    entry: EntryId | None
    backed_up_n: Position


def empty_log(case: CaseId) -> Tail:
    """The log of a case before its first entry."""
    return Tail(n=0, head=labelled("VetRelay-v1 log", unb64(case, 32)), time_ms=0)


def extend(tail: Tail, link: Link) -> Tail:
    """The tail after one more link. Raises Refusal `time_backwards` (N52)."""
    if link.time_ms < tail.time_ms:
        raise Refusal("time_backwards")
    n = tail.n + 1
    raw = sha256(b"VetRelay-v1 link\0", unb64(tail.head, 32), n.to_bytes(8, "big"), link.pack())
    return Tail(n=n, head=b64(raw), time_ms=link.time_ms)


def pack_links(links: Iterable[Link]) -> bytes:
    """Links as they are served alone: 41 bytes each."""
    return b"".join(link.pack() for link in links)


def unpack_links(raw: bytes) -> Sequence[Link]:
    """Links from their packed form. Raises Refusal `bad_body`, or `newer_version` for a kind of a later version."""
    if len(raw) % LINK_BYTES:
        raise Refusal("bad_body")
    try:
        links = [
            Link(
                time_ms=int.from_bytes(raw[at : at + 8], "big"),
                kind=Kind(raw[at + 8]),
                entry=b64(raw[at + 9 : at + LINK_BYTES]),
            )
            for at in range(0, len(raw), LINK_BYTES)
        ]
    except ValueError as wrong:
        raise Refusal("newer_version") from wrong
    if any(link.time_ms > MAX_INTEGER for link in links):
        raise Refusal("bad_body")
    return links


def sign_head(  # the one place where a receipt and a page's end get their form
    tail: Tail,
    signer: Signer,
    *,
    relay: RelayId,
    case: CaseId,
    epoch: int,
    time_ms: int,
    entry: EntryId | None,
    backed_up_n: int,
) -> Signed:
    """The relay's signed head for a tail; `entry` makes it that entry's receipt."""
    body = Head(
        v=VERSION,
        relay=relay,
        case=case,
        epoch=epoch,
        n=tail.n,
        head=tail.head,
        time=time_ms,
        entry=entry,
        backed_up_n=backed_up_n,
    )
    return sign("head", body, [signer])


def check_head(signed: Signed, *, relay: RelayId, case: CaseId) -> Head:
    """A head of this case signed by this relay's log key.

    Raises Refusal `wrong_relay` (N53), `wrong_case`, or what `verify` raises.
    """
    key: SignKey = signed.sigs[0].key if len(signed.sigs) == 1 else ""
    if not key or relay_id(key) != relay:
        raise Refusal("wrong_relay")
    head = convert(parse_signed(verify(signed, "head", [key])), Head)
    if head.relay != relay:
        raise Refusal("wrong_relay")
    if head.case != case:
        raise Refusal("wrong_case")
    return head


def check_same_past(known: Tail, head: Head) -> None:
    """A head against what this end already knows of the same log.

    Raises Refusal `log_shortened` or `log_forked` (N23, N24): the caller keeps both as evidence and stops sending.
    """
    if head.n < known.n:
        raise Refusal("log_shortened", known_n=known.n, offered_n=head.n)
    if head.n == known.n and head.head != known.head:
        raise Refusal("log_forked", n=head.n)
