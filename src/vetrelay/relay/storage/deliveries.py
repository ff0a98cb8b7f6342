"""Each device's inbox: a gap-free sequence of pointers into logs, and how far the device has taken it over."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Row, bindparam, func, select

from vetrelay.protocol.ids import CaseId, DeviceId
from vetrelay.protocol.log import Kind
from vetrelay.relay.ports import case_topic, device_topic
from vetrelay.relay.storage.batch import Batch
from vetrelay.relay.storage.schema import deliveries, devices
from vetrelay.relay.tables import Delivery

# Where an inbox ends is not stored twice: its last place says so, and what a sweep took was acknowledged.
_END: Final = select(func.max(deliveries.c.seq)).where(deliveries.c.device == devices.c.id).scalar_subquery()
_LAST: Final = select(devices.c.id, devices.c.acked_seq, _END.label("end_seq")).where(
    devices.c.id.in_(bindparam("of_devices", expanding=True))
)
_PAGE: Final = (
    select(deliveries.c.seq, deliveries.c.case, deliveries.c.n, deliveries.c.kind)
    .where(deliveries.c.device == bindparam("of_device"), deliveries.c.seq > bindparam("after_seq"))
    .order_by(deliveries.c.seq)
    .limit(bindparam("at_most"))
)


class SqlDeliveries:
    """The deliveries table, and the ends of inboxes in the devices table."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    def deliver(self, to: Iterable[DeviceId], case: CaseId, positions: Sequence[tuple[int, Kind]]) -> None:
        """Put positions of a case's log into these devices' inboxes; the bells ring after the commit."""
        batch = self._batch
        named = list(to)
        self._learn_last(named)
        for device in named:
            seq = batch.last_seqs[device]
            for n, kind in positions:
                seq += 1
                batch.insert(deliveries, {"device": device, "seq": seq, "case": case, "n": n, "kind": int(kind)})
            batch.last_seqs[device] = seq
            batch.topics.add(device_topic(device))
        batch.topics.add(case_topic(case))

    def page(self, device: DeviceId, *, after: int, limit: int) -> Sequence[Delivery]:
        """A device's inbox from the place after `after`, in order."""
        rows = self._batch.rows(_PAGE, {"of_device": device, "after_seq": after, "at_most": limit})
        return [Delivery(seq=row.seq, case=row.case, n=row.n, kind=Kind(row.kind)) for row in rows]

    def last_seq(self, device: DeviceId) -> int:
        """The last place of a device's inbox."""
        row = self._batch.row(_LAST, {"of_devices": [device]})
        return 0 if row is None else _last(row)

    def acknowledge(self, device: DeviceId, upto: int) -> int:
        """Remember how far a device has taken its inbox over; returns how far, which never goes back."""
        row = self._batch.row(_LAST, {"of_devices": [device]})
        if row is None:
            return 0
        acked: int = max(row.acked_seq, min(upto, _last(row)))
        if acked != row.acked_seq:
            self._batch.set_later(devices, device, {"acked_seq": acked})
        return acked

    def _learn_last(self, named: Sequence[DeviceId]) -> None:
        batch = self._batch
        unknown = []
        for device in named:
            if device not in batch.last_seqs:
                known = batch.memory.last_seqs.get(device)
                if known is None:
                    unknown.append(device)
                else:
                    batch.last_seqs[device] = known
        if unknown:
            # A device that is new in this transaction stands in the buffer: it must be flushed before it is found.
            batch.last_seqs.update({row.id: _last(row) for row in batch.rows(_LAST, {"of_devices": unknown})})


def _last(row: Row[Any]) -> int:
    end: int = max(row.end_seq or 0, row.acked_seq)
    return end
