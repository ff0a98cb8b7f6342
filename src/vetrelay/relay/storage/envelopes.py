"""Envelopes, their objects, and the verdicts on them."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Row, bindparam, delete, func, select, update

from vetrelay.protocol.envelope import Envelope
from vetrelay.protocol.ids import CaseId, EntryId, EnvelopeId, Hash
from vetrelay.relay.storage.batch import Batch
from vetrelay.relay.storage.schema import blobs, entries, envelopes, objects, rulings
from vetrelay.relay.tables import Lookup, StoredEnvelope, StoredObject

_FOUND_NAMES: Final = ("id", "n", "entry", "sender")
_FOUND: Final = tuple(envelopes.c[name] for name in _FOUND_NAMES)
_ANSWERED: Final = (
    select(*_FOUND)
    .join(entries, (entries.c.case == envelopes.c.case) & (entries.c.n == envelopes.c.n))
    .where(entries.c.case == bindparam("of_case"), entries.c.entry == bindparam("of_entry"))
)
_VERDICT: Final = (
    select(rulings.c.verdict)
    .where(rulings.c.case == bindparam("of_case"), rulings.c.entry == bindparam("of_entry"))
    .limit(1)
)
_UPLOADED: Final = select(blobs.c.p, blobs.c.size_bytes).where(
    blobs.c.case == bindparam("of_case"), blobs.c.p.in_(bindparam("payloads", expanding=True))
)
_UNRULE: Final = delete(rulings).where(rulings.c.case == bindparam("of_case"), rulings.c.entry == bindparam("of_entry"))
# The row stays: an object's name belongs to its envelope for good, so a slip cannot be lifted into another (N41).
_BLANK_SLIP: Final = (
    update(objects)
    .where(objects.c.case == bindparam("of_case"), objects.c.n == bindparam("of_n"), objects.c.role == "slip")
    .values(header=b"", payload=None)
)
_AT: Final = objects.c.n.in_(bindparam("at", expanding=True))
_SIZES: Final = (
    select(
        objects.c.n,
        func.sum(func.length(objects.c.header) + func.coalesce(func.length(objects.c.payload), 0)).label("size_bytes"),
    )
    .where(objects.c.case == bindparam("of_case"), _AT)
    .group_by(objects.c.n)
)
_OBJECTS: Final = (
    select(objects).where(objects.c.case == bindparam("of_case"), _AT).order_by(objects.c.role, objects.c.h0)
)


class SqlEnvelopes:
    """The tables of envelopes."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    def find(self, case: CaseId, envelope: EnvelopeId) -> StoredEnvelope | None:
        """What was accepted under this id."""
        known, place = self._batch.envelopes, (case, envelope)
        if place not in known:
            self._learn([place], [])
        return known[place]

    def answered(self, case: CaseId, entry: EntryId) -> StoredEnvelope | None:
        """The envelope with this entry id."""
        return _stored(self._batch.row(_ANSWERED, {"of_case": case, "of_entry": entry}))

    def taken(self, h0s: Collection[Hash]) -> bool:
        """Whether any of these objects belongs to an envelope already."""
        known = self._batch.taken
        if unknown := [h0 for h0 in h0s if h0 not in known]:
            self._learn([], unknown)
        return any(known[h0] for h0 in h0s)

    def take_for_new(self, lookups: Sequence[Lookup]) -> None:
        """Answer the questions of a batch's jobs with no, unasked: where that is wrong, a key that exists will say so."""
        self._batch.envelopes.update(dict.fromkeys((lookup.case, lookup.envelope) for lookup in lookups))
        self._batch.taken.update(dict.fromkeys((h0 for lookup in lookups for h0 in lookup.h0s), False))

    def look_up(self, lookups: Sequence[Lookup]) -> None:
        """Find with two questions what the jobs of a batch will ask one by one."""
        places = [(lookup.case, lookup.envelope) for lookup in lookups]
        self._learn(places, [h0 for lookup in lookups for h0 in lookup.h0s])

    def uploaded(self, case: CaseId, payloads: Collection[Hash]) -> Mapping[Hash, int]:
        """Those of these payloads that are durable here for this case, with their sizes."""
        rows = self._batch.rows(_UPLOADED, {"of_case": case, "payloads": list(payloads)})
        return {row.p: row.size_bytes for row in rows}

    def standing_verdict(self, case: CaseId, answered: EntryId) -> StoredEnvelope | None:
        """The newest verdict on an envelope."""
        row = self._batch.row(_VERDICT, {"of_case": case, "of_entry": answered})
        return None if row is None else self.answered(case, row.verdict)

    def add(self, stored: StoredEnvelope, envelope: Envelope, kept: Sequence[StoredObject]) -> None:
        """Keep an envelope and its objects."""
        values = {
            "case": envelope.case,
            "id": stored.id,
            "n": stored.n,
            "entry": stored.entry,
            "sender": stored.sender,
            "class": envelope.class_,
            "audience": envelope.audience,
            "derived_from": envelope.derived_from,
        }
        self._batch.insert(envelopes, values)
        self._batch.envelopes[envelope.case, stored.id] = stored
        self._batch.taken.update(dict.fromkeys((one.h0 for one in kept), True))
        for one in kept:
            row = {
                "h0": one.h0,
                "case": envelope.case,
                "n": stored.n,
                "entry": one.entry,
                "role": one.role,
                "p": one.p,
                "size_bytes": one.size_bytes,
                "header": one.header,
                "payload": one.payload,
            }
            self._batch.insert(objects, row)

    def rule(self, verdict: StoredEnvelope, envelope: Envelope, *, answered: StoredEnvelope, time_ms: int) -> None:
        """Make a verdict's rulings the ones in force, and blank the slip it has answered."""
        self._batch.write(_UNRULE, {"of_case": envelope.case, "of_entry": answered.entry})
        self._batch.write(_BLANK_SLIP, {"of_case": envelope.case, "of_n": answered.n})
        for ruling in envelope.verdict or ():
            values = {
                "case": envelope.case,
                "entry": answered.entry,
                "p": ruling.p,
                "code": ruling.code,
                "keep": ruling.keep,
                "verdict": verdict.entry,
                "time_ms": time_ms,
            }
            self._batch.insert(rulings, values)

    def _learn(self, places: Sequence[tuple[CaseId, EnvelopeId]], h0s: Sequence[Hash]) -> None:
        """Look ids and objects up, once: what this transaction adds itself is noted when it is added."""
        batch = self._batch
        batch.envelopes.update(dict.fromkeys(places))
        for case, *found in batch.find(envelopes, ("case", "id"), places, names=("case", *_FOUND_NAMES)):
            batch.envelopes[case, found[0]] = StoredEnvelope(**dict(zip(_FOUND_NAMES, found, strict=True)))
        batch.taken.update(dict.fromkeys(h0s, False))
        for (h0,) in batch.find(objects, ("h0",), [(h0,) for h0 in h0s], names=("h0",)):
            batch.taken[h0] = True

    def object_bytes(self, case: CaseId, at: Collection[int]) -> Mapping[int, int]:
        """How much of headers and inline payloads the envelope at each of these positions holds."""
        return {row.n: row.size_bytes for row in self._batch.rows(_SIZES, {"of_case": case, "at": list(at)})}

    def objects(self, case: CaseId, at: Collection[int]) -> Mapping[int, Sequence[StoredObject]]:
        """The objects of the envelopes at these positions, in the order of their roles."""
        found: defaultdict[int, list[StoredObject]] = defaultdict(list)
        for row in self._batch.rows(_OBJECTS, {"of_case": case, "at": list(at)}):
            one = StoredObject(
                h0=row.h0,
                entry=row.entry,
                role=row.role,
                p=row.p,
                size_bytes=row.size_bytes,
                header=row.header,
                payload=row.payload,
            )
            found[row.n].append(one)
        return found


def _stored(row: Row[Any] | None) -> StoredEnvelope | None:
    return None if row is None else StoredEnvelope(id=row.id, n=row.n, entry=row.entry, sender=row.sender)
