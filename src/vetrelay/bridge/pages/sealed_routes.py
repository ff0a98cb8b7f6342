"""The sealed page, its files, and the page of notices. To look never changes anything: only a POST does."""

import asyncio
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from aiohttp import hdrs, web

from vetrelay.bridge.pages import words
from vetrelay.bridge.pages.desk import Admitted, OpenFile, PageFile, TooMany
from vetrelay.bridge.pages.layout import GUARDS, not_found
from vetrelay.bridge.pages.requests import IDLE_SECONDS, SITE, small_form
from vetrelay.bridge.pages.sealed_html import code_page, file_away_page, notices_page, sealed_page
from vetrelay.errors import VetRelayError
from vetrelay.inspection.naming import safe_name

COOKIE: Final = "sealed"


async def show_page(request: web.Request) -> web.Response:
    """GET /l/LINK: the messages to whoever gave the code, the question for it to everybody else."""
    site, link = request.app[SITE], request.match_info["link"]
    found = await site.desk.sealed_page(link, request.cookies.get(COOKIE, ""))
    if found is None:
        return code_page()
    return sealed_page(found, here=f"{site.path}/l/{link}", upload=f"{site.path}/u/{found.upload_token}")


async def try_code(request: web.Request) -> web.Response:
    """POST /l/LINK: the code."""
    site, link = request.app[SITE], request.match_info["link"]
    code = (await small_form(request)).get("code", "")[:40]
    answer = await site.desk.check_code(link, code)
    if isinstance(answer, TooMany):
        return code_page(wait_seconds=answer.wait_seconds)
    if not isinstance(answer, Admitted):
        return code_page(wrong=words.CODE_WRONG)
    here = f"{site.path}/l/{link}"
    response = web.Response(status=HTTPStatus.SEE_OTHER, headers={hdrs.LOCATION: here})
    response.set_cookie(
        COOKIE,
        answer.session,
        path=here,
        max_age=answer.seconds,
        httponly=True,
        secure=site.is_https,
        samesite="Strict",
    )
    return response


async def close_page(request: web.Request) -> web.Response:
    """POST /l/LINK/close: for shared computers."""
    site, link = request.app[SITE], request.match_info["link"]
    here = f"{site.path}/l/{link}"
    response = web.Response(status=HTTPStatus.SEE_OTHER, headers={hdrs.LOCATION: here})
    response.del_cookie(COOKIE, path=here, httponly=True, secure=site.is_https, samesite="Strict")
    return response


async def send_file(request: web.Request) -> web.StreamResponse:
    """GET /l/LINK/f/MESSAGE/NUMBER: one file, piece by piece. It may be fetched as often as one likes."""
    site, link = request.app[SITE], request.match_info["link"]
    session = request.cookies.get(COOKIE, "")
    if await site.desk.sealed_page(link, session) is None:
        raise web.HTTPSeeOther(f"{site.path}/l/{link}")
    opened = site.desk.sealed_file(
        link, session, message=request.match_info["message"], number=int(request.match_info["number"])
    )
    try:
        async with opened as found:
            if found is None:
                return not_found()
            if request.method == hdrs.METH_HEAD:
                return web.Response(headers=_file_headers(found.file))
            # Nothing is promised before there is something: until then a fault can still be told.
            first = await anext(found.pieces, b"")
            return await _streamed(request, found, first)
    except VetRelayError:
        return file_away_page()


async def _streamed(request: web.Request, found: OpenFile, first: bytes) -> web.StreamResponse:
    """The file from its first piece on. A fault in the middle cuts the connection: the browser sees that it is not whole."""
    response = web.StreamResponse(headers=_file_headers(found.file))
    await response.prepare(request)
    try:
        await _write(response, first)
        async for piece in found.pieces:
            await _write(response, piece)
        await response.write_eof()
    except (VetRelayError, TimeoutError):
        if request.transport is not None:
            request.transport.abort()
    return response


async def _write(response: web.StreamResponse, piece: bytes) -> None:
    async with asyncio.timeout(IDLE_SECONDS):
        await response.write(piece)


def _file_headers(file: PageFile) -> dict[str, str]:
    """Always something to save, never something to show: its bytes are a stranger's."""
    name = safe_name(file.untrusted_name, "")
    plain = name.encode("ascii", "replace").decode("ascii").replace("?", "_")
    return {
        **GUARDS,  # with its policy of nothing at all, in a sandbox
        hdrs.CONTENT_TYPE: "application/octet-stream",
        hdrs.CONTENT_LENGTH: str(file.size_bytes),
        hdrs.CONTENT_DISPOSITION: f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}",
    }


async def show_notices(request: web.Request) -> web.Response:
    """GET /n/TOKEN: what is so, and a button. Link scanners end nothing."""
    found = await request.app[SITE].desk.notices(request.match_info["token"])
    return notices_page(found) if found is not None else not_found()


async def set_notices(request: web.Request) -> web.Response:
    """POST /n/TOKEN: the button, or a mail program's one click (RFC 8058), which asks for nothing more."""
    fields = await small_form(request)
    desk, token = request.app[SITE].desk, request.match_info["token"]
    stops = fields.get("List-Unsubscribe") == "One-Click" or fields.get("notices") == "stop"
    if not stops and fields.get("notices") != "resume":
        return await show_notices(request)
    found = await desk.set_notices(token, wanted=not stops)
    return notices_page(found) if found is not None else not_found()
