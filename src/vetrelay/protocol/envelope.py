"""Envelopes: the signed unit the relay accepts, and the rules for who may send what to whom (docs/protocol.md, chapter 10)."""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Final, Literal

from msgspec import Meta, field

from vetrelay.errors import Refusal
from vetrelay.protocol.ids import (
    Bytes,
    CaseId,
    Count,
    DeviceId,
    EntryId,
    EnvelopeId,
    Hash,
    Milliseconds,
    PartyId,
    Position,
    RelayId,
)
from vetrelay.protocol.party import Group
from vetrelay.protocol.roster import Roster
from vetrelay.protocol.signature import Signed, verify
from vetrelay.protocol.statement import MAX_ENVELOPE_BYTES, Body, convert, parse_signed, read_plain

MAX_ATTACHMENTS: Final = 100
MAX_OBJECTS: Final = 320
EnvelopeClass = Literal["message", "reply", "internal", "notice", "control", "receipt", "verdict"]
Audience = Literal["case", "team", "own"]
ObjectRole = Literal["manifest", "attachment", "slip", "normalized", "preview"]
VerdictCode = Literal["clean", "converted", "kept-sealed", "held", "refused"]
FILE_ROLES: Final[frozenset[ObjectRole]] = frozenset({"attachment", "normalized", "preview"})
Urgency = Literal["routine", "soon", "urgent", "emergency"]

SENDS: Final[Mapping[str, frozenset[str]]] = {
    "owner": frozenset({"message", "control", "receipt"}),
    "care": frozenset({"reply", "internal", "notice", "control", "receipt"}),
    "consultant": frozenset({"reply", "internal", "control", "receipt"}),
    "provider": frozenset({"message", "control", "receipt"}),
    "bridge": frozenset({"message", "control", "receipt"}),
    "intake": frozenset({"verdict"}),
}
AUDIENCE_ROLES: Final[Mapping[str, frozenset[str]]] = {
    "case": frozenset({"owner", "care", "consultant", "bridge"}),
    "team": frozenset({"care", "consultant"}),
    "own": frozenset(),
}
CLASS_AUDIENCES: Final[Mapping[str, frozenset[str]]] = {
    "message": frozenset({"case"}),
    "reply": frozenset({"case"}),
    "notice": frozenset({"case"}),
    "internal": frozenset({"team", "own"}),
    "control": frozenset({"case", "team", "own"}),
    "receipt": frozenset({"case", "team", "own"}),
    "verdict": frozenset({"case", "team", "own"}),
}
AFTER_CLOSE: Final = frozenset({"control", "receipt", "verdict"})


class View(Body, frozen=True):
    """The position an envelope was sealed at, and the head there."""

    n: Position
    head: Hash


class Unit(Body, frozen=True, order=True):
    """A recipient as the protocol counts them: a party's key of one generation."""

    party: PartyId
    group: Group
    gen: Count


class ObjectRef(Body, frozen=True):
    """An object named by an envelope: SHA-256 of its age header and of its payload, and the payload's size."""

    role: ObjectRole
    h0: Hash
    p: Hash
    size: Bytes


class Ruling(Body, frozen=True):
    """The clear part of a verdict: which payload, which word, whether the original stays fetchable on request."""

    p: Hash
    code: VerdictCode
    keep: bool


class Envelope(Body, frozen=True):
    """The clear part of everything that is said: everything the relay needs, nothing that is meant."""

    v: int
    relay: RelayId
    case: CaseId
    id: EnvelopeId
    class_: EnvelopeClass = field(name="class")
    audience: Audience
    device: DeviceId
    view: View
    recipients: Annotated[tuple[Unit, ...], Meta(min_length=1, max_length=64)]
    objects: Annotated[tuple[ObjectRef, ...], Meta(min_length=1, max_length=MAX_OBJECTS)]
    reply_to: EntryId | None
    derived_from: EntryId | None
    supersedes: EntryId | None
    verdict: Annotated[tuple[Ruling, ...], Meta(max_length=MAX_ATTACHMENTS)] | None
    urgency: Urgency | None
    sent_at: Milliseconds

    def of_role(self, role: ObjectRole) -> tuple[ObjectRef, ...]:
        """The objects with this role, in order."""
        return tuple(named for named in self.objects if named.role == role)

    @property
    def has_files(self) -> bool:
        """Whether it carries files: attachments, or copies of them."""
        return any(named.role in FILE_ROLES for named in self.objects)


def parse_envelope(signed: Signed) -> Envelope:
    """An envelope's clear part, not yet verified. Raises Refusal `wrong_type`, `bad_json`, `bad_body`, `newer_version`."""
    if signed.type != "envelope":
        raise Refusal("wrong_type")
    raw = signed.content()
    envelope = read_plain(raw, Envelope) if len(raw) <= MAX_ENVELOPE_BYTES else None
    return envelope or convert(parse_signed(raw, max_bytes=MAX_ENVELOPE_BYTES), Envelope)


def audience_parties(roster: Roster, audience: Audience, *, own: PartyId) -> frozenset[PartyId]:
    """The parties an audience reaches at this roster; `own` is whose "own" is meant, while it has a part at all."""
    if audience == "own":
        return frozenset({own} if roster.role_of(own) else ())
    members = frozenset(member.party for member in roster.active(*AUDIENCE_ROLES[audience]))
    return members | frozenset(roster.bridging) if "bridge" in AUDIENCE_ROLES[audience] else members


def recipients_of(roster: Roster, audience: Audience, *, sender: PartyId, own: PartyId) -> tuple[Unit, ...]:
    """Recipients = audience and the sender's party, as sorted units of their newest generation.

    For a verdict, `own` is who sent the files: that party reads it too, though it may be in no audience (a provider).
    """
    parties = audience_parties(roster, audience, own=own) | audience_parties(roster, "own", own=own) | {sender}
    return tuple(sorted(Unit(party=party, group="all", gen=roster.parties[party].generation.gen) for party in parties))


def check_shape(envelope: Envelope) -> None:
    """What holds for an envelope whoever reads it. Raises Refusal `bad_objects`, `bad_recipients`, `bad_body`."""
    counts = Counter(named.role for named in envelope.objects)
    names = [named.h0 for named in envelope.objects]
    is_verdict = envelope.class_ == "verdict"
    own_files, derived = counts["attachment"] + counts["slip"], counts["normalized"] + counts["preview"]
    if (
        counts["manifest"] != 1
        or counts["attachment"] > MAX_ATTACHMENTS
        or len(set(names)) != len(names)
        or len({named.p for named in envelope.objects}) != len(names)
        or (is_verdict and own_files)
        or counts["slip"] > min(1, counts["attachment"])
        or (counts["slip"] and derived)
    ):
        raise Refusal("bad_objects")
    if list(envelope.recipients) != sorted(set(envelope.recipients)):
        raise Refusal("bad_recipients")
    rulings = envelope.verdict or ()
    if is_verdict != (envelope.verdict is not None) or is_verdict != (envelope.derived_from is not None):
        raise Refusal("bad_body")
    if envelope.supersedes is not None and not is_verdict:
        raise Refusal("bad_body")
    if len({ruling.p for ruling in rulings}) != len(rulings):
        raise Refusal("bad_body")


def check_view(view: View, *, n: int, own_head: Hash | None) -> None:
    """Rule (i): what the sender saw at its view is what this reader saw there, or one of the two is on a fork (N25).

    `n` is the envelope's own position; `own_head` this reader's head at view.n, None where it has none. Raises
    Refusal `log_forked`.
    """
    if view.n >= n or view.head != own_head:
        raise Refusal("log_forked", n=view.n)


def check_supersedes(verdict: Envelope, standing: EntryId | None) -> None:
    """(N48) The first verdict on an envelope stands; a later one names the one in force, which is `standing`.

    Raises Refusal `verdict_stands`.
    """
    if verdict.supersedes != standing:
        raise Refusal("verdict_stands")


def check_sender(signed: Signed, envelope: Envelope, *, at_view: Roster, before: Roster) -> PartyId:
    """Who sent it, if they may: rules (ii), (iii) and the class table of rule (iv).

    `at_view` is the roster at view.n, `before` the one at m-1. Raises Refusal `wrong_relay`, `wrong_case`,
    `roster_moved` (N09), `not_a_device` (N10), `cannot_inspect`, `may_not` (N15), `case_closed`, `bad_signature` (N03).
    """
    if envelope.relay != at_view.relay:
        raise Refusal("wrong_relay")
    if envelope.case != at_view.case:
        raise Refusal("wrong_case")
    found = before.device(envelope.device)
    if found is None or found[1].role == "recovery":
        raise Refusal("not_a_device")
    party, device = found
    verify(signed, "envelope", [device.sign])
    if before.narrowed_n > envelope.view.n:
        raise Refusal("roster_moved")
    if at_view.ends_inspect and envelope.has_files and not device.inspects:
        raise Refusal("cannot_inspect")
    role = at_view.role_of(party)
    if envelope.class_ not in SENDS.get(role or "", frozenset()):
        raise Refusal("may_not")
    if before.closed and envelope.class_ not in AFTER_CLOSE:
        raise Refusal("case_closed")
    return party


def check_addressing(
    envelope: Envelope, *, at_view: Roster, sender: PartyId, answered: tuple[Envelope, PartyId] | None
) -> None:
    """Audience, recipients and slip follow the tables at view.n: the rest of rule (iv).

    `answered` is the envelope that a verdict answers, and its sender. Raises Refusal `may_not`,
    `bad_recipients` (N06, N07), `bad_objects`, `wrong_verdict` (N41), `no_intake`.
    """
    own = sender
    if envelope.class_ == "verdict":
        if answered is None:
            raise Refusal("wrong_verdict")
        own = answered[1]
        _check_verdict(envelope, answered[0])
    elif not _may_address(at_view.role_of(sender) or "", envelope.audience):
        raise Refusal("may_not")
    if envelope.audience not in CLASS_AUDIENCES[envelope.class_]:
        raise Refusal("may_not")
    # What shows outside is the clinic's to decide, for every sender alike.
    if envelope.urgency is not None and not (at_view.policy and at_view.policy.urgency):
        raise Refusal("may_not")
    if envelope.recipients != recipients_of(at_view, envelope.audience, sender=sender, own=own):
        raise Refusal("bad_recipients")
    _check_slip(envelope, at_view)


def _check_slip(envelope: Envelope, at_view: Roster) -> None:
    """Files go with a slip where the intake inspects; where the ends do, without one, with the copies they made."""
    if at_view.ends_inspect:
        if envelope.of_role("slip"):
            raise Refusal("bad_objects")
    elif envelope.class_ != "verdict" and envelope.has_files:
        if not at_view.intakes:
            raise Refusal("no_intake")
        if not envelope.of_role("slip"):
            raise Refusal("bad_objects")


def _may_address(role: str, audience: Audience) -> bool:
    """Who speaks to an audience is in it; a provider, in none, speaks to the case."""
    return audience == "own" or role in AUDIENCE_ROLES[audience] or (role == "provider" and audience == "case")


def _check_verdict(verdict: Envelope, answered: Envelope) -> None:
    attachments = {named.p for named in answered.of_role("attachment")}
    ruled = {ruling.p for ruling in verdict.verdict or ()}
    if verdict.audience != answered.audience or not attachments or ruled != attachments:
        raise Refusal("wrong_verdict")


def slip_units(roster: Roster) -> tuple[Unit, ...]:
    """The recipients of a slip: every intake of the case, so that any of them can answer. Raises Refusal `no_intake`."""
    if not roster.intakes:
        raise Refusal("no_intake")
    return tuple(Unit(party=party, group="all", gen=roster.parties[party].generation.gen) for party in roster.intakes)
