"""Payloads on their way: sealed into a spool file, uploaded resumably (tus 1.0), downloaded and checked; constant memory."""

import asyncio
import base64
import hashlib
import os
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from vetrelay.client.api import PASSING
from vetrelay.client.end import End
from vetrelay.client.progress import Step
from vetrelay.client.promises import PayloadRow
from vetrelay.errors import Fault, Refusal
from vetrelay.protocol.age.stream import StreamSealer, sealed_size
from vetrelay.protocol.ids import Hash, b64
from vetrelay.protocol.unseal import PayloadOpener

PIECE_BYTES: Final = 1024 * 1024
TUS: Final = {"Tus-Resumable": "1.0.0"}
TRIES: Final = 8
GO_ON_AGAIN: Final = PASSING | {
    "upload_cut",
    "upload_locked",
    "upload_taken_over",
    "upload_unknown",
    "upload_expired",
    "upload_ended",
    "wrong_offset",
    "wrong_payload",
}
"""Refusals after which the upload is asked how far it is, and goes on from there or starts again."""


@dataclass(frozen=True, kw_only=True)
class SealedFile:
    """A file sealed into the spool: its payload's hash and size, its plaintext's hash and size, its key."""

    spool: Path
    p: Hash
    size_bytes: int
    key: bytes = field(repr=False)
    plain_sha256: Hash
    plain_bytes: int


def seal_file(end: End, source: Path, *, label: str) -> SealedFile:
    """Seals a file into the spool. Raises Refusal `file_unreadable`; a half-made spool file is removed."""
    try:
        with source.open("rb") as file, end.progress(f"sealing {label}", source.stat().st_size) as step:
            return _seal_pieces(end, iter(lambda: file.read(PIECE_BYTES), b""), step)
    except OSError as wrong:
        raise Refusal("file_unreadable") from wrong


def seal_content(end: End, content: bytes) -> SealedFile:
    """Seals what is held in memory into the spool. Raises OSError; a half-made spool file is removed."""
    view = memoryview(content)
    pieces = (view[at : at + PIECE_BYTES] for at in range(0, len(view), PIECE_BYTES))
    return _seal_pieces(end, pieces, lambda _done_bytes: None)


def _seal_pieces(end: End, pieces: Iterable[bytes | memoryview], step: Step) -> SealedFile:
    key, nonce = end.random_bytes(16), end.random_bytes(16)
    spool = end.journal.spool / f"{end.random_bytes(16).hex()}.payload"
    plain_hash, payload_hash = hashlib.sha256(), hashlib.sha256()
    plain_bytes = size_bytes = 0
    sealer = StreamSealer(key, nonce)
    try:
        with spool.open("xb") as out:
            for piece in pieces:
                plain_hash.update(piece)
                plain_bytes += len(piece)
                for sealed in sealer.update(piece):
                    payload_hash.update(sealed)
                    size_bytes += out.write(sealed)
                step(len(piece))
            for sealed in sealer.finish():
                payload_hash.update(sealed)
                size_bytes += out.write(sealed)
            out.flush()
            os.fsync(out.fileno())
    except BaseException:
        spool.unlink(missing_ok=True)
        raise
    assert size_bytes == sealed_size(plain_bytes)
    return SealedFile(
        spool=spool,
        p=b64(payload_hash.digest()),
        size_bytes=size_bytes,
        key=key,
        plain_sha256=b64(plain_hash.digest()),
        plain_bytes=plain_bytes,
    )


async def upload(end: End, row: PayloadRow, *, label: str) -> None:
    """Brings one spooled payload to the relay, going on where the last attempt stopped.

    Raises Fault `unreachable` after several tries (nothing is lost; the next verb goes on), or what the relay refuses.
    """
    with end.progress(f"sending {label}", row.size_bytes) as step:
        told = 0
        for attempt in range(TRIES):
            try:
                row, offset = await _position(end, row)
                step(max(0, offset - told))
                told = max(told, offset)
                if offset < row.size_bytes:
                    await _patch(end, row, offset)
                    step(row.size_bytes - told)
            except (Fault, Refusal) as stopped:
                if attempt == TRIES - 1 or (isinstance(stopped, Refusal) and stopped.code not in GO_ON_AGAIN):
                    raise
                await asyncio.sleep(min(30.0, 0.2 * 2**attempt))
                continue
            end.journal.save_upload(row.p, url=row.url, done=True)
            return


async def _position(end: End, row: PayloadRow) -> tuple[PayloadRow, int]:
    """The upload's URL (made when there is none, or the old one is gone) and how far the relay has it."""
    if row.url is not None:
        try:
            async with end.api.open("HEAD", row.url, headers=TUS, bearer=False) as answer:
                return row, int(answer.headers["Upload-Offset"])
        except Refusal:  # expired or ended: begin again
            row = replace(row, url=None)
    metadata = ",".join(
        f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in (("case", row.case), ("p", row.p))
    )
    headers = {**TUS, "Upload-Length": str(row.size_bytes), "Upload-Metadata": metadata}
    async with end.api.open("POST", "/v1/uploads", headers=headers) as answer:
        location = answer.headers["Location"]
    url = "/" + location.split("/", 3)[3] if "://" in location else location
    end.journal.save_upload(row.p, url=url, done=False)
    return replace(row, url=url), 0


async def _patch(end: End, row: PayloadRow, offset: int) -> None:
    headers = {
        **TUS,
        "Upload-Offset": str(offset),
        "Content-Type": "application/offset+octet-stream",
        "Content-Length": str(row.size_bytes - offset),
    }

    async def pieces() -> AsyncIterator[bytes]:
        with row.spool.open("rb") as file:
            file.seek(offset)
            while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
                yield piece

    assert row.url is not None
    async with end.api.open(
        "PATCH", row.url, body=pieces(), headers=headers, bearer=False, answer_seconds=None
    ) as answer:
        if int(answer.headers["Upload-Offset"]) != row.size_bytes:
            raise Fault("unreachable")


async def download(end: End, h0: Hash, p: Hash, *, size_bytes: int, target: Path, label: str, unsafe: bool) -> None:
    """Fetches a payload into `target`, going on where a part already is; it is complete only when its hash is `p`.

    Raises Fault `unreachable`, Refusal `payload_differs` (N13) and then removes what came, or what the relay refuses.
    """
    partial = target.with_name(target.name + ".part")
    wish = "&unsafe=original" if unsafe else ""
    with end.progress(f"fetching {label}", size_bytes) as step:
        have = partial.stat().st_size if partial.exists() else 0
        step(have)
        if have < size_bytes:
            headers = {"Range": f"bytes={have}-"} if have else {}
            async with end.api.open(
                "GET", f"/v1/objects/{h0}?part=payload{wish}", headers=headers, answer_seconds=None
            ) as answer:
                resumed = answer.status == 206
                with partial.open("ab" if resumed else "wb") as out:
                    async for piece in answer.content.iter_chunked(PIECE_BYTES):
                        await asyncio.to_thread(out.write, piece)
                        step(len(piece))
                        if out.tell() > size_bytes:
                            break
    digest = await asyncio.to_thread(_hash_file, partial)
    if digest != p:
        size_now = partial.stat().st_size
        if size_now >= size_bytes:
            partial.unlink()
            raise Refusal("payload_differs")
        raise Fault("unreachable")
    partial.replace(target)


def _hash_file(path: Path) -> Hash:
    with path.open("rb") as file:
        return b64(hashlib.file_digest(file, "sha256").digest())


def open_file(payload: Path, target: Path, key: bytes, *, plain_sha256: Hash) -> None:
    """Opens a payload, already checked as a whole, into `target`, which must not exist yet.

    Raises Refusal `cannot_open` or `binding_differs` (the plaintext is not what its sender signed); nothing is left.
    """
    opener, digest = PayloadOpener(key), hashlib.sha256()
    partial = target.with_name(target.name + ".opening")
    try:
        with payload.open("rb") as file, partial.open("wb") as out:
            while piece := file.read(PIECE_BYTES):
                for plain in opener.update(piece):
                    digest.update(plain)
                    out.write(plain)
            for plain in opener.finish():
                digest.update(plain)
                out.write(plain)
        if b64(digest.digest()) != plain_sha256:
            raise Refusal("binding_differs")
        target.hardlink_to(partial)  # fails rather than overwrites
    finally:
        partial.unlink(missing_ok=True)
