"""The pages that the bridge serves to people at clinics: their addresses, and what every answer has in common."""

from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from vetrelay.bridge.pages import sealed_routes, tus_routes, upload_routes, words
from vetrelay.bridge.pages.desk import Desk
from vetrelay.bridge.pages.layout import GUARDS, link, not_found, page, paragraph, problem, shown_bytes
from vetrelay.bridge.pages.requests import FORM_BYTES, SITE, Site
from vetrelay.errors import VetRelayError
from vetrelay.telemetry import event_log, place_of

STATUS: Final = {
    "upload_too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "place_closed": HTTPStatus.FORBIDDEN,
    "place_full": HTTPStatus.INSUFFICIENT_STORAGE,
    "storage_full": HTTPStatus.INSUFFICIENT_STORAGE,
    "upload_unknown": HTTPStatus.NOT_FOUND,
    "upload_overflow": HTTPStatus.BAD_REQUEST,
    "wrong_offset": HTTPStatus.CONFLICT,
    "upload_locked": HTTPStatus.LOCKED,
    "upload_cut": HTTPStatus.BAD_REQUEST,
    "too_slow": HTTPStatus.REQUEST_TIMEOUT,
    "bad_upload": HTTPStatus.BAD_REQUEST,
}
"""Every other code is a fault of ours: 503, and trying again is safe."""
_TOKEN: Final = "[A-Za-z2-7]{26}"  # noqa: S105  # the shape of a token, not one
_FILES: Final = f"/u/{{token:{_TOKEN}}}/files"
_UPLOAD: Final = f"{_FILES}/{{upload:[a-z2-7]{{26}}}}"


def build_app(desk: Desk, *, web_url: str, domain: str) -> web.Application:
    """The application. `web_url` is where it stands to the world, with its path if a proxy leads one of its own here."""
    place = urlsplit(web_url)
    app = web.Application(middlewares=[_guarded], client_max_size=FORM_BYTES)
    app[SITE] = Site(desk=desk, path=place.path.rstrip("/"), domain=domain, is_https=place.scheme == "https")
    app.add_routes(
        [
            web.get("/", _front_page),
            web.get("/healthz", _health),
            web.get("/robots.txt", _robots),
            web.get("/u", upload_routes.ask_address),
            web.post("/u", upload_routes.go_to_place),
            web.get(f"/u/{{token:{_TOKEN}}}", upload_routes.show_place),
            web.post(f"/u/{{token:{_TOKEN}}}", upload_routes.take_form),
            web.options(_FILES, tus_routes.options),
            web.post(_FILES, tus_routes.create),
            web.head(_UPLOAD, tus_routes.look),
            web.patch(_UPLOAD, tus_routes.append),
            web.delete(_UPLOAD, tus_routes.forget),
            web.get(f"/l/{{link:{_TOKEN}}}", sealed_routes.show_page),
            web.post(f"/l/{{link:{_TOKEN}}}", sealed_routes.try_code),
            web.post(f"/l/{{link:{_TOKEN}}}/close", sealed_routes.close_page),
            web.get(
                f"/l/{{link:{_TOKEN}}}/f/{{message:[A-Za-z0-9_-]{{1,64}}}}/{{number:[0-9]{{1,4}}}}",
                sealed_routes.send_file,
            ),
            web.get(f"/n/{{token:{_TOKEN}}}", sealed_routes.show_notices),
            web.post(f"/n/{{token:{_TOKEN}}}", sealed_routes.set_notices),
        ]
    )
    return app


@web.middleware
async def _guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every answer carries the guards, and no answer carries the text of an exception."""
    try:
        response = await handler(request)
    except web.HTTPSeeOther as elsewhere:
        response = web.Response(status=elsewhere.status, headers={"Location": str(elsewhere.location)})
    except web.HTTPException as refused:
        response = not_found() if refused.status == HTTPStatus.NOT_FOUND else _plain(HTTPStatus(refused.status))
    except VetRelayError as refused:
        response = _refused(request, refused)
    except Exception as broken:  # noqa: BLE001  # whatever it is, its text is nobody's business
        event_log()("pages.failed", error=type(broken).__name__, where=place_of(broken))
        response = problem(words.BROKEN, words.BROKEN_TEXT, status=HTTPStatus.INTERNAL_SERVER_ERROR)
    if not response.prepared:
        for name, value in GUARDS.items():
            response.headers.setdefault(name, value)
    return response


def _refused(request: web.Request, refused: VetRelayError) -> web.Response:
    """A refusal, as words alone for the script, as a page for a person."""
    status = STATUS.get(refused.code, HTTPStatus.SERVICE_UNAVAILABLE)
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        event_log()("pages.fault", code=refused.code)
    most = request.app[SITE].desk.most_bytes
    text = words.REFUSED.get(refused.code, words.BROKEN_TEXT).format(size=shown_bytes(most))
    if "/files" in request.path:
        return web.Response(text=text, status=status.value)
    return problem(words.NOT_RECEIVED, text, status=status)


def _plain(status: HTTPStatus) -> web.Response:
    return problem(words.NOT_FOUND, words.NOT_FOUND_TEXT, status=status)


async def _front_page(request: web.Request) -> web.Response:
    """GET /: where one is, in two sentences."""
    body = (
        paragraph(words.HOME_TEXT)
        + link(words.HOME_UPLOAD, f"{request.app[SITE].path}/u")
        + paragraph(words.NOT_URGENT, kind="small")
    )
    return page(words.HOME, body)


async def _health(_request: web.Request) -> web.Response:
    return web.Response(text="ok\n")


async def _robots(_request: web.Request) -> web.Response:
    return web.Response(text="User-agent: *\nDisallow: /\n")
