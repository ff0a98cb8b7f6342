"""Routes of parties: enrolling, the own chain, its boxes."""

from http import HTTPStatus
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from vetrelay.errors import Refusal
from vetrelay.protocol.ids import Hash, PartyId
from vetrelay.protocol.signature import Signed
from vetrelay.relay.enrol import enrol
from vetrelay.relay.extend_chain import extend_chain
from vetrelay.relay.http.auth import STATEMENTS, keep_pace, require_device
from vetrelay.relay.http.body import Answer, Request, decoded_parts, json_response, path_value, read_json
from vetrelay.relay.http.routes import RELAY, Route

MAX_BYTES = 1024 * 1024
MAX_CHAIN = 512


class EnrolRequest(Request, frozen=True):
    """A party's chain from its genesis on, the boxes it names, and a one-time code."""

    chain: Annotated[tuple[Signed, ...], Meta(min_length=1, max_length=MAX_CHAIN)]
    boxes: dict[Hash, str] = msgspec.field(default_factory=dict)
    code: Annotated[str, Meta(max_length=64)] | None = None


class EnrolAnswer(Answer, frozen=True):
    """The party's id: the entry id of its genesis."""

    party: str


class ExtendRequest(Request, frozen=True):
    """The next statement of the chain, and the boxes it names."""

    entry: Signed
    boxes: dict[Hash, str] = msgspec.field(default_factory=dict)


class ExtendAnswer(Answer, frozen=True):
    """Where the chain ends now."""

    seq: int
    head: str


class ChainAnswer(Answer, frozen=True):
    """A whole chain, in order."""

    chain: list[Signed]


async def post_party(request: web.Request) -> web.Response:
    """Enrol a clinic or a machine."""
    wanted = await read_json(request, EnrolRequest, max_bytes=MAX_BYTES)
    enrolled = await enrol(
        request.app[RELAY],
        untrusted_chain=wanted.chain,
        boxes=decoded_parts(wanted.boxes),
        untrusted_code=wanted.code,
    )
    return json_response(EnrolAnswer(party=enrolled.party), HTTPStatus.CREATED if enrolled.is_new else HTTPStatus.OK)


async def post_chain(request: web.Request) -> web.Response:
    """Extend the own party's chain."""
    relay, asker = request.app[RELAY], await require_device(request)
    keep_pace(request, STATEMENTS, asker.device, per_minute=relay.limits.statements_per_minute)
    wanted = await read_json(request, ExtendRequest, max_bytes=MAX_BYTES)
    party = path_value(request, "party", PartyId)
    extended = await extend_chain(relay, asker, party, untrusted=wanted.entry, boxes=decoded_parts(wanted.boxes))
    status = HTTPStatus.CREATED if extended.is_new else HTTPStatus.OK
    return json_response(ExtendAnswer(seq=extended.seq, head=extended.head), status)


async def get_chain(request: web.Request) -> web.Response:
    """Read a chain."""
    await require_device(request)
    party = path_value(request, "party", PartyId)
    chain = await request.app[RELAY].reader.run(lambda store: store.parties.chain(party))
    if not chain:
        raise Refusal("not_found")
    return json_response(ChainAnswer(chain=list(chain)))


async def get_box(request: web.Request) -> web.Response:
    """Fetch a box of the own party."""
    asker = await require_device(request)
    party, sha256 = path_value(request, "party", PartyId), path_value(request, "sha256", Hash)
    box = await request.app[RELAY].reader.run(lambda store: store.parties.box(party, sha256))
    if box is None or asker.party != party:
        raise Refusal("not_found")
    return web.Response(body=box, content_type="application/octet-stream", headers={"Cache-Control": "no-store"})


_RULES = (HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY)

ROUTES = (
    Route(
        method="POST",
        path="/v1/parties",
        handler=post_party,
        summary="Enrol a clinic or a machine with a one-time code. A household comes in by an invitation.",
        takes=EnrolRequest,
        gives=EnrolAnswer,
        status=HTTPStatus.CREATED,
        refusals=_RULES,
        bearer=False,
    ),
    Route(
        method="POST",
        path="/v1/parties/{party}/chain",
        handler=post_chain,
        summary="Append to the own chain, and to each open case of the party in the same instant.",
        takes=ExtendRequest,
        gives=ExtendAnswer,
        status=HTTPStatus.CREATED,
        refusals=(*_RULES, HTTPStatus.NOT_FOUND, HTTPStatus.TOO_MANY_REQUESTS),
    ),
    Route(
        method="GET",
        path="/v1/parties/{party}/chain",
        handler=get_chain,
        summary="Read a chain, by whoever knows its party's id.",
        gives=ChainAnswer,
        refusals=(HTTPStatus.NOT_FOUND,),
    ),
    Route(
        method="GET",
        path="/v1/parties/{party}/boxes/{sha256}",
        handler=get_box,
        summary="Fetch a box of the own party: its key, sealed to one device.",
        gives="application/octet-stream",
        refusals=(HTTPStatus.NOT_FOUND,),
    ),
)
