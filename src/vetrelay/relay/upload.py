"""Uploads: a payload comes in over as many requests as it takes (relay.md, tus and durable acceptance).

Crash table (architecture.md, section 4):
    U1 nothing, or only the upload's row  ·  U2 incoming file  ·  U3 incoming file whole, its hash known
    U4 blob linked, folder synced  ·  U5 row committed = uploaded at this instant
At each row a kill takes back nothing that was acknowledged: the incoming file stays until U5, and whoever asks next
finishes what was begun. The sweep removes what no row names.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from vetrelay.errors import Fault, Refusal
from vetrelay.protocol.ids import CaseId, Hash, b64, sha256
from vetrelay.relay.payloads import Hasher, Partial, Upload
from vetrelay.relay.policy import check_disk
from vetrelay.relay.ports import AskingDevice, RelayServices, Store
from vetrelay.relay.turns import Turn, Turns

SECRET_BYTES: Final = 20  # 160 random bits: the URL is the permission
HOUR_MS: Final = 60 * 60 * 1000
BATCH_BYTES: Final = 384 * 1024  # one batch is written while the next arrives: what an upload in flight holds

Receive = Callable[[], Awaitable[bytes]]
"""The next bytes of a request, none at its end. Raises what ended it early."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checksum:
    """A hash that the bytes of one request must have."""

    hasher: Hasher
    expected: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """What one request brings: from which offset on, how many bytes where it says so, and how to receive them."""

    offset_bytes: int
    announced_bytes: int | None
    checksum: Checksum | None
    receive: Receive


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """A new upload, and the secret that its URL ends in: known to nobody else, kept only as a hash."""

    upload: Upload
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """An upload, and how much of it is durable."""

    upload: Upload
    offset_bytes: int


def url_hash(untrusted_secret: str) -> Hash:
    """What an upload is known by: the hash of the text that its URL ends in."""
    return b64(sha256(b"VetRelay-v1 upload", b"\0", untrusted_secret.encode()))


async def create(
    relay: RelayServices, turns: Turns, asker: AskingDevice, *, case: CaseId, size_bytes: int, declared_p: Hash | None
) -> Created:
    """Permit one payload of a size to come in to a case, and reserve its room; an empty one is in at once.

    Raises Refusal `upload_too_large`, `not_a_member`, `too_many_uploads`, `case_full`, `party_full`; Fault
    `storage_full`.
    """
    limits, now_ms = relay.limits, relay.now_ms()
    if size_bytes > limits.object_bytes:
        raise Refusal("upload_too_large", limit_bytes=limits.object_bytes)
    check_disk(await relay.blobs.free_bytes() - size_bytes, limits)
    # Beside the transaction: a sum over many cases must not hold up everybody's commits, and may be a moment old.
    party_bytes = await relay.reader.run(lambda store: store.uploads.party_bytes(asker.party, now_ms=now_ms))
    if party_bytes + size_bytes > limits.party_bytes:
        raise Refusal("party_full")
    secret = b64(relay.random_bytes(SECRET_BYTES))
    upload = Upload(
        url_hash=url_hash(secret),
        device=asker.device,
        case=case,
        size_bytes=size_bytes,
        declared_p=declared_p,
        p=None,
        created_ms=now_ms,
        expires_ms=now_ms + limits.upload_hours * HOUR_MS,
    )

    def job(store: Store) -> None:
        standing = store.cases.standing(case)
        if standing is None or store.cases.role(case, asker.party) in {None, "pending"}:
            raise Refusal("not_a_member")
        if store.uploads.open_of(asker.device, now_ms=now_ms) >= limits.open_uploads_per_device:
            raise Refusal("too_many_uploads", limit=limits.open_uploads_per_device)
        used_bytes = standing.used_bytes + store.uploads.reserved_bytes(case, now_ms=now_ms)
        if used_bytes + size_bytes > limits.case_bytes:
            raise Refusal("case_full")
        store.uploads.add(upload)

    await relay.writer.run(job)  # durable before acknowledged: the reservation
    relay.checkpoint("upload.created")  # U1
    if not size_bytes:
        await look(relay, turns, upload.url_hash)
    return Created(upload=upload, secret=secret)


async def look(relay: RelayServices, turns: Turns, upload_hash: Hash) -> Progress:
    """How far an upload is. One that is whole but not in yet (a crash at U3 or U4) is brought in first.

    Raises Refusal `upload_unknown`, `upload_expired`, `upload_ended`, `upload_locked`, `wrong_payload`.
    """
    async with turns.take(upload_hash):
        upload = await _find(relay, upload_hash)
        if upload.p is not None:
            return Progress(upload=upload, offset_bytes=upload.size_bytes)
        offset_bytes = await relay.blobs.received_bytes(upload_hash)
        if offset_bytes == upload.size_bytes:
            async with _opened(relay, upload) as partial:
                await _finish(relay, upload, partial)
        return Progress(upload=upload, offset_bytes=offset_bytes)


async def write(relay: RelayServices, turns: Turns, upload_hash: Hash, incoming: Incoming) -> Progress:
    """Take in what a request brings; when this returns, that much is durable, and a whole payload is in.

    Also when it raises, what arrived is kept, unless a checksum must still vouch for it. Raises what `look` raises,
    Refusal `wrong_offset` (facts: `offset`), `upload_overflow`, `checksum_differs`, `upload_taken_over`, `too_slow`,
    what `receive` raises; Fault `busy`, `storage_full`, `storage_failed`.
    """
    if turns.writing >= relay.limits.uploads_at_once:
        raise Fault("busy")
    turns.writing += 1
    try:
        async with turns.take(upload_hash) as turn:
            upload = await _find(relay, upload_hash)
            if upload.p is not None:
                _check_place(upload, incoming, offset_bytes=upload.size_bytes)
                return Progress(upload=upload, offset_bytes=upload.size_bytes)
            async with _opened(relay, upload) as partial:
                _check_place(upload, incoming, offset_bytes=partial.offset_bytes)
                await _take_in(relay, turn, upload, partial, incoming)
                if partial.offset_bytes == upload.size_bytes:
                    await _finish(relay, upload, partial)
                return Progress(upload=upload, offset_bytes=partial.offset_bytes)
    finally:
        turns.writing -= 1


def _check_place(upload: Upload, incoming: Incoming, *, offset_bytes: int) -> None:
    if incoming.offset_bytes != offset_bytes:
        raise Refusal("wrong_offset", offset=offset_bytes)
    if offset_bytes + (incoming.announced_bytes or 0) > upload.size_bytes:
        raise Refusal("upload_overflow")


async def terminate(relay: RelayServices, turns: Turns, upload_hash: Hash) -> None:
    """Forget an upload and what came in of it; a payload that is in stays. Raises Refusal `upload_unknown`."""
    async with turns.take(upload_hash):
        await _find(relay, upload_hash)
        await _forget(relay, upload_hash)


async def _find(relay: RelayServices, upload_hash: Hash) -> Upload:
    upload = await relay.reader.run(lambda store: store.uploads.find(upload_hash))
    if upload is None:
        raise Refusal("upload_unknown")
    if upload.ended:
        raise Refusal("upload_ended")
    if upload.expires_ms <= relay.now_ms():
        raise Refusal("upload_expired")
    return upload


@asynccontextmanager
async def _opened(relay: RelayServices, upload: Upload) -> AsyncIterator[Partial]:
    partial = await relay.blobs.partial(upload.url_hash)
    try:
        yield partial
    finally:
        await partial.close()


async def _take_in(relay: RelayServices, turn: Turn, upload: Upload, partial: Partial, incoming: Incoming) -> None:
    checksum = incoming.checksum
    if checksum is None:
        try:
            await _receive_all(relay, turn, upload, partial, incoming)
        finally:
            relay.checkpoint("upload.received")  # U2
            await partial.sync()  # durable before acknowledged: a cut request's bytes count too
        return
    await partial.hold()
    await _receive_all(relay, turn, upload, partial, incoming)
    if checksum.hasher.digest() != checksum.expected:
        await partial.discard()
        raise Refusal("checksum_differs")
    await partial.release()
    relay.checkpoint("upload.received")  # U2
    await partial.sync()  # durable before acknowledged


async def _receive_all(relay: RelayServices, turn: Turn, upload: Upload, partial: Partial, incoming: Incoming) -> None:
    """Append the request's bytes in batches: a thread writes and hashes one while the next arrives."""
    also = None if incoming.checksum is None else incoming.checksum.hasher
    clock, idle_seconds = asyncio.get_running_loop().time, relay.limits.body_seconds
    pieces: list[bytes] = []
    held_bytes, end_bytes = 0, partial.offset_bytes
    writing: asyncio.Future[None] | None = None
    try:
        async with asyncio.timeout(None) as turn.queue.receiving:
            while True:
                if turn.overtaken:
                    raise Refusal("upload_taken_over")
                turn.queue.receiving.reschedule(clock() + idle_seconds)
                piece = await incoming.receive()
                if not piece:
                    break
                end_bytes += len(piece)
                if end_bytes > upload.size_bytes:
                    raise Refusal("upload_overflow")
                pieces.append(piece)
                held_bytes += len(piece)
                if held_bytes >= BATCH_BYTES:
                    await _written(writing)
                    writing = asyncio.ensure_future(partial.append(pieces, also=also))
                    pieces, held_bytes = [], 0
    except TimeoutError as late:
        raise Refusal("upload_taken_over" if turn.overtaken else "too_slow") from late
    finally:
        turn.queue.receiving = None
        await _written(writing)
        if pieces:
            await partial.append(pieces, also=also)


async def _written(writing: "asyncio.Future[None] | None") -> None:
    if writing is not None:
        await asyncio.wait([writing])  # unlike awaiting it, this leaves it alone when this request is stopped
        writing.result()


async def _finish(relay: RelayServices, upload: Upload, partial: Partial) -> None:
    """Bring a whole payload in: from U3 to U5. Raises Refusal `wrong_payload`, `upload_unknown`, `upload_ended`."""
    p = partial.p
    if upload.declared_p not in {None, p}:
        await _forget(relay, upload.url_hash)
        raise Refusal("wrong_payload")
    relay.checkpoint("upload.whole")  # U3
    await partial.keep()
    relay.checkpoint("upload.linked")  # U4

    def job(store: Store) -> None:
        current = store.uploads.find(upload.url_hash)
        if current is None:
            raise Refusal("upload_unknown")
        if current.ended:
            raise Refusal("upload_ended")
        store.uploads.finish(current, p, now_ms=relay.now_ms())

    await relay.writer.run(job)  # U5: uploaded at this instant, the COMMIT has returned
    relay.checkpoint("upload.committed")
    await relay.blobs.drop(upload.url_hash)


async def _forget(relay: RelayServices, upload_hash: Hash) -> None:
    await relay.writer.run(lambda store: store.uploads.remove(upload_hash))
    await relay.blobs.drop(upload_hash)
