"""Transfer: sealed once, brought to the relay however often the way is cut, in constant memory."""

import asyncio
import base64
import tracemalloc
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.client.conftest import Room
from tests.cutting_proxy import cutting_proxy
from tests.hostile.dishonest import liar_before
from vetrelay.client import transfer
from vetrelay.client.end import End
from vetrelay.client.promises import PayloadRow
from vetrelay.client.transfer import SealedFile, seal_content, seal_file, upload
from vetrelay.errors import Refusal
from vetrelay.protocol.age.stream import sealed_size
from vetrelay.protocol.ids import b64, sha256, unb64
from vetrelay.protocol.unseal import open_bytes

MiB = 1024 * 1024


def promised(end: End, case: str, file: SealedFile) -> PayloadRow:
    """A payload that some promise waits for."""
    identifier = end.journal.put_outgoing(
        "send:x", case=case, method="PUT", path="/x", body=b"", draft=None, created_ms=1
    )
    row = PayloadRow(
        p=file.p, outbox_id=identifier, case=case, size_bytes=file.size_bytes, spool=file.spool, url=None, done=False
    )
    end.journal.put_payloads([row])
    return row


def at_relay(room: Room, p: str) -> bytes | None:
    """The payload as it lies at the relay."""
    found = [path for path in (room.town.folder / "relay").rglob("*") if path.is_file() and path.name == raw_name(p)]
    return found[0].read_bytes() if found else None


def raw_name(p: str) -> str:
    """A blob's file name."""
    return unb64(p).hex()


async def test_a_file_is_sealed_as_the_protocol_says(room: Room, tmp_path: Path) -> None:
    """Hash and size of both sides, and a payload that opens with the key."""
    plain = bytes(range(256)) * 1000
    (tmp_path / "a").write_bytes(plain)
    made = seal_file(room.owner, tmp_path / "a", label="a")
    payload = made.spool.read_bytes()
    assert (b64(sha256(payload)), len(payload)) == (made.p, made.size_bytes)
    assert (b64(sha256(plain)), len(plain)) == (made.plain_sha256, made.plain_bytes)
    assert plain == open_bytes(made.key, payload)
    assert b64(made.key) not in repr(made)


@pytest.mark.parametrize("size_bytes", [0, 1, 65536, 65537, 3 * MiB])
async def test_any_size_arrives_whole(room: Room, size_bytes: int) -> None:
    """Also an empty one, and one that fills its chunks exactly."""
    made = seal_content(room.owner, b"x" * size_bytes)
    assert sealed_size(size_bytes) == made.size_bytes
    row = promised(room.owner, room.case, made)
    await upload(room.owner, row, label="a")
    assert made.spool.read_bytes() == at_relay(room, made.p)
    assert [True] == [kept.done for kept in room.owner.journal.payloads(row.outbox_id)]


async def test_an_upload_that_is_cut_goes_on_where_it_was(room: Room) -> None:
    """Four cuts in the middle; what had arrived is not sent again."""
    made = seal_content(room.owner, bytes(range(256)) * 4096 * 4)
    cuts = [made.size_bytes // 5] * 4
    async with cutting_proxy(room.town.url, *cuts) as proxy:
        owner = await room.town.again(room.owner, url=proxy.url)
        row = promised(owner, room.case, made)
        await upload(owner, row, label="a")
        assert 4 == proxy.cut
    assert made.spool.read_bytes() == at_relay(room, made.p)


async def test_an_upload_goes_on_in_another_process(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its URL is in the journal: the next command asks how far it is."""
    monkeypatch.setattr(transfer, "TRIES", 1)
    made = seal_content(room.owner, bytes(range(256)) * 4096 * 4)
    async with cutting_proxy(room.town.url, made.size_bytes // 2) as proxy:
        owner = await room.town.again(room.owner, url=proxy.url)
        row = promised(owner, room.case, made)
        with pytest.raises(Exception, match="unreachable"):
            await upload(owner, row, label="a")
    (kept,) = room.owner.journal.payloads(row.outbox_id)
    assert kept.url is not None
    offset = 0
    while not offset:  # the relay is still finding out that the other side is gone
        await asyncio.sleep(0.05)
        async with room.owner.api.open("HEAD", kept.url, headers=transfer.TUS, bearer=False) as answer:
            offset = int(answer.headers["Upload-Offset"])
    assert offset < made.size_bytes
    await upload(room.owner, kept, label="a")
    assert made.spool.read_bytes() == at_relay(room, made.p)


async def test_an_upload_that_the_relay_has_forgotten_begins_again(room: Room) -> None:
    """Its URL leads nowhere: another one is asked for."""
    made = seal_content(room.owner, b"x" * 1000)
    row = promised(room.owner, room.case, made)
    room.owner.journal.save_upload(row.p, url="/v1/uploads/" + "A" * 27, done=False)
    (kept,) = room.owner.journal.payloads(row.outbox_id)
    await upload(room.owner, kept, label="a")
    assert made.spool.read_bytes() == at_relay(room, made.p)


async def test_progress_is_told_once_for_each_byte(room: Room) -> None:
    """Also when the way is cut: the bar never runs over."""
    made = seal_content(room.owner, b"x" * 3 * MiB)
    told: list[int] = []
    async with cutting_proxy(room.town.url, made.size_bytes // 2) as proxy:
        owner = replace(
            await room.town.again(room.owner, url=proxy.url),
            progress=lambda _label, _total_bytes: nullcontext(told.append),
        )
        await upload(owner, promised(owner, room.case, made), label="a")
    assert made.size_bytes == sum(told)
    assert all(step > 0 for step in told)


async def test_a_sealed_file_that_is_gone_is_told(room: Room) -> None:
    """It is nobody's network: trying again would not bring it back."""
    made = seal_content(room.owner, b"x")
    made.spool.unlink()
    with pytest.raises(Refusal) as refused:
        await upload(room.owner, promised(room.owner, room.case, made), label="a")
    assert "spool_lost" == refused.value.code


async def test_sealing_and_sending_hold_a_few_pieces_only(room: Room, tmp_path: Path) -> None:
    """64 MiB go through less than 16 MiB of Python's memory."""
    source = tmp_path / "large"
    with source.open("wb") as out:
        out.truncate(64 * MiB)
    tracemalloc.start()
    made = seal_file(room.owner, source, label="large")
    row = promised(room.owner, room.case, made)
    await upload(room.owner, row, label="large")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 16 * MiB


async def test_a_relay_that_is_busy_makes_no_upload_begin_again(room: Room) -> None:
    """Only an upload that is gone is made anew; a HEAD that is answered with "later" is asked again."""
    made = seal_content(room.owner, bytes(range(256)) * 4096)
    async with liar_before(room.town.url, room.town.folder / "relay", now_ms=room.town.clock) as witness:
        owner = await room.town.again(room.owner, url=witness.url)
        row = promised(owner, room.case, made)
        async with owner.api.open("POST", "/v1/uploads", headers=creation(row)) as answer:
            owner.journal.save_upload(row.p, url=urlsplit(answer.headers["Location"]).path, done=False)
        witness.busy = 3
        (kept,) = owner.journal.payloads(row.outbox_id)
        await upload(owner, kept, label="a")
    assert 1 == sum(line == "POST /v1/uploads" for line in witness.asked)
    assert made.spool.read_bytes() == at_relay(room, made.p)


def creation(row: PayloadRow) -> dict[str, str]:
    """The headers that make an upload."""
    metadata = base64.b64encode(row.case.encode()).decode()
    return {**transfer.TUS, "Upload-Length": str(row.size_bytes), "Upload-Metadata": f"case {metadata}"}
