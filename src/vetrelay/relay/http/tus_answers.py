"""What every tus answer has: the protocol's version, statuses that unmodified clients read right, leave for browsers."""

from collections.abc import Callable, Coroutine, Mapping
from functools import wraps
from http import HTTPStatus
from typing import Any, Final

import msgspec
from aiohttp import hdrs, web

from vetrelay.errors import Refusal, VetRelayError
from vetrelay.relay.http.problems import RETRY_SECONDS, status_of
from vetrelay.relay.http.routes import RELAY
from vetrelay.relay.http.tus import VERSION

STATUS: Final[Mapping[str, int]] = {
    "bad_upload": 400,
    "bad_upload_metadata": 400,
    "bad_checksum": 400,
    "upload_cut": 400,
    "upload_overflow": 400,
    "upload_unknown": 404,
    "upload_expired": 410,
    "upload_ended": 410,
    "wrong_offset": 409,
    "upload_taken_over": 409,
    "bad_upload_version": 412,
    "upload_too_large": 413,
    "too_many_uploads": 413,
    "party_full": 413,
    "bad_upload_type": 415,
    "wrong_payload": 422,
    "upload_locked": 423,
    "checksum_differs": 460,  # tus's own: Checksum Mismatch
    # What passes is 503: clients take 408 and 429 for final.
    "too_fast": 503,
    "too_slow": 503,
    "storage_full": 503,
}
"""Statuses on these routes, where they differ from those of other routes."""

CORS_EXPOSED: Final = (
    "Location, Retry-After, Tus-Checksum-Algorithm, Tus-Extension, Tus-Max-Size, Tus-Resumable, Tus-Version, "
    "Upload-Expires, Upload-Length, Upload-Metadata, Upload-Offset"
)
CORS_TAKEN: Final = (
    "Authorization, Content-Type, Tus-Resumable, Upload-Checksum, Upload-Length, Upload-Metadata, Upload-Offset, "
    "X-HTTP-Method-Override, X-Request-ID"
)
CORS_METHODS: Final = "DELETE, HEAD, OPTIONS, PATCH, POST"

Answering = Callable[[web.Request], Coroutine[Any, Any, web.Response]]


def as_tus(answering: Answering) -> Answering:
    """A handler with what every tus answer has: its version, its own statuses, and leave for our origins to read it."""

    @wraps(answering)
    async def handler(request: web.Request) -> web.Response:
        try:
            if request.method != hdrs.METH_OPTIONS and request.headers.get("Tus-Resumable") != VERSION:
                raise Refusal("bad_upload_version")
            response = await answering(request)
        except VetRelayError as no:
            response = _problem(no)
        response.headers["Tus-Resumable"] = VERSION
        response.headers[hdrs.CACHE_CONTROL] = "no-store"
        response.headers[hdrs.VARY] = hdrs.ORIGIN
        if (origin := request.headers.get(hdrs.ORIGIN)) in request.app[RELAY].origins and origin is not None:
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
            response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = CORS_EXPOSED
        return response

    return handler


def _problem(no: VetRelayError) -> web.Response:
    status = STATUS.get(no.code, status_of(no).value)
    title = "Checksum Mismatch" if status == STATUS["checksum_differs"] else HTTPStatus(status).phrase
    document = {
        **no.facts,
        "type": f"urn:vetrelay:problem:{no.code}",
        "title": title,
        "status": status,
        "detail": no.sentence,
        "code": no.code,
    }
    headers = {"Tus-Version": VERSION} if status == HTTPStatus.PRECONDITION_FAILED else {}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(no.facts.get("retry_after_seconds", RETRY_SECONDS))
    if status == HTTPStatus.UNAUTHORIZED:
        headers[hdrs.WWW_AUTHENTICATE] = "Bearer"
    body = msgspec.json.encode(document)
    return web.Response(
        status=status, reason=title, body=body, headers=headers, content_type="application/problem+json"
    )
