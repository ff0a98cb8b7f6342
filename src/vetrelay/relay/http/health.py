"""What the relay says of itself: who it is and what it takes, whether it lives, whether it can accept."""

from http import HTTPStatus
from importlib.metadata import version

from aiohttp import web

from vetrelay.protocol.session import BEARER_LIFE_MS
from vetrelay.relay.http.body import Answer, json_response
from vetrelay.relay.http.routes import RELAY, Route
from vetrelay.relay.policy import Limits, check_disk

VERSION = version("vetrelay")


class PublicLimits(Answer, frozen=True):
    """What a client must know before it tries."""

    object_bytes: int
    submit_bytes: int
    envelopes_per_minute: int
    open_uploads_per_device: int
    wait_seconds: int
    bearer_seconds: int


class RelayAnswer(Answer, frozen=True):
    """Who this relay is: its id is the hash of the key that signs its heads."""

    relay: str
    log_key: str
    time: int
    version: str
    limits: PublicLimits


class HealthAnswer(Answer, frozen=True):
    """One word."""

    status: str


def public_limits(limits: Limits) -> PublicLimits:
    """The limits that clients plan by."""
    return PublicLimits(
        object_bytes=limits.object_bytes,
        submit_bytes=limits.submit_bytes,
        envelopes_per_minute=limits.envelopes_per_minute,
        open_uploads_per_device=limits.open_uploads_per_device,
        wait_seconds=limits.wait_seconds,
        bearer_seconds=BEARER_LIFE_MS // 1000,
    )


async def get_relay(request: web.Request) -> web.Response:
    """Say who this is."""
    relay = request.app[RELAY]
    return json_response(
        RelayAnswer(
            relay=relay.relay,
            log_key=relay.log_key,
            time=relay.now_ms(),
            version=VERSION,
            limits=public_limits(relay.limits),
        )
    )


async def get_health(_request: web.Request) -> web.Response:
    """The process lives and answers."""
    return json_response(HealthAnswer(status="live"))


async def get_ready(request: web.Request) -> web.Response:
    """A commit goes through, the disk has room, payloads can be stored. Raises what stands in the way."""
    relay = request.app[RELAY]
    await relay.writer.run(lambda _store: None)
    check_disk(await relay.blobs.free_bytes(), relay.limits)
    return json_response(HealthAnswer(status="ready"))


async def get_openapi(request: web.Request) -> web.Response:
    """This API, as OpenAPI 3.1."""
    return web.Response(body=request.app[OPENAPI], content_type="application/json")


OPENAPI = web.AppKey("openapi", bytes)
ROUTES = (
    Route(
        method="GET", path="/v1/relay", handler=get_relay, summary="Who this relay is.", gives=RelayAnswer, bearer=False
    ),
    Route(method="GET", path="/health", handler=get_health, summary="It lives.", gives=HealthAnswer, bearer=False),
    Route(
        method="GET",
        path="/ready",
        handler=get_ready,
        summary="It can accept: a commit goes through and the disk has room.",
        gives=HealthAnswer,
        refusals=(HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.INSUFFICIENT_STORAGE),
        bearer=False,
    ),
    Route(
        method="GET",
        path="/openapi.json",
        handler=get_openapi,
        summary="This document.",
        gives="application/json",
        bearer=False,
    ),
)
