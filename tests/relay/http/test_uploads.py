"""tus as it stands on the wire: statuses, fields, and when a body is asked for at all."""

import asyncio
import base64
import errno
import hashlib
import io
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from msgspec.structs import replace as changed

from tests.housed_relay import LIMITS, HousedRelay, answering, housed_relay
from vetrelay.protocol.ids import Hash, b64, sha256
from vetrelay.relay import turns as turns_module
from vetrelay.relay.http.uploads import TURNS
from vetrelay.relay.upload import url_hash

PAYLOAD = bytes(range(256)) * 100
P = b64(sha256(PAYLOAD))
CHUNK = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[HousedRelay]:
    """A relay that answers on a port."""
    async with housed_relay(tmp_path) as house, answering(house):
        yield house


@pytest.fixture
async def session(house: HousedRelay) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of it."""
    async with aiohttp.ClientSession(house.url) as session:
        yield session


def metadata(case: str, p: Hash | None = None) -> str:
    """An `Upload-Metadata`."""
    pairs = {"case": case, **({"p": p} if p else {})}
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())


async def creation(house: HousedRelay, role: str = "owner", *, size: int = len(PAYLOAD)) -> dict[str, str]:
    """The fields of a creation."""
    return {
        **(await house.headers(role)),
        "Tus-Resumable": "1.0.0",
        "Upload-Length": str(size),
        "Upload-Metadata": metadata(house.case, P),
    }


async def created(house: HousedRelay, session: aiohttp.ClientSession) -> str:
    """A new upload's path."""
    async with session.post("/v1/uploads", headers=await creation(house)) as answer:
        assert 201 == answer.status, await answer.text()
        return answer.headers["Location"]


def chunk(at: int, **fields: str) -> dict[str, str]:
    """The fields of a PATCH."""
    return {**CHUNK, "Upload-Offset": str(at), **{name.replace("_", "-"): value for name, value in fields.items()}}


async def code_of(answer: aiohttp.ClientResponse) -> tuple[int, str]:
    """Status and code of a problem document, which agree."""
    assert "application/problem+json" == answer.content_type
    document = await answer.json(content_type=None)
    assert answer.status == document["status"]
    return answer.status, document["code"]


async def test_options_says_what_is_spoken(session: aiohttp.ClientSession) -> None:
    """Version, extensions, largest size, checksum algorithms; no bearer and no version asked for."""
    async with session.options("/v1/uploads") as answer:
        assert 204 == answer.status
        assert "1.0.0" == answer.headers["Tus-Version"]
        assert "creation,creation-with-upload,checksum,expiration,termination" == answer.headers["Tus-Extension"]
        assert str(LIMITS.object_bytes) == answer.headers["Tus-Max-Size"]
        assert "sha1,sha256" == answer.headers["Tus-Checksum-Algorithm"]
        assert "Access-Control-Allow-Origin" not in answer.headers


async def test_a_browser_from_our_origin_may_read_every_field(
    house: HousedRelay, session: aiohttp.ClientSession
) -> None:
    """Preflight and answers, refusals too, name the origin; another origin is told nothing."""
    ours = {"Origin": "https://web.test"}
    async with session.options("/v1/uploads", headers={**ours, "Access-Control-Request-Method": "POST"}) as answer:
        assert "https://web.test" == answer.headers["Access-Control-Allow-Origin"]
        assert {"PATCH", "HEAD", "DELETE", "POST"} <= set(answer.headers["Access-Control-Allow-Methods"].split(", "))
        taken = set(answer.headers["Access-Control-Allow-Headers"].split(", "))
        assert {"Authorization", "Tus-Resumable", "Upload-Length", "Upload-Metadata", "Upload-Offset"} <= taken
    path = await created(house, session)
    for headers, status in (({**ours, "Tus-Resumable": "1.0.0"}, 200), (ours, 412)):
        async with session.head(path, headers=headers) as answer:
            assert status == answer.status
            exposed = set(answer.headers["Access-Control-Expose-Headers"].split(", "))
            assert {"Location", "Upload-Offset", "Upload-Length", "Upload-Expires", "Retry-After"} <= exposed
    async with session.options("/v1/uploads", headers={"Origin": "https://evil.test"}) as answer:
        assert not [name for name in answer.headers if name.startswith("Access-Control")]
        assert "Origin" == answer.headers["Vary"]


async def test_another_version_is_refused_with_ours(house: HousedRelay, session: aiohttp.ClientSession) -> None:
    """412, and `Tus-Version`, whatever is asked."""
    path = await created(house, session)
    for method, place in (("POST", "/v1/uploads"), ("HEAD", path), ("PATCH", path), ("DELETE", path)):
        for version in ({}, {"Tus-Resumable": "0.2.2"}):
            async with session.request(method, place, headers=version) as answer:
                assert (412, "1.0.0") == (answer.status, answer.headers["Tus-Version"])
                assert "1.0.0" == answer.headers["Tus-Resumable"]


async def test_creation_gives_a_url_that_nobody_can_guess(house: HousedRelay, session: aiohttp.ClientSession) -> None:
    """160 random bits, relative to the relay, good for a day."""
    async with session.post("/v1/uploads", headers=await creation(house)) as answer:
        assert 201 == answer.status
        secret = answer.headers["Location"].removeprefix("/v1/uploads/")
        assert 27 == len(secret)
        assert "Sat, 16 Jan 2027 08:00:00 GMT" == answer.headers["Upload-Expires"]
        assert "Upload-Offset" not in answer.headers


async def test_creation_needs_a_bearer_and_a_part_in_the_case(
    house: HousedRelay, session: aiohttp.ClientSession
) -> None:
    """Nobody else makes the relay reserve room."""
    headers = await creation(house)
    async with session.post("/v1/uploads", headers={**headers, "Authorization": "Bearer nonsense"}) as answer:
        assert (401, "no_session") == await code_of(answer)
    async with session.post("/v1/uploads", headers=await creation(house, "stranger")) as answer:
        assert (403, "not_a_member") == await code_of(answer)


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"Upload-Defer-Length": "1"}, 400, "bad_upload"),
        ({"Upload-Concat": "partial"}, 400, "bad_upload"),
        ({"Upload-Length": "-1"}, 400, "bad_upload"),
        ({"Upload-Length": "1e3"}, 400, "bad_upload"),
        ({"Upload-Length": "007"}, 400, "bad_upload"),
        ({"Upload-Length": str(LIMITS.object_bytes + 1)}, 413, "upload_too_large"),
        ({"Upload-Metadata": "filename QmVsbGE="}, 400, "bad_upload_metadata"),
        ({"Upload-Metadata": ""}, 400, "bad_upload_metadata"),
    ],
)
async def test_what_is_refused_at_creation(
    house: HousedRelay, session: aiohttp.ClientSession, fields: Mapping[str, str], status: int, code: str
) -> None:
    """Uploads of unknown or absurd length, in parts to be joined, of a kind that tells more than it should."""
    async with session.post("/v1/uploads", headers={**await creation(house), **fields}) as answer:
        assert (status, code) == await code_of(answer)


async def test_head_says_how_far_an_upload_is(house: HousedRelay, session: aiohttp.ClientSession) -> None:
    """Offset, length, expiry and what was said at creation; kept by nobody on the way; no bearer."""
    path = await created(house, session)
    async with session.patch(path, headers=chunk(0), data=PAYLOAD[:100]) as answer:
        assert (204, "100") == (answer.status, answer.headers["Upload-Offset"])
        assert "Upload-Expires" in answer.headers
    async with session.head(path, headers={"Tus-Resumable": "1.0.0"}) as answer:
        assert 200 == answer.status
        assert ("100", str(len(PAYLOAD))) == (answer.headers["Upload-Offset"], answer.headers["Upload-Length"])
        assert metadata(house.case, P) == answer.headers["Upload-Metadata"]
        assert "no-store" == answer.headers["Cache-Control"]


async def test_bytes_in_the_creating_request(house: HousedRelay, session: aiohttp.ClientSession) -> None:
    """creation-with-upload: one request for a small file; a part of it for a large one."""
    headers = {**await creation(house), **CHUNK}
    for size in (100, len(PAYLOAD)):
        async with session.post("/v1/uploads", headers=headers, data=PAYLOAD[:size]) as answer:
            assert (201, str(size)) == (answer.status, answer.headers["Upload-Offset"])


async def test_a_creation_whose_bytes_are_refused_leaves_nothing(
    house: HousedRelay, session: aiohttp.ClientSession
) -> None:
    """Nobody learns that upload's URL any more, so its room is given back at once."""
    headers = {**await creation(house), **CHUNK}
    async with session.post("/v1/uploads", headers=headers, data=b"x" + PAYLOAD[1:]) as answer:
        assert (422, "wrong_payload") == await code_of(answer)
    now_ms = house.clock()
    assert 0 == await house.relay.reader.run(lambda store: store.uploads.reserved_bytes(house.case, now_ms=now_ms))


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"Content_Type": "application/octet-stream"}, 415, "bad_upload_type"),
        ({"Content_Encoding": "gzip"}, 415, "bad_upload_type"),
        ({"Upload_Offset": "1"}, 409, "wrong_offset"),
        ({"Upload_Offset": "one"}, 400, "bad_upload"),
        ({"Upload_Checksum": "md5 " + base64.b64encode(bytes(16)).decode()}, 400, "bad_checksum"),
        ({"Upload_Checksum": "sha1 !"}, 400, "bad_checksum"),
        ({"Upload_Checksum": "sha1 " + base64.b64encode(bytes(20)).decode()}, 460, "checksum_differs"),
    ],
)
async def test_what_is_refused_of_a_part(
    house: HousedRelay, session: aiohttp.ClientSession, fields: dict[str, str], status: int, code: str
) -> None:
    """Nothing of a refused part is kept."""
    path = await created(house, session)
    async with session.patch(
        path, headers=chunk(0, **fields), data=PAYLOAD, skip_auto_headers=["Content-Type"]
    ) as answer:
        assert (status, code) == await code_of(answer)
    async with session.head(path, headers=CHUNK) as answer:
        assert "0" == answer.headers["Upload-Offset"]


@pytest.mark.parametrize("name", ["sha1", "sha256"])
async def test_a_part_with_its_checksum(house: HousedRelay, session: aiohttp.ClientSession, name: str) -> None:
    """What agrees with its checksum is taken."""
    path, digest = await created(house, session), hashlib.new(name, PAYLOAD).digest()
    checksum = f"{name} {base64.b64encode(digest).decode()}"
    async with session.patch(path, headers=chunk(0, Upload_Checksum=checksum), data=PAYLOAD) as answer:
        assert (204, str(len(PAYLOAD))) == (answer.status, answer.headers["Upload-Offset"])


async def test_an_upload_is_forgotten_when_its_client_says_so(
    house: HousedRelay, session: aiohttp.ClientSession
) -> None:
    """DELETE, then nothing is there."""
    path = await created(house, session)
    async with session.delete(path, headers=CHUNK) as answer:
        assert 204 == answer.status
    for method in ("HEAD", "DELETE"):
        async with session.request(method, path, headers=CHUNK) as answer:
            assert 404 == answer.status


@pytest.mark.parametrize("secret", ["AAAAAAAAAAAAAAAAAAAAAAAAAAA", "short", "%00", "%ED%A0%80", "a" * 5_000])
async def test_a_url_that_is_none_of_ours_is_nothing(session: aiohttp.ClientSession, secret: str) -> None:
    """Guessing looks alike whatever is guessed."""
    async with session.patch(f"/v1/uploads/{secret}", headers=chunk(0), data=b"x") as answer:
        assert (404, "upload_unknown") == await code_of(answer)


async def test_post_may_stand_for_other_methods(house: HousedRelay, session: aiohttp.ClientSession) -> None:
    """X-HTTP-Method-Override: for networks that let nothing but GET and POST through; nothing else is meant by it."""
    path = await created(house, session)
    async with session.post(path, headers=chunk(0, X_HTTP_Method_Override="PATCH"), data=PAYLOAD[:9]) as answer:
        assert (204, "9") == (answer.status, answer.headers["Upload-Offset"])
    async with session.post(path, headers={**CHUNK, "X-HTTP-Method-Override": "HEAD"}) as answer:
        assert "9" == answer.headers["Upload-Offset"]
    for meant in ({}, {"X-HTTP-Method-Override": "GET"}):
        async with session.post(path, headers={**CHUNK, **meant}) as answer:
            assert (405, "wrong_method") == await code_of(answer)
    async with session.post(path, headers={**CHUNK, "X-HTTP-Method-Override": "DELETE"}) as answer:
        assert 204 == answer.status


async def test_a_full_disk_passes(
    house: HousedRelay, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 with Retry-After, not 507: tus clients try again, and go on where they were."""
    path = await created(house, session)
    async with session.patch(path, headers=chunk(0), data=PAYLOAD[:100]) as answer:
        assert 204 == answer.status

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "planted")

    with monkeypatch.context() as planted:
        planted.setattr(os, "pwritev", full)
        async with session.patch(path, headers=chunk(100), data=PAYLOAD[100:]) as answer:
            assert (503, "storage_full") == await code_of(answer)
            assert "1" == answer.headers["Retry-After"]
    async with session.patch(path, headers=chunk(100), data=PAYLOAD[100:]) as answer:
        assert 204 == answer.status


async def test_a_locked_upload_is_423(
    house: HousedRelay, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one status besides 409 among the 4xx that tus-js-client tries again after."""
    monkeypatch.setattr(turns_module, "TURN_SECONDS", 0.05)
    path = await created(house, session)
    hashed = url_hash(path.removeprefix("/v1/uploads/"))
    async with house.app[TURNS].take(hashed), session.head(path, headers=CHUNK) as answer:
        assert 423 == answer.status


async def test_a_body_that_stalls_is_503(tmp_path: Path) -> None:
    """What arrived is kept; the client may come again."""
    async with (
        housed_relay(tmp_path, limits=changed(LIMITS, body_seconds=1)) as house,
        answering(house),
        aiohttp.ClientSession(house.url) as session,
    ):
        path = await created(house, session)

        async def stall() -> AsyncIterator[bytes]:
            yield PAYLOAD[:100]
            await asyncio.sleep(60)

        async with session.patch(path, headers=chunk(0), data=stall()) as answer:
            assert (503, "too_slow") == await code_of(answer)
        async with session.head(path, headers=CHUNK) as answer:
            assert "100" == answer.headers["Upload-Offset"]


async def ask_before_sending(house: HousedRelay, head: str, body: bytes) -> tuple[str, str]:
    """The first and the last status line that a careful client sees; it sends its body only when told to."""
    split = urlsplit(house.url)
    reader, writer = await asyncio.open_connection(split.hostname, split.port)
    writer.write(f"{head}\r\nHost: relay\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n".encode())
    first = (await reader.readline()).decode().strip()
    last = first
    if " 100 " in first:
        await reader.readline()
        writer.write(body)
        last = (await reader.readline()).decode().strip()
    writer.close()
    return first, last


async def test_a_body_is_asked_for_only_when_nothing_speaks_against_it(
    house: HousedRelay, session: aiohttp.ClientSession
) -> None:
    """Bearer, quota, offset and size are checked before `100 Continue`: nobody sends a gigabyte to be refused."""
    path = await created(house, session)
    part = f"PATCH {path} HTTP/1.1\r\nTus-Resumable: 1.0.0\r\nContent-Type: application/offset+octet-stream\r\n"
    assert (await ask_before_sending(house, f"{part}Upload-Offset: 5", PAYLOAD))[0].startswith("HTTP/1.1 409")
    assert (await ask_before_sending(house, f"{part}Upload-Offset: 0", bytes(60_000)))[0].startswith("HTTP/1.1 400")
    post = "\r\n".join(
        ["POST /v1/uploads HTTP/1.1", *(f"{name}: {value}" for name, value in (await creation(house)).items())]
    )
    post += "\r\nContent-Type: application/offset+octet-stream"
    unknown = post.replace("Bearer ", "Bearer x")
    assert (await ask_before_sending(house, unknown, PAYLOAD))[0].startswith("HTTP/1.1 401")
    first, last = await ask_before_sending(house, f"{part}Upload-Offset: 0", PAYLOAD[:9])
    assert ("HTTP/1.1 100 Continue", True) == (first, last.startswith("HTTP/1.1 204"))
    first, last = await ask_before_sending(house, post, PAYLOAD)
    assert ("HTTP/1.1 100 Continue", True) == (first, last.startswith("HTTP/1.1 201"))


async def test_a_part_of_unknown_length_is_bounded_too(house: HousedRelay, session: aiohttp.ClientSession) -> None:
    """Chunked bodies end where the upload does."""
    path = await created(house, session)
    async with session.patch(path, headers=chunk(0), data=io.BytesIO(PAYLOAD), chunked=True) as answer:
        assert (204, str(len(PAYLOAD))) == (answer.status, answer.headers["Upload-Offset"])
    path = await created(house, session)
    async with session.patch(path, headers=chunk(0), data=io.BytesIO(PAYLOAD + b"x"), chunked=True) as answer:
        assert (400, "upload_overflow") == await code_of(answer)


async def test_the_url_never_stands_in_a_log(
    house: HousedRelay, session: aiohttp.ClientSession, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is the permission itself: logs name the route only."""
    path = await created(house, session)
    async with session.patch(path, headers=chunk(5), data=PAYLOAD) as answer:
        assert 409 == answer.status
    captured = capfd.readouterr()
    assert path.removeprefix("/v1/uploads/") not in captured.out + captured.err
