"""Payloads that are in: found for serving, and forgotten by join when nothing needs them any more, never by counters."""

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import and_, bindparam, delete, exists, or_, select

from vetrelay.protocol.ids import CaseId, Hash
from vetrelay.relay.payloads import Ruled, ServedObject
from vetrelay.relay.storage.batch import Batch
from vetrelay.relay.storage.schema import blobs, entries, envelopes, objects, rulings, sessions

SWEEP_ROWS: Final = 10_000  # of one pass: the next one takes the rest

_SERVED: Final = (
    select(
        objects,
        entries.c.signed,
        entries.c.time_ms.label("accepted_ms"),
        envelopes.c.sender,
        rulings.c.code,
        rulings.c.keep,
        rulings.c.time_ms.label("ruled_ms"),
        blobs.c.p.label("at_rest"),
    )
    .join(envelopes, and_(envelopes.c.case == objects.c.case, envelopes.c.n == objects.c.n))
    .join(entries, and_(entries.c.case == envelopes.c.case, entries.c.n == envelopes.c.n))
    .outerjoin(
        rulings,
        and_(rulings.c.case == objects.c.case, rulings.c.entry == objects.c.entry, rulings.c.p == objects.c.p),
    )
    .outerjoin(blobs, and_(blobs.c.case == objects.c.case, blobs.c.p == objects.c.p))
    .where(objects.c.h0 == bindparam("of_h0"))
)
_NAMES_IT: Final = and_(
    objects.c.case == blobs.c.case,
    objects.c.p == blobs.c.p,
    objects.c.payload.is_(None),  # as the index says: a payload that travelled in its submit needs no blob
)
# An original that was ruled on long ago and is not kept. One that is held waits for staff, however long.
_SPENT: Final = and_(
    objects.c.role == "attachment",
    exists().where(
        rulings.c.case == objects.c.case,
        rulings.c.entry == objects.c.entry,
        rulings.c.p == objects.c.p,
        rulings.c.keep.is_(False),
        rulings.c.code != "held",
        rulings.c.time_ms < bindparam("withheld_before_ms"),
    ),
)
_UNNAMED: Final = and_(blobs.c.created_ms < bindparam("unreferenced_before_ms"), ~exists().where(_NAMES_IT))
_ALL_SPENT: Final = and_(exists().where(_NAMES_IT), ~exists().where(_NAMES_IT, ~_SPENT))
_UNREFERENCED: Final = select(blobs.c.case, blobs.c.p).where(_UNNAMED).limit(SWEEP_ROWS)
_WITHHELD: Final = select(blobs.c.case, blobs.c.p).where(_ALL_SPENT).limit(SWEEP_ROWS)
_FORGET: Final = delete(blobs).where(
    blobs.c.case == bindparam("of_case"), blobs.c.p == bindparam("of_p"), or_(_UNNAMED, _ALL_SPENT)
)
_IN_USE: Final = select(blobs.c.p).where(blobs.c.p.in_(bindparam("payloads", expanding=True))).distinct()
_END_SESSIONS: Final = delete(sessions).where(sessions.c.until_ms < bindparam("before_ms"))


class SqlPayloads:
    """The blobs table, and what the others say of it."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    def served(self, h0: Hash) -> ServedObject | None:
        """The object of this name."""
        row = self._batch.row(_SERVED, {"of_h0": h0})
        if row is None:
            return None
        return ServedObject(
            h0=row.h0,
            case=row.case,
            entry=row.entry,
            role=row.role,
            p=row.p,
            size_bytes=row.size_bytes,
            header=row.header,
            payload=row.payload,
            signed=row.signed,
            sender=row.sender,
            accepted_ms=row.accepted_ms,
            ruled=None if row.code is None else Ruled(code=row.code, keep=row.keep, time_ms=row.ruled_ms),
            at_rest=row.at_rest is not None,
        )

    def unreferenced(self, *, before_ms: int) -> Sequence[tuple[CaseId, Hash]]:
        """Payloads that came in before this time and belong to no envelope."""
        return [(row.case, row.p) for row in self._batch.rows(_UNREFERENCED, {"unreferenced_before_ms": before_ms})]

    def withheld(self, *, before_ms: int) -> Sequence[tuple[CaseId, Hash]]:
        """Payloads that nobody may be given any more since this time: originals ruled on and not kept."""
        return [(row.case, row.p) for row in self._batch.rows(_WITHHELD, {"withheld_before_ms": before_ms})]

    def forget(self, case: CaseId, p: Hash, *, unreferenced_before_ms: int, withheld_before_ms: int) -> bool:
        """Remove a payload's row if that is still what it is; whether it was."""
        values = {
            "of_case": case,
            "of_p": p,
            "unreferenced_before_ms": unreferenced_before_ms,
            "withheld_before_ms": withheld_before_ms,
        }
        return self._batch.write(_FORGET, values) > 0

    def in_use(self, payloads: Collection[Hash]) -> frozenset[Hash]:
        """Those of these that some case has."""
        return frozenset(row.p for row in self._batch.rows(_IN_USE, {"payloads": list(payloads)}))

    def end_sessions(self, *, before_ms: int) -> int:
        """Remove bearers that ended before this time; how many there were."""
        return self._batch.write(_END_SESSIONS, {"before_ms": before_ms})
