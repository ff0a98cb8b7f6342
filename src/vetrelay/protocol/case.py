"""The case chain's statements (docs/protocol.md, chapter 8). What they add up to is `roster`."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from vetrelay.errors import Refusal
from vetrelay.protocol.ids import CaseId, Count, DeviceId, EntryId, Hash, Milliseconds, Nonce, PartyId, RelayId, SignKey
from vetrelay.protocol.party import is_newer
from vetrelay.protocol.statement import Body, convert, parse_signed

Role = Literal["owner", "care", "consultant", "provider", "bridge", "intake"]
MemberRole = Literal["owner", "care", "consultant", "provider", "bridge"]
Inspection = Literal["intake", "ends"]
MAX_PARTIES: Final = 64
MAX_OPEN_INVITATIONS: Final = 32
Note = Annotated[str, Meta(max_length=200)]


class By(Body, frozen=True):
    """Who opens a case: a device of a party."""

    party: PartyId
    device: DeviceId


class Policy(Body, frozen=True):
    """What a case has decided: who inspects, whether urgency shows outside, how long the relay keeps."""

    inspection: Inspection
    urgency: bool
    retention: Annotated[int, Meta(ge=1, le=3650)]


class CaseOpen(Body, frozen=True, tag_field="statement", tag="case.open"):
    """The first case statement: its entry id is the case's id."""

    v: int
    relay: RelayId
    nonce: Nonce
    by: By
    role: Literal["owner", "care"]
    policy: Policy


class InCase(Body, frozen=True):
    """What every later statement carries: its case, and a nonce so that no two are the same."""

    v: int
    case: CaseId
    nonce: Nonce


class InviteOpen(InCase, frozen=True, tag_field="statement", tag="invite.open"):
    """A member lets the holder of a one-time secret in; `card` is the hash of the sealed card."""

    key: SignKey
    role: MemberRole
    until: Milliseconds
    approve: bool
    card: Hash | None


class InviteClose(InCase, frozen=True, tag_field="statement", tag="invite.close"):
    """Takes an invitation back."""

    key: SignKey


class PartyAdd(InCase, frozen=True, tag_field="statement", tag="party.add"):
    """A party comes in: signed by the invitation's key and by a device of that party or its open door key."""

    invite: SignKey
    party: PartyId
    party_seq: Count
    party_head: EntryId
    role: MemberRole


class PartyApprove(InCase, frozen=True, tag_field="statement", tag="party.approve"):
    """A member confirms a newcomer."""

    party: PartyId
    role: MemberRole


class PartyRemove(InCase, frozen=True, tag_field="statement", tag="party.remove"):
    """A member ends a party's part in the case."""

    party: PartyId
    role: MemberRole


class Bridge(InCase, frozen=True, tag_field="statement", tag="bridge"):
    """Turns a clinic's email bridge on or off in this case."""

    party: PartyId
    on: bool


class PolicyChange(InCase, frozen=True, tag_field="statement", tag="policy"):
    """Replaces the case's policy."""

    policy: Policy


class RelayMove(InCase, frozen=True, tag_field="statement", tag="relay.move"):
    """Says which relay carries the case from here on."""

    relay: RelayId


class Close(InCase, frozen=True, tag_field="statement", tag="close"):
    """Ends the conversation; reading goes on."""


class Reopen(InCase, frozen=True, tag_field="statement", tag="reopen"):
    """Starts it again."""


class Hold(InCase, frozen=True, tag_field="statement", tag="hold"):
    """Forbids any purge while it is on."""

    on: bool


class Exported(InCase, frozen=True, tag_field="statement", tag="exported"):
    """The clinic has this case in its own record up to position `n`."""

    n: Count


CaseStatement = (
    CaseOpen
    | InviteOpen
    | InviteClose
    | PartyAdd
    | PartyApprove
    | PartyRemove
    | Bridge
    | PolicyChange
    | RelayMove
    | Close
    | Reopen
    | Hold
    | Exported
)
_KNOWN: Final = frozenset(
    {
        "case.open",
        "invite.open",
        "invite.close",
        "party.add",
        "party.approve",
        "party.remove",
        "bridge",
        "policy",
        "relay.move",
        "close",
        "reopen",
        "hold",
        "exported",
    }
)
_NARROWING: Final = (PartyRemove, PolicyChange, Close)


def is_narrowing(statement: "CaseStatement | NewerInCase") -> bool:
    """Whether envelopes sealed before a case statement are stale after it (chapter 10, rule ii)."""
    return isinstance(statement, _NARROWING) or (isinstance(statement, Bridge) and not statement.on)


class NewerInCase(msgspec.Struct, frozen=True, kw_only=True):
    """A case statement of a version or kind that came after this software (N50)."""

    case: CaseId


def parse_case_statement(body: bytes) -> CaseStatement | NewerInCase:
    """A case statement from its exact body bytes.

    Raises Refusal `bad_json`, `bad_body`, `too_large`, or `newer_version` for a case.open of a later version: of that
    case nothing can be known here.
    """
    value = parse_signed(body)
    if is_newer(value, _KNOWN):
        if value["statement"] == "case.open":
            raise Refusal("newer_version")
        return convert({"case": value.get("case")}, NewerInCase)
    statement: CaseStatement = convert(value, CaseStatement)  # type: ignore[arg-type]  # mypy has no form for unions
    return statement
