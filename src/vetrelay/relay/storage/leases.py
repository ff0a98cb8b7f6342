"""Leases, one row per envelope that somebody works on or worked on lately."""

from collections.abc import Collection, Mapping
from typing import Final

from sqlalchemy import bindparam, delete, func, select

from vetrelay.protocol.ids import DeviceId
from vetrelay.relay.leases import Lease, Place
from vetrelay.relay.storage.batch import Batch
from vetrelay.relay.storage.schema import leases

_COUNT: Final = (
    select(func.count())
    .select_from(leases)
    .where(leases.c.device == bindparam("of_device"), leases.c.until_ms > bindparam("now_ms"))
)
_AT: Final = (leases.c.case == bindparam("of_case")) & (leases.c.entry == bindparam("of_entry"))
_END_ALL: Final = delete(leases).where(_AT)
_END: Final = delete(leases).where(_AT, leases.c.device == bindparam("of_device"))
_SWEEP: Final = delete(leases).where(leases.c.until_ms <= bindparam("before_ms"))


class SqlLeases:
    """The leases table."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    def in_force(self, places: Collection[Place], *, now_ms: int) -> Mapping[Place, Lease]:
        """Those of these envelopes that somebody works on now."""
        self._batch.flush()
        names = ("case", "entry", "device", "until_ms")
        found = self._batch.find(leases, ("case", "entry"), list(places), names=names)
        return {
            Place(case, entry): Lease(place=Place(case, entry), device=device, until_ms=until_ms)
            for case, entry, device, until_ms in found
            if until_ms > now_ms
        }

    def count(self, device: DeviceId, *, now_ms: int) -> int:
        """How many envelopes a device works on now."""
        row = self._batch.row(_COUNT, {"of_device": device, "now_ms": now_ms})
        return row[0] if row is not None else 0

    def grant(self, lease: Lease) -> None:
        """Keep a lease, in place of the one before on the same envelope."""
        self.end_all(lease.place)
        case, entry = lease.place
        values = {"case": case, "entry": entry, "device": lease.device, "until_ms": lease.until_ms}
        self._batch.insert(leases, values)

    def end(self, places: Collection[Place], device: DeviceId) -> int:
        """End a device's leases on these envelopes; how many there were."""
        return sum(
            self._batch.write(_END, {"of_case": case, "of_entry": entry, "of_device": device}) for case, entry in places
        )

    def end_all(self, place: Place) -> None:
        """End the lease on an envelope, whoever has it."""
        self._batch.write(_END_ALL, {"of_case": place.case, "of_entry": place.entry})

    def sweep(self, *, before_ms: int) -> int:
        """Forget the leases that were over before this time; how many."""
        return self._batch.write(_SWEEP, {"before_ms": before_ms})
