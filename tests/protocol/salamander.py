"""One age payload that opens to two texts under two file keys.

ChaCha20-Poly1305 does not commit to its key: its tag is a polynomial over the
ciphertext blocks modulo 2^130 - 5, linear in each of them. With two blocks left free
the tag can be made to fit two keys at once. Re-addressing an object (a second header
over the same payload) makes that an attack, which the key commitment of protocol
chapter 6 has to catch. Test code: it forges, with the dice of its caller.
"""

import random
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PRIME = (1 << 130) - 5
BLOCK = 1 << 128
CLAMP = 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
FINAL_CHUNK_NONCE = bytes(11) + b"\x01"


@dataclass(frozen=True, kw_only=True)
class ChunkKey:
    """What one file key means for the first and final chunk: keystream and Poly1305's r and s."""

    stream: bytes
    r: int
    s: int


def chunk_key(file_key: bytes, nonce16: bytes) -> ChunkKey:
    payload_key = HKDF(algorithm=SHA256(), length=32, salt=nonce16, info=b"payload").derive(file_key)
    cipher = Cipher(ChaCha20(payload_key, bytes(4) + FINAL_CHUNK_NONCE), mode=None)
    keystream = cipher.encryptor().update(bytes(64 * 4))
    return ChunkKey(
        stream=keystream[64:],
        r=int.from_bytes(keystream[:16], "little") & CLAMP,
        s=int.from_bytes(keystream[16:32], "little"),
    )


def two_blocks(first: ChunkKey, second: ChunkKey, prefix: bytes, dice: random.Random) -> bytes:
    """Two ciphertext blocks and a tag that authenticate `prefix` (whole blocks) under both keys."""
    blocks = [int.from_bytes(prefix[at : at + 16], "little") + BLOCK for at in range(0, len(prefix), 16)]
    lengths = ((len(prefix) + 32) << 64) + BLOCK

    def before(key: ChunkKey) -> int:
        total = 0
        for block in blocks:
            total = (total + block) * key.r % PRIME
        return total

    while True:
        tag = dice.getrandbits(128)
        # The accumulator only has to end in tag - s modulo 2^128: its top two bits are free.
        wanted = [(tag - key.s) % BLOCK + BLOCK * dice.randrange(3) for key in (first, second)]
        if max(wanted) >= PRIME:
            continue
        # wanted = before·r³ + X·r³ + Y·r² + lengths·r, once per key: two linear equations in X and Y.
        a, b = first, second
        right_a = (wanted[0] - lengths * a.r - before(a) * pow(a.r, 3, PRIME)) % PRIME
        right_b = (wanted[1] - lengths * b.r - before(b) * pow(b.r, 3, PRIME)) % PRIME
        determinant = (pow(a.r, 3, PRIME) * pow(b.r, 2, PRIME) - pow(b.r, 3, PRIME) * pow(a.r, 2, PRIME)) % PRIME
        if determinant == 0:
            continue
        inverse = pow(determinant, -1, PRIME)
        x = (right_a * pow(b.r, 2, PRIME) - right_b * pow(a.r, 2, PRIME)) * inverse % PRIME
        y = (pow(a.r, 3, PRIME) * right_b - pow(b.r, 3, PRIME) * right_a) * inverse % PRIME
        if BLOCK <= x < 2 * BLOCK and BLOCK <= y < 2 * BLOCK:
            return b"".join((number % BLOCK).to_bytes(16, "little") for number in (x, y, tag))


def forge(file_keys: tuple[bytes, bytes], nonce16: bytes, texts: tuple[bytes, bytes], dice: random.Random) -> bytes:
    """An age payload whose first block reads `texts[0]` under the first key, whose second reads `texts[1]` under the other."""
    first, second = (chunk_key(file_key, nonce16) for file_key in file_keys)
    prefix = bytes(letter ^ key for letter, key in zip(texts[0], first.stream[:16], strict=True))
    prefix += bytes(letter ^ key for letter, key in zip(texts[1], second.stream[16:32], strict=True))
    return nonce16 + prefix + two_blocks(first, second, prefix, dice)
