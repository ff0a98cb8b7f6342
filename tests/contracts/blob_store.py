"""What every store of payloads promises, whatever it is made of; each adapter's test inherits this suite."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest

from vetrelay.errors import Fault
from vetrelay.protocol.ids import b64, sha256
from vetrelay.relay.payloads import Blobs

UPLOAD = b64(sha256(b"an upload"))
PAYLOAD = bytes(range(256)) * 5_000
P = b64(sha256(PAYLOAD))
FAR_AHEAD_MS = 2**50


async def read_all(store: Blobs, p: str, *, start_bytes: int = 0, size_bytes: int = len(PAYLOAD)) -> bytes:
    """The bytes that the store gives out."""
    return b"".join([piece async for piece in store.read(p, start_bytes=start_bytes, size_bytes=size_bytes)])


async def receive(store: Blobs, payload: bytes, upload: str = UPLOAD) -> str:
    """Bring a payload in whole; its hash."""
    partial = await store.partial(upload)
    await partial.append([payload])
    await partial.sync()
    p = await partial.keep()
    await partial.close()
    await store.drop(upload)
    return p


async def listed(batches: AsyncIterator[list[str]]) -> list[str]:
    """All names in the batches."""
    return [p async for batch in batches for p in batch]


class BlobStoreContract:
    """Give it a fixture `store`: an opened, empty store."""

    async def test_what_came_in_pieces_goes_out_whole(self, store: Blobs) -> None:
        """A payload that arrived over several turns is named by its hash and read back byte for byte."""
        for start in range(0, len(PAYLOAD), 400_000):
            partial = await store.partial(UPLOAD)
            assert start == partial.offset_bytes
            piece = PAYLOAD[start : start + 400_000]
            await partial.append([piece[:1], b"", piece[1:]])
            await partial.sync()
            await partial.close()
        partial = await store.partial(UPLOAD)
        assert P == await partial.keep()
        await partial.close()
        assert PAYLOAD == await read_all(store, P)
        assert len(PAYLOAD) == await store.size_bytes(P)

    async def test_an_empty_payload_is_a_payload(self, store: Blobs) -> None:
        """Nothing at all has a name too."""
        assert b64(sha256(b"")) == await receive(store, b"")
        assert 0 == await store.size_bytes(b64(sha256(b"")))

    async def test_an_upload_knows_how_far_it_is(self, store: Blobs) -> None:
        """The durable offset is 0 before the first byte, and what was synced after it."""
        assert 0 == await store.received_bytes(UPLOAD)
        partial = await store.partial(UPLOAD)
        await partial.append([b"x" * 1_000])
        await partial.sync()
        await partial.close()
        assert 1_000 == await store.received_bytes(UPLOAD)

    async def test_naming_leaves_the_incoming_bytes_until_they_are_dropped(self, store: Blobs) -> None:
        """Between the blob and its row a crash takes nothing back: the upload is still as far as it was."""
        partial = await store.partial(UPLOAD)
        await partial.append([PAYLOAD])
        await partial.sync()
        await partial.keep()
        await partial.close()
        assert len(PAYLOAD) == await store.received_bytes(UPLOAD)
        await store.drop(UPLOAD)
        assert 0 == await store.received_bytes(UPLOAD)
        assert PAYLOAD == await read_all(store, P)

    async def test_the_same_payload_twice_is_one_blob(self, store: Blobs) -> None:
        """Naming what is there already is no error and changes no byte."""
        assert P == await receive(store, PAYLOAD)
        assert P == await receive(store, PAYLOAD, b64(sha256(b"another upload")))
        assert [P] == await listed(store.named_before(FAR_AHEAD_MS))

    async def test_a_range_is_read_exactly(self, store: Blobs) -> None:
        """Any start and size within the payload, across the borders of pieces."""
        await receive(store, PAYLOAD)
        for start, size in ((0, 0), (0, 1), (262_143, 2), (len(PAYLOAD) - 1, 1), (5, 1_000_000)):
            assert PAYLOAD[start : start + size] == await read_all(store, P, start_bytes=start, size_bytes=size)

    async def test_a_missing_payload_is_a_fault(self, store: Blobs) -> None:
        """Whoever asks for bytes that should be there is told that it is our fault, not theirs."""
        assert await store.size_bytes(P) is None
        with pytest.raises(Fault, match="blob_missing"):
            await read_all(store, P)

    async def test_held_bytes_count_only_when_released(self, store: Blobs) -> None:
        """Bytes that a checksum must still vouch for join the upload as a whole, or not at all."""
        partial = await store.partial(UPLOAD)
        await partial.append([b"first "])
        await partial.hold()
        await partial.append([b"wrong"])
        assert 11 == partial.offset_bytes
        await partial.discard()
        assert 6 == partial.offset_bytes
        await partial.hold()
        await partial.append([b"sec"])
        await partial.append([b"ond"])
        await partial.release()
        await partial.sync()
        p = await partial.keep()
        await partial.close()
        assert b64(sha256(b"first second")) == p
        assert b"first second" == await read_all(store, p, size_bytes=12)

    async def test_held_bytes_are_gone_when_the_file_is_closed(self, store: Blobs) -> None:
        """A request cut in the middle leaves nothing that nobody vouched for."""
        partial = await store.partial(UPLOAD)
        await partial.hold()
        await partial.append([b"half"])
        await partial.close()
        assert 0 == await store.received_bytes(UPLOAD)

    async def test_a_checksum_is_computed_with_the_rest(self, store: Blobs) -> None:
        """A second hash takes in exactly the bytes of its request."""
        partial = await store.partial(UPLOAD)
        await partial.append([b"before"])
        also = hashlib.sha1(usedforsecurity=False)
        await partial.append([b"this ", b"only"], also=also)
        await partial.close()
        assert hashlib.sha1(b"this only").digest() == also.digest()

    async def test_removal_spares_what_is_young(self, store: Blobs) -> None:
        """A blob named after the given time stays; an older one goes; one that is gone is gone."""
        await receive(store, PAYLOAD)
        assert not await store.remove(P, before_ms=0)
        assert [] == await listed(store.named_before(0))
        assert await store.remove(P, before_ms=FAR_AHEAD_MS)
        assert await store.size_bytes(P) is None
        assert await store.remove(P, before_ms=FAR_AHEAD_MS)

    async def test_the_sweep_can_list_what_lies_about(self, store: Blobs) -> None:
        """Incoming files are listed by the age of their last byte, those held back too."""
        partial = await store.partial(UPLOAD)
        await partial.append([b"x"])
        await partial.sync()
        await partial.close()
        assert [] == await store.received_before(0)
        assert [UPLOAD] == await store.received_before(FAR_AHEAD_MS)
        await store.drop(UPLOAD)
        assert [] == await store.received_before(FAR_AHEAD_MS)

    async def test_a_cancelled_request_leaves_no_thread_behind(self, store: Blobs) -> None:
        """Whoever has the next turn after a cancelled one finds its write finished."""
        partial = await store.partial(UPLOAD)
        writing = asyncio.create_task(partial.append([PAYLOAD] * 20))
        await asyncio.sleep(0)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert 20 * len(PAYLOAD) == partial.offset_bytes
        await partial.close()

    async def test_there_is_room(self, store: Blobs) -> None:
        """A store says how much it still takes."""
        assert await store.free_bytes() > 0
