"""Problem documents (RFC 9457): one table from codes to statuses, and one middleware that all answers pass.

An unexpected error says `internal` and nothing else: its text may quote what it choked on.
"""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from vetrelay.errors import Fault, Refusal, VetRelayError
from vetrelay.telemetry import event_log, place_of

STATUS: Final[Mapping[str, HTTPStatus]] = {
    code: status
    for status, codes in {
        HTTPStatus.BAD_REQUEST: ("bad_json", "bad_body", "bad_base64"),
        HTTPStatus.UNAUTHORIZED: ("no_session", "session_refused"),
        HTTPStatus.FORBIDDEN: (
            "not_a_member", "not_a_device", "not_admin", "may_not", "needs_invitation", "needs_code", "code_unknown",
            "code_used", "withheld",
        ),
        HTTPStatus.NOT_FOUND: ("not_found", "invitation_unknown", "party_unknown"),
        HTTPStatus.METHOD_NOT_ALLOWED: ("wrong_method",),
        HTTPStatus.REQUEST_TIMEOUT: ("too_slow",),
        HTTPStatus.CONFLICT: (
            "chain_moved", "roster_moved", "id_used", "object_taken", "verdict_stands", "statement_repeated",
            "already_a_member", "case_closed", "device_added_twice", "last_admin", "no_intake",
        ),
        HTTPStatus.GONE: ("invitation_used", "invitation_expired", "door_closed", "object_gone"),
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("too_large", "case_full"),
        HTTPStatus.FAILED_DEPENDENCY: ("payloads_missing",),
        HTTPStatus.TOO_MANY_REQUESTS: ("too_fast", "too_many_leases", "too_many_rotates"),
        HTTPStatus.INTERNAL_SERVER_ERROR: ("internal",),
        HTTPStatus.NOT_IMPLEMENTED: ("not_taken",),
        HTTPStatus.SERVICE_UNAVAILABLE: ("busy", "storage_failed"),
        HTTPStatus.INSUFFICIENT_STORAGE: ("storage_full",),
    }.items()
    for code in codes
}  # fmt: skip
"""A refusal that is not named here is 422: understood, and against a rule. A fault that is not is 500."""

_BY_STATUS: Final = {404: "not_found", 405: "wrong_method", 408: "too_slow", 413: "too_large"}
RETRY_SECONDS: Final = 1


def status_of(error: VetRelayError) -> HTTPStatus:
    """The status that a refusal or fault is answered with."""
    other = HTTPStatus.INTERNAL_SERVER_ERROR if isinstance(error, Fault) else HTTPStatus.UNPROCESSABLE_ENTITY
    return STATUS.get(error.code, other)


def problem_of(error: BaseException) -> VetRelayError:
    """What is said of any error that ended a request."""
    if isinstance(error, VetRelayError):
        return error
    if isinstance(error, web.HTTPException) and error.status in _BY_STATUS:
        return Refusal(_BY_STATUS[error.status])
    if isinstance(error, web.HTTPException) and error.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return Refusal("bad_body")
    return Fault("internal")


def problem_response(error: VetRelayError) -> web.Response:
    """The problem document: the code, its sentence, and the facts that are public in this exchange."""
    status = status_of(error)
    document = {
        **error.facts,
        "type": f"urn:vetrelay:problem:{error.code}",
        "title": status.phrase,
        "status": status.value,
        "detail": error.sentence,
        "code": error.code,
    }
    headers = {}
    if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        headers["Retry-After"] = str(error.facts.get("retry_after_seconds", RETRY_SECONDS))
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return web.Response(
        status=status.value,
        body=msgspec.json.encode(document),
        headers=headers,
        content_type="application/problem+json",
    )


@web.middleware
async def answer_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answers every error with its problem document, and logs it; what goes well is the proxy's to log."""
    started = asyncio.get_running_loop().time()
    try:
        return await handler(request)
    except (ConnectionError, asyncio.IncompleteReadError):
        raise  # whoever asked is gone
    except Exception as error:  # noqa: BLE001  # whatever it was, the answer is a problem document without its text
        problem = problem_of(error)
        resource = request.match_info.route.resource
        event_log()(
            "http.problem",
            method=request.method,
            route=resource.canonical if resource else "",
            status=status_of(problem).value,
            code=problem.code,
            milliseconds=round((asyncio.get_running_loop().time() - started) * 1000, 1),
            where=place_of(error) if problem.code == "internal" else "",
        )
        return problem_response(problem)
