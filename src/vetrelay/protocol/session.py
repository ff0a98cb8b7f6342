"""Opening a session: a device signs the origin it talks to (docs/protocol.md, chapter 14).

The origin is bound only here; everything else binds the relay's id, so that a clinic may move its domain.
"""

from typing import Annotated, Final

from msgspec import Meta

from vetrelay.errors import Refusal
from vetrelay.protocol.ids import DeviceId, Hash, Milliseconds, RelayId, SignKey
from vetrelay.protocol.signature import Signed, verify
from vetrelay.protocol.statement import Body, convert, parse_signed

BEARER_LIFE_MS: Final = 15 * 60 * 1000
NONCE_LIFE_MS: Final = 60 * 1000


class SessionRequest(Body, frozen=True):
    """What the device signs: where it believes to be, a fresh nonce of that relay, until when."""

    v: int
    device: DeviceId
    origin: Annotated[str, Meta(min_length=1, max_length=300)]
    relay: RelayId
    nonce: Hash
    until: Milliseconds


def check_session(
    signed: Signed, *, key: SignKey, origins: frozenset[str], relay: RelayId, now_ms: int
) -> SessionRequest:
    """A session request for this relay at one of its origins, signed by the device's key and still in time.

    The caller checks that the nonce is its own and unused. Raises Refusal `wrong_relay`, `session_refused`, or
    what verifying raises.
    """
    request = convert(parse_signed(verify(signed, "session", [key])), SessionRequest)
    if request.relay != relay or request.origin not in origins:
        raise Refusal("wrong_relay")
    if not now_ms < request.until <= now_ms + 2 * BEARER_LIFE_MS:
        raise Refusal("session_refused")
    return request
