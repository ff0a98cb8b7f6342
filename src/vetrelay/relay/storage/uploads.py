"""Uploads under way, and the rows that say that a payload is in."""

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import Executable, bindparam, delete, func, select, update

from vetrelay.protocol.ids import CaseId, DeviceId, Hash, PartyId
from vetrelay.relay.payloads import Upload
from vetrelay.relay.storage.batch import Batch, Values
from vetrelay.relay.storage.schema import blobs, case_parties, devices, uploads

_FIND: Final = (
    select(uploads, devices.c.active)
    .outerjoin(devices, devices.c.id == uploads.c.device)
    .where(uploads.c.url_hash == bindparam("of_hash"))
)
_UNDER_WAY: Final = uploads.c.p.is_(None) & (uploads.c.expires_ms > bindparam("now_ms"))
_OPEN_OF: Final = (
    select(func.count()).select_from(uploads).where(uploads.c.device == bindparam("of_device"), _UNDER_WAY)
)
_ON_THEIR_WAY: Final = select(func.coalesce(func.sum(uploads.c.size_bytes), 0)).where(
    uploads.c.case == bindparam("of_case"), _UNDER_WAY
)
_AT_REST: Final = select(func.coalesce(func.sum(blobs.c.size_bytes), 0)).where(blobs.c.case == bindparam("of_case"))
_OF_PARTY: Final = select(case_parties.c.case).where(case_parties.c.party == bindparam("of_party"))
_PARTY_ON_THEIR_WAY: Final = select(func.coalesce(func.sum(uploads.c.size_bytes), 0)).where(
    uploads.c.case.in_(_OF_PARTY), _UNDER_WAY
)
_PARTY_AT_REST: Final = select(func.coalesce(func.sum(blobs.c.size_bytes), 0)).where(blobs.c.case.in_(_OF_PARTY))
_IS_IN: Final = select(blobs.c.p).where(blobs.c.case == bindparam("of_case"), blobs.c.p == bindparam("of_p"))
_FINISH: Final = update(uploads).where(uploads.c.url_hash == bindparam("of_hash")).values(p=bindparam("new_p"))
_REMOVE: Final = delete(uploads).where(uploads.c.url_hash == bindparam("of_hash"))
_EXPIRED: Final = select(uploads.c.url_hash).where(uploads.c.expires_ms <= bindparam("now_ms"))
_KNOWN: Final = select(uploads.c.url_hash).where(uploads.c.url_hash.in_(bindparam("hashes", expanding=True)))


class SqlUploads:
    """The uploads table, and the first row of each payload."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    def add(self, upload: Upload) -> None:
        """Keep a new upload: its size is reserved from here on."""
        values = {
            "url_hash": upload.url_hash,
            "device": upload.device,
            "case": upload.case,
            "size_bytes": upload.size_bytes,
            "declared_p": upload.declared_p,
            "p": upload.p,
            "created_ms": upload.created_ms,
            "expires_ms": upload.expires_ms,
        }
        self._batch.insert(uploads, values)

    def find(self, url_hash: Hash) -> Upload | None:
        """The upload behind a URL."""
        row = self._batch.row(_FIND, {"of_hash": url_hash})
        if row is None:
            return None
        return Upload(
            url_hash=row.url_hash,
            device=row.device,
            case=row.case,
            size_bytes=row.size_bytes,
            declared_p=row.declared_p,
            p=row.p,
            created_ms=row.created_ms,
            expires_ms=row.expires_ms,
            ended=not row.active,
        )

    def open_of(self, device: DeviceId, *, now_ms: int) -> int:
        """How many unfinished uploads a device has."""
        return self._number(_OPEN_OF, {"of_device": device, "now_ms": now_ms})

    def reserved_bytes(self, case: CaseId, *, now_ms: int) -> int:
        """What the payloads of a case take up, those still on their way counted whole."""
        on_their_way = self._number(_ON_THEIR_WAY, {"of_case": case, "now_ms": now_ms})
        return on_their_way + self._number(_AT_REST, {"of_case": case})

    def party_bytes(self, party: PartyId, *, now_ms: int) -> int:
        """The same for all cases that concern a party."""
        on_their_way = self._number(_PARTY_ON_THEIR_WAY, {"of_party": party, "now_ms": now_ms})
        return on_their_way + self._number(_PARTY_AT_REST, {"of_party": party})

    def finish(self, upload: Upload, p: Hash, *, now_ms: int) -> None:
        """Say that this payload is in, for the upload's case."""
        self._batch.write(_FINISH, {"of_hash": upload.url_hash, "new_p": p})
        if self._batch.row(_IS_IN, {"of_case": upload.case, "of_p": p}) is None:
            row = {"case": upload.case, "p": p, "size_bytes": upload.size_bytes, "created_ms": now_ms}
            self._batch.insert(blobs, row)

    def remove(self, url_hash: Hash) -> None:
        """Forget an upload; a payload that is in stays in."""
        self._batch.write(_REMOVE, {"of_hash": url_hash})

    def expired(self, *, now_ms: int) -> Sequence[Hash]:
        """The uploads that are past their time."""
        return [row.url_hash for row in self._batch.rows(_EXPIRED, {"now_ms": now_ms})]

    def known(self, url_hashes: Collection[Hash]) -> frozenset[Hash]:
        """Those of these that have a row."""
        return frozenset(row.url_hash for row in self._batch.rows(_KNOWN, {"hashes": list(url_hashes)}))

    def _number(self, statement: Executable, values: Values) -> int:
        row = self._batch.row(statement, values)
        return int(row[0]) if row is not None else 0
