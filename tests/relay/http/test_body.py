"""Bodies: bounded in size and time, and typed at once."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.ends import World, world_at
from vetrelay.config import RelayLimits
from vetrelay.relay.http.body import SMALL_BYTES


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A relay that does not wait long."""
    async with world_at(tmp_path, limits=RelayLimits(min_free_bytes=0, body_seconds=1)) as made:
        yield made


async def exchange(world: World, *pieces: bytes) -> bytes:
    """What the relay answers on a raw connection."""
    assert world.client.port is not None
    reader, writer = await asyncio.open_connection(world.client.host, world.client.port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return await asyncio.wait_for(reader.readuntil(b"}"), 20)
    finally:
        writer.close()


async def test_a_body_that_stops_arriving_is_not_waited_for(world: World) -> None:
    """The framework has no such clock: a slow sender would hold its place for ever."""
    answer = await exchange(world, b"POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
    assert answer.startswith(b"HTTP/1.1 408")
    assert b'"too_slow"' in answer


async def test_a_body_that_announces_too_much_is_refused_before_it_comes(world: World) -> None:
    """Its length says so."""
    head = f"POST /v1/parties HTTP/1.1\r\nHost: x\r\nContent-Length: {10**9}\r\n\r\n"
    assert (await exchange(world, head.encode())).startswith(b"HTTP/1.1 413")


async def test_a_body_that_grows_beyond_its_limit_is_cut(world: World) -> None:
    """One that announces nothing is counted as it comes."""
    chunk = b"x" * 65_536
    chunks = [b"%x\r\n" % len(chunk) + chunk + b"\r\n"] * (SMALL_BYTES // len(chunk))
    head = b"POST /v1/session HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert (await exchange(world, head, *chunks)).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[]", b"null", b'{"session":1}', b'{"sessions":null}', b"\xff", b"[" * 100_000, b'{"session":null}x'],
)
async def test_a_body_that_is_not_what_the_route_takes_is_refused(world: World, raw: bytes) -> None:
    """Parsed once, into a type; every other JSON is nothing."""
    reply = await world.call("POST", "/v1/session", raw=raw)
    assert reply.status in {400, 413}
    assert reply.code in {"bad_body", "too_large"}


@pytest.mark.parametrize("query", ["after=x", "after=-1", "after=1.0", "after=" + "9" * 20, "limit=%C2%B2", "wait=1e3"])
async def test_a_number_in_a_query_is_a_number(world: World, query: str) -> None:
    """Plain digits, or nothing."""
    clinic = await world.clinic()
    reply = await clinic.call("GET", f"/v1/inbox?{query}")
    assert (400, "bad_body") == (reply.status, reply.code)


async def test_a_limit_beyond_the_bound_is_the_bound(world: World) -> None:
    """Asking for more is no mistake; getting it would be."""
    clinic = await world.clinic()
    assert 200 == (await clinic.call("GET", "/v1/inbox?limit=1000000")).status
