"""Grants: a log entry that gives a party new age headers for old objects (docs/protocol.md, chapter 13).

The payloads do not move. The command comes with its own issue; the wire form and its authority table stand from the start.
"""

from collections.abc import Mapping
from typing import Annotated, Final

from msgspec import Meta

from vetrelay.errors import Refusal
from vetrelay.protocol.envelope import AUDIENCE_ROLES, Audience, View
from vetrelay.protocol.ids import CaseId, DeviceId, EntryId, Hash, Milliseconds, PartyId
from vetrelay.protocol.roster import Roster
from vetrelay.protocol.signature import Signed, verify
from vetrelay.protocol.statement import MAX_ENVELOPE_BYTES, Body, convert, parse_signed

MAX_ITEMS: Final = 250
GRANTS: Final[Mapping[str, frozenset[str]]] = {
    "owner": frozenset({"provider", "care", "consultant", "owner"}),
    "care": frozenset({"provider", "care", "consultant", "owner"}),
    "consultant": frozenset({"care", "consultant"}),
}


class GrantItem(Body, frozen=True):
    """One object: the envelope it belongs to, its original header and payload, its new header."""

    envelope: EntryId
    h0: Hash
    p: Hash
    h1: Hash


class SealedNote(Body, frozen=True):
    """The granter's word on each item, sealed to the grantee."""

    h0: Hash
    p: Hash


class Grant(Body, frozen=True):
    """The signed statement, seen by every member."""

    v: int
    case: CaseId
    by: PartyId
    device: DeviceId
    view: View
    to: PartyId
    items: Annotated[tuple[GrantItem, ...], Meta(min_length=1, max_length=MAX_ITEMS)]
    note: SealedNote | None
    reason: Annotated[str, Meta(max_length=200)]
    until: Milliseconds | None
    consent: EntryId | None


def check_grant(signed: Signed, roster: Roster, *, audiences: Mapping[EntryId, Audience]) -> Grant:
    """A grant whose author may give exactly these objects to that party, at this roster.

    `audiences` are those of the envelopes it names, as the log has them. Raises Refusal `wrong_case`,
    `not_a_device`, `may_not` (N32), or what verifying raises.
    """
    if signed.type != "grant":
        raise Refusal("wrong_type")
    grant = convert(parse_signed(signed.content(), max_bytes=MAX_ENVELOPE_BYTES), Grant)
    if grant.case != roster.case:
        raise Refusal("wrong_case")
    found = roster.device(grant.device)
    if found is None or grant.by != found[0] or found[1].role == "recovery":
        raise Refusal("not_a_device")
    verify(signed, "grant", [found[1].sign])
    if roster.narrowed_n > grant.view.n:
        raise Refusal("roster_moved")
    to_role, by_role = roster.role_of(grant.to) or "", roster.role_of(found[0]) or ""
    if to_role not in GRANTS.get(by_role, frozenset()):
        raise Refusal("may_not")
    for item in grant.items:
        audience = audiences.get(item.envelope)
        if (
            audience is None
            or not _may_read(audience, by_role)
            or not (_may_read(audience, to_role) or audience == "case")
        ):
            raise Refusal("may_not")
    return grant


def _may_read(audience: Audience, role: str) -> bool:
    return role in AUDIENCE_ROLES[audience]
