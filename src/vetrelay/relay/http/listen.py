"""Where the relay listens: `HOST:PORT` or `unix:PATH`, one or several."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from vetrelay.errors import Fault
from vetrelay.relay.http.guard import Gate
from vetrelay.relay.policy import Limits

UNIX: Final = "unix:"
BACKLOG: Final = 1024
SHUTDOWN_SECONDS: Final = 5.0
MAX_HEAD_BYTES: Final = 8190


def bind(places: Sequence[str]) -> list[socket.socket]:
    """A bound socket for each place, so that every port is known before anything starts. Raises Fault `bad_listen`."""
    bound: list[socket.socket] = []
    try:
        for place in places:
            bound.append(_bind_unix(Path(place.removeprefix(UNIX))) if place.startswith(UNIX) else _bind_tcp(place))
    except (OSError, ValueError, OverflowError) as wrong:
        for one in bound:
            one.close()
        raise Fault("bad_listen", listen=place) from wrong
    return bound


def origin_of(bound: socket.socket) -> str:
    """The origin that a client of this socket signs into its sessions: `http://HOST:PORT` or `unix:PATH`."""
    if bound.family == socket.AF_UNIX:
        return f"{UNIX}{bound.getsockname()}"
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if bound.family == socket.AF_INET6 else f"http://{host}:{port}"


@asynccontextmanager
async def serving(app: web.Application, sockets: Sequence[socket.socket], limits: Limits) -> AsyncIterator[None]:
    """Answer on these sockets; at the end, stop listening, let requests under way finish, close what is left."""
    options: dict[str, Any] = {
        "keepalive_timeout": float(limits.idle_seconds),
        "access_log": None,
        "auto_decompress": False,  # nobody has a reason to send us compressed bodies
        "max_line_size": MAX_HEAD_BYTES,
        "max_field_size": MAX_HEAD_BYTES,
    }
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=SHUTDOWN_SECONDS, **options)
    await runner.setup()
    assert runner.server is not None
    loop, gate = asyncio.get_running_loop(), Gate(runner.server, limits, **options)
    servers: list[asyncio.Server] = []
    paths = [
        Path(one.getsockname()) for one in sockets if one.family == socket.AF_UNIX
    ]  # a closed socket forgets its own
    try:
        for one in sockets:
            create = loop.create_unix_server if one.family == socket.AF_UNIX else loop.create_server
            servers.append(await create(gate, sock=one, backlog=BACKLOG))
        yield
    finally:
        for server in servers:
            server.close()
        await runner.cleanup()
        for path in paths:
            path.unlink(missing_ok=True)
        for one in sockets:
            one.close()


def _bind_tcp(place: str) -> socket.socket:
    host, _, port = place.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal():
        raise ValueError(place)
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, int(port)))
    except BaseException:
        bound.close()
        raise
    bound.setblocking(False)  # the standard library's own form
    return bound


def _bind_unix(path: Path) -> socket.socket:
    if path.is_socket():
        path.unlink()  # left by a process that was killed: the data folder's lock says that none runs
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.bind(str(path))
        path.chmod(0o660)
    except BaseException:
        bound.close()
        raise
    bound.setblocking(False)  # the standard library's own form
    return bound
