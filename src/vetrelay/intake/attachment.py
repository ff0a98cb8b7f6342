"""One attachment on its way into the jail: fetched sealed, checked whole, opened piece by piece, never onto a disk.

What must hold before a byte is opened, and before what was opened is handed on:

(1) The file is named by the slip of the envelope that carries it (`open_slip` has checked that).
(2) The slip's file key passes the MAC of the header that the author signed: the commitment.
(3) SHA-256 of the whole payload is the `p` of the author's envelope.
(4) Every chunk opens, to the final one; the plaintext's hash is the slip's.
"""

import contextlib
import hashlib
import tempfile
from collections.abc import AsyncIterator
from typing import BinaryIO, Final

from vetrelay.client.end import End
from vetrelay.client.transfer import PIECE_BYTES
from vetrelay.errors import Fault, Refusal
from vetrelay.intake.sealed_source import SealedSource
from vetrelay.protocol.envelope import ObjectRef
from vetrelay.protocol.ids import Hash, b64, unb64
from vetrelay.protocol.manifest import SlipFile
from vetrelay.protocol.unseal import PayloadOpener, check_file_key

BROKEN: Final = frozenset(
    {"commitment", "payload_differs", "cannot_open", "plaintext_differs", "blob_missing", "object_gone"}
)
"""Codes that say something of one file alone: it is refused with this reason, and the others go on."""


async def check_key(end: End, file: SlipFile) -> None:
    """(2) Raises Refusal `commitment` for a slip whose key is not the one its author used."""
    kept = end.journal.object_of(file.h0)
    header = kept[0] if kept else await end.api.original_header(file.h0)
    check_file_key(unb64(file.key, 16), original_header=header, h0=unb64(file.h0, 32))


@contextlib.asynccontextmanager
async def fetched(end: End, ref: ObjectRef) -> AsyncIterator[BinaryIO]:
    """The sealed payload in a nameless file of the spool, gone when it is left. Its size is right, its content unchecked.

    Raises Fault when the relay cannot be reached or the payload was cut, Refusal `payload_differs` when it is too long,
    or what the relay refuses.
    """
    # Sealed as it is, it may stand on a disk; a study is larger than memory should be. A kill leaves nothing behind.
    with tempfile.TemporaryFile(dir=end.journal.spool) as payload:
        async with end.api.open("GET", f"/v1/objects/{ref.h0}?part=payload", answer_seconds=None) as answer:
            size_bytes = 0
            async for untrusted_piece in answer.content.iter_chunked(PIECE_BYTES):
                size_bytes += payload.write(untrusted_piece)
                if size_bytes > ref.size:
                    raise Refusal("payload_differs")
        if size_bytes < ref.size:
            raise Fault("unreachable")
        payload.flush()
        yield payload


def open_payload(payload: BinaryIO, *, p: Hash, key: bytes, plain_sha256: Hash) -> SealedSource:
    """(3) and (4): the plaintext, to be read at any place; the payload stays the caller's, sealed as it is.

    Raises Refusal `payload_differs`, `cannot_open`, `plaintext_differs`.
    """
    payload_hash, plain_hash = hashlib.sha256(), hashlib.sha256()
    opener = PayloadOpener(key)
    payload.seek(0)
    # The hash of all of it first: what is not the author's payload is not opened at all.
    while piece := payload.read(PIECE_BYTES):
        payload_hash.update(piece)
    _check_hash(payload_hash.digest(), p, code="payload_differs")
    payload.seek(0)
    while piece := payload.read(PIECE_BYTES):
        for chunk in opener.update(piece):
            plain_hash.update(chunk)
    for chunk in opener.finish():
        plain_hash.update(chunk)
    _check_hash(plain_hash.digest(), plain_sha256, code="plaintext_differs")
    return SealedSource(payload, key)


def _check_hash(digest: bytes, wanted: Hash, *, code: str) -> None:
    if b64(digest) != wanted:
        raise Refusal(code)
