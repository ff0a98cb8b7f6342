"""Speed of the age codec as ratios to the bare AEAD, taken piece by piece in one pass.

Run as a script: `python tests/benchmarks/bench_age.py [MIB]` prints a table and one
line of JSON. A ratio of 1 is as fast as the AEAD alone over the same chunks; the
floors are those of the design (0.5 for the codec, 0.15 with both hashes).
"""

import hashlib
import json
import sys
from time import perf_counter

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from vetrelay.protocol.age.stream import CHUNK_BYTES, NONCE_BYTES, StreamOpener, StreamSealer

PIECE_BYTES = 1024 * 1024
FLOORS = {"seal": 0.5, "open": 0.5, "seal_with_hashes": 0.15, "open_with_hashes": 0.15}


def measure(size_bytes: int) -> dict[str, float]:
    """Ratios of sealing and opening `size_bytes` (in whole MiB) to the bare AEAD, without and with both SHA-256.

    All legs run on the same piece one after the other, so that a busy machine slows
    all of them alike. `bare_gigabytes_per_second` stands beside the ratios.
    """
    file_key, nonce = bytes(range(16)), bytes(NONCE_BYTES)
    piece = memoryview(bytes(range(256)) * (PIECE_BYTES // 256))
    bare, sealer, opener = ChaCha20Poly1305(bytes(32)), StreamSealer(file_key, nonce), StreamOpener(file_key)
    plain_sha256, sealed_sha256 = hashlib.sha256(), hashlib.sha256()
    spent = dict.fromkeys(("bare", "seal", "plain_hash", "sealed_hash", "open"), 0.0)
    pieces = max(1, size_bytes // PIECE_BYTES)
    for counter in range(pieces):
        marks = [perf_counter()]
        for start in range(0, PIECE_BYTES, CHUNK_BYTES):
            bare.encrypt((counter * PIECE_BYTES + start).to_bytes(12, "big"), piece[start : start + CHUNK_BYTES], None)
        marks.append(perf_counter())
        sealed = sealer.update(piece)
        marks.append(perf_counter())
        plain_sha256.update(piece)
        marks.append(perf_counter())
        for part in sealed:
            sealed_sha256.update(part)
        marks.append(perf_counter())
        for part in sealed:
            opener.update(part)
        marks.append(perf_counter())
        for leg, begin, end in zip(spent, marks, marks[1:], strict=False):
            spent[leg] += end - begin
    for part in sealer.finish():
        opener.update(part)
    opener.finish()  # what was timed was also right
    hashes = spent["plain_hash"] + spent["sealed_hash"]
    return {
        "seal": spent["bare"] / spent["seal"],
        "open": spent["bare"] / spent["open"],
        "seal_with_hashes": spent["bare"] / (spent["seal"] + hashes),
        "open_with_hashes": spent["bare"] / (spent["open"] + hashes),
        "bare_gigabytes_per_second": pieces * PIECE_BYTES / spent["bare"] / 1e9,
    }


def main() -> None:
    """Measure and print, in MiB from the command line (default 256)."""
    mebibytes = int(sys.argv[1]) if len(sys.argv) > 1 else 256
    figures = measure(mebibytes * 1024 * 1024)
    print(f"age codec, {mebibytes} MiB, bare AEAD {figures['bare_gigabytes_per_second']:.2f} GB/s")
    for name, floor in FLOORS.items():
        print(f"  {name:<18} {figures[name]:.2f} of the bare AEAD  (must reach {floor})")
    print(json.dumps({name: round(figure, 3) for name, figure in figures.items()}))


if __name__ == "__main__":
    main()
