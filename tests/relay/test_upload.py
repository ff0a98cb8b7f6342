"""Uploads as verbs: reservations, turns, what is durable when, and what is kept when something goes wrong."""

import asyncio
import errno
import hashlib
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from msgspec.structs import replace as changed

from tests.housed_relay import HOUR_MS, LIMITS, HousedRelay, housed_relay
from vetrelay.errors import Fault, Refusal
from vetrelay.protocol.ids import Hash, b64, sha256
from vetrelay.relay import turns as turns_module
from vetrelay.relay.blobs.files import FileBlobs
from vetrelay.relay.turns import Turns
from vetrelay.relay.upload import Checksum, Created, Incoming, Receive, create, look, terminate, url_hash, write

PAYLOAD = bytes(range(256)) * 8_000  # two megabytes: several batches
P = b64(sha256(PAYLOAD))


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[HousedRelay]:
    """A relay with a case in it."""
    async with housed_relay(tmp_path) as house:
        yield house


@pytest.fixture
def turns() -> Turns:
    """Nobody is at any upload."""
    return Turns()


def pieces(payload: bytes, *, piece_bytes: int = 65_536, then: Callable[[], None] | None = None) -> Receive:
    """A body that arrives in pieces; `then` is done instead of its end."""
    left = [payload[at : at + piece_bytes] for at in range(0, len(payload), piece_bytes)]

    async def receive() -> bytes:
        await asyncio.sleep(0)
        if not left and then is not None:
            then()
        return left.pop(0) if left else b""

    return receive


def incoming(
    payload: bytes, *, at: int = 0, announced: int | None = None, checksum: Checksum | None = None,
    receive: Receive | None = None,
) -> Incoming:  # fmt: skip
    """One request's bytes."""
    return Incoming(offset_bytes=at, announced_bytes=announced, checksum=checksum, receive=receive or pieces(payload))


async def created(house: HousedRelay, turns: Turns, *, size: int = len(PAYLOAD), p: Hash | None = None) -> Created:
    """A fresh upload by the owner."""
    return await create(house.relay, turns, house.asker("owner"), case=house.case, size_bytes=size, declared_p=p)


async def stored(house: HousedRelay, p: Hash = P) -> bytes | None:
    """The payload, if its row says that it is in."""
    rows = await house.relay.reader.run(lambda store: store.envelopes.uploaded(house.case, [p]))
    if p not in rows:
        return None
    parts = house.relay.blobs.read(p, start_bytes=0, size_bytes=rows[p])
    return b"".join([part async for part in parts])


def cut() -> None:
    """The connection ends."""
    raise Refusal("upload_cut")


async def test_a_payload_comes_in_over_several_requests(house: HousedRelay, turns: Turns) -> None:
    """Each request says how much is durable; after the last one the payload is in, and its incoming file gone."""
    upload = (await created(house, turns, p=P)).upload
    for start in range(0, len(PAYLOAD), 700_000):
        part = PAYLOAD[start : start + 700_000]
        progress = await write(house.relay, turns, upload.url_hash, incoming(part, at=start, announced=len(part)))
        assert start + len(part) == progress.offset_bytes
        assert progress.offset_bytes == (await look(house.relay, turns, upload.url_hash)).offset_bytes
    assert PAYLOAD == await stored(house)
    assert [] == await house.relay.blobs.received_before(2**50)


async def test_only_the_hash_of_a_url_is_kept(house: HousedRelay, turns: Turns, tmp_path: Path) -> None:
    """Whoever reads the database or the folder cannot go on with anybody's upload."""
    made = await created(house, turns)
    await write(house.relay, turns, made.upload.url_hash, incoming(PAYLOAD[:1_000]))
    assert made.upload.url_hash == url_hash(made.secret)
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert made.secret.encode() not in kept
    assert not any(made.secret in path.name for path in tmp_path.rglob("*"))


async def test_an_empty_payload_is_in_with_its_creation(house: HousedRelay, turns: Turns) -> None:
    """tuspy posts an empty file as creation alone."""
    upload = (await created(house, turns, size=0)).upload
    assert b"" == await stored(house, b64(sha256(b"")))
    assert 0 == (await look(house.relay, turns, upload.url_hash)).offset_bytes


@pytest.mark.parametrize("role", ["owner", "care", "consultant", "provider", "intake"])
async def test_whoever_takes_part_may_upload(house: HousedRelay, turns: Turns, role: str) -> None:
    """Every role of a case sends something that has payloads: messages, replies, normalized copies."""
    made = await create(house.relay, turns, house.asker(role), case=house.case, size_bytes=1, declared_p=None)
    assert house.asker(role).device == made.upload.device


async def test_a_stranger_may_not_upload(house: HousedRelay, turns: Turns) -> None:
    """Nobody fills a case that they do not take part in; one that is not there looks the same."""
    for role, case in (("stranger", house.case), ("owner", b64(sha256(b"no case")))):
        with pytest.raises(Refusal, match="not_a_member"):
            await create(house.relay, turns, house.asker(role), case=case, size_bytes=1, declared_p=None)


async def test_a_newcomer_who_waits_for_approval_may_not_upload(house: HousedRelay, turns: Turns) -> None:
    """Pending members neither read nor send."""
    running, stranger = house.running, house.parties["stranger"]
    running.join(stranger, running.invite(house.parties["care"], "consultant"), "consultant")
    await house.catch_up()
    with pytest.raises(Refusal, match="not_a_member"):
        await create(house.relay, turns, house.asker("stranger"), case=house.case, size_bytes=1, declared_p=None)


async def test_room_is_reserved_at_creation(tmp_path: Path, turns: Turns) -> None:
    """What is under way counts whole, what is in counts once, what was given up does not count."""
    async with housed_relay(tmp_path, limits=changed(LIMITS, case_bytes=3_000_000)) as house:
        first = (await created(house, turns)).upload
        with pytest.raises(Refusal, match="case_full"):
            await created(house, turns)
        await write(house.relay, turns, first.url_hash, incoming(PAYLOAD))
        with pytest.raises(Refusal, match="case_full"):
            await created(house, turns)
        second = (await created(house, turns, size=900_000)).upload
        with pytest.raises(Refusal, match="case_full"):
            await created(house, turns, size=900_000)
        await terminate(house.relay, turns, second.url_hash)
        await created(house, turns, size=900_000)


async def test_all_cases_of_a_party_have_a_bound_together(tmp_path: Path, turns: Turns) -> None:
    """What is in and what is under way, in every case that concerns the asker's party."""
    async with housed_relay(tmp_path, limits=changed(LIMITS, party_bytes=3_000_000)) as house:
        first = (await created(house, turns)).upload
        with pytest.raises(Refusal, match="party_full"):
            await created(house, turns)
        await write(house.relay, turns, first.url_hash, incoming(PAYLOAD))
        with pytest.raises(Refusal, match="party_full"):
            await created(house, turns)
        await created(house, turns, size=900_000)


async def test_a_device_has_so_many_uploads_under_way(tmp_path: Path, turns: Turns) -> None:
    """Finished and expired ones do not count."""
    async with housed_relay(tmp_path, limits=changed(LIMITS, open_uploads_per_device=2)) as house:
        first = (await created(house, turns)).upload
        await created(house, turns)
        with pytest.raises(Refusal, match="too_many_uploads"):
            await created(house, turns)
        await write(house.relay, turns, first.url_hash, incoming(PAYLOAD))
        await created(house, turns)
        house.clock.now_ms += 25 * HOUR_MS
        await created(house, turns)


async def test_a_file_beyond_the_limit_is_refused_at_once(tmp_path: Path, turns: Turns) -> None:
    """Nobody uploads for an hour to learn that it was too much."""
    async with housed_relay(tmp_path, limits=changed(LIMITS, object_bytes=1_000)) as house:
        await created(house, turns, size=1_000)
        with pytest.raises(Refusal, match="upload_too_large"):
            await created(house, turns, size=1_001)


async def test_a_disk_that_would_be_full_takes_nothing_new(
    house: HousedRelay, turns: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The size that is announced is compared with what is free."""

    async def little(_blobs: FileBlobs) -> int:
        return len(PAYLOAD) - 1

    monkeypatch.setattr(FileBlobs, "free_bytes", little)
    with pytest.raises(Fault, match="storage_full"):
        await created(house, turns)


async def test_bytes_go_on_exactly_where_the_upload_is(house: HousedRelay, turns: Turns) -> None:
    """Any other offset is refused, and the fact `offset` says where to go on."""
    upload = (await created(house, turns)).upload
    await write(house.relay, turns, upload.url_hash, incoming(PAYLOAD[:1_000]))
    for wrong in (0, 999, 1_001):
        with pytest.raises(Refusal, match="wrong_offset") as refusal:
            await write(house.relay, turns, upload.url_hash, incoming(PAYLOAD[1_000:], at=wrong))
        assert {"offset": 1_000} == refusal.value.facts


async def test_more_bytes_than_announced_are_refused(house: HousedRelay, turns: Turns) -> None:
    """Before the first byte where the request says how many come, in the middle where it does not; none is kept."""
    upload = (await created(house, turns, size=1_000)).upload
    for announced in (1_001, None):
        with pytest.raises(Refusal, match="upload_overflow"):
            await write(house.relay, turns, upload.url_hash, incoming(bytes(1_001), announced=announced))
        assert 0 == (await look(house.relay, turns, upload.url_hash)).offset_bytes


async def test_a_cut_request_leaves_what_arrived(house: HousedRelay, turns: Turns) -> None:
    """The connection ends in the middle: what came before it is durable, and the upload goes on from there."""
    upload = (await created(house, turns)).upload
    receive = pieces(PAYLOAD[:1_234_567], then=cut)
    with pytest.raises(Refusal, match="upload_cut"):
        await write(house.relay, turns, upload.url_hash, incoming(b"", receive=receive))
    assert 1_234_567 == (await look(house.relay, turns, upload.url_hash)).offset_bytes
    await write(house.relay, turns, upload.url_hash, incoming(PAYLOAD[1_234_567:], at=1_234_567))
    assert PAYLOAD == await stored(house)


async def test_a_cancelled_request_leaves_what_arrived(house: HousedRelay, turns: Turns) -> None:
    """The server cancels a handler whose client is gone: that is a cut like any other."""
    upload = (await created(house, turns)).upload
    stalled = asyncio.Event()

    async def stall() -> bytes:
        if not stalled.is_set():
            stalled.set()
            return PAYLOAD[:777]
        await asyncio.Event().wait()
        return b""

    writing = asyncio.create_task(write(house.relay, turns, upload.url_hash, incoming(b"", receive=stall)))
    await stalled.wait()
    await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert 777 == (await look(house.relay, turns, upload.url_hash)).offset_bytes
    assert 0 == turns.writing


async def test_a_body_that_pauses_too_long_is_given_up(tmp_path: Path, turns: Turns) -> None:
    """Every read has its own time; what arrived before the pause is kept."""
    async with housed_relay(tmp_path, limits=changed(LIMITS, body_seconds=1)) as house:
        upload = (await created(house, turns)).upload
        first = [PAYLOAD[:777]]

        async def pause() -> bytes:
            if first:
                return first.pop()
            await asyncio.Event().wait()
            return b""

        with pytest.raises(Refusal, match="too_slow"):
            await write(house.relay, turns, upload.url_hash, incoming(b"", receive=pause))
        assert 777 == (await look(house.relay, turns, upload.url_hash)).offset_bytes


async def test_a_newer_request_stops_a_stale_one(house: HousedRelay, turns: Turns) -> None:
    """A phone that changed networks comes back while its old connection still hangs: the new one goes on."""
    upload = (await created(house, turns)).upload
    hanging = asyncio.Event()
    first = [PAYLOAD[:600_000]]

    async def hang() -> bytes:
        if first:
            return first.pop()
        hanging.set()
        await asyncio.Event().wait()
        return b""

    stale = asyncio.create_task(write(house.relay, turns, upload.url_hash, incoming(b"", receive=hang)))
    await hanging.wait()
    offset = (await look(house.relay, turns, upload.url_hash)).offset_bytes
    assert 600_000 == offset
    with pytest.raises(Refusal, match="upload_taken_over"):
        await stale
    await write(house.relay, turns, upload.url_hash, incoming(PAYLOAD[offset:], at=offset))
    assert PAYLOAD == await stored(house)


@pytest.mark.parametrize("steps", range(8))
async def test_newer_requests_may_come_at_any_moment(house: HousedRelay, turns: Turns, steps: int) -> None:
    """A second newcomer may find the stale request stopped but not yet gone: both are answered."""
    upload = (await created(house, turns)).upload
    hanging = asyncio.Event()

    async def hang() -> bytes:
        hanging.set()
        await asyncio.Event().wait()
        return b""

    stale = asyncio.create_task(write(house.relay, turns, upload.url_hash, incoming(b"", receive=hang)))
    await hanging.wait()
    first = asyncio.create_task(look(house.relay, turns, upload.url_hash))
    for _ in range(steps):
        await asyncio.sleep(0)
    second = await look(house.relay, turns, upload.url_hash)
    assert [0, 0] == [(await first).offset_bytes, second.offset_bytes]
    with pytest.raises(Refusal, match="upload_taken_over"):
        await stale


async def test_of_many_requests_at_once_the_newest_wins(house: HousedRelay, turns: Turns) -> None:
    """However many come for one upload, one of them brings the bytes in, the newest, and nothing is mixed."""
    upload = (await created(house, turns)).upload
    attempts = [asyncio.create_task(write(house.relay, turns, upload.url_hash, incoming(PAYLOAD))) for _ in range(10)]
    done = await asyncio.gather(*attempts, return_exceptions=True)
    assert not isinstance(done[-1], BaseException)
    assert {"upload_taken_over"} == {one.code for one in done[:-1] if isinstance(one, Refusal)}
    assert 9 == sum(isinstance(one, Refusal) for one in done)
    assert PAYLOAD == await stored(house)


async def test_whoever_does_not_let_go_locks_the_upload(
    house: HousedRelay, turns: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one request names a huge payload, another is asked to come again."""
    monkeypatch.setattr(turns_module, "TURN_SECONDS", 0.05)
    upload = (await created(house, turns)).upload
    async with turns.take(upload.url_hash):
        with pytest.raises(Refusal, match="upload_locked"):
            await look(house.relay, turns, upload.url_hash)
    assert 0 == (await look(house.relay, turns, upload.url_hash)).offset_bytes
    assert {} == turns._queues


async def test_so_many_requests_bring_bytes_in_at_once(tmp_path: Path, turns: Turns) -> None:
    """Memory is bounded: more are asked to come again."""
    async with housed_relay(tmp_path, limits=changed(LIMITS, uploads_at_once=1)) as house:
        await check_one_at_a_time(house, turns)


async def check_one_at_a_time(house: HousedRelay, turns: Turns) -> None:
    """A second request is refused while the first brings bytes in, and taken afterwards."""
    first, second = (await created(house, turns)).upload, (await created(house, turns)).upload
    held = asyncio.Event()

    async def hold() -> bytes:
        await held.wait()
        return b""

    holding = asyncio.create_task(write(house.relay, turns, first.url_hash, incoming(b"", receive=hold)))
    await asyncio.sleep(0)
    with pytest.raises(Fault, match="busy"):
        await write(house.relay, turns, second.url_hash, incoming(PAYLOAD))
    held.set()
    await holding
    await write(house.relay, turns, second.url_hash, incoming(PAYLOAD))


@pytest.mark.parametrize("name", ["sha1", "sha256"])
async def test_a_checksum_vouches_for_its_request(house: HousedRelay, turns: Turns, name: str) -> None:
    """Bytes that differ from what was announced are dropped as a whole; those that agree are kept."""
    upload = (await created(house, turns)).upload
    right = hashlib.new(name, PAYLOAD).digest()
    wrong = Checksum(hasher=hashlib.new(name), expected=right)
    with pytest.raises(Refusal, match="checksum_differs"):
        await write(house.relay, turns, upload.url_hash, incoming(b"x" + PAYLOAD[1:], checksum=wrong))
    assert 0 == (await look(house.relay, turns, upload.url_hash)).offset_bytes
    await write(
        house.relay,
        turns,
        upload.url_hash,
        incoming(PAYLOAD, checksum=Checksum(hasher=hashlib.new(name), expected=right)),
    )
    assert PAYLOAD == await stored(house)


async def test_a_cut_request_with_a_checksum_leaves_nothing(house: HousedRelay, turns: Turns) -> None:
    """Half a request cannot be vouched for."""
    upload = (await created(house, turns)).upload
    checksum = Checksum(hasher=hashlib.sha256(), expected=bytes(32))
    receive = pieces(PAYLOAD[:1_234_567], then=cut)
    with pytest.raises(Refusal, match="upload_cut"):
        await write(house.relay, turns, upload.url_hash, incoming(b"", receive=receive, checksum=checksum))
    assert 0 == (await look(house.relay, turns, upload.url_hash)).offset_bytes


async def test_a_payload_that_is_not_what_was_announced_is_dropped(house: HousedRelay, turns: Turns) -> None:
    """A declared hash is checked before anything is named by it; the upload is over."""
    upload = (await created(house, turns, p=b64(sha256(b"another")))).upload
    with pytest.raises(Refusal, match="wrong_payload"):
        await write(house.relay, turns, upload.url_hash, incoming(PAYLOAD))
    assert await stored(house) is None
    assert await house.relay.blobs.size_bytes(P) is None
    assert [] == await house.relay.blobs.received_before(2**50)
    with pytest.raises(Refusal, match="upload_unknown"):
        await look(house.relay, turns, upload.url_hash)


async def test_the_same_payload_twice_is_one_row(house: HousedRelay, turns: Turns) -> None:
    """A client that lost its journal uploads again: recognised by its hash, inside its case."""
    for _ in range(2):
        upload = (await created(house, turns, p=P)).upload
        await write(house.relay, turns, upload.url_hash, incoming(PAYLOAD))
    assert PAYLOAD == await stored(house)
    reserved = await house.relay.reader.run(
        lambda store: store.uploads.reserved_bytes(house.case, now_ms=house.clock())
    )
    assert len(PAYLOAD) == reserved


async def test_a_finished_upload_says_so_until_its_day_is_over(house: HousedRelay, turns: Turns) -> None:
    """A client that missed the last answer asks, or sends the last request again, and learns that all is in."""
    upload = (await created(house, turns)).upload
    await write(house.relay, turns, upload.url_hash, incoming(PAYLOAD))
    assert len(PAYLOAD) == (await look(house.relay, turns, upload.url_hash)).offset_bytes
    again = await write(house.relay, turns, upload.url_hash, incoming(b"", at=len(PAYLOAD)))
    assert len(PAYLOAD) == again.offset_bytes
    with pytest.raises(Refusal, match="wrong_offset"):
        await write(house.relay, turns, upload.url_hash, incoming(PAYLOAD[9:], at=9))
    with pytest.raises(Refusal, match="upload_overflow"):
        await write(house.relay, turns, upload.url_hash, incoming(b"x", at=len(PAYLOAD), announced=1))


async def test_an_upload_ends_after_a_day(house: HousedRelay, turns: Turns) -> None:
    """What is not in by then is started again."""
    upload = (await created(house, turns)).upload
    house.clock.now_ms = upload.expires_ms
    for attempt in (
        look(house.relay, turns, upload.url_hash),
        write(house.relay, turns, upload.url_hash, incoming(PAYLOAD)),
    ):
        with pytest.raises(Refusal, match="upload_expired"):
            await attempt


async def test_revoking_a_device_ends_its_uploads(house: HousedRelay, turns: Turns) -> None:
    """Also in the middle of a request: what a revoked device began never comes in."""
    owner = house.parties["owner"]
    owner.take(owner.device_add("phone", admin=True))
    house.running.tell(owner)
    added = owner.chain[-1]
    await house.relay.writer.run(
        lambda store: store.parties.extend(owner.state, added, boxes={}, time_ms=house.clock())
    )
    upload = (
        await create(
            house.relay,
            turns,
            house.asker("owner", "phone"),
            case=house.case,
            size_bytes=len(PAYLOAD),
            declared_p=None,
        )
    ).upload
    await write(house.relay, turns, upload.url_hash, incoming(PAYLOAD[:1_000]))
    revoked = owner.take(owner.rotate("phone"))
    finished = asyncio.Event()

    async def revoke_in_the_middle() -> bytes:
        if finished.is_set():
            return b""
        finished.set()
        await house.relay.writer.run(
            lambda store: store.parties.extend(owner.state, revoked, boxes={}, time_ms=house.clock())
        )
        return PAYLOAD[1_000:]

    with pytest.raises(Refusal, match="upload_ended"):
        await write(house.relay, turns, upload.url_hash, incoming(b"", at=1_000, receive=revoke_in_the_middle))
    assert await stored(house) is None
    with pytest.raises(Refusal, match="upload_ended"):
        await look(house.relay, turns, upload.url_hash)


async def test_terminating_forgets_what_came_in(house: HousedRelay, turns: Turns) -> None:
    """A photo that the owner took back leaves nothing; one that is in stays with its case."""
    upload = (await created(house, turns)).upload
    await write(house.relay, turns, upload.url_hash, incoming(PAYLOAD[:1_000]))
    await terminate(house.relay, turns, upload.url_hash)
    assert [] == await house.relay.blobs.received_before(2**50)
    with pytest.raises(Refusal, match="upload_unknown"):
        await terminate(house.relay, turns, upload.url_hash)
    upload = (await created(house, turns)).upload
    await write(house.relay, turns, upload.url_hash, incoming(PAYLOAD))
    await terminate(house.relay, turns, upload.url_hash)
    assert PAYLOAD == await stored(house)


async def test_a_disk_that_fills_up_loses_nothing_acknowledged(
    house: HousedRelay, turns: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request fails as one that passes; what was acknowledged stays, and the upload goes on when there is room."""
    upload = (await created(house, turns)).upload
    await write(house.relay, turns, upload.url_hash, incoming(PAYLOAD[:600_000]))
    really, room = os.pwritev, [600_000]

    def fills_up(file: int, buffers: list[bytes], at: int) -> int:
        room[0] -= sum(map(len, buffers))
        if room[0] < 0:
            raise OSError(errno.ENOSPC, "planted")
        return really(file, buffers, at)

    with monkeypatch.context() as planted:
        planted.setattr(os, "pwritev", fills_up)
        with pytest.raises(Fault, match="storage_full"):
            await write(house.relay, turns, upload.url_hash, incoming(PAYLOAD[600_000:], at=600_000))
    offset = (await look(house.relay, turns, upload.url_hash)).offset_bytes
    assert 600_000 <= offset < len(PAYLOAD)
    await write(house.relay, turns, upload.url_hash, incoming(PAYLOAD[offset:], at=offset))
    assert PAYLOAD == await stored(house)


async def test_the_case_stays_open_to_its_intake_after_closing(house: HousedRelay, turns: Turns) -> None:
    """A verdict may come after `close`, and brings its normalized copies."""
    house.running.close(house.parties["care"])
    await house.catch_up()
    await create(house.relay, turns, house.asker("intake"), case=house.case, size_bytes=1, declared_p=None)
