"""kill -9 at every row of the upload's crash table: nothing acknowledged is lost, and what was begun is finished."""

import asyncio
import base64
import io
import resource
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from tests.chains import START_MS
from tests.corpora import PROJECT
from tests.housed_relay import HOUR_MS, LIMITS, housed_relay
from vetrelay.protocol.ids import b64, sha256
from vetrelay.relay.process import open_relay
from vetrelay.relay.sweep import Swept, sweep

PAYLOAD = b"".join(bytes([number % 251]) * 1024 for number in range(3 * 1024))
P = b64(sha256(PAYLOAD))
HALF = len(PAYLOAD) // 2
NEVER = "nowhere"


@dataclass(frozen=True)
class Relay:
    """A relay process, and who talks to it."""

    process: asyncio.subprocess.Process
    session: aiohttp.ClientSession

    async def killed(self) -> bool:
        """Whether it ended by SIGKILL, from its own hand."""
        return await self.process.wait() == -9


@asynccontextmanager
async def running(
    folder: Path, place: str = NEVER, nth: int = 1, *, file_bytes: int = resource.RLIM_INFINITY
) -> AsyncIterator[Relay]:
    """A relay process on this folder, whose files may be so large."""
    script = Path(__file__).parent / "crashing_relay.py"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        script,
        folder,
        place,
        str(nth),
        cwd=PROJECT,
        env={"PYTHONPATH": str(PROJECT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, resource.RLIM_INFINITY)),
    )
    assert process.stdout is not None
    url = (await process.stdout.readline()).decode().strip()
    try:
        async with aiohttp.ClientSession(url, headers={"Tus-Resumable": "1.0.0"}) as session:
            yield Relay(process, session)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@dataclass(frozen=True)
class Client:
    """A case to upload to, and the right to."""

    case: str
    bearer: str

    async def create(self, relay: Relay) -> str:
        """A new upload's path."""
        headers = {
            "Authorization": f"Bearer {self.bearer}",
            "Upload-Length": str(len(PAYLOAD)),
            "Upload-Metadata": f"case {base64.b64encode(self.case.encode()).decode()}",
        }
        async with relay.session.post("/v1/uploads", headers=headers) as answer:
            assert 201 == answer.status
            return answer.headers["Location"]


async def append(relay: Relay, path: str, start: int, end: int) -> int:
    """Send a part; how far the relay says it is."""
    headers = {"Upload-Offset": str(start), "Content-Type": "application/offset+octet-stream"}
    async with relay.session.patch(path, data=io.BytesIO(PAYLOAD[start:end]), headers=headers) as answer:
        assert 204 == answer.status, await answer.text()
        return int(answer.headers["Upload-Offset"])


async def offset(relay: Relay, path: str) -> int:
    """How far an upload is."""
    async with relay.session.head(path) as answer:
        assert 200 == answer.status
        return int(answer.headers["Upload-Offset"])


@pytest.fixture
async def client(tmp_path: Path) -> Client:
    """A relay's folder with a case in it; its process is yet to start."""
    async with housed_relay(tmp_path) as house:
        return Client(case=house.case, bearer=await house.bearer("owner"))


async def check_all_in(folder: Path, client: Client) -> None:
    """The payload is in, every blob is what its name says, and nothing is left over after the sweep."""
    async with open_relay(folder, LIMITS, origins=frozenset(), clock=lambda: START_MS) as relay:
        found = await relay.reader.run(lambda store: store.envelopes.uploaded(client.case, [P]))
    assert {P: len(PAYLOAD)} == found
    for path in (folder / "blobs").glob("*/*/*"):
        assert path.name == sha256(path.read_bytes()).hex()
    async with open_relay(folder, LIMITS, origins=frozenset(), clock=lambda: START_MS + 25 * HOUR_MS) as relay:
        assert isinstance(await sweep(relay), Swept)
    assert [] == list((folder / "incoming").iterdir())


async def test_u1_killed_after_the_creation(tmp_path: Path, client: Client) -> None:
    """Nothing was acknowledged: the client creates anew, and the room reserved for the first is given back in time."""
    async with running(tmp_path, "upload.created") as relay:
        with pytest.raises(aiohttp.ClientError):
            await client.create(relay)
        assert await relay.killed()
    async with running(tmp_path) as relay:
        path = await client.create(relay)
        assert len(PAYLOAD) == await append(relay, path, 0, len(PAYLOAD))
    await check_all_in(tmp_path, client)


@pytest.mark.parametrize(
    ("place", "nth"),
    [("upload.received", 2), ("upload.whole", 1), ("upload.linked", 1), ("upload.committed", 1)],
    ids=["u2", "u3", "u4", "u5"],
)
async def test_u2_to_u5_killed_while_the_last_part_comes_in(
    tmp_path: Path, client: Client, place: str, nth: int
) -> None:
    """What was acknowledged is there after the restart; asking how far the upload is finishes what was begun."""
    async with running(tmp_path, place, nth) as relay:
        path = await client.create(relay)
        assert HALF == await append(relay, path, 0, HALF)
        with pytest.raises(aiohttp.ClientError):
            await append(relay, path, HALF, len(PAYLOAD))
        assert await relay.killed()
    async with running(tmp_path) as relay:
        reached = await offset(relay, path)
        assert reached >= HALF
        if reached < len(PAYLOAD):
            assert len(PAYLOAD) == await append(relay, path, reached, len(PAYLOAD))
        assert len(PAYLOAD) == await offset(relay, path)
    await check_all_in(tmp_path, client)


@pytest.mark.parametrize("place", ["upload.whole", "upload.linked"])
async def test_killed_again_while_finishing_what_was_begun(tmp_path: Path, client: Client, place: str) -> None:
    """A relay that dies whenever it comes there: every answer that was given stays true, and at last all is in."""
    async with running(tmp_path, place) as relay:
        path = await client.create(relay)
        assert HALF == await append(relay, path, 0, HALF)
        with pytest.raises(aiohttp.ClientError):
            await append(relay, path, HALF, len(PAYLOAD))
    async with running(tmp_path, place) as relay:
        with pytest.raises(aiohttp.ClientError):
            await offset(relay, path)
        assert await relay.killed()
    async with running(tmp_path) as relay:
        assert len(PAYLOAD) == await offset(relay, path)
    await check_all_in(tmp_path, client)


async def test_killed_in_the_middle_of_a_body(tmp_path: Path, client: Client) -> None:
    """Not at a checkpoint but anywhere: bytes on their way are lost or kept, those acknowledged are kept."""
    async with running(tmp_path) as relay:
        path = await client.create(relay)
        assert HALF == await append(relay, path, 0, HALF)

        async def dribble() -> AsyncIterator[bytes]:
            alive = True
            for start in range(HALF, len(PAYLOAD), 100_000):
                if alive and start > HALF + 1_000_000:
                    relay.process.kill()  # once: a second call would take the exit code from whoever waits for it
                    alive = False
                yield PAYLOAD[start : start + 100_000]
                await asyncio.sleep(0.005)

        headers = {"Upload-Offset": str(HALF), "Content-Type": "application/offset+octet-stream"}
        with pytest.raises(aiohttp.ClientError):
            await relay.session.patch(path, data=dribble(), headers=headers)
        assert await relay.killed()
    async with running(tmp_path) as relay:
        reached = await offset(relay, path)
        assert HALF <= reached < len(PAYLOAD)
        assert len(PAYLOAD) == await append(relay, path, reached, len(PAYLOAD))
    await check_all_in(tmp_path, client)


async def test_a_disk_that_takes_no_more_loses_nothing_acknowledged(tmp_path: Path, client: Client) -> None:
    """The system itself refuses to write on: 503, what was acknowledged is there, and later the upload goes on."""
    async with running(tmp_path, file_bytes=HALF + 500_000) as relay:
        path = await client.create(relay)
        assert HALF == await append(relay, path, 0, HALF)
        headers = {"Upload-Offset": str(HALF), "Content-Type": "application/offset+octet-stream"}
        async with relay.session.patch(path, data=io.BytesIO(PAYLOAD[HALF:]), headers=headers) as answer:
            assert (503, "storage_full") == (answer.status, (await answer.json(content_type=None))["code"])
            assert "Retry-After" in answer.headers
        reached = await offset(relay, path)
        assert HALF <= reached < len(PAYLOAD)
    async with running(tmp_path) as relay:
        assert reached == await offset(relay, path)
        assert len(PAYLOAD) == await append(relay, path, reached, len(PAYLOAD))
    await check_all_in(tmp_path, client)
