"""Routes of objects: age header and payload, whole or in part, with ranges; to whoever may have them, and no one else."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from aiohttp import hdrs, web

from vetrelay.errors import Fault, Refusal
from vetrelay.protocol.ids import Hash
from vetrelay.relay.http.auth import require_device
from vetrelay.relay.http.body import path_value
from vetrelay.relay.http.routes import RELAY, Route
from vetrelay.relay.objects import Given, Part, give
from vetrelay.relay.ports import RelayServices

HEADERS: Final = {
    "Accept-Ranges": "bytes",
    "Content-Disposition": "attachment",
    "Content-Type": "application/octet-stream",
    "X-Content-Type-Options": "nosniff",
}
FOR_GOOD: Final = "private, max-age=31536000, immutable"  # a payload is named by its hash: it cannot change
PARTS: Final[Mapping[str, Part]] = {"whole": "whole", "header": "header", "payload": "payload"}
ASK_AGAIN: Final = "private, no-cache"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Body:
    """What is sent: some bytes at hand, then a payload."""

    etag: str
    front: bytes
    payload: bytes | None
    p: Hash
    payload_bytes: int

    @property
    def size_bytes(self) -> int:
        return len(self.front) + self.payload_bytes

    async def pieces(self, relay: RelayServices, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """The bytes from `start` up to `end`."""
        if start < len(self.front):
            yield self.front[start:end]
        start, end = max(0, start - len(self.front)), end - len(self.front)
        if self.payload is not None and start < end:
            yield self.payload[start:end]
        elif start < end:
            async with aclosing(relay.blobs.read(self.p, start_bytes=start, size_bytes=end - start)) as pieces:
                async for piece in pieces:
                    yield piece


async def get_object(request: web.Request) -> web.StreamResponse:
    """GET, HEAD: an object, or one part of it."""
    relay, asker = request.app[RELAY], await require_device(request)
    part, unsafe = PARTS.get(request.query.get("part", "whole")), request.query.get("unsafe")
    if part is None or unsafe not in {None, "original"}:
        raise Refusal("bad_body")
    h0 = path_value(request, "h0", Hash)
    given = await give(relay, asker, h0, part=part, unsafe_original=unsafe is not None)
    return await _send(request, relay, await _body(relay, given, part))


async def get_original_header(request: web.Request) -> web.StreamResponse:
    """GET, HEAD: the age header whose hash stands in the author's envelope."""
    relay, asker = request.app[RELAY], await require_device(request)
    given = await give(relay, asker, path_value(request, "h0", Hash), part="header", unsafe_original=False)
    return await _send(request, relay, await _body(relay, given, "header"))


async def _body(relay: RelayServices, given: Given, part: Part) -> _Body:
    if part == "header":
        return _Body(etag=given.h0, front=given.header, payload=b"", p=given.p, payload_bytes=0)
    if given.payload is None and await relay.blobs.size_bytes(given.p) != given.size_bytes:
        raise Fault("blob_missing", p=given.p)
    front = given.header if part == "whole" else b""
    etag = f"{given.h0}.{given.p}" if part == "whole" else given.p
    return _Body(etag=etag, front=front, payload=given.payload, p=given.p, payload_bytes=given.size_bytes)


async def _send(request: web.Request, relay: RelayServices, body: _Body) -> web.StreamResponse:
    headers = {**HEADERS, "ETag": f'"{body.etag}"', "Cache-Control": ASK_AGAIN if body.front else FOR_GOOD}
    if any(known.value in {body.etag, "*"} for known in request.if_none_match or ()):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    start, end, status = 0, body.size_bytes, HTTPStatus.OK
    wanted = _range(request, body)
    if wanted is not None:
        start, end = wanted
        if start >= end:
            headers["Content-Range"] = f"bytes */{body.size_bytes}"
            return web.Response(status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers=headers)
        status, headers["Content-Range"] = HTTPStatus.PARTIAL_CONTENT, f"bytes {start}-{end - 1}/{body.size_bytes}"
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = end - start
    await response.prepare(request)
    if request.method == hdrs.METH_HEAD:
        return response
    try:
        async with aclosing(body.pieces(relay, start, end)) as pieces:
            async for piece in pieces:
                await response.write(piece)
    except Fault:
        # The answer has begun: only an end before its announced size can still say that it is not whole.
        if request.transport is not None:
            request.transport.abort()
    return response


def _range(request: web.Request, body: _Body) -> tuple[int, int] | None:
    """The range that is asked for, as start and end; None for the whole, also where the question makes no sense."""
    if request.headers.get(hdrs.IF_RANGE, f'"{body.etag}"') != f'"{body.etag}"':
        return None
    try:
        asked = request.http_range
    except ValueError:
        return None
    if asked.start is None:
        return None
    if asked.start < 0:
        return max(0, body.size_bytes + asked.start), body.size_bytes
    return asked.start, min(body.size_bytes, body.size_bytes if asked.stop is None else asked.stop)


_REFUSALS: Final = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_QUERY: Final = {
    "part": "`payload` or `header`; both, one after the other, where it is not given",
    "unsafe": "`original`: the wish for an attachment that was not made safe, where the rules allow it",
}
ROUTES: Final = tuple(
    Route(
        method=method,
        path=path,
        handler=handler,
        summary=summary,
        gives="application/octet-stream",
        refusals=_REFUSALS,
        query=query,
    )
    for path, handler, summary, query in (
        ("/v1/objects/{h0}", get_object, "An object: the asker's age header, then the payload. Ranges work.", _QUERY),
        ("/v1/objects/{h0}/h0", get_original_header, "The age header that the author's envelope names.", {}),
    )
    for method in ("GET", "HEAD")
)
