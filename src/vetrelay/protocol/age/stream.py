"""The sealed part of an age file: STREAM over ChaCha20-Poly1305 in 64 KiB chunks.

Payload = 16 nonce bytes ‖ chunks. Each chunk is sealed under a nonce of an 11 byte
counter and a final flag, so a chunk that was cut, dropped, swapped or doubled does
not open (C2SP age.md, "Payload"). *Pieces* are what a caller happens to hold, of any
size; *chunks* are age's. Both directions are objects that are fed pieces, for files
and sockets alike, and hold at most one chunk; `seal_stream` and `open_stream` are
the same as generators.

`cryptography`'s AEAD is used because it is three times as fast as libsodium's here.
"""

from collections.abc import Iterable, Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from vetrelay.errors import Refusal

CHUNK_BYTES = 64 * 1024
TAG_BYTES = 16
NONCE_BYTES = 16
SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES

_MORE = b"\x00"
_FINAL = b"\x01"
_PIECE_BYTES = 1024 * 1024  # larger pieces are worked through in parts, so that memory stays constant

Buffer = bytes | bytearray | memoryview


def sealed_size(plain_bytes: int) -> int:
    """Bytes of the payload (nonce and tags included) that seals `plain_bytes` bytes."""
    chunks = max(1, -(-plain_bytes // CHUNK_BYTES))
    return NONCE_BYTES + plain_bytes + chunks * TAG_BYTES


def _aead(file_key: bytes, nonce16: bytes) -> ChaCha20Poly1305:
    payload_key = HKDF(algorithm=SHA256(), length=32, salt=nonce16, info=b"payload").derive(file_key)
    return ChaCha20Poly1305(payload_key)


class StreamSealer:
    """Seals what it is fed. Call `update` any number of times, then `finish` once.

    `file_key` and `nonce16` are 16 random bytes each, for this object alone.
    """

    __slots__ = ("_aead", "_counter", "_finished", "_held", "_unsent_nonce")

    def __init__(self, file_key: bytes, nonce16: bytes) -> None:
        if len(nonce16) != NONCE_BYTES:
            raise ValueError("an age payload nonce has 16 bytes")
        self._aead = _aead(file_key, nonce16)
        self._unsent_nonce = nonce16
        self._counter = 0
        self._held = bytearray()
        self._finished = False

    def _seal(self, plain: Buffer, flag: bytes) -> bytes:
        nonce = self._counter.to_bytes(11, "big") + flag
        self._counter += 1
        return self._aead.encrypt(nonce, plain, None)

    def _open_output(self) -> list[bytes]:
        if self._finished:
            raise RuntimeError("this payload is finished")
        sealed = [self._unsent_nonce] if self._unsent_nonce else []
        self._unsent_nonce = b""
        return sealed

    def update(self, piece: Buffer) -> list[bytes]:
        """The parts of the payload that `piece` completes, in order; the last chunk so far is kept back."""
        sealed = self._open_output()
        view = memoryview(piece).cast("B")
        position = 0
        if self._held:
            position = min(CHUNK_BYTES - len(self._held), len(view))
            self._held += view[:position]
            # Whether a full chunk is the final one shows only when a byte follows it.
            if position == len(view):
                return sealed
            sealed.append(self._seal(self._held, _MORE))
            self._held.clear()
        while len(view) - position > CHUNK_BYTES:
            sealed.append(self._seal(view[position : position + CHUNK_BYTES], _MORE))
            position += CHUNK_BYTES
        self._held += view[position:]
        return sealed

    def finish(self) -> list[bytes]:
        """The rest of the payload: its final chunk, empty only if the whole plaintext is."""
        sealed = self._open_output()
        sealed.append(self._seal(self._held, _FINAL))
        self._held.clear()
        self._finished = True
        return sealed


class StreamOpener:
    """Opens what it is fed, and releases a chunk only after its tag passed.

    Call `update` any number of times, then `finish` once. **Nothing is whole before
    `finish` has returned**: a cut stream shows only there. A failure that comes
    after good chunks of one piece is raised by the next call, so that what is
    released never depends on how the payload was cut into pieces.
    """

    __slots__ = ("_aead", "_complete", "_counter", "_failure", "_file_key", "_held")

    def __init__(self, file_key: bytes) -> None:
        self._file_key = file_key
        self._aead: ChaCha20Poly1305 | None = None
        self._counter = 0
        self._held = bytearray()
        self._complete = False
        self._failure: str | None = None

    def _open(self, sealed: Buffer, flag: bytes) -> bytes | None:
        assert self._aead is not None
        try:
            return self._aead.decrypt(self._counter.to_bytes(11, "big") + flag, sealed, None)
        except InvalidTag:
            return None

    def _open_full(self, sealed: Buffer) -> bytes | None:
        """A chunk of full size: mostly one of many, but a full chunk may also be the final one."""
        plain = self._open(sealed, _MORE)
        if plain is None:
            plain = self._open(sealed, _FINAL)
            self._complete = plain is not None
        self._counter += 1
        return plain

    def _take_nonce(self, view: memoryview) -> int:
        """How many bytes of `view` went into the nonce."""
        taken = min(NONCE_BYTES - len(self._held), len(view))
        self._held += view[:taken]
        if len(self._held) == NONCE_BYTES:
            self._aead = _aead(self._file_key, bytes(self._held))
            self._held.clear()
        return taken

    def update(self, piece: Buffer) -> list[bytes]:
        """The chunks of plaintext that `piece` completes, each authenticated.

        Raises Refusal("age_payload") for a chunk that does not open and for bytes
        after the final chunk.
        """
        if self._failure is not None:
            raise Refusal(self._failure)
        view = memoryview(piece).cast("B")
        position = 0 if self._aead is not None else self._take_nonce(view)
        plain: list[bytes] = []
        while position < len(view):
            if self._complete:
                self._failure = "age_payload"
                break
            end = position + SEALED_CHUNK_BYTES - len(self._held)
            if self._held or end > len(view):
                self._held += view[position:end]
                if end > len(view):
                    break
                chunk = self._open_full(self._held)
                self._held.clear()
            else:
                chunk = self._open_full(view[position:end])
            if chunk is None:
                self._failure = "age_payload"
                break
            plain.append(chunk)
            position = end
        if self._failure is not None and not plain:
            raise Refusal(self._failure)
        return plain

    def finish(self) -> list[bytes]:
        """The last chunk of plaintext, if a part of one was still held; the stream is whole after this.

        Raises Refusal("age_payload") for a stream that was cut, Refusal("age_header")
        for one without a whole nonce.
        """
        failure, self._failure = self._failure, "age_payload"  # whatever comes, no second life
        if failure is not None:
            raise Refusal(failure)
        if self._aead is None:
            raise Refusal("age_header")
        if self._complete:
            return []
        chunk = self._open(self._held, _FINAL) if len(self._held) >= TAG_BYTES else None
        # An empty final chunk stands only for an empty plaintext: else two payloads would mean one.
        if chunk is None or (not chunk and self._counter):
            raise Refusal("age_payload")
        return [chunk]


class StreamSeeker:
    """Opens any chunk of a payload, without those before it, **once the whole of it was seen to open** (`StreamOpener`).

    `nonce` is the payload's first 16 bytes, `sealed_bytes` its size.
    """

    __slots__ = ("_aead", "_chunks", "_sealed_bytes")

    def __init__(self, file_key: bytes, nonce: bytes, *, sealed_bytes: int) -> None:
        self._aead = _aead(file_key, nonce)
        self._sealed_bytes = sealed_bytes
        self._chunks = max(1, -(-(sealed_bytes - NONCE_BYTES) // SEALED_CHUNK_BYTES))

    @property
    def plain_bytes(self) -> int:
        """How long the plaintext is."""
        return max(0, self._sealed_bytes - NONCE_BYTES - self._chunks * TAG_BYTES)

    def place(self, number: int) -> tuple[int, int]:
        """Where in the payload chunk `number` (from 0) stands: offset and size in bytes."""
        offset = NONCE_BYTES + number * SEALED_CHUNK_BYTES
        return offset, max(0, min(SEALED_CHUNK_BYTES, self._sealed_bytes - offset))

    def open(self, number: int, sealed: Buffer) -> bytes:
        """The plaintext of chunk `number`. Raises Refusal("age_payload")."""
        flag = _FINAL if number == self._chunks - 1 else _MORE
        try:
            return self._aead.decrypt(number.to_bytes(11, "big") + flag, sealed, None)
        except InvalidTag:
            raise Refusal("age_payload") from None


def _parts(pieces: Iterable[bytes]) -> Iterator[memoryview]:
    for piece in pieces:
        view = memoryview(piece)
        for start in range(0, len(view), _PIECE_BYTES):
            yield view[start : start + _PIECE_BYTES]


def seal_stream(file_key: bytes, nonce16: bytes, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The payload that seals the concatenation of `chunks` (pieces of any size), in constant memory."""
    sealer = StreamSealer(file_key, nonce16)
    for part in _parts(chunks):
        yield from sealer.update(part)
    yield from sealer.finish()


def open_stream(file_key: bytes, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The plaintext of a payload that comes as pieces of any size, in constant memory.

    Only authenticated chunks are yielded; the plaintext is whole only when the
    iterator has ended without raising. Raises as `StreamOpener` does.
    """
    opener = StreamOpener(file_key)
    for part in _parts(chunks):
        yield from opener.update(part)
    yield from opener.finish()
