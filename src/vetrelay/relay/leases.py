"""Leases: which device works on which envelope, so that several intakes of a case do not all inspect the same files.

A lease decides only who works first. What counts is the log: one verdict stands, whoever gave it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from vetrelay.protocol.ids import CaseId, DeviceId, EntryId


class Place(NamedTuple):
    """An envelope, as a lease names it."""

    case: CaseId
    entry: EntryId


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """An envelope that one device works on until a time of this relay's clock."""

    place: Place
    device: DeviceId
    until_ms: int


class LeaseTable(Protocol):
    """Leases, in force and past."""

    def in_force(self, places: Collection[Place], *, now_ms: int) -> Mapping[Place, Lease]:
        """Those of these envelopes that somebody works on now."""

    def count(self, device: DeviceId, *, now_ms: int) -> int:
        """How many envelopes a device works on now."""

    def grant(self, lease: Lease) -> None:
        """Keep a lease, in place of the one before on the same envelope."""

    def end(self, places: Collection[Place], device: DeviceId) -> int:
        """End a device's leases on these envelopes; how many there were."""

    def end_all(self, place: Place) -> None:
        """End the lease on an envelope, whoever has it."""

    def sweep(self, *, before_ms: int) -> int:
        """Forget the leases that were over before this time; how many."""
