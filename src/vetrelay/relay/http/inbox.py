"""Routes of inboxes: a case's, a device's, acknowledging, and sharing the work. Long-poll is the only way of waiting."""

from http import HTTPStatus
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from vetrelay.protocol.ids import CaseId, Count, EntryId, b64
from vetrelay.relay.http.auth import require_device
from vetrelay.relay.http.body import Answer, Request, StoredSigned, json_response, number, path_value, read_json
from vetrelay.relay.http.routes import RELAY, Route
from vetrelay.relay.inbox import Item, acknowledge, read_case, read_device
from vetrelay.relay.lease import MAX_PLACES, MAX_SECONDS, LeaseState, done, lease
from vetrelay.relay.leases import Place
from vetrelay.relay.ports import RelayServices
from vetrelay.relay.tables import StoredObject

DEFAULT_ITEMS = 100
MAX_ITEMS = 200


class ObjectPart(Answer, frozen=True):
    """An object's age header, and its payload where it travelled in the submit."""

    h0: str
    role: str
    header: str
    payload: str | None


class ItemPart(Answer, frozen=True):
    """One position of the log; `signed` is null for an envelope that is not for the asker."""

    n: int
    time: int
    kind: int
    entry: str
    signed: StoredSigned | None
    objects: list[ObjectPart]


class CaseInboxAnswer(Answer, frozen=True):
    """Positions of a case's log in order, and the signed head of its end."""

    items: list[ItemPart]
    head: StoredSigned


class DeliveryPart(Answer, frozen=True):
    """One place of a device's inbox: which position of which case's log, and of which kind."""

    seq: int
    case: str
    n: int
    kind: int


class InboxAnswer(Answer, frozen=True):
    """Places of a device's inbox in order, the signed heads of the cases they point into, and whether these were all."""

    items: list[DeliveryPart]
    heads: dict[str, StoredSigned]
    caught_up: bool


class AckRequest(Request, frozen=True):
    """How far the device has its inbox safely."""

    upto: Count


class AckAnswer(Answer, frozen=True):
    """How far the relay knows that; never less than before."""

    acked: int


class PlacePart(Request, frozen=True):
    """An envelope: its case and its entry id."""

    case: CaseId
    entry: EntryId


Places = Annotated[tuple[PlacePart, ...], Meta(min_length=1, max_length=MAX_PLACES)]


class LeaseRequest(Request, frozen=True):
    """The envelopes that a device wants to work on, and for how long from now."""

    envelopes: Places
    seconds: Annotated[int, Meta(ge=1, le=MAX_SECONDS)]


class LeasePart(Answer, frozen=True):
    """`granted` until a time of this relay, `taken` by another device until then, or `answered`: a verdict stands."""

    case: str
    entry: str
    state: LeaseState
    until: int | None


class LeaseAnswer(Answer, frozen=True):
    """A word on each envelope, and this relay's time."""

    leases: list[LeasePart]
    time: int


class DoneRequest(Request, frozen=True):
    """The envelopes that a device no longer works on."""

    envelopes: Places


class DoneAnswer(Answer, frozen=True):
    """How many leases of this device that ended."""

    ended: int


async def get_case_inbox(request: web.Request) -> web.Response:
    """Read a case from a cursor on."""
    relay, asker = request.app[RELAY], await require_device(request)
    page = await read_case(
        relay,
        asker,
        path_value(request, "case", CaseId),
        after=number(request, "after", 0, at_most=2**53),
        limit=number(request, "limit", DEFAULT_ITEMS, at_most=MAX_ITEMS),
        wait_seconds=_wait_seconds(request, relay),
    )
    head = msgspec.Raw(relay.heads.page(page.standing, now_ms=relay.now_ms()))
    return json_response(CaseInboxAnswer(items=[_item(item) for item in page.items], head=head))


async def get_inbox(request: web.Request) -> web.Response:
    """Read what is new for this device, in all its cases."""
    relay, asker = request.app[RELAY], await require_device(request)
    page = await read_device(
        relay,
        asker,
        after=number(request, "after", 0, at_most=2**53),
        limit=number(request, "limit", DEFAULT_ITEMS, at_most=MAX_ITEMS),
        wait_seconds=_wait_seconds(request, relay),
    )
    items = [DeliveryPart(seq=one.seq, case=one.case, n=one.n, kind=int(one.kind)) for one in page.items]
    now_ms = relay.now_ms()
    heads = {case: msgspec.Raw(relay.heads.page(standing, now_ms=now_ms)) for case, standing in page.standings.items()}
    return json_response(InboxAnswer(items=items, heads=heads, caught_up=page.caught_up))


async def post_ack(request: web.Request) -> web.Response:
    """Acknowledge: from here on the device needs nothing of what came before."""
    asker = await require_device(request)
    wanted = await read_json(request, AckRequest)
    return json_response(AckAnswer(acked=await acknowledge(request.app[RELAY], asker, upto=wanted.upto)))


async def post_lease(request: web.Request) -> web.Response:
    """Take or extend leases."""
    relay, asker = request.app[RELAY], await require_device(request)
    wanted = await read_json(request, LeaseRequest)
    leased = await lease(relay, asker, _places(wanted.envelopes), seconds=wanted.seconds)
    parts = [
        LeasePart(case=one.place.case, entry=one.place.entry, state=one.state, until=one.until_ms) for one in leased
    ]
    return json_response(LeaseAnswer(leases=parts, time=relay.now_ms()))


async def post_done(request: web.Request) -> web.Response:
    """Give leases back."""
    asker = await require_device(request)
    wanted = await read_json(request, DoneRequest)
    return json_response(DoneAnswer(ended=await done(request.app[RELAY], asker, _places(wanted.envelopes))))


def _places(parts: tuple[PlacePart, ...]) -> list[Place]:
    return [Place(part.case, part.entry) for part in parts]


def _wait_seconds(request: web.Request, relay: RelayServices) -> float:
    return float(number(request, "wait", 0, at_most=relay.limits.wait_seconds))


def _item(item: Item) -> ItemPart:
    entry = item.entry
    return ItemPart(
        n=entry.n,
        time=entry.time_ms,
        kind=int(entry.kind),
        entry=entry.entry,
        signed=None if item.signed is None else msgspec.Raw(item.signed),
        objects=[_object(one) for one in item.objects],
    )


def _object(one: StoredObject) -> ObjectPart:
    payload = None if one.payload is None else b64(one.payload)
    return ObjectPart(h0=one.h0, role=one.role, header=b64(one.header), payload=payload)


_CURSOR = {"limit": "at most so many items (100, never more than 200)", "wait": "seconds to wait for something new"}

ROUTES = (
    Route(
        method="GET",
        path="/v1/cases/{case}/inbox",
        handler=get_case_inbox,
        summary="Read a case: its log from a cursor on, with what is sealed to the asker. Ends in a signed head.",
        gives=CaseInboxAnswer,
        refusals=(HTTPStatus.FORBIDDEN,),
        query={"after": "the last position known", **_CURSOR},
    ),
    Route(
        method="GET",
        path="/v1/inbox",
        handler=get_inbox,
        summary="Read a device's merged inbox: gap-free, at least once.",
        gives=InboxAnswer,
        query={"after": "the last place known", **_CURSOR},
    ),
    Route(
        method="POST",
        path="/v1/inbox/ack",
        handler=post_ack,
        summary="Acknowledge up to a place; never goes back.",
        takes=AckRequest,
        gives=AckAnswer,
    ),
    Route(
        method="POST",
        path="/v1/inbox/lease",
        handler=post_lease,
        summary="Take or extend leases on envelopes, so that several intakes of a case share its work.",
        takes=LeaseRequest,
        gives=LeaseAnswer,
        refusals=(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.TOO_MANY_REQUESTS),
    ),
    Route(
        method="POST",
        path="/v1/inbox/done",
        handler=post_done,
        summary="Give leases back, so that another intake may begin at once.",
        takes=DoneRequest,
        gives=DoneAnswer,
    ),
)
