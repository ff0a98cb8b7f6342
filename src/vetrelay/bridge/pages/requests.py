"""What a request brings: small forms, long bodies, and their ends, each with its own bound and its own patience."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestPayloadError

from vetrelay.bridge.pages.desk import Desk
from vetrelay.errors import Refusal

FORM_BYTES: Final = 64 * 1024
IDLE_SECONDS: Final = 60.0
CUT: Final = (ConnectionError, HttpProcessingError, RequestPayloadError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What all pages share. `path` stands before every address of ours (the path of web_url, without a slash at its end)."""

    desk: Desk
    path: str
    domain: str
    is_https: bool


SITE: Final = web.AppKey("site", Site)


async def small_form(request: web.Request) -> dict[str, str]:
    """The text fields of a small form, of either kind. Raises Refusal `bad_upload`, `too_slow`, `upload_cut`."""
    try:
        async with asyncio.timeout(IDLE_SECONDS):
            fields = await request.post()
    except TimeoutError as late:
        raise Refusal("too_slow") from late
    except CUT as cut:
        raise Refusal("upload_cut") from cut
    except (ValueError, AssertionError, LookupError) as wrong:  # what the framework's parsers raise on nonsense
        raise Refusal("bad_upload") from wrong
    return {name: value for name, value in fields.items() if isinstance(value, str)}


async def pieces_of(read: Callable[[], Coroutine[None, None, bytes]]) -> AsyncIterator[bytes]:
    """A body, as it comes, until `read` gives nothing. Raises Refusal `upload_cut`, `too_slow`, `bad_upload`."""
    while piece := await bounded(read):
        yield piece


async def bounded(read: Callable[[], Coroutine[None, None, bytes]]) -> bytes:
    """One read of a body. Raises as `pieces_of` does."""
    try:
        async with asyncio.timeout(IDLE_SECONDS):
            return await read()
    except TimeoutError as late:
        raise Refusal("too_slow") from late
    except CUT as cut:
        raise Refusal("upload_cut") from cut
    except (ValueError, AssertionError) as wrong:
        raise Refusal("bad_upload") from wrong
