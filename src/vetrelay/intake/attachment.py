"""One attachment on its way into the jail: fetched sealed, checked whole, opened into memory, never onto a disk.

What must hold before a byte is opened, and before what was opened is handed on:

(1) The file is named by the slip of the envelope that carries it (`open_slip` has checked that).
(2) The slip's file key passes the MAC of the header that the author signed: the commitment.
(3) SHA-256 of the whole payload is the `p` of the author's envelope.
(4) Every chunk opens, to the final one; the plaintext's hash is the slip's.
"""

import hashlib
import os
from typing import Final

from vetrelay.client.end import End
from vetrelay.client.transfer import PIECE_BYTES
from vetrelay.errors import Fault, Refusal
from vetrelay.inspection.handover import memory, seal
from vetrelay.protocol.age.stream import CHUNK_BYTES, NONCE_BYTES, TAG_BYTES
from vetrelay.protocol.envelope import ObjectRef
from vetrelay.protocol.ids import Hash, b64, unb64
from vetrelay.protocol.manifest import SlipFile
from vetrelay.protocol.unseal import PayloadOpener, check_file_key

BROKEN: Final = frozenset(
    {"commitment", "payload_differs", "cannot_open", "plaintext_differs", "blob_missing", "object_gone"}
)
"""Codes that say something of one file alone: it is refused with this reason, and the others go on."""


def plain_size(sealed_bytes: int) -> int:
    """How long the plaintext of a payload of this size is, before any of it has been seen."""
    chunks = max(1, -(-(sealed_bytes - NONCE_BYTES) // (CHUNK_BYTES + TAG_BYTES)))
    return max(0, sealed_bytes - NONCE_BYTES - chunks * TAG_BYTES)


async def check_key(end: End, file: SlipFile) -> None:
    """(2) Raises Refusal `commitment` for a slip whose key is not the one its author used."""
    kept = end.journal.object_of(file.h0)
    header = kept[0] if kept else await end.api.original_header(file.h0)
    check_file_key(unb64(file.key, 16), original_header=header, h0=unb64(file.h0, 32))


async def fetch_payload(end: End, ref: ObjectRef) -> list[bytes]:
    """The sealed payload, in pieces, as the relay has it. Its size is right, its content not checked yet.

    Raises Fault when the relay cannot be reached or the payload was cut, Refusal `payload_differs` when it is too long,
    or what the relay refuses.
    """
    untrusted_pieces: list[bytes] = []
    size_bytes = 0
    async with end.api.open("GET", f"/v1/objects/{ref.h0}?part=payload", answer_seconds=None) as answer:
        async for piece in answer.content.iter_chunked(PIECE_BYTES):
            size_bytes += len(piece)
            if size_bytes > ref.size:
                raise Refusal("payload_differs")
            untrusted_pieces.append(piece)
    if size_bytes < ref.size:
        raise Fault("unreachable")
    return untrusted_pieces


def open_payload(untrusted_pieces: list[bytes], *, p: Hash, key: bytes, plain_sha256: Hash) -> int:
    """(3) and (4): the plaintext in a sealed memory file, whose descriptor is the caller's to close.

    Raises Refusal `payload_differs`, `cannot_open`, `plaintext_differs`; OSError where there is no memory for it.
    """
    payload_hash = hashlib.sha256()
    for piece in untrusted_pieces:
        payload_hash.update(piece)
    _check_hash(payload_hash.digest(), p, code="payload_differs")
    opener, plain_hash = PayloadOpener(key), hashlib.sha256()
    descriptor = memory()
    try:
        for piece in untrusted_pieces:
            for chunk in opener.update(piece):
                plain_hash.update(chunk)
                _write_all(descriptor, chunk)
        for chunk in opener.finish():
            plain_hash.update(chunk)
            _write_all(descriptor, chunk)
        _check_hash(plain_hash.digest(), plain_sha256, code="plaintext_differs")
        return seal(descriptor)
    except BaseException:
        os.close(descriptor)
        raise


def _check_hash(digest: bytes, wanted: Hash, *, code: str) -> None:
    if b64(digest) != wanted:
        raise Refusal(code)


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
