"""Clients that nobody changed, tuspy and tus-js-client, through a network that breaks: they resume, and all comes in."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError

from tests.cutting_proxy import cutting_proxy
from tests.housed_relay import HousedRelay, answering, housed_relay
from tests.node import JS
from vetrelay.protocol.ids import Hash, b64, sha256

PAYLOAD = b"".join(bytes([number % 251]) * 1024 for number in range(6 * 1024))
P = b64(sha256(PAYLOAD))


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[HousedRelay]:
    """A relay that answers on a port."""
    async with housed_relay(tmp_path / "relay") as house, answering(house):
        yield house


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Six megabytes."""
    path = tmp_path / "payload"
    path.write_bytes(PAYLOAD)
    return path


async def stored(house: HousedRelay, p: Hash = P) -> bytes | None:
    """The payload, if its row says that it is in."""
    rows = await house.relay.reader.run(lambda store: store.envelopes.uploaded(house.case, [p]))
    if p not in rows:
        return None
    parts = house.relay.blobs.read(p, start_bytes=0, size_bytes=rows[p])
    return b"".join([part async for part in parts])


class Tuspy:
    """tuspy, in a thread of its own: it blocks."""

    def __init__(self, url: str, headers: dict[str, str], metadata: dict[str, str]) -> None:
        self.client = TusClient(f"{url}/v1/uploads", headers=headers)
        self.metadata = metadata

    async def upload(self, file: Path, *, stop_at: int | None = None, **options: Any) -> str:
        """Upload, with three further attempts, perhaps not to the end; the upload's URL."""

        def work() -> str:
            with file.open("rb") as stream:  # tuspy leaves files open that it opened itself
                uploader = self.client.uploader(
                    file_stream=stream, metadata=self.metadata, **{"retries": 3, "retry_delay": 0, **options}
                )
                uploader.upload(stop_at)
            return str(uploader.url)

        return await asyncio.to_thread(work)


async def tus_js(node: Path, file: Path, **request: Any) -> list[dict[str, Any]]:
    """What tus-js-client says while it uploads."""
    process = await asyncio.create_subprocess_exec(
        node, JS / "tus_upload.mjs", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    asked = {"file": str(file), "retryDelays": [10, 50, 100, 200], **request}
    said, _ = await process.communicate(json.dumps(asked).encode())
    return [json.loads(line) for line in said.splitlines()]


def endpoint(url: str) -> str:
    """Where uploads are created."""
    return f"{url}/v1/uploads"


async def test_tuspy_uploads_in_one_request(house: HousedRelay, file: Path) -> None:
    """The plain case: create, one PATCH, done."""
    await Tuspy(house.url, await house.headers("owner"), {"case": house.case, "p": P}).upload(file)
    assert PAYLOAD == await stored(house)


async def test_tuspy_uploads_in_chunks_with_checksums(house: HousedRelay, file: Path) -> None:
    """sha1 over every chunk, which is the one that tuspy has."""
    tuspy = Tuspy(house.url, await house.headers("owner"), {"case": house.case})
    await tuspy.upload(file, chunk_size=1_000_000, upload_checksum=True)
    assert PAYLOAD == await stored(house)


async def test_tuspy_posts_an_empty_file_as_creation_alone(house: HousedRelay, tmp_path: Path) -> None:
    """No PATCH follows: the payload is in with the creation."""
    (tmp_path / "empty").write_bytes(b"")
    await Tuspy(house.url, await house.headers("owner"), {"case": house.case}).upload(tmp_path / "empty")
    assert b"" == await stored(house, b64(sha256(b"")))


@pytest.mark.parametrize("checksums", [False, True], ids=["plain", "checksums"])
async def test_tuspy_resumes_when_the_connection_is_cut(house: HousedRelay, file: Path, *, checksums: bool) -> None:
    """Cut in the middle twice: it asks how far the relay is, and goes on from there."""
    async with cutting_proxy(house.url, 2_000_000, 1_000_000) as proxy:
        tuspy = Tuspy(proxy.url, await house.headers("owner"), {"case": house.case, "p": P})
        await tuspy.upload(file, upload_checksum=checksums, chunk_size=3_000_000)
    assert 2 == proxy.cut
    assert PAYLOAD == await stored(house)


async def test_tuspy_goes_on_with_an_upload_after_its_bearer_has_expired(house: HousedRelay, file: Path) -> None:
    """The upload's URL is the permission: a client that cannot refresh a bearer finishes what it began."""
    bearer = await house.bearer("owner", until_ms=house.clock() + 1_000)
    headers = {"Authorization": f"Bearer {bearer}"}
    tuspy = Tuspy(house.url, headers, {"case": house.case})
    url = await tuspy.upload(file, chunk_size=2_000_000, stop_at=2_000_000)
    house.clock.now_ms += 2_000
    assert url == await tuspy.upload(file, url=url)
    assert PAYLOAD == await stored(house)
    with pytest.raises(TusCommunicationError, match="401"):
        await tuspy.upload(file)


async def test_tus_js_client_uploads_and_resumes(house: HousedRelay, file: Path, node: Path) -> None:
    """Cut in the middle: HEAD, then PATCH from there."""
    async with cutting_proxy(house.url, 2_500_000) as proxy:
        said = await tus_js(
            node, file, url=endpoint(proxy.url), headers=await house.headers("owner"), metadata={"case": house.case}
        )
    assert "success" == said[-1]["event"], said
    methods = [method for method, _ in said[-1]["requests"]]
    assert "POST" == methods[0]
    assert ["HEAD", "PATCH"] == methods[-2:]
    assert PAYLOAD == await stored(house)


async def test_tus_js_client_gets_past_its_own_stale_request(house: HousedRelay, file: Path, node: Path) -> None:
    """The relay's side of the cut connection still hangs: the client's next question ends it, and it resumes."""
    async with cutting_proxy(house.url, 2_500_000, hang_instead=True) as proxy:
        said = await tus_js(
            node, file, url=endpoint(proxy.url), headers=await house.headers("owner"), metadata={"case": house.case}
        )
        assert "success" == said[-1]["event"]
    assert 1 == proxy.cut
    assert PAYLOAD == await stored(house)


@pytest.mark.parametrize(
    "options",
    [{"chunkSize": 1_000_000}, {"duringCreation": True}, {"override": True}],
    ids=["chunks", "creation-with-upload", "method-override"],
)
async def test_tus_js_client_in_its_other_ways(
    house: HousedRelay, file: Path, node: Path, options: dict[str, Any]
) -> None:
    """Chunks; bytes in the creating request; PATCH dressed as POST."""
    headers, metadata = await house.headers("owner"), {"case": house.case, "p": P}
    said = await tus_js(node, file, url=endpoint(house.url), headers=headers, metadata=metadata, **options)
    assert "success" == said[-1]["event"], said
    assert PAYLOAD == await stored(house)


async def test_tus_js_client_goes_on_after_its_bearer_has_expired(house: HousedRelay, file: Path, node: Path) -> None:
    """Stopped in the middle, begun again an hour later with the same headers."""
    bearer = await house.bearer("owner", until_ms=house.clock() + 1_000)
    asked = {"url": endpoint(house.url), "headers": {"Authorization": f"Bearer {bearer}"}}
    async with cutting_proxy(house.url, 2_500_000) as proxy:
        metadata = {"case": house.case}
        said = await tus_js(node, file, **{**asked, "url": endpoint(proxy.url)}, metadata=metadata, retryDelays=[])
    assert ["url", "error"] == [one["event"] for one in said]
    house.clock.now_ms += 60 * 60 * 1000
    path = said[0]["url"].removeprefix(proxy.url)
    said = await tus_js(node, file, **asked, metadata=metadata, uploadUrl=house.url + path)
    assert "success" == said[-1]["event"]
    assert ["HEAD", 200] == said[-1]["requests"][0]
    assert PAYLOAD == await stored(house)


async def test_tus_js_client_learns_that_its_device_was_revoked(house: HousedRelay, file: Path, node: Path) -> None:
    """A revoked device's upload is gone, and a new one is not created: the client stops with that answer."""
    owner = house.parties["owner"]
    owner.take(owner.device_add("phone", admin=True))
    added = owner.chain[-1]
    await house.relay.writer.run(
        lambda store: store.parties.extend(owner.state, added, boxes={}, time_ms=house.clock())
    )
    headers = {"Authorization": f"Bearer {await house.bearer('owner', 'phone')}"}
    asked: dict[str, Any] = {"headers": headers, "metadata": {"case": house.case}}
    async with cutting_proxy(house.url, 2_500_000) as proxy:
        said = await tus_js(node, file, url=endpoint(proxy.url), retryDelays=[], **asked)
    revoked = owner.take(owner.rotate("phone"))
    await house.relay.writer.run(
        lambda store: store.parties.extend(owner.state, revoked, boxes={}, time_ms=house.clock())
    )
    await house.relay.writer.run(lambda store: store.sessions.end([owner.device("phone").id]))
    path = said[0]["url"].removeprefix(proxy.url)
    said = await tus_js(node, file, url=endpoint(house.url), uploadUrl=house.url + path, **asked)
    assert "error" == said[-1]["event"]
    assert [["HEAD", 410], ["POST", 401]] == said[-1]["requests"]
    assert await stored(house) is None


async def test_a_strange_field_in_the_metadata_is_refused(house: HousedRelay, file: Path, node: Path) -> None:
    """A client that would tell the relay the file's name is stopped before it uploads anything."""
    metadata = {"case": house.case, "filename": base64.b64encode(b"Bella.jpg").decode()}
    headers = await house.headers("owner")
    said = await tus_js(node, file, url=endpoint(house.url), headers=headers, metadata=metadata)
    assert ("error", 400) == (said[-1]["event"], said[-1]["status"])
