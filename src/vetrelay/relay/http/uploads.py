"""Uploads over tus 1.0: core, creation, creation-with-upload, checksum, expiration, termination.

Written for clients that nobody changes: tus-js-client tries again after 409, 423 and whatever is not 4xx, and takes a
4xx on HEAD for the end of the upload. So what passes is a 503, and HEAD is never refused for a reason that passes.
"""

from contextlib import suppress
from http import HTTPStatus
from typing import Final

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestPayloadError

from vetrelay.errors import Refusal, VetRelayError
from vetrelay.protocol.ids import Hash
from vetrelay.relay.http.auth import require_device
from vetrelay.relay.http.routes import RELAY, Route
from vetrelay.relay.http.tus import (
    ALGORITHMS,
    CHUNK_TYPE,
    EXTENSIONS,
    VERSION,
    Metadata,
    http_date,
    parse_checksum,
    parse_metadata,
    parse_number,
    parse_secret,
)
from vetrelay.relay.http.tus_answers import CORS_METHODS, CORS_TAKEN, as_tus
from vetrelay.relay.turns import Turns
from vetrelay.relay.upload import Incoming, Progress, create, look, terminate, write

PATH: Final = "/v1/uploads"
UPLOAD_PATH: Final = "/v1/uploads/{secret}"
TURNS: Final = web.AppKey("turns", Turns)


async def _ask_later(_request: web.Request) -> None:
    """`Expect: 100-continue` is answered when the body is first read: once nothing speaks against it."""


def _incoming(request: web.Request, *, offset_bytes: int) -> Incoming:
    """What a request brings. Raises Refusal `bad_upload_type`, `bad_checksum`."""
    if request.content_type != CHUNK_TYPE or hdrs.CONTENT_ENCODING in request.headers:
        raise Refusal("bad_upload_type")
    waits_for_leave = (
        request.version >= HttpVersion11 and request.headers.get(hdrs.EXPECT, "").lower() == "100-continue"
    )

    async def receive() -> bytes:
        nonlocal waits_for_leave
        try:
            if waits_for_leave:
                waits_for_leave = False
                await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                request.writer.output_size = 0  # as aiohttp does: the answer itself has not begun
            while True:  # piece by piece, as they came: `readany` would copy them together
                piece, ends_chunk = await request.content.readchunk()
                if piece or not ends_chunk:
                    return piece
        except (ConnectionError, HttpProcessingError, RequestPayloadError) as cut:
            raise Refusal("upload_cut") from cut

    return Incoming(
        offset_bytes=offset_bytes,
        announced_bytes=request.content_length,
        checksum=parse_checksum(request.headers.get("Upload-Checksum")),
        receive=receive,
    )


def _secret(request: web.Request) -> Hash:
    return parse_secret(request.match_info["secret"])


def _progress(progress: Progress) -> dict[str, str]:
    return {
        "Upload-Offset": str(progress.offset_bytes),
        "Upload-Expires": http_date(progress.upload.expires_ms),
    }


@as_tus
async def create_upload(request: web.Request) -> web.Response:
    """POST: a new upload, perhaps with its first bytes."""
    device = await require_device(request)
    if "Upload-Defer-Length" in request.headers or "Upload-Concat" in request.headers:
        raise Refusal("bad_upload")
    size_bytes = parse_number(request.headers.get("Upload-Length"), code="bad_upload")
    metadata = parse_metadata(request.headers.get("Upload-Metadata"))
    incoming = _incoming(request, offset_bytes=0) if request.body_exists else None
    relay, turns = request.app[RELAY], request.app[TURNS]
    created = await create(relay, turns, device, case=metadata.case, size_bytes=size_bytes, declared_p=metadata.p)
    headers = {
        "Location": f"{PATH}/{created.secret}",
        "Upload-Expires": http_date(created.upload.expires_ms),
    }
    if incoming is not None:
        try:
            headers |= _progress(await write(relay, turns, created.upload.url_hash, incoming))
        except VetRelayError:
            with suppress(VetRelayError):  # nobody learns this upload's URL any more; else it expires
                await terminate(relay, turns, created.upload.url_hash)
            raise
    return web.Response(status=HTTPStatus.CREATED, headers=headers)


@as_tus
async def look_at_upload(request: web.Request) -> web.Response:
    """HEAD: how far an upload is."""
    return await _looked(request)


async def _looked(request: web.Request) -> web.Response:
    progress = await look(request.app[RELAY], request.app[TURNS], _secret(request))
    upload = progress.upload
    headers = _progress(progress) | {
        "Upload-Length": str(upload.size_bytes),
        "Upload-Metadata": str(Metadata(case=upload.case, p=upload.declared_p)),
    }
    return web.Response(status=HTTPStatus.OK, headers=headers)


@as_tus
async def append_to_upload(request: web.Request) -> web.Response:
    """PATCH: more bytes, from exactly where the upload is."""
    return await _appended(request)


async def _appended(request: web.Request) -> web.Response:
    offset_bytes = parse_number(request.headers.get("Upload-Offset"), code="bad_upload")
    incoming = _incoming(request, offset_bytes=offset_bytes)
    progress = await write(request.app[RELAY], request.app[TURNS], _secret(request), incoming)
    return web.Response(status=HTTPStatus.NO_CONTENT, headers=_progress(progress))


@as_tus
async def terminate_upload(request: web.Request) -> web.Response:
    """DELETE: forget an upload."""
    return await _terminated(request)


async def _terminated(request: web.Request) -> web.Response:
    await terminate(request.app[RELAY], request.app[TURNS], _secret(request))
    return web.Response(status=HTTPStatus.NO_CONTENT)


@as_tus
async def override_method(request: web.Request) -> web.Response:
    """POST to an upload: for clients that can only POST, and say what they mean in `X-HTTP-Method-Override`."""
    meant = {"DELETE": _terminated, "HEAD": _looked, "PATCH": _appended}
    answering = meant.get(request.headers.get("X-HTTP-Method-Override", ""))
    if answering is None:
        raise Refusal("wrong_method")
    return await answering(request)


@as_tus
async def say_what_is_spoken(request: web.Request) -> web.Response:
    """OPTIONS: versions, extensions and limits; and which requests a browser may send."""
    headers = {
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Max-Size": str(request.app[RELAY].limits.object_bytes),
        "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
    }
    if request.headers.get(hdrs.ORIGIN) in request.app[RELAY].origins:
        headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = CORS_METHODS
        headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = CORS_TAKEN
        headers[hdrs.ACCESS_CONTROL_MAX_AGE] = "86400"
    return web.Response(status=HTTPStatus.NO_CONTENT, headers=headers)


_REFUSALS: Final = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE, HTTPStatus.PRECONDITION_FAILED, HTTPStatus.LOCKED)
_TAKES: Final = (HTTPStatus.CONFLICT, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, HTTPStatus.UNPROCESSABLE_ENTITY)
ROUTES: Final = (
    Route(
        method="OPTIONS",
        path=PATH,
        handler=say_what_is_spoken,
        summary="tus: versions, extensions, limits.",
        status=HTTPStatus.NO_CONTENT,
        bearer=False,
    ),
    Route(
        method="POST",
        path=PATH,
        handler=create_upload,
        expect=_ask_later,
        summary="tus: create an upload for a payload of `Upload-Length` bytes; `Upload-Metadata`: `case`, perhaps `p`.",
        takes=CHUNK_TYPE,
        status=HTTPStatus.CREATED,
        refusals=(
            HTTPStatus.FORBIDDEN,
            HTTPStatus.PRECONDITION_FAILED,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            HTTPStatus.UNPROCESSABLE_ENTITY,
        ),
    ),
    Route(
        method="OPTIONS",
        path=UPLOAD_PATH,
        handler=say_what_is_spoken,
        summary="tus: versions, extensions, limits.",
        status=HTTPStatus.NO_CONTENT,
        bearer=False,
    ),
    Route(
        method="HEAD",
        path=UPLOAD_PATH,
        handler=look_at_upload,
        summary="tus: how far an upload is. The URL is the permission.",
        refusals=(*_REFUSALS, HTTPStatus.UNPROCESSABLE_ENTITY),
        bearer=False,
    ),
    Route(
        method="PATCH",
        path=UPLOAD_PATH,
        handler=append_to_upload,
        expect=_ask_later,
        summary="tus: more bytes. 204 says that they are durable, and, when they were the last, that the payload is in.",
        takes=CHUNK_TYPE,
        status=HTTPStatus.NO_CONTENT,
        refusals=(*_REFUSALS, *_TAKES),
        bearer=False,
    ),
    Route(
        method="POST",
        path=UPLOAD_PATH,
        handler=override_method,
        expect=_ask_later,
        summary="tus: the method that `X-HTTP-Method-Override` names.",
        takes=CHUNK_TYPE,
        status=HTTPStatus.NO_CONTENT,
        refusals=(*_REFUSALS, *_TAKES, HTTPStatus.METHOD_NOT_ALLOWED),
        bearer=False,
    ),
    Route(
        method="DELETE",
        path=UPLOAD_PATH,
        handler=terminate_upload,
        summary="tus: forget an upload.",
        status=HTTPStatus.NO_CONTENT,
        refusals=_REFUSALS,
        bearer=False,
    ),
)
