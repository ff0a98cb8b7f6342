"""The ports for payloads: bytes on their way in, bytes at rest, and the rows that say which of them count."""

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from vetrelay.protocol.ids import CaseId, DeviceId, EntryId, Hash, PartyId


class Hasher(Protocol):
    """A hash under way, as hashlib makes them."""

    def update(self, data: bytes, /) -> None:
        """Take more bytes in."""

    def digest(self) -> bytes:
        """The hash of what was taken in so far."""

    def copy(self) -> Self:
        """A second one, that went as far."""


class Partial(Protocol):
    """A payload while it arrives. Nothing is durable before `sync`; its methods never run at the same time."""

    @property
    def offset_bytes(self) -> int:
        """How far it is, counting what is held back."""

    @property
    def p(self) -> Hash:
        """The hash of it as far as it is, not counting what is held back."""

    async def append(self, pieces: Sequence[bytes], *, also: Hasher | None = None) -> None:
        """Write and hash these bytes, all or none; `also` hashes them too. Raises Fault `storage_full`, `storage_failed`."""

    async def sync(self) -> None:
        """Make what was appended durable: only what was made so may be acknowledged."""

    async def hold(self) -> None:
        """From here on, hold back what is appended until `release` or `discard`."""

    async def release(self) -> None:
        """What was held back is vouched for: it counts."""

    async def discard(self) -> None:
        """Forget what was held back, if anything was."""

    async def keep(self) -> Hash:
        """What is whole and synced becomes a blob; it counts as received until `drop`. Durable when this returns."""

    async def close(self) -> None:
        """Let go; what was appended stays, what was held back does not."""


class Blobs(Protocol):
    """Payloads at rest, named by their SHA-256, and payloads on their way in, named by their upload."""

    async def partial(self, upload: Hash) -> Partial:
        """An upload's bytes so far, open; the caller holds the upload's turn until it closed this."""

    async def received_bytes(self, upload: Hash) -> int:
        """How much of an upload is durable; 0 where nothing arrived yet. The caller holds the upload's turn."""

    async def drop(self, upload: Hash) -> None:
        """Forget what came in of an upload."""

    async def size_bytes(self, p: Hash) -> int | None:
        """The size of a payload at rest, or None where there is none."""

    def read(self, p: Hash, *, start_bytes: int, size_bytes: int) -> AsyncGenerator[bytes, None]:
        """Exactly so many bytes from there, in pieces. Raises Fault `blob_missing`."""

    async def remove(self, p: Hash, *, before_ms: int) -> bool:
        """Remove a payload last named before this time; the caller knows that no row names it. True if it is gone."""

    def named_before(self, before_ms: int) -> AsyncIterator[list[Hash]]:
        """All payloads last named before this time, in batches."""

    async def received_before(self, before_ms: int) -> list[Hash]:
        """The uploads whose last byte arrived before this time."""

    async def free_bytes(self) -> int:
        """How much more is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A permission to bring in one payload, known by the hash of its URL's secret; `p` once it is in.

    `ended` says that its device was revoked.
    """

    url_hash: Hash
    device: DeviceId
    case: CaseId
    size_bytes: int
    declared_p: Hash | None
    p: Hash | None
    created_ms: int
    expires_ms: int
    ended: bool = False


class UploadTable(Protocol):
    """Uploads under way, and the rows that say that a payload is in."""

    def add(self, upload: Upload) -> None:
        """Keep a new upload: its size is reserved from here on."""

    def find(self, url_hash: Hash) -> Upload | None:
        """The upload behind a URL."""

    def open_of(self, device: DeviceId, *, now_ms: int) -> int:
        """How many unfinished uploads a device has."""

    def reserved_bytes(self, case: CaseId, *, now_ms: int) -> int:
        """What the payloads of a case take up, those still on their way counted whole."""

    def party_bytes(self, party: PartyId, *, now_ms: int) -> int:
        """The same for all cases that concern a party."""

    def finish(self, upload: Upload, p: Hash, *, now_ms: int) -> None:
        """Say that this payload is in, for the upload's case."""

    def remove(self, url_hash: Hash) -> None:
        """Forget an upload; a payload that is in stays in."""

    def expired(self, *, now_ms: int) -> Sequence[Hash]:
        """The uploads that are past their time."""

    def known(self, url_hashes: Collection[Hash]) -> frozenset[Hash]:
        """Those of these that have a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruled:
    """The verdict in force on one attachment."""

    code: str
    keep: bool
    time_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedObject:
    """An object, and what decides who is given it: its envelope as accepted, its verdict, whether its bytes are here."""

    h0: Hash
    case: CaseId
    entry: EntryId
    role: str
    p: Hash
    size_bytes: int
    header: bytes
    payload: bytes | None
    signed: bytes
    sender: PartyId
    accepted_ms: int
    ruled: Ruled | None
    at_rest: bool


class PayloadTable(Protocol):
    """Payloads that are in, by case; found for serving, and forgotten when nothing needs them any more."""

    def served(self, h0: Hash) -> ServedObject | None:
        """The object of this name."""

    def unreferenced(self, *, before_ms: int) -> Sequence[tuple[CaseId, Hash]]:
        """Payloads that came in before this time and belong to no envelope."""

    def withheld(self, *, before_ms: int) -> Sequence[tuple[CaseId, Hash]]:
        """Payloads that nobody may be given any more since this time: originals ruled on and not kept."""

    def forget(self, case: CaseId, p: Hash, *, unreferenced_before_ms: int, withheld_before_ms: int) -> bool:
        """Remove a payload's row if that is still what it is; whether it was."""

    def in_use(self, payloads: Collection[Hash]) -> frozenset[Hash]:
        """Those of these that some case has."""

    def end_sessions(self, *, before_ms: int) -> int:
        """Remove bearers that ended before this time; how many there were."""
