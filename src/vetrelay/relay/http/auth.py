"""Who asks: the bearer in a request, and how often its device may ask."""

from collections import OrderedDict
from typing import Final

from aiohttp import hdrs, web

from vetrelay.errors import Refusal
from vetrelay.protocol.ids import DeviceId
from vetrelay.relay.http.routes import RELAY
from vetrelay.relay.policy import Allowance, spend
from vetrelay.relay.ports import AskingDevice
from vetrelay.relay.session import asking_device

BEARER_CHARS: Final = 43
PACED_DEVICES: Final = 50_000

Pace = OrderedDict[DeviceId, Allowance]
ENVELOPES: Final = web.AppKey[Pace]("envelopes", Pace)
STATEMENTS: Final = web.AppKey[Pace]("statements", Pace)


async def require_device(request: web.Request) -> AskingDevice:
    """The active device whose bearer this request shows. Raises Refusal `no_session`."""
    scheme, _, untrusted_bearer = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() != "bearer" or len(untrusted_bearer) != BEARER_CHARS:
        raise Refusal("no_session")
    return await asking_device(request.app[RELAY], untrusted_bearer)


async def optional_device(request: web.Request) -> AskingDevice | None:
    """As `require_device`, or None where no bearer is shown at all."""
    return await require_device(request) if "Authorization" in request.headers else None


def keep_pace(request: web.Request, pace: web.AppKey[Pace], device: DeviceId, *, per_minute: int) -> None:
    """Count one more request of a device. Raises Refusal `too_fast`."""
    app = request.app
    allowances = app[pace]
    allowances[device] = spend(allowances.get(device), now_ms=app[RELAY].now_ms(), per_minute=per_minute)
    allowances.move_to_end(device)
    if len(allowances) > PACED_DEVICES:
        allowances.popitem(last=False)
