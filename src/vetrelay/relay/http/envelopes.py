"""The route of envelopes: submit, the one way in."""

from http import HTTPStatus

from aiohttp import web

from vetrelay.protocol.envelope import MAX_OBJECTS
from vetrelay.protocol.ids import CaseId, EnvelopeId, Hash
from vetrelay.protocol.signature import Signed
from vetrelay.relay.http.auth import ENVELOPES, keep_pace, require_device
from vetrelay.relay.http.body import Request, decoded_parts, path_value, read_json
from vetrelay.relay.http.cases import ReceiptAnswer, receipt_response
from vetrelay.relay.http.routes import RELAY, Route
from vetrelay.relay.submit import Parcel, submit

JSON_OVERHEAD_BYTES = 64 * 1024 + MAX_OBJECTS * 128


class SubmitRequest(Request, frozen=True):
    """The signed envelope, the age header of each of its objects, and the payloads of manifest and slip."""

    envelope: Signed
    headers: dict[Hash, str]
    payloads: dict[Hash, str]


async def put_envelope(request: web.Request) -> web.Response:
    """Submit an envelope."""
    relay, asker = request.app[RELAY], await require_device(request)
    keep_pace(request, ENVELOPES, asker.device, per_minute=relay.limits.envelopes_per_minute)
    max_bytes = relay.limits.submit_bytes * 4 // 3 + JSON_OVERHEAD_BYTES  # the limit counts bytes, base64 takes more
    wanted = await read_json(request, SubmitRequest, max_bytes=max_bytes)
    untrusted = Parcel(
        signed=wanted.envelope, headers=decoded_parts(wanted.headers), payloads=decoded_parts(wanted.payloads)
    )
    case, envelope_id = path_value(request, "case", CaseId), path_value(request, "id", EnvelopeId)
    return receipt_response(await submit(relay, asker, case=case, envelope_id=envelope_id, untrusted=untrusted))


ROUTES = (
    Route(
        method="PUT",
        path="/v1/cases/{case}/envelopes/{id}",
        handler=put_envelope,
        summary="Submit an envelope. 201 says that it is durable; the same envelope again gets the same receipt.",
        takes=SubmitRequest,
        gives=ReceiptAnswer,
        status=HTTPStatus.CREATED,
        refusals=(
            HTTPStatus.FORBIDDEN,
            HTTPStatus.CONFLICT,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.UNPROCESSABLE_ENTITY,
            HTTPStatus.FAILED_DEPENDENCY,
            HTTPStatus.TOO_MANY_REQUESTS,
            HTTPStatus.INSUFFICIENT_STORAGE,
        ),
    ),
)
