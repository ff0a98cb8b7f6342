"""STREAM: everything comes back, and whatever is cut, dropped, swapped, doubled or added does not open (N12, N51)."""

import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vetrelay.errors import Refusal
from vetrelay.protocol.age.stream import (
    CHUNK_BYTES,
    NONCE_BYTES,
    SEALED_CHUNK_BYTES,
    TAG_BYTES,
    StreamOpener,
    StreamSealer,
    open_stream,
    seal_stream,
    sealed_size,
)

FILE_KEY = bytes(range(16))
NONCE = bytes(range(16, 32))
BORDERS = [0, 1, 15, 16, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 3 * CHUNK_BYTES + 7]


def plaintext_of(size_bytes: int) -> bytes:
    """Bytes whose chunks all differ."""
    return b"".join(number.to_bytes(4, "big") for number in range(size_bytes // 4 + 1))[:size_bytes]


def sealed(plaintext: bytes) -> bytes:
    return b"".join(seal_stream(FILE_KEY, NONCE, [plaintext]))


def cut(whole: bytes, sizes: list[int]) -> Iterator[bytes]:
    """`whole` in pieces of the given sizes, again and again."""
    position, turn = 0, 0
    while position < len(whole):
        size = sizes[turn % len(sizes)]
        yield whole[position : position + size]
        position, turn = position + size, turn + 1


def chunks_of(payload: bytes) -> tuple[bytes, list[bytes]]:
    """The nonce and the sealed chunks."""
    return payload[:NONCE_BYTES], list(cut(payload[NONCE_BYTES:], [SEALED_CHUNK_BYTES]))


def released(payload: bytes) -> tuple[bytes, str | None]:
    """What an opener let out, and the code of the refusal that ended it."""
    plain = bytearray()
    try:
        for chunk in open_stream(FILE_KEY, [payload]):
            plain += chunk
    except Refusal as refusal:
        return bytes(plain), refusal.code
    return bytes(plain), None


@pytest.mark.parametrize("size_bytes", BORDERS)
def test_a_plaintext_of_any_size_comes_back(size_bytes: int) -> None:
    """Around every border of a chunk, with the payload size known before."""
    plaintext = plaintext_of(size_bytes)
    payload = sealed(plaintext)

    assert sealed_size(size_bytes) == len(payload)
    assert (plaintext, None) == released(payload)


sizes = st.lists(st.integers(1, 150_000) | st.sampled_from(BORDERS[1:]), min_size=1, max_size=5)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 300_000) | st.sampled_from(BORDERS), sizes, sizes)
def test_pieces_never_change_what_is_sealed_or_opened(
    size_bytes: int, seal_sizes: list[int], open_sizes: list[int]
) -> None:
    """The same bytes, however plaintext and payload are cut into pieces."""
    plaintext = plaintext_of(size_bytes)
    payload = b"".join(seal_stream(FILE_KEY, NONCE, cut(plaintext, seal_sizes)))

    assert payload == sealed(plaintext)
    assert plaintext == b"".join(open_stream(FILE_KEY, cut(payload, open_sizes)))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(BORDERS), st.data())
def test_a_cut_payload_never_ends_well(size_bytes: int, data: st.DataObject) -> None:
    """N12: cut anywhere, what was released is a beginning of the plaintext, and a refusal follows."""
    plaintext = plaintext_of(size_bytes)
    payload = sealed(plaintext)
    kept = data.draw(st.integers(0, len(payload) - 1))
    plain, code = released(payload[:kept])

    assert ("age_header" if kept < NONCE_BYTES else "age_payload") == code
    assert plain == plaintext[: len(plain)]
    assert len(plain) % CHUNK_BYTES == 0


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(BORDERS), st.data())
def test_one_flipped_bit_never_ends_well(size_bytes: int, data: st.DataObject) -> None:
    """N12: nothing of the chunk that was changed comes out, nor of any later one."""
    plaintext = plaintext_of(size_bytes)
    changed = bytearray(sealed(plaintext))
    place = data.draw(st.integers(0, len(changed) - 1))
    changed[place] ^= 1 << data.draw(st.integers(0, 7))
    plain, code = released(bytes(changed))

    assert code == "age_payload"
    assert plaintext[: max(0, place - NONCE_BYTES) // SEALED_CHUNK_BYTES * CHUNK_BYTES] == plain


PLAINTEXT = plaintext_of(4 * CHUNK_BYTES + 100)
N, C = chunks_of(sealed(PLAINTEXT))
FULL = plaintext_of(2 * CHUNK_BYTES)
FN, FC = chunks_of(sealed(FULL))
DAMAGE = {
    "cut at the first border": (N + C[0], 1),
    "cut at the second border": (N + C[0] + C[1], 2),
    "last chunk dropped": (N + b"".join(C[:-1]), 4),
    "first chunk dropped": (N + b"".join(C[1:]), 0),
    "a middle chunk dropped": (N + C[0] + b"".join(C[2:]), 1),
    "two chunks swapped": (N + C[0] + C[2] + C[1] + C[3] + C[4], 1),
    "first and last swapped": (N + C[4] + C[1] + C[2] + C[3] + C[0], 0),
    "a chunk doubled": (N + C[0] + C[0] + b"".join(C[1:]), 1),
    "the last chunk doubled": (N + b"".join(C) + C[-1], 4),
    "a byte after the end": (N + b"".join(C) + b"\x00", 4),
    "a payload after the end": (N + b"".join(C) + N + b"".join(C), 4),
    "only a nonce": (N, 0),
    "only a tag's worth": (N + bytes(TAG_BYTES), 0),
    "less than a tag": (N + bytes(TAG_BYTES - 1), 0),
    "the last full chunk dropped": (FN + FC[0], 1),
    "a byte after a full last chunk": (FN + FC[0] + FC[1] + b"\x00", 2),
    "a chunk after a full last chunk": (FN + FC[0] + FC[1] + FC[1], 2),
}


@pytest.mark.parametrize(("payload", "good_chunks"), DAMAGE.values(), ids=DAMAGE.keys())
@pytest.mark.parametrize("piece_bytes", [1 << 24, SEALED_CHUNK_BYTES, 50_000])
def test_damage_at_a_border_is_refused(payload: bytes, good_chunks: int, piece_bytes: int) -> None:
    """N12, N51: only chunks before the damage come out, whatever the pieces, and the end is a refusal."""
    plain, code = bytearray(), None
    try:
        for chunk in open_stream(FILE_KEY, cut(payload, [piece_bytes])):
            plain += chunk
    except Refusal as refusal:
        code = refusal.code

    assert code == "age_payload"
    assert PLAINTEXT[: good_chunks * CHUNK_BYTES] == bytes(plain)


def test_an_empty_last_chunk_stands_only_for_an_empty_plaintext() -> None:
    """A full chunk followed by an empty final one is a second spelling, and refused."""
    sealer = StreamSealer(FILE_KEY, NONCE)
    payload = NONCE + sealer._seal(plaintext_of(CHUNK_BYTES), b"\x00") + sealer._seal(b"", b"\x01")

    assert (plaintext_of(CHUNK_BYTES), "age_payload") == released(payload)
    assert (b"", None) == released(sealed(b""))


def test_a_failed_opener_stays_failed() -> None:
    """After a refusal nothing comes out any more, not even from good bytes."""
    opener = StreamOpener(FILE_KEY)
    with pytest.raises(Refusal):
        opener.update(N + C[1])
    for _ in range(2):
        with pytest.raises(Refusal):
            opener.update(C[0])
        with pytest.raises(Refusal):
            opener.finish()


def test_good_chunks_before_a_bad_one_come_out_once() -> None:
    """One piece with two good chunks and a bad one: the two are given, then the refusal."""
    opener = StreamOpener(FILE_KEY)

    assert [PLAINTEXT[:CHUNK_BYTES], PLAINTEXT[CHUNK_BYTES : 2 * CHUNK_BYTES]] == opener.update(N + C[0] + C[1] + C[3])
    with pytest.raises(Refusal):
        opener.finish()


def test_a_finished_stream_takes_nothing_more() -> None:
    """Neither direction has a second life."""
    sealer, opener = StreamSealer(FILE_KEY, NONCE), StreamOpener(FILE_KEY)
    for part in sealer.update(b"once") + sealer.finish():
        opener.update(part)
    opener.finish()

    with pytest.raises(RuntimeError):
        sealer.update(b"more")
    with pytest.raises(RuntimeError):
        sealer.finish()
    with pytest.raises(Refusal):
        opener.update(b"more")
    with pytest.raises(Refusal):
        opener.finish()


def test_a_callers_buffer_may_be_used_again() -> None:
    """What is held back is a copy: a reader that fills one buffer over and over is safe."""
    buffer = bytearray(40_000)
    sealer = StreamSealer(FILE_KEY, NONCE)
    payload: list[bytes] = []
    plaintext = plaintext_of(200_000)
    for piece in cut(plaintext, [40_000]):
        buffer[:] = piece
        payload += sealer.update(buffer)
        buffer[:] = bytes(40_000)

    assert sealed(plaintext) == b"".join(payload + sealer.finish())


def test_a_nonce_of_another_size_is_a_mistake_of_ours() -> None:
    """16 bytes, or the programmer hears of it."""
    with pytest.raises(ValueError, match="16 bytes"):
        StreamSealer(FILE_KEY, bytes(12))


def test_a_stream_of_any_length_takes_constant_memory() -> None:
    """96 MiB in one piece through both generators: never more than 4 MiB at once."""
    piece = bytes(96 * 1024 * 1024)
    tracemalloc.start()
    try:
        opened_bytes = sum(map(len, open_stream(FILE_KEY, seal_stream(FILE_KEY, NONCE, [piece]))))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(piece) == opened_bytes
    assert peak_bytes < 4 * 1024 * 1024
