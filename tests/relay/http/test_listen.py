"""Listening: where, guarded how, and ending without leaving anybody waiting."""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from stat import S_IMODE

import pytest
from aiohttp import ClientSession, UnixConnector

from vetrelay.config import RelayLimits
from vetrelay.errors import Fault
from vetrelay.relay.http.app import build_app
from vetrelay.relay.http.listen import bind, origin_of, serving
from vetrelay.relay.process import open_relay

EMPTY_POST = b"POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
OK = b"HTTP/1.1 200 OK"


@asynccontextmanager
async def listening(folder: Path, places: Sequence[str], **limits: int) -> AsyncIterator[list[socket.socket]]:
    """A relay that listens as the process does."""
    bounds = RelayLimits(min_free_bytes=0, **limits)
    sockets = bind(places)
    async with (
        open_relay(folder, bounds, origins=frozenset(map(origin_of, sockets))) as relay,
        serving(build_app(relay), sockets, bounds),
    ):
        yield sockets


Raw = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connected(bound: socket.socket, count: int = 1) -> AsyncIterator[list[Raw]]:
    """Raw connections, closed at the end."""
    place = bound.getsockname()
    opened = [
        await (
            asyncio.open_unix_connection(place)
            if bound.family == socket.AF_UNIX
            else asyncio.open_connection(*place[:2])
        )
        for _ in range(count)
    ]
    try:
        yield opened
    finally:
        for _, writer in opened:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


async def answer_of(raw: Raw, request: bytes = EMPTY_POST) -> bytes:
    """The first line of what is answered; nothing when the connection was closed."""
    raw[1].write(request)
    with suppress(ConnectionError):
        return (await raw[0].readline()).strip()
    return b""


async def test_it_listens_on_ports_and_on_a_socket_at_once(tmp_path: Path) -> None:
    """The intake has no network; everybody else has no file system."""
    path = tmp_path / "relay.sock"
    async with listening(tmp_path, ["127.0.0.1:0", f"unix:{path}"]) as (first, second):
        assert [f"http://127.0.0.1:{first.getsockname()[1]}", f"unix:{path}"] == [origin_of(first), origin_of(second)]
        async with ClientSession() as session, session.get(f"{origin_of(first)}/health") as answer:
            assert 200 == answer.status
        async with (
            ClientSession(connector=UnixConnector(str(path))) as session,
            session.get("http://x/health") as answer,
        ):
            assert 200 == answer.status
        assert 0o660 == S_IMODE(path.stat().st_mode)
    assert not path.exists()


async def test_a_socket_that_a_killed_process_left_is_taken_over(tmp_path: Path) -> None:
    """The lock on the data folder says that nobody listens there."""
    path = tmp_path / "relay.sock"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    async with listening(tmp_path, [f"unix:{path}"]):
        assert path.is_socket()


@pytest.mark.parametrize(
    "place", ["8460", "localhost", "127.0.0.1:x", "127.0.0.1:99999", "192.0.2.1:1", "unix:/no/such"]
)
def test_a_place_that_cannot_be_had_is_named(place: str) -> None:
    """Before anything starts."""
    with pytest.raises(Fault) as fault:
        bind(["127.0.0.1:0", place])
    assert ("bad_listen", place) == (fault.value.code, fault.value.facts["listen"])


def test_an_address_of_the_sixth_version_stands_in_brackets() -> None:
    """As in every URL."""
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    (bound,) = bind(["[::1]:0"])
    assert origin_of(bound).startswith("http://[::1]:")
    bound.close()


async def test_more_connections_than_an_address_may_have_are_closed(tmp_path: Path) -> None:
    """The ones that are there stay; when one leaves, another may come."""
    async with (
        listening(tmp_path, ["127.0.0.1:0"], connections_per_address=2) as (bound,),
        connected(bound) as (kept,),
    ):
        async with connected(bound) as (leaving,), connected(bound) as (refused,):
            answers = [await answer_of(one) for one in (kept, leaving, refused)]
        assert [OK, OK, b""] == answers
        await asyncio.sleep(0.05)
        async with connected(bound) as (another,):
            assert OK == await answer_of(another)


async def test_more_connections_than_the_relay_may_have_are_closed(tmp_path: Path) -> None:
    """From whatever address, a socket's included."""
    place = f"unix:{tmp_path / 'relay.sock'}"
    async with (
        listening(tmp_path, [place], connections=1, connections_per_address=1) as (bound,),
        connected(bound, 2) as (first, second),
    ):
        assert [OK, b""] == [await answer_of(first), await answer_of(second)]


async def test_a_connection_that_asks_nothing_is_closed(tmp_path: Path) -> None:
    """Neither one that says nothing nor one that never ends its question keeps its place."""
    async with (
        listening(tmp_path, ["127.0.0.1:0"], idle_seconds=1) as (bound,),
        connected(bound, 2) as (silent, dripping),
    ):
        dripping[1].write(b"GET /health HTTP/1.1\r\nHost:")
        assert (b"", b"") == (await silent[0].read(), await dripping[0].read())


async def test_a_reader_that_does_not_read_is_cut(tmp_path: Path) -> None:
    """An answer that nobody takes would be held for ever."""
    async with listening(tmp_path, ["127.0.0.1:0"], body_seconds=1) as (bound,), connected(bound) as ((_, writer),):
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport of a stream reads too

        async def flood() -> None:
            for _ in range(200):
                writer.write(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 10)
                await writer.drain()
                await asyncio.sleep(0.05)

        with pytest.raises(ConnectionError):
            await flood()


async def test_a_compressed_body_is_not_unpacked(tmp_path: Path) -> None:
    """A kilobyte that becomes a gigabyte: nobody has a reason to send one, so nobody may."""
    bomb = gzip.compress(b"{}")
    head = f"POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n"
    async with listening(tmp_path, ["127.0.0.1:0"]) as (bound,), connected(bound) as (raw,):
        assert b"HTTP/1.1 400 Bad Request" == await answer_of(raw, head.encode() + bomb)
