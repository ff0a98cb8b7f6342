"""Bearers, hashed at rest; a bearer counts only while its device is active."""

from collections.abc import Collection
from typing import Final

from sqlalchemy import bindparam, delete, select

from vetrelay.protocol.ids import DeviceId, Hash
from vetrelay.relay.ports import AskingDevice
from vetrelay.relay.storage.batch import Batch
from vetrelay.relay.storage.schema import devices, sessions

_FIND: Final = (
    select(sessions.c.device, devices.c.party, sessions.c.until_ms)
    .join(devices, devices.c.id == sessions.c.device)
    .where(sessions.c.bearer_hash == bindparam("hash"), devices.c.active)
)
_EXPIRED: Final = delete(sessions).where(sessions.c.until_ms < bindparam("now_ms"))
_END: Final = delete(sessions).where(sessions.c.device.in_(bindparam("of_devices", expanding=True)))


class SqlSessions:
    """The sessions table."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    def add(self, bearer_hash: Hash, device: DeviceId, *, until_ms: int, now_ms: int) -> None:
        """Keep a bearer's hash; those past their end go."""
        self._batch.write(_EXPIRED, {"now_ms": now_ms})
        self._batch.insert(sessions, {"bearer_hash": bearer_hash, "device": device, "until_ms": until_ms})

    def find(self, bearer_hash: Hash) -> tuple[AskingDevice, int] | None:
        """The active device a bearer stands for, and until when."""
        memory = self._batch.memory
        row = self._batch.row(_FIND, {"hash": bearer_hash})
        if row is None:
            return None
        found = AskingDevice(device=row.device, party=row.party), row.until_ms
        memory.bearers.put(bearer_hash, found)
        return found

    def end(self, devices: Collection[DeviceId]) -> None:
        """Forget all bearers of these devices, which never come back."""
        self._batch.write(_END, {"of_devices": list(devices)})
        memory, ended = self._batch.memory, frozenset(devices)
        self._batch.actions.append(lambda: memory.end(ended))
