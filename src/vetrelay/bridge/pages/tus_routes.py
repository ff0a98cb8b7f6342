"""Uploads in pieces, in the words of tus 1.0 (core, creation, termination), for the page's own script and any tus client.

    POST …/files → 201 and the upload's address;  HEAD → how far it is;  PATCH → more bytes;  DELETE → forget it

An answer to PATCH says that its bytes are durable. `Upload-Number` says that the whole file is accepted, and its number.
"""

import binascii
from base64 import b64decode
from http import HTTPStatus
from typing import Final

from aiohttp import hdrs, web

from vetrelay.bridge.pages.desk import Place, Upload
from vetrelay.bridge.pages.requests import SITE, pieces_of
from vetrelay.errors import Refusal

CHUNK_TYPE: Final = "application/offset+octet-stream"
VERSION: Final = "1.0.0"
MOST_BYTES: Final = 2**53
_NAMELESS: Final = "file"


async def options(request: web.Request) -> web.Response:
    """OPTIONS: what is spoken."""
    place = await _place(request)
    headers = {
        "Tus-Version": VERSION,
        "Tus-Extension": "creation,termination",
        "Tus-Max-Size": str(place.file_bytes),
    }
    return _answer(HTTPStatus.NO_CONTENT, headers)


async def create(request: web.Request) -> web.Response:
    """POST: a new upload."""
    place = await _place(request)
    size_bytes = _number(request, "Upload-Length")
    name = _file_name(request.headers.get("Upload-Metadata", ""))
    site = request.app[SITE]
    upload = await site.desk.begin(place, untrusted_name=name, size_bytes=size_bytes)
    headers = {"Location": f"{site.path}/u/{place.token}/files/{upload.id}"}
    return _answer(HTTPStatus.CREATED, headers)


async def look(request: web.Request) -> web.Response:
    """HEAD: how far it is."""
    upload = await request.app[SITE].desk.look(await _place(request), request.match_info["upload"])
    return _answer(HTTPStatus.OK, _progress(upload) | {"Upload-Length": str(upload.size_bytes)})


async def append(request: web.Request) -> web.Response:
    """PATCH: more bytes, from exactly where it is. Without any, a whole upload is accepted that was not yet."""
    if request.content_type != CHUNK_TYPE or hdrs.CONTENT_ENCODING in request.headers:
        raise Refusal("bad_upload")
    upload = await request.app[SITE].desk.append(
        await _place(request),
        request.match_info["upload"],
        offset_bytes=_number(request, "Upload-Offset"),
        pieces=pieces_of(request.content.readany),
    )
    return _answer(HTTPStatus.NO_CONTENT, _progress(upload))


async def forget(request: web.Request) -> web.Response:
    """DELETE: the person changed their mind."""
    await request.app[SITE].desk.forget(await _place(request), request.match_info["upload"])
    return _answer(HTTPStatus.NO_CONTENT, {})


async def _place(request: web.Request) -> Place:
    """Whose upload it is. Raises Refusal `upload_unknown`, `bad_upload` for another version of tus."""
    if request.headers.get("Tus-Resumable", VERSION) != VERSION:
        raise Refusal("bad_upload")
    place = await request.app[SITE].desk.place(request.match_info["token"])
    if place is None:
        raise Refusal("upload_unknown")
    return place


def _answer(status: HTTPStatus, headers: dict[str, str]) -> web.Response:
    return web.Response(status=status.value, headers={"Tus-Resumable": VERSION, **headers})


def _progress(upload: Upload) -> dict[str, str]:
    headers = {"Upload-Offset": str(upload.offset_bytes)}
    return headers | {"Upload-Number": upload.number} if upload.number is not None else headers


def _number(request: web.Request, name: str) -> int:
    text = request.headers.get(name, "")
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(MOST_BYTES))) or int(text) > MOST_BYTES:
        raise Refusal("bad_upload")
    return int(text)


def _file_name(metadata: str) -> str:
    """The file's name out of `Upload-Metadata` (key, space, base64; comma). Raises Refusal `bad_upload`."""
    for pair in metadata.split(","):
        key, _, value = pair.strip().partition(" ")
        if key == "filename":
            try:
                return b64decode(value, validate=True).decode("utf-8", "replace")
            except (binascii.Error, ValueError) as wrong:
                raise Refusal("bad_upload") from wrong
    return _NAMELESS
