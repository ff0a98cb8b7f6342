"""A route as a value: what it is registered with, and what its documentation is made from."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from vetrelay.relay.ports import RelayServices

RELAY: Final = web.AppKey("relay", RelayServices)

Content = type | tuple[type, ...] | str | None
RouteHandler = Callable[[web.Request], Coroutine[Any, Any, web.StreamResponse]]
ExpectHandler = Callable[[web.Request], Coroutine[Any, Any, web.StreamResponse | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method at one path.

    `takes` and `gives` are types of JSON bodies (one of several, in a tuple), or media types where it is not JSON.
    """

    method: str
    path: str
    handler: RouteHandler
    summary: str
    takes: Content = None
    gives: Content = None
    status: HTTPStatus = HTTPStatus.OK
    refusals: tuple[HTTPStatus, ...] = ()
    bearer: bool = True
    query: Mapping[str, str] = field(default_factory=dict)
    expect: ExpectHandler | None = None


def register(app: web.Application, route: Route) -> None:
    """Make a route part of an app. `expect` answers `Expect: 100-continue` before a body is asked for."""
    app.router.add_route(
        route.method,
        route.path,
        route.handler,
        expect_handler=route.expect,
    )
