"""Objects on the wire: parts, ranges, tags, and what a client may keep."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.housed_relay import HousedRelay, answering, header_of, housed_relay
from tests.relay.test_objects import PHOTO, photo_sent
from vetrelay.errors import Fault
from vetrelay.protocol.ids import Hash, b64, sha256, unb64
from vetrelay.relay.blobs.files import FileBlobs

P = b64(sha256(PHOTO))
WHOLE = header_of("photo") + PHOTO


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[HousedRelay]:
    """A relay that answers on a port."""
    async with housed_relay(tmp_path) as house, answering(house):
        yield house


@pytest.fixture
async def names(house: HousedRelay) -> dict[str, Hash]:
    """The owner has sent a photo; its objects by label."""
    return (await photo_sent(house))[1]


@pytest.fixture
async def owner(house: HousedRelay) -> AsyncIterator[aiohttp.ClientSession]:
    """The owner's client."""
    async with aiohttp.ClientSession(house.url, headers=await house.headers("owner")) as session:
        yield session


async def test_an_object_is_its_header_and_its_payload(owner: aiohttp.ClientSession, names: dict[str, Hash]) -> None:
    """Together an age file; apart by `part`; the original header by its own path; small payloads from the database."""
    for label, query, content in (
        ("photo", "", WHOLE),
        ("photo", "?part=whole", WHOLE),
        ("photo", "?part=header", header_of("photo")),
        ("photo", "/h0", header_of("photo")),
        ("photo", "?part=payload", PHOTO),
        ("words", "", header_of("words") + b"sealed words"),
        ("words", "?part=payload", b"sealed words"),
    ):
        async with owner.get(f"/v1/objects/{names[label]}{query}") as answer:
            assert (200, content) == (answer.status, await answer.read())
            assert "application/octet-stream" == answer.content_type
            assert "nosniff" == answer.headers["X-Content-Type-Options"]


async def test_a_payload_may_be_kept_for_good(owner: aiohttp.ClientSession, names: dict[str, Hash]) -> None:
    """It is named by its hash; what contains a header is asked for again, because the asker's header may change."""
    async with owner.get(f"/v1/objects/{names['photo']}?part=payload") as answer:
        assert (f'"{P}"', "private, max-age=31536000, immutable") == (
            answer.headers["ETag"],
            answer.headers["Cache-Control"],
        )
    async with owner.get(f"/v1/objects/{names['photo']}") as answer:
        assert "private, no-cache" == answer.headers["Cache-Control"]
        tag = answer.headers["ETag"]
    async with owner.get(f"/v1/objects/{names['photo']}", headers={"If-None-Match": tag}) as answer:
        assert (304, b"") == (answer.status, await answer.read())


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, len(WHOLE)),
        ("bytes=3-9", 3, 10),
        ("bytes=10-40", 10, 41),
        ("bytes=1000-", 1000, len(WHOLE)),
        ("bytes=-7", len(WHOLE) - 7, len(WHOLE)),
        ("bytes=-99999999", 0, len(WHOLE)),
        ("bytes=5-99999999", 5, len(WHOLE)),
    ],
)
async def test_a_range_is_answered_exactly(
    owner: aiohttp.ClientSession, names: dict[str, Hash], asked: str, start: int, end: int
) -> None:
    """Within the header, across its border, within the payload: for resuming and for seeking."""
    assert len(header_of("photo")) in range(10, 41)
    async with owner.get(f"/v1/objects/{names['photo']}", headers={"Range": asked}) as answer:
        assert (206, WHOLE[start:end]) == (answer.status, await answer.read())
        assert f"bytes {start}-{end - 1}/{len(WHOLE)}" == answer.headers["Content-Range"]
    async with owner.head(f"/v1/objects/{names['photo']}", headers={"Range": asked}) as answer:
        assert (206, str(end - start)) == (answer.status, answer.headers["Content-Length"])


async def test_a_range_beyond_the_end_is_416(owner: aiohttp.ClientSession, names: dict[str, Hash]) -> None:
    """With the size, so that the client can ask better."""
    asked = {"Range": f"bytes={len(PHOTO)}-"}
    async with owner.get(f"/v1/objects/{names['photo']}?part=payload", headers=asked) as answer:
        assert (416, f"bytes */{len(PHOTO)}") == (answer.status, answer.headers["Content-Range"])


@pytest.mark.parametrize(
    "fields",
    [
        {"Range": "bytes=5-2"},
        {"Range": "bytes=0-1,5-6"},
        {"Range": "lines=1-2"},
        {"Range": "bytes=0-4", "If-Range": '"another"'},
        {"Range": "bytes=0-4", "If-Range": "Sat, 16 Jan 2027 08:00:00 GMT"},
    ],
)
async def test_a_range_that_makes_no_sense_gets_the_whole(
    owner: aiohttp.ClientSession, names: dict[str, Hash], fields: dict[str, str]
) -> None:
    """As HTTP has it (RFC 9110, section 14.2): ignored, not refused."""
    async with owner.get(f"/v1/objects/{names['photo']}?part=payload", headers=fields) as answer:
        assert (200, PHOTO) == (answer.status, await answer.read())


async def test_a_range_goes_on_with_what_was_begun(owner: aiohttp.ClientSession, names: dict[str, Hash]) -> None:
    """If-Range with the tag: half a download is completed."""
    fields = {"Range": "bytes=5000-", "If-Range": f'"{P}"'}
    async with owner.get(f"/v1/objects/{names['photo']}?part=payload", headers=fields) as answer:
        assert (206, PHOTO[5_000:]) == (answer.status, await answer.read())


async def test_head_says_what_get_would_send(owner: aiohttp.ClientSession, names: dict[str, Hash]) -> None:
    """Size and tag, and no byte."""
    async with owner.head(f"/v1/objects/{names['photo']}?part=payload") as answer:
        assert (200, str(len(PHOTO))) == (answer.status, answer.headers["Content-Length"])
        assert (f'"{P}"', b"") == (answer.headers["ETag"], await answer.read())


async def test_refusals_have_their_statuses(house: HousedRelay, names: dict[str, Hash]) -> None:
    """401 without a bearer, 403 with the state for what is withheld, 404 for what is not the asker's or no id at all."""
    path = f"/v1/objects/{names['photo']}"
    for role, asked, status, code in (
        (None, path, 401, "no_session"),
        ("care", path, 403, "withheld"),
        ("stranger", path, 404, "not_found"),
        ("owner", "/v1/objects/nonsense", 404, "not_found"),
        ("owner", f"{path}?part=everything", 400, "bad_body"),
        ("owner", f"{path}?unsafe=yes", 400, "bad_body"),
    ):
        headers = {} if role is None else await house.headers(role)
        async with aiohttp.ClientSession(house.url, headers=headers) as session, session.get(asked) as answer:
            document = await answer.json(content_type=None)
            assert (status, code) == (answer.status, document["code"])
            assert code != "withheld" or document["state"] == "pending"


async def test_an_original_is_given_on_explicit_request_only(house: HousedRelay, names: dict[str, Hash]) -> None:
    """After a clean verdict that keeps it."""
    entry = house.running.log[-1].signed.entry_id()
    await house.rule(entry, {P: ("clean", True)})
    async with aiohttp.ClientSession(house.url, headers=await house.headers("care")) as session:
        async with session.get(f"/v1/objects/{names['photo']}") as answer:
            assert 403 == answer.status
        async with session.get(f"/v1/objects/{names['photo']}?unsafe=original") as answer:
            assert (200, WHOLE) == (answer.status, await answer.read())


async def test_a_file_that_is_damaged_is_never_sent_as_whole(
    house: HousedRelay, owner: aiohttp.ClientSession, names: dict[str, Hash]
) -> None:
    """Shorter than its row says: a fault of ours; cut short while it is being sent: the connection ends early."""
    name = unb64(P).hex()
    path = house.folder / "blobs" / name[:2] / name[2:4] / name
    path.write_bytes(PHOTO[:-1])
    async with owner.get(f"/v1/objects/{names['photo']}") as answer:
        assert (500, "blob_missing") == (answer.status, (await answer.json(content_type=None))["code"])
    path.unlink()
    async with owner.get(f"/v1/objects/{names['photo']}?part=payload") as answer:
        assert 500 == answer.status


async def test_a_file_that_shrinks_while_it_is_sent_ends_early(
    house: HousedRelay, owner: aiohttp.ClientSession, names: dict[str, Hash], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer has begun, so only its early end can say that it is not whole."""

    async def shrinks(_store: FileBlobs, p: Hash, *, start_bytes: int, size_bytes: int) -> AsyncIterator[bytes]:
        yield PHOTO[start_bytes : start_bytes + size_bytes // 2]
        raise Fault("blob_missing", p=p)

    monkeypatch.setattr(FileBlobs, "read", shrinks)
    async with owner.get(f"/v1/objects/{names['photo']}?part=payload") as answer:
        assert (200, str(len(PHOTO))) == (answer.status, answer.headers["Content-Length"])
        with pytest.raises(aiohttp.ClientError):
            await answer.read()
