"""What the relay's verbs need from the outside world, and nothing of how it is done.

A `Store` is the tables as seen from inside one transaction: the writer hands one to each job, the reader another
that cannot write. Verbs are written against these; `storage`, `blobs` and `bells` are the adapters.
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from vetrelay.protocol.ids import CaseId, DeviceId, Hash, RelayId, SignKey
from vetrelay.relay.heads import Heads
from vetrelay.relay.leases import LeaseTable
from vetrelay.relay.payloads import Blobs, PayloadTable, UploadTable
from vetrelay.relay.policy import Limits
from vetrelay.relay.tables import (
    AskingDevice,
    CaseTable,
    DeliveryTable,
    EnvelopeTable,
    Lookup,
    PartyTable,
    SessionTable,
    Standing,
)

__all__ = [
    "AskingDevice",
    "Bell",
    "Challenges",
    "Listening",
    "Reader",
    "RelayServices",
    "Store",
    "Writer",
    "case_topic",
    "device_topic",
]

T = TypeVar("T")


class Store(Protocol):
    """The tables inside one transaction."""

    @property
    def parties(self) -> PartyTable:
        """Parties, chains, devices, boxes, codes."""

    @property
    def cases(self) -> CaseTable:
        """Cases and their logs."""

    @property
    def envelopes(self) -> EnvelopeTable:
        """Envelopes, objects, verdicts."""

    @property
    def deliveries(self) -> DeliveryTable:
        """Inboxes."""

    @property
    def leases(self) -> LeaseTable:
        """Who works on what."""

    @property
    def sessions(self) -> SessionTable:
        """Bearers."""

    @property
    def uploads(self) -> UploadTable:
        """Uploads under way."""

    @property
    def payloads(self) -> PayloadTable:
        """Payloads that are in."""

    def after_commit(self, action: Callable[[], None]) -> None:
        """Have something done on the event loop once this transaction is durable, before anyone is answered."""

    def ring(self, topic: str) -> None:
        """Wake whoever waits for this topic, once this transaction is durable."""


class Writer(Protocol):
    """The one way to change what is stored."""

    async def run(self, job: Callable[[Store], T], *, lookup: Lookup | None = None) -> T:
        """Run `job(store)` inside a transaction; returns only after its COMMIT. `lookup` says what it will ask for.

        Raises what the job raised, Fault `busy` when too many wait, `storage_full`, `storage_failed`.
        """


class Reader(Protocol):
    """Reads, each in its own snapshot."""

    async def run(self, job: Callable[[Store], T]) -> T:
        """Run `job(store)` in one read transaction."""

    def standing(self, case: CaseId) -> Standing | None:
        """A case as this process last saw it, if it is at hand; no disk is asked."""

    def head_at(self, case: CaseId, n: int) -> Hash | None:
        """A log's head at a position, if it is at hand; no disk is asked."""

    def bearer(self, bearer_hash: Hash) -> tuple[AskingDevice, int] | None:
        """The device a bearer stands for and until when, if that is at hand; no disk is asked."""


class Listening(Protocol):
    """Somebody who began to listen before looking, so that no ring is missed."""

    async def heard(self, wait_seconds: float) -> bool:
        """Wait until the bell rings, at most so long; whether it rang."""


class Bell(Protocol):
    """Wakes waiting readers; carries no data. A lost ring costs one wait."""

    def listen(self, topic: str) -> AbstractContextManager[Listening]:
        """Begin to listen for a topic."""

    def ring(self, topics: Iterable[str]) -> None:
        """Wake everybody who listens for one of these topics."""


def _pass_by(_place: str) -> None:
    """Go on: what a checkpoint does outside of tests."""


class Challenges(Protocol):
    """Nonces that devices sign to open sessions."""

    def fresh(self, *, now_ms: int) -> Hash:
        """A new nonce."""

    def check(self, nonce: Hash, *, now_ms: int) -> None:
        """Raises Refusal `session_refused` for a nonce of others, one too old, one used before."""

    def use(self, nonce: Hash, *, now_ms: int) -> None:
        """Check a nonce and remember it as used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayServices:
    """Everything a verb may use. Composed once, by the process entry or by a test."""

    relay: RelayId
    log_key: SignKey
    heads: Heads
    origins: frozenset[str]
    limits: Limits
    writer: Writer
    reader: Reader
    blobs: Blobs
    bells: Bell
    challenges: Challenges
    now_ms: Callable[[], int]
    random_bytes: Callable[[int], bytes]
    checkpoint: Callable[[str], None] = _pass_by  # named places where a test may kill the process


def case_topic(case: CaseId) -> str:
    """The bell's topic for a case's log."""
    return f"case {case}"


def device_topic(device: DeviceId) -> str:
    """The bell's topic for a device's inbox."""
    return f"device {device}"
