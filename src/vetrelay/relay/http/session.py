"""The route of sessions: a challenge first, then a bearer for whoever signed it."""

from http import HTTPStatus

from aiohttp import web

from vetrelay.protocol.signature import Signed
from vetrelay.relay.http.body import Answer, Request, json_response, read_json
from vetrelay.relay.http.routes import RELAY, Route
from vetrelay.relay.session import open_session

MAX_BYTES = 16 * 1024


class SessionAsked(Request, frozen=True):
    """Nothing to get a challenge; the signed challenge to get a bearer."""

    session: Signed | None = None


class ChallengeAnswer(Answer, frozen=True):
    """What is to be signed, and the relay's clock."""

    relay: str
    nonce: str
    time: int


class BearerAnswer(Answer, frozen=True):
    """The bearer, and until when it is good."""

    bearer: str
    until: int


async def post_session(request: web.Request) -> web.Response:
    """Get a challenge, or a bearer."""
    relay = request.app[RELAY]
    wanted = await read_json(request, SessionAsked, max_bytes=MAX_BYTES)
    if wanted.session is None:
        now_ms = relay.now_ms()
        return json_response(
            ChallengeAnswer(relay=relay.relay, nonce=relay.challenges.fresh(now_ms=now_ms), time=now_ms)
        )
    bearer = await open_session(relay, wanted.session)
    return json_response(BearerAnswer(bearer=bearer.bearer, until=bearer.until_ms))


ROUTES = (
    Route(
        method="POST",
        path="/v1/session",
        handler=post_session,
        summary="Without `session`: a challenge. With the signed challenge: a bearer for 15 minutes.",
        takes=SessionAsked,
        gives=(ChallengeAnswer, BearerAnswer),
        refusals=(HTTPStatus.UNAUTHORIZED,),
        bearer=False,
    ),
)
