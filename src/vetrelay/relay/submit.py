"""Submit: the one way in for everything that is said (protocol.md sections 5, 6, 8).

What needs no log is checked first, on the event loop. What depends on where the log stands is checked against how the
case stood a moment ago, and again inside the writer's transaction when it has moved since: the job decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from vetrelay.errors import Refusal
from vetrelay.protocol.age.header import check_sealed_shape
from vetrelay.protocol.envelope import (
    Envelope,
    check_addressing,
    check_sender,
    check_shape,
    check_supersedes,
    parse_envelope,
)
from vetrelay.protocol.ids import CaseId, EntryId, EnvelopeId, Hash, PartyId, b64, sha256
from vetrelay.protocol.log import Kind
from vetrelay.protocol.roster import Roster
from vetrelay.protocol.signature import Signed, parse_wire
from vetrelay.relay.append import Accepted, Step, append_envelope, append_statements
from vetrelay.relay.chains import catching_up
from vetrelay.relay.leases import Place
from vetrelay.relay.policy import concerned, delivered_to
from vetrelay.relay.ports import AskingDevice, RelayServices, Store
from vetrelay.relay.tables import Lookup, Standing, StoredEnvelope, StoredObject

INLINE_ROLES = frozenset({"manifest", "slip"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What a submit brings: the signed envelope, every object's age header, and the small payloads."""

    signed: Signed
    headers: Mapping[Hash, bytes]
    payloads: Mapping[Hash, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What the log says for good of the positions an envelope refers to: these never change, only the tail does."""

    head: Hash | None
    at_view: Roster
    answered: tuple[Envelope, PartyId] | None


async def submit(
    relay: RelayServices, asker: AskingDevice, *, case: CaseId, envelope_id: EnvelopeId, untrusted: Parcel
) -> Accepted:
    """Accept an envelope; returns its receipt only when it is durable. The same entry again gets the same receipt.

    Raises Refusal: `bad_*`, `wrong_*`, `sealed_shape` for what is wrong in itself; `not_a_member`, `may_not`,
    `bad_recipients`, `case_closed` and so on by the tables; `roster_moved` (facts: `after`), `id_used`, `object_taken`,
    `payloads_missing` (facts: `missing`), `verdict_stands`, `wrong_verdict` by what is there already.
    """
    envelope = _check_itself(untrusted, case=case, envelope_id=envelope_id, asker=asker)
    entry = untrusted.signed.entry_id()
    seen = relay.reader.standing(case) or await relay.reader.run(lambda store: store.cases.standing(case))
    standing = _here(seen, asker)
    if standing.roster.closed:
        standing = _here(await relay.writer.run(lambda store: _caught_up(relay, store, case)), asker)
    try:
        known = await _looked_up(relay, standing, envelope)
        sender = _check_standing(standing, untrusted.signed, envelope, known)
        for slip in envelope.of_role("slip"):  # for the case's intakes alone, and for each of them
            check_sealed_shape(untrusted.headers[slip.h0], len(known.at_view.intakes))
    except Refusal:
        # A repeat comes when the answer was lost: whatever has changed since, it gets the answer it missed.
        earlier = await relay.reader.run(lambda store: _repeated(store, envelope, entry))
        if earlier is not None:
            return earlier
        raise
    roster = standing.roster

    def job(store: Store) -> Accepted:
        if (earlier := _repeated(store, envelope, entry)) is not None:
            return earlier
        now = _here(store.cases.standing(case), asker)
        if now.roster is not roster:
            _check_standing(now, untrusted.signed, envelope, known)
        return _accept(relay, store, now, untrusted, envelope, entry=entry, sender=sender)

    lookup = Lookup(case=case, envelope=envelope_id, h0s=tuple(untrusted.headers))
    relay.checkpoint("submit.checked")  # E1
    accepted = await relay.writer.run(job, lookup=lookup)  # accepted at this instant: the COMMIT has returned
    relay.checkpoint("submit.committed")  # E3
    return accepted


def _check_itself(untrusted: Parcel, *, case: CaseId, envelope_id: EnvelopeId, asker: AskingDevice) -> Envelope:
    """Everything that can be said of a parcel without looking at any log."""
    envelope = parse_envelope(untrusted.signed)
    if envelope.case != case:
        raise Refusal("wrong_case")
    if envelope.id != envelope_id:
        raise Refusal("bad_body")
    if envelope.device != asker.device:
        raise Refusal("not_a_device")
    check_shape(envelope)
    if untrusted.headers.keys() != {named.h0 for named in envelope.objects}:
        raise Refusal("bad_objects")
    if not untrusted.payloads.keys() <= {named.p for named in envelope.objects if named.role in INLINE_ROLES}:
        raise Refusal("bad_objects")
    for named in envelope.objects:
        header, payload = untrusted.headers[named.h0], untrusted.payloads.get(named.p)
        if b64(sha256(header)) != named.h0:
            raise Refusal("bad_objects")
        # (N06, N07, N11, N20) One hybrid stanza per recipient; a slip's are counted when its view is known.
        if named.role != "slip":
            check_sealed_shape(header, len(envelope.recipients))
        if payload is not None and (len(payload) != named.size or b64(sha256(payload)) != named.p):
            raise Refusal("bad_objects")
    return envelope


def _here(standing: Standing | None, asker: AskingDevice) -> Standing:
    """The case, if it concerns the asker: one answer for a case that is not there and one that is not theirs (N35)."""
    if standing is None or asker.party not in concerned(standing.roster):
        raise Refusal("not_a_member")
    return standing


def _caught_up(relay: RelayServices, store: Store, case: CaseId) -> Standing | None:
    """A closed case with the party statements that it missed: who may still write there is decided by today's devices."""
    standing = store.cases.standing(case)
    if standing is not None and (steps := catching_up(store, standing)):
        append_statements(relay, store, standing, steps)
    return store.cases.standing(case)


async def _looked_up(relay: RelayServices, standing: Standing, envelope: Envelope) -> _Known:
    case, view = envelope.case, envelope.view
    head = relay.reader.head_at(case, view.n)
    # A view from before a narrowing is refused whatever stood there; one from beyond the tail has no head.
    stale = view.n < standing.roster.narrowed_n or view.n > standing.tail.n
    at_view = standing.roster if stale else standing.roster_at(view.n)
    if head is not None and at_view is not None and envelope.derived_from is None:
        return _Known(head=head, at_view=at_view, answered=None)
    return await relay.reader.run(
        lambda store: _Known(
            head=store.cases.head_at(case, view.n),
            at_view=at_view or store.cases.roster_at(case, view.n),
            answered=_answered(store, envelope),
        )
    )


def _answered(store: Store, envelope: Envelope) -> tuple[Envelope, PartyId] | None:
    """The envelope that a verdict answers, and who sent it."""
    if envelope.derived_from is None:
        return None
    stored = store.envelopes.answered(envelope.case, envelope.derived_from)
    entry = stored and store.cases.entry(envelope.case, stored.entry)
    return (parse_envelope(parse_wire(entry.signed)), stored.sender) if stored and entry else None


def _check_standing(standing: Standing, signed: Signed, envelope: Envelope, known: _Known) -> PartyId:
    """Rules (i) to (iv) of section 5 against a case as it stands; returns the sender."""
    if known.head != envelope.view.head:  # (i)
        raise Refusal("roster_moved", after=standing.tail.n)
    try:
        sender = check_sender(signed, envelope, at_view=known.at_view, before=standing.roster)  # (ii), (iii), (iv)
        check_addressing(envelope, at_view=known.at_view, sender=sender, answered=known.answered)  # (iv)
    except Refusal as no:
        if no.code == "roster_moved":
            raise Refusal("roster_moved", after=standing.tail.n) from no
        raise
    return sender


def _repeated(store: Store, envelope: Envelope, entry: EntryId) -> Accepted | None:
    """(N05) The same id and the same entry: the stored receipt. The same id and anything else: `id_used`."""
    earlier = store.envelopes.find(envelope.case, envelope.id)
    if earlier is None:
        return None
    receipt = store.cases.receipt(envelope.case, entry) if earlier.entry == entry else None
    if receipt is None:
        raise Refusal("id_used")
    return Accepted(receipt=receipt, is_new=False)


def _accept(
    relay: RelayServices,
    store: Store,
    standing: Standing,
    parcel: Parcel,
    envelope: Envelope,
    *,
    entry: EntryId,
    sender: PartyId,
) -> Accepted:
    """Inside the transaction: what the tables alone can say, then the writes."""
    if store.envelopes.taken([named.h0 for named in envelope.objects]):
        raise Refusal("object_taken")  # (N41)
    _check_payloads(store, envelope, parcel.payloads)
    answered = store.envelopes.answered(envelope.case, envelope.derived_from) if envelope.derived_from else None
    if answered is not None:
        _check_verdict(store, envelope, sender, answered.entry)
    inline_bytes = sum(map(len, parcel.headers.values())) + sum(map(len, parcel.payloads.values()))
    if standing.used_bytes + inline_bytes > relay.limits.case_bytes:
        raise Refusal("case_full")
    parties = sorted(delivered_to(standing.roster, envelope))
    step = Step(kind=Kind.ENVELOPE, signed=parcel.signed, entry=entry)
    added = append_envelope(relay, store, standing, step, parties=parties, used_bytes=inline_bytes)
    stored = StoredEnvelope(id=envelope.id, n=added.n, entry=entry, sender=sender)
    objects = [
        StoredObject(
            h0=named.h0,
            entry=entry,
            role=named.role,
            p=named.p,
            size_bytes=named.size,
            header=parcel.headers[named.h0],
            payload=parcel.payloads.get(named.p),
        )
        for named in envelope.objects
    ]
    store.envelopes.add(stored, envelope, objects)
    if answered is not None:
        store.envelopes.rule(stored, envelope, answered=answered, time_ms=added.time_ms)
        store.leases.end_all(Place(envelope.case, answered.entry))
    relay.checkpoint("submit.written")  # E2: the transaction is open
    return Accepted(receipt=added.receipt, is_new=True)


def _check_payloads(store: Store, envelope: Envelope, inline: Mapping[Hash, bytes]) -> None:
    """Every payload is here: in the parcel, or uploaded to this case and whole."""
    sizes = {named.p: named.size for named in envelope.objects if named.p not in inline}
    uploaded = store.envelopes.uploaded(envelope.case, sizes.keys()) if sizes else {}
    missing = sorted(sizes.keys() - uploaded.keys())
    if missing:
        raise Refusal("payloads_missing", missing=missing)
    if uploaded != sizes:
        raise Refusal("bad_objects")


def _check_verdict(store: Store, envelope: Envelope, sender: PartyId, answered: EntryId) -> None:
    """(N48) The first verdict stands; a later one says which it supersedes, and is the same intake's."""
    earlier = store.envelopes.standing_verdict(envelope.case, answered)
    check_supersedes(envelope, earlier.entry if earlier else None)
    if earlier is not None and earlier.sender != sender:
        raise Refusal("wrong_verdict")
