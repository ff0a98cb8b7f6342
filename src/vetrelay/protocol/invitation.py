"""Links: invitations, doors, device offers (docs/protocol.md, chapter 7). No link opens anything by itself.

Everything is in the fragment, which browsers keep from servers: #i1. an invitation, #o1. a door, #d1. a device's offer.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from vetrelay.errors import Refusal
from vetrelay.protocol.derive import SECRET_BYTES
from vetrelay.protocol.ids import CaseId, DeviceId, Hash, PartyId, RelayId, b64, unb64
from vetrelay.protocol.statement import MAX_INTEGER

INVITATION_LIFE_MS: Final = 14 * 24 * 60 * 60 * 1000
_LINK: Final = re.compile(r"(?P<base>https?://[^\s#?]+)/j(?:\?[^#]*)?#(?P<form>i1|o1|d1)\.(?P<rest>[A-Za-z0-9_-]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationLink:
    """`#i1.`: the secret, the case, who invites, at which relay, and a head the newcomer can check."""

    base_url: str
    secret: bytes = field(repr=False)
    case: CaseId
    inviter: PartyId
    relay: RelayId
    n: int
    head: Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorLink:
    """`#o1.`: a clinic's standing way in."""

    base_url: str
    secret: bytes = field(repr=False)
    party: PartyId
    relay: RelayId


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLink:
    """`#d1.`: where a new device posts its offer."""

    base_url: str
    secret: bytes = field(repr=False)
    party: PartyId
    device: DeviceId
    relay: RelayId


Link = InvitationLink | DoorLink | DeviceLink


def render_link(link: Link) -> str:
    """The link as a person passes it on."""
    match link:
        case InvitationLink():
            form, ids = "i1", [link.case, link.inviter, link.relay]
            tail = link.n.to_bytes(8, "big") + unb64(link.head, 32)
        case DoorLink():
            form, ids, tail = "o1", [link.party, link.relay], b""
        case DeviceLink():
            form, ids, tail = "d1", [link.party, link.device, link.relay], b""
    raw = link.secret + b"".join(unb64(identifier, 32) for identifier in ids) + tail
    return f"{link.base_url}/j#{form}.{b64(raw)}"


def parse_link(text: str) -> Link:
    """A link, wherever a mail client put white space or query junk around it.

    Raises Refusal `link_broken` (N28: fragment missing, cut short, mistyped).
    """
    found = _LINK.fullmatch("".join(text.split()))
    if found is None:
        raise Refusal("link_broken")
    try:
        raw = unb64(found["rest"])
    except Refusal as wrong:
        raise Refusal("link_broken") from wrong
    base_url, secret, rest = found["base"], raw[:SECRET_BYTES], raw[SECRET_BYTES:]
    ids = [b64(rest[at : at + 32]) for at in range(0, len(rest) - len(rest) % 32, 32)]
    match found["form"], len(rest):
        case "i1", 136:
            position = int.from_bytes(rest[96:104], "big")
            if position > MAX_INTEGER:
                raise Refusal("link_broken")
            case, inviter, relay = ids[0], ids[1], ids[2]
            return InvitationLink(
                base_url=base_url,
                secret=secret,
                case=case,
                inviter=inviter,
                relay=relay,
                n=position,
                head=b64(rest[104:]),
            )
        case "o1", 64:
            return DoorLink(base_url=base_url, secret=secret, party=ids[0], relay=ids[1])
        case "d1", 96:
            return DeviceLink(base_url=base_url, secret=secret, party=ids[0], device=ids[1], relay=ids[2])
        case _:
            raise Refusal("link_broken")
