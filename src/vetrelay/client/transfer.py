"""Payloads on their way out: sealed into a spool file, uploaded resumably (tus 1.0); constant memory."""

import asyncio
import base64
import hashlib
import os
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import urlsplit

import aiohttp

from vetrelay.client.api import PASSING
from vetrelay.client.end import End
from vetrelay.client.progress import Step
from vetrelay.client.promises import PayloadRow
from vetrelay.errors import Fault, Refusal
from vetrelay.protocol.age.stream import StreamSealer, sealed_size
from vetrelay.protocol.ids import Hash, b64

PIECE_BYTES: Final = 1024 * 1024
TUS: Final = {"Tus-Resumable": "1.0.0"}
TRIES: Final = 8
GONE: Final = frozenset({404, 410})
LONGEST_PAUSE_SECONDS: Final = 10.0
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
            return seal_pieces(end, iter(lambda: file.read(PIECE_BYTES), b""), step)
    except OSError as wrong:
        raise Refusal("file_unreadable") from wrong


def seal_content(end: End, content: bytes) -> SealedFile:
    """Seals what is held in memory into the spool. Raises OSError; a half-made spool file is removed."""
    view = memoryview(content)
    pieces = (view[at : at + PIECE_BYTES] for at in range(0, len(view), PIECE_BYTES))
    return seal_pieces(end, pieces, lambda _done_bytes: None)


def seal_pieces(end: End, pieces: Iterable[bytes | memoryview], step: Step) -> SealedFile:
    """Seals pieces as they come into the spool. Raises OSError and what `pieces` does; a half-made file is removed."""
    sealing = Sealing(end)
    try:
        for piece in pieces:
            sealing.write(piece)
            step(len(piece))
        return sealing.finish()
    finally:
        sealing.discard()


class Sealing:
    """A spool file that is sealed while it is written; it is not there before the first piece comes.

    `finish` gives it, once; `discard` removes what was not finished, and may always be called. All raise OSError.
    """

    def __init__(self, end: End) -> None:
        self._end = end
        self._key, nonce = end.random_bytes(16), end.random_bytes(16)
        self._spool = end.journal.spool / f"{end.random_bytes(16).hex()}.payload"
        self._plain_hash, self._payload_hash = hashlib.sha256(), hashlib.sha256()
        self._plain_bytes = self._size_bytes = 0
        self._sealer = StreamSealer(self._key, nonce)
        self._out: BinaryIO | None = None

    def write(self, piece: bytes | memoryview) -> None:
        """The next bytes."""
        self._plain_hash.update(piece)
        self._plain_bytes += len(piece)
        self._write(self._sealer.update(piece))

    def _write(self, sealed_chunks: Iterable[bytes]) -> None:
        if self._out is None:
            self._out = self._spool.open("xb")
        for sealed in sealed_chunks:
            self._payload_hash.update(sealed)
            self._size_bytes += self._out.write(sealed)

    def finish(self) -> SealedFile:
        """The sealed file, safe on the disk."""
        self._write(self._sealer.finish())
        assert self._out is not None
        with self._out as out:
            out.flush()
            os.fsync(out.fileno())
        self._out = None
        assert self._size_bytes == sealed_size(self._plain_bytes)
        return SealedFile(
            spool=self._spool,
            p=b64(self._payload_hash.digest()),
            size_bytes=self._size_bytes,
            key=self._key,
            plain_sha256=b64(self._plain_hash.digest()),
            plain_bytes=self._plain_bytes,
        )

    def discard(self) -> None:
        """Removes what is not finished."""
        if self._out is not None:
            self._out.close()
            self._out = None
            self._spool.unlink(missing_ok=True)


async def upload(end: End, row: PayloadRow, *, label: str) -> None:
    """Brings one spooled payload to the relay, going on where the last attempt stopped.

    Raises Fault `unreachable` after several tries that got no further (nothing is lost; the next verb goes on), Refusal
    `spool_lost` when the sealed file is gone, or what the relay refuses.
    """
    if not row.spool.is_file():
        raise Refusal("spool_lost")
    with end.progress(f"sending {label}", row.size_bytes) as step:
        furthest = _Furthest(step)
        arrived = failures = 0
        while True:
            try:
                row, offset = await _position(end, row)
                furthest.reach(offset)
                if offset > arrived:
                    arrived, failures = offset, 0
                if offset < row.size_bytes:
                    await _patch(end, row, offset, furthest)
            except (Fault, Refusal) as stopped:
                failures += 1
                if failures == TRIES or (isinstance(stopped, Refusal) and stopped.code not in GO_ON_AGAIN):
                    raise
                await asyncio.sleep(min(LONGEST_PAUSE_SECONDS, 0.1 * 2**failures))
                continue
            end.journal.save_upload(row.p, url=row.url, done=True)
            return


class _Furthest:
    """Progress that never goes back: what is sent again after a cut is not told again."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self.done_bytes = 0

    def reach(self, done_bytes: int) -> None:
        """So many bytes are on the other side, or on their way."""
        if done_bytes > self.done_bytes:
            self._step(done_bytes - self.done_bytes)
            self.done_bytes = done_bytes


async def _position(end: End, row: PayloadRow) -> tuple[PayloadRow, int]:
    """The upload's URL (made when there is none, or the old one is gone) and how far the relay has it."""
    if row.url is not None:
        try:
            async with end.api.open("HEAD", row.url, headers=TUS, bearer=False) as answer:
                return row, _offset_of(answer, row.size_bytes)
        except Refusal as refused:
            if refused.facts.get("status") not in GONE:  # a HEAD's answer has no body, and so no code
                raise
            row = replace(row, url=None)  # expired or ended: begin again
    metadata = ",".join(
        f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in (("case", row.case), ("p", row.p))
    )
    headers = {**TUS, "Upload-Length": str(row.size_bytes), "Upload-Metadata": metadata}
    async with end.api.open("POST", "/v1/uploads", headers=headers) as answer:
        url = _path_of(answer.headers.get("Location", ""))
    end.journal.save_upload(row.p, url=url, done=False)
    return replace(row, url=url), 0


def _offset_of(answer: aiohttp.ClientResponse, size_bytes: int) -> int:
    untrusted_offset = answer.headers.get("Upload-Offset", "")
    if not (untrusted_offset.isascii() and untrusted_offset.isdecimal() and int(untrusted_offset) <= size_bytes):
        raise Fault("relay_unreadable")
    return int(untrusted_offset)


def _path_of(untrusted_location: str) -> str:
    """The path of an upload; whatever host a proxy wrote before it, ours is asked."""
    path = urlsplit(untrusted_location).path
    if not path.startswith("/v1/uploads/"):
        raise Fault("relay_unreadable")
    return path


async def _patch(end: End, row: PayloadRow, offset: int, furthest: _Furthest) -> None:
    headers = {
        **TUS,
        "Upload-Offset": str(offset),
        "Content-Type": "application/offset+octet-stream",
        "Content-Length": str(row.size_bytes - offset),
    }

    async def pieces(file: BinaryIO) -> AsyncIterator[bytes]:
        while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
            yield piece
            furthest.reach(min(file.tell(), row.size_bytes))

    assert row.url is not None
    # The file is closed here: of a request that is cut, the generator is left to itself.
    with row.spool.open("rb") as file:
        file.seek(offset)
        async with end.api.open(
            "PATCH", row.url, body=pieces(file), headers=headers, bearer=False, answer_seconds=None
        ) as answer:
            if _offset_of(answer, row.size_bytes) != row.size_bytes:
                raise Fault("unreachable")
