"""Bodies in and out: every read has its own limit and its own time; every value is parsed once, into a type."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
from aiohttp import web

from vetrelay.errors import Refusal
from vetrelay.protocol.ids import Hash, unb64
from vetrelay.protocol.signature import Signed
from vetrelay.relay.http.routes import RELAY

SMALL_BYTES: Final = 256 * 1024

if TYPE_CHECKING:
    StoredSigned = msgspec.Raw
else:
    StoredSigned = Signed  # as documented: what is stored is sent as it is, without being parsed again

_JSON_HEADERS: Final = {"Content-Type": "application/json", "Cache-Control": "no-store"}
T = TypeVar("T")
_DECODERS: Final[dict[type, "msgspec.json.Decoder[Any]"]] = {}


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Root of every JSON answer."""


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Root of every JSON request."""


async def read_body(request: web.Request, *, max_bytes: int) -> bytes:
    """The whole body. Raises Refusal `too_large`, and `too_slow` when it does not arrive in time."""
    if (request.content_length or 0) > max_bytes:
        raise Refusal("too_large", limit_bytes=max_bytes)
    content = request.content
    body = bytearray()
    if content.is_eof():  # it came with the request, as most do
        body += content.read_nowait()
    else:
        try:
            async with asyncio.timeout(request.app[RELAY].limits.body_seconds):
                while piece := await content.readany():
                    body += piece
                    if len(body) > max_bytes:
                        break
        except TimeoutError as late:
            raise Refusal("too_slow") from late
    if len(body) > max_bytes:
        raise Refusal("too_large", limit_bytes=max_bytes)
    return bytes(body)


async def read_json(request: web.Request, kind: type[T], *, max_bytes: int = SMALL_BYTES) -> T:
    """The body as a typed value. Raises Refusal `bad_body`, `too_large`, `too_slow`."""
    body = await read_body(request, max_bytes=max_bytes)
    try:
        decoded: T = _decoder(kind).decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
        raise Refusal("bad_body") from wrong
    return decoded


def json_response(answer: Answer, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    """An answer as JSON; never kept by anyone on the way."""
    return web.Response(body=msgspec.json.encode(answer), status=status.value, headers=_JSON_HEADERS)


def decoded_parts(parts: Mapping[Hash, str]) -> dict[Hash, bytes]:
    """Named bytes out of their wire text. Raises Refusal `bad_base64`."""
    return {name: unb64(text) for name, text in parts.items()}


def number(request: web.Request, name: str, default: int, *, at_most: int) -> int:
    """A number from the query, cut to its bound. Raises Refusal `bad_body`."""
    text = request.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(2**53))):
        raise Refusal("bad_body")
    return min(int(text), at_most)


def path_value(request: web.Request, name: str, kind: Any) -> str:
    """An id from the path. What is no id names nothing. Raises Refusal `not_found`."""
    try:
        value: str = msgspec.convert(request.match_info[name], kind)
    except msgspec.ValidationError as wrong:
        raise Refusal("not_found") from wrong
    return value


def _decoder(kind: type[T]) -> "msgspec.json.Decoder[T]":
    # Made once per type: a decoder is a compiled thing.
    if kind not in _DECODERS:
        _DECODERS[kind] = msgspec.json.Decoder(kind)
    return _DECODERS[kind]
