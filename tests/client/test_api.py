"""The connection: sessions that come and go, answers that are none, and somebody else at the address."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.client.conftest import Room
from vetrelay.client import api
from vetrelay.client.api import connect, problem_of, relay_origin
from vetrelay.errors import Refusal, VetRelayError
from vetrelay.protocol.ids import b64


@asynccontextmanager
async def answering(raw: bytes) -> AsyncIterator[str]:
    """Something that answers every request with these bytes; its address."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


def plain(body: bytes, *, status: str = "200 OK") -> bytes:
    """An answer."""
    return b"HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


async def code_of_facts(url: str) -> str:
    """What asking for the relay's facts ends with."""
    async with connect(url, device="", signer=None, now_ms=lambda: 0) as connection:
        try:
            await connection.relay_facts()
        except VetRelayError as error:
            return f"{type(error).__name__} {error.code}"
    return "success"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "Fault unreachable"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", "Fault unreachable"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "Fault unreachable"),
        (plain(b"<html>"), "Fault relay_unreadable"),
        (plain(b"{}"), "Fault relay_unreadable"),
        (plain(b'{"relay": 1}'), "Fault relay_unreadable"),
        (plain(b"\xff\xfe"), "Fault relay_unreadable"),
        (plain(b"", status="302 Found"), "Refusal relay_refused"),
        (plain(b"<html>", status="502 Bad Gateway"), "Fault relay_failed"),
        (plain(b'{"code": "busy"}', status="503 Service Unavailable"), "Fault busy"),
        (plain(b'{"code": "no such code"}', status="403 Forbidden"), "Refusal relay_refused"),
        (plain(b'{"code": ["busy"]}', status="403 Forbidden"), "Refusal relay_refused"),
        (plain(b'{"code": "not_a_member"}', status="403 Forbidden"), "Refusal not_a_member"),
    ],
)
async def test_an_answer_that_is_none_has_its_code(raw: bytes, code: str) -> None:
    """Nothing that anybody can answer ends in anything else than a refusal or a fault."""
    async with answering(raw) as url:
        assert code == await code_of_facts(url)


async def test_an_answer_without_end_is_not_taken_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page has a largest size, whatever is sent."""
    monkeypatch.setattr(api, "MAX_ANSWER_BYTES", 1000)
    async with answering(plain(b" " * 100_000)) as url:
        assert "Fault relay_unreadable" == await code_of_facts(url)


async def test_nobody_there_is_unreachable() -> None:
    """By TCP and by a socket file that is not there."""
    for url in ("http://127.0.0.1:1", "unix:/nowhere/relay.sock"):
        assert "Fault unreachable" == await code_of_facts(url)


def test_facts_of_a_problem_are_carried_on() -> None:
    """`roster_moved` says after which position."""
    problem = problem_of(409, b'{"code":"roster_moved","after":7,"title":"x","status":409}')
    assert ("roster_moved", {"after": 7}) == (problem.code, problem.facts)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://clinic.example/some/path", "https://clinic.example"),
        ("http://127.0.0.1:8460", "http://127.0.0.1:8460"),
        ("unix:/run/relay.sock", "unix:/run/relay.sock"),
    ],
)
def test_a_session_is_for_an_origin(url: str, origin: str) -> None:
    """Scheme, host and port; or the socket's path."""
    assert origin == relay_origin(url)


async def test_a_session_that_the_relay_has_forgotten_is_opened_again(room: Room) -> None:
    """Also while several requests are under way."""
    await room.owner.api.bearer()
    room.owner.api._bearer = b64(os.urandom(32))
    await asyncio.gather(*(room.owner.api.case_inbox(room.case, after=0) for _ in range(5)))


async def test_a_bearer_is_renewed_before_it_ends(room: Room) -> None:
    """Its life is counted on this device's clock, from the relay's own times."""
    first = await room.owner.api.bearer()
    room.town.clock.now_ms += 10 * 60 * 1000
    assert first == await room.owner.api.bearer()
    room.town.clock.now_ms += 5 * 60 * 1000
    assert first != await room.owner.api.bearer()


@pytest.mark.parametrize("off_ms", [-2 * 24 * 60 * 60 * 1000, 2 * 24 * 60 * 60 * 1000])
async def test_a_clock_that_is_two_days_off_still_signs_in(room: Room, off_ms: int) -> None:
    """(N38) The relay's own clock decides how long a session lives."""
    end = await room.town.again(room.owner, clock=lambda: room.town.clock() + off_ms)
    await end.api.case_inbox(room.case, after=0)


async def test_another_relay_at_the_address_is_found_out_before_anything_is_asked(room: Room) -> None:
    """(N53) It offers its own id; nothing is signed for it."""
    async with connect(
        room.town.url,
        device=room.owner.device.id,
        signer=room.owner.device.signer,
        now_ms=room.town.clock,
        relay=b64(bytes(32)),
    ) as connection:
        with pytest.raises(Refusal) as refused:
            await connection.case_inbox(room.case, after=0)
    assert "wrong_relay" == refused.value.code


async def test_who_has_no_identity_asks_only_what_needs_none(room: Room) -> None:
    """Looking at an invitation is free; reading is not."""
    async with connect(room.town.url, device="", signer=None, now_ms=room.town.clock) as connection:
        assert room.town.relay.relay == (await connection.relay_facts()).relay
        with pytest.raises(Refusal) as refused:
            await connection.case_inbox(room.case, after=0)
    assert "no_identity" == refused.value.code


async def test_a_full_disk_of_ours_is_not_taken_for_the_network(room: Room) -> None:
    """What the caller's own code raises inside an answer passes as it is."""
    with pytest.raises(OSError, match="No space left"):
        async with room.owner.api.open("GET", "/v1/relay", bearer=False):
            raise OSError(28, "No space left on device")
