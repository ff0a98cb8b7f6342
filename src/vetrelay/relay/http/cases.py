"""Routes of cases: opening one, declaring in one, its invitations, its log."""

from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import Meta

from vetrelay.errors import Refusal
from vetrelay.protocol.ids import CaseId, Hash, SignKey, b64, unb64
from vetrelay.protocol.log import pack_links
from vetrelay.protocol.signature import Signed
from vetrelay.relay.append import Accepted
from vetrelay.relay.declare import Declaration, declare, needs_bearer
from vetrelay.relay.http.auth import STATEMENTS, keep_pace, optional_device, require_device
from vetrelay.relay.http.body import (
    Answer,
    Request,
    StoredSigned,
    decoded_parts,
    json_response,
    number,
    path_value,
    read_json,
)
from vetrelay.relay.http.routes import RELAY, Route
from vetrelay.relay.inbox import read_log
from vetrelay.relay.invitation import look_at_invitation
from vetrelay.relay.open_case import open_case
from vetrelay.relay.tables import AskingDevice

MAX_BYTES = 2 * 1024 * 1024
MAX_CHAIN = 512
MAX_LINKS = 1000
MAX_BODIES = 200


class OpenRequest(Request, frozen=True):
    """The signed `case.open`."""

    entry: Signed


class DeclareRequest(Request, frozen=True):
    """A signed case statement; at `party.add` the newcomer's chain and boxes, at `invite.open` the sealed card."""

    entry: Signed
    chain: Annotated[tuple[Signed, ...], Meta(max_length=MAX_CHAIN)] = ()
    boxes: dict[Hash, str] = msgspec.field(default_factory=dict)
    card: str | None = None


class ReceiptAnswer(Answer, frozen=True):
    """The relay's signed head, with the entry it accepted: durable from here on."""

    receipt: StoredSigned


class InvitationAnswer(Answer, frozen=True):
    """An open invitation, as its holder sees it before joining."""

    entry: StoredSigned
    card: str | None
    relay: str
    time: int


class LogAnswer(Answer, frozen=True):
    """Links of 41 bytes each, packed; the entries, where asked for, with null for what is not for the asker."""

    links: str
    entries: list[StoredSigned | None] | None
    head: StoredSigned


def receipt_response(accepted: Accepted) -> web.Response:
    """201 for what is new, 200 with the very same receipt for a repeat."""
    status = HTTPStatus.CREATED if accepted.is_new else HTTPStatus.OK
    return json_response(ReceiptAnswer(receipt=msgspec.Raw(accepted.receipt)), status)


async def post_case(request: web.Request) -> web.Response:
    """Open a case."""
    asker = await require_device(request)
    _pace(request, asker)
    wanted = await read_json(request, OpenRequest)
    return receipt_response(await open_case(request.app[RELAY], asker, wanted.entry))


async def post_entry(request: web.Request) -> web.Response:
    """Declare something in a case."""
    case = path_value(request, "case", CaseId)
    asker = await optional_device(request)
    if asker is not None:
        _pace(request, asker)
    wanted = await read_json(request, DeclareRequest, max_bytes=MAX_BYTES)
    if asker is None and wanted.entry.type == "case" and needs_bearer(wanted.entry):
        raise Refusal("no_session")
    card = None if wanted.card is None else unb64(wanted.card)
    untrusted = Declaration(signed=wanted.entry, chain=wanted.chain, boxes=decoded_parts(wanted.boxes), card=card)
    return receipt_response(await declare(request.app[RELAY], asker, case, untrusted))


async def get_invitation(request: web.Request) -> web.Response:
    """Look at an open invitation."""
    relay = request.app[RELAY]
    case, key = path_value(request, "case", CaseId), path_value(request, "key", SignKey)
    invited = await look_at_invitation(relay, case, key)
    card = None if invited.card is None else b64(invited.card)
    return json_response(
        InvitationAnswer(entry=msgspec.Raw(invited.signed), card=card, relay=relay.relay, time=relay.now_ms())
    )


async def get_log(request: web.Request) -> web.Response:
    """Read a case's log: links alone, or with bodies."""
    relay, asker = request.app[RELAY], await require_device(request)
    is_with_bodies = number(request, "bodies", 0, at_most=1) == 1
    page = await read_log(
        relay,
        asker,
        path_value(request, "case", CaseId),
        after=number(request, "after", 0, at_most=2**53),
        limit=number(request, "limit", MAX_LINKS, at_most=MAX_BODIES if is_with_bodies else MAX_LINKS),
        is_with_bodies=is_with_bodies,
    )
    entries = None if page.entries is None else [None if one is None else msgspec.Raw(one) for one in page.entries]
    head = msgspec.Raw(relay.heads.page(page.standing, now_ms=relay.now_ms()))
    return json_response(LogAnswer(links=b64(pack_links(page.links)), entries=entries, head=head))


def _pace(request: web.Request, asker: AskingDevice) -> None:
    keep_pace(request, STATEMENTS, asker.device, per_minute=request.app[RELAY].limits.statements_per_minute)


_RULES: Any = (HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.TOO_MANY_REQUESTS)

ROUTES = (
    Route(
        method="POST",
        path="/v1/cases",
        handler=post_case,
        summary="Open a case: its id is the entry id of `case.open`.",
        takes=OpenRequest,
        gives=ReceiptAnswer,
        status=HTTPStatus.CREATED,
        refusals=_RULES,
    ),
    Route(
        method="POST",
        path="/v1/cases/{case}/entries",
        handler=post_entry,
        summary="Append a case statement. `party.add` needs no bearer: it is signed with the invitation's key.",
        takes=DeclareRequest,
        gives=ReceiptAnswer,
        status=HTTPStatus.CREATED,
        refusals=(*_RULES, HTTPStatus.GONE, HTTPStatus.NOT_IMPLEMENTED),
    ),
    Route(
        method="GET",
        path="/v1/cases/{case}/invitations/{key}",
        handler=get_invitation,
        summary="Look at an open invitation, before joining.",
        gives=InvitationAnswer,
        refusals=(HTTPStatus.NOT_FOUND, HTTPStatus.GONE),
        bearer=False,
    ),
    Route(
        method="GET",
        path="/v1/cases/{case}/log",
        handler=get_log,
        summary="Read the log: its links, with bodies=1 also its entries. Ends in a signed head.",
        gives=LogAnswer,
        refusals=(HTTPStatus.FORBIDDEN,),
        query={
            "after": "the last position known",
            "limit": "at most so many positions (1000; 200 with bodies)",
            "bodies": "1 to have the entries too",
        },
    ),
)
