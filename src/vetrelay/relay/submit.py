"""Submit: the one way in for everything that is said (protocol.md sections 5, 6, 8).

What needs no log is checked first, on the event loop. What depends on where the log stands is checked against how the
case stood a moment ago, and again inside the writer's transaction when it has moved since: the job decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from vetrelay.errors import Refusal
from vetrelay.protocol.age.header import check_sealed_shape
from vetrelay.protocol.envelope import Envelope, check_addressing, check_sender, check_shape, parse_envelope
from vetrelay.protocol.ids import CaseId, EntryId, EnvelopeId, Hash, PartyId, b64, sha256
from vetrelay.protocol.signature import Signed, parse_wire
from vetrelay.relay.append import append_envelope, append_statements
from vetrelay.relay.chains import catching_up
from vetrelay.relay.policy import concerned, delivered_to
from vetrelay.relay.ports import AskingDevice, RelayServices, Standing, Store, StoredEnvelope, StoredObject

INLINE_ROLES = frozenset({"manifest", "slip"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What a submit brings: the signed envelope, every object's age header, and the small payloads."""

    signed: Signed
    headers: Mapping[Hash, bytes]
    payloads: Mapping[Hash, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The stored receipt, and whether it is for the first time."""

    receipt: bytes
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answered:
    """The envelope that a verdict answers, and who sent it."""

    envelope: Envelope
    sender: PartyId


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
    standing = relay.reader.standing(case) or await relay.reader.run(lambda store: store.cases.standing(case))
    if standing is None or asker.party not in concerned(standing.roster):
        raise Refusal("not_a_member")  # one answer for a case that is not there and one that is not yours
    if standing.roster.closed:
        standing = await relay.writer.run(lambda store: _caught_up(relay, store, case))
    try:
        answered = await _answered(relay, envelope)
        head = relay.reader.head_at(case, envelope.view.n) or await relay.reader.run(
            lambda store: store.cases.head_at(case, envelope.view.n)
        )
        sender = _check_standing(standing, untrusted.signed, envelope, head=head, answered=answered)
    except Refusal:
        # A repeat comes when the answer was lost: whatever has changed since, it gets the answer it missed.
        known = await relay.reader.run(lambda store: _repeated(store, envelope, entry))
        if known is not None:
            return known
        raise
    known_standing = standing

    def job(store: Store) -> Accepted:
        if (known := _repeated(store, envelope, entry)) is not None:
            return known
        now = store.cases.standing(case)
        assert now is not None  # a case is never taken away
        if now.roster is not known_standing.roster:
            _check_standing(now, untrusted.signed, envelope, head=head, answered=answered)
        return _accept(relay, store, now, untrusted, envelope, entry=entry, sender=sender)

    return await relay.writer.run(job)  # accepted at this instant: the COMMIT has returned


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
        # (N06, N07, N11, N20) One hybrid stanza per recipient; a slip is for the intake alone.
        check_sealed_shape(header, 1 if named.role == "slip" else len(envelope.recipients))
        if payload is not None and (len(payload) != named.size or b64(sha256(payload)) != named.p):
            raise Refusal("bad_objects")
    return envelope


def _check_standing(
    standing: Standing, signed: Signed, envelope: Envelope, *, head: Hash | None, answered: _Answered | None
) -> PartyId:
    """Rules (i) to (iv) of section 5 against a case as it stands; returns the sender."""
    before, view = standing.roster, envelope.view
    at_view = standing.roster_at(view.n)
    if at_view is None and view.n >= before.narrowed_n:
        at_view = before if view.n > standing.tail.n else None
    if head != view.head or view.n > standing.tail.n:
        raise Refusal("roster_moved", after=standing.tail.n)
    try:
        sender = check_sender(signed, envelope, at_view=at_view or before, before=before)
        check_addressing(
            envelope,
            at_view=at_view or before,
            sender=sender,
            answered=(answered.envelope, answered.sender) if answered else None,
        )
    except Refusal as no:
        if no.code == "roster_moved":
            raise Refusal("roster_moved", after=standing.tail.n) from no
        raise
    return sender
