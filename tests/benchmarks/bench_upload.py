"""Speed of an upload as a ratio to the least that the same promise costs, and memory per upload in flight.

Run as a script: `python tests/benchmarks/bench_upload.py [MIB]` prints a table and one line of JSON. The bare receiver
does recv → sha256 → write, and fdatasync at the end, in a process of its own; the relay is a process of its own too,
on uvloop, and answers a tus PATCH when the payload is hashed, durable and its row committed. Both get the same bytes
from the same sender over loopback, in turn, in the same minute; of five runs the best counts, as least disturbed.
"""

import asyncio
import base64
import hashlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import uvloop
from msgspec.structs import replace as changed

from tests.housed_relay import LIMITS, answering, housed_relay

ROUNDS = 5
PIECE = bytes(range(256)) * 4096
UPLOADS_IN_FLIGHT = 24
FLOORS = {"upload": 0.7}
CEILINGS = {"upload_in_flight_mebibytes": 4.0}


def measure(size_bytes: int) -> dict[str, float]:
    """Ratio of a whole upload to the bare receiver, MiB/s of both, and MiB per upload in flight."""
    bare, relay, creating = [], [], []
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        for _ in range(ROUNDS):
            bare.append(_time_bare(Path(folder), size_bytes))
            took, made = _time_relay(Path(folder), size_bytes)
            relay.append(took)
            creating.append(made)
        held = _memory(Path(folder))
    mebibytes = size_bytes / 2**20
    return {
        "upload": min(bare) / min(relay),
        "bare_mebibytes_per_second": mebibytes / min(bare),
        "upload_mebibytes_per_second": mebibytes / min(relay),
        "creation_milliseconds": 1000 * min(creating),
        "upload_in_flight_mebibytes": held,
    }


@contextmanager
def _process(role: str, folder: Path) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """This script in another role, and the words it says when it listens."""
    command = [sys.executable, __file__, role, str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().split()
        finally:
            process.kill()


def _send(port: int, head: bytes, size_bytes: int) -> tuple[float, bytes]:
    """Seconds from the first byte to the answer's, and the answer's first line."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        began = time.perf_counter()
        connection.sendall(head)
        for _ in range(size_bytes // len(PIECE)):
            connection.sendall(PIECE)
        answer = connection.recv(4096)
        return time.perf_counter() - began, answer.split(b"\r\n")[0]


def _time_bare(folder: Path, size_bytes: int) -> float:
    with _process("bare", folder) as (_, (port,)):
        took, answer = _send(int(port), size_bytes.to_bytes(8, "big"), size_bytes)
        assert answer == b"done"
        return took


def _time_relay(folder: Path, size_bytes: int) -> tuple[float, float]:
    with tempfile.TemporaryDirectory(dir=folder) as data, _process("relay", Path(data)) as (_, (url, case, bearer)):
        port = urlsplit(url).port or 80
        began = time.perf_counter()
        path = _create(port, case, bearer, size_bytes)
        made = time.perf_counter() - began
        took, answer = _send(port, _patch_head(path, size_bytes), size_bytes)
        assert answer.startswith(b"HTTP/1.1 204")
        return took, made


def _memory(folder: Path) -> float:
    """MiB that the relay grows by for each of many uploads that stall in the middle."""
    size_bytes = 64 * 2**20
    with tempfile.TemporaryDirectory(dir=folder) as data, _process("relay", Path(data)) as (process, said):
        url, case, bearer = said
        port = urlsplit(url).port or 80
        _send(port, _patch_head(_create(port, case, bearer, size_bytes), size_bytes), size_bytes)  # it is warm now
        before = _resident_bytes(process.pid)
        connections = []
        for _ in range(UPLOADS_IN_FLIGHT):
            connection = socket.create_connection(("127.0.0.1", port))
            connections.append(connection)
            connection.sendall(_patch_head(_create(port, case, bearer, size_bytes), size_bytes))
        highest = before
        for _ in range(size_bytes // len(PIECE) // 2):
            for connection in connections:
                connection.sendall(PIECE)
            highest = max(highest, _resident_bytes(process.pid))
        for connection in connections:
            connection.close()
        return (highest - before) / UPLOADS_IN_FLIGHT / 2**20


def _resident_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))


def _create(port: int, case: str, bearer: str, size_bytes: int) -> str:
    metadata = base64.b64encode(case.encode()).decode()
    head = (
        f"POST /v1/uploads HTTP/1.1\r\nHost: relay\r\nTus-Resumable: 1.0.0\r\nAuthorization: Bearer {bearer}\r\n"
        f"Upload-Length: {size_bytes}\r\nUpload-Metadata: case {metadata}\r\nContent-Length: 0\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head.encode())
        fields = dict(line.split(": ", 1) for line in connection.recv(4096).decode().split("\r\n")[1:] if ": " in line)
        return fields["Location"]


def _patch_head(path: str, size_bytes: int) -> bytes:
    return (
        f"PATCH {path} HTTP/1.1\r\nHost: relay\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n"
        f"Content-Type: application/offset+octet-stream\r\nContent-Length: {size_bytes}\r\n\r\n"
    ).encode()


def _be_bare(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        connection, _ = server.accept()
        left = int.from_bytes(connection.recv(8, socket.MSG_WAITALL), "big")
        path, buffer, digest = folder / "bare", bytearray(2**20), hashlib.sha256()
        view = memoryview(buffer)
        with path.open("wb", buffering=0) as file:
            while left:
                count = connection.recv_into(buffer)
                digest.update(view[:count])
                file.write(view[:count])
                left -= count
            os.fdatasync(file.fileno())
        connection.sendall(b"done")
        path.unlink()


async def _be_relay(folder: Path) -> None:
    limits = changed(LIMITS, open_uploads_per_device=1_000)
    async with housed_relay(folder, limits=limits) as house, answering(house):
        print(house.url, house.case, await house.bearer("owner"), flush=True)
        await asyncio.Event().wait()


def main() -> None:
    """Measure and print, in MiB from the command line (default 256)."""
    mebibytes = int(sys.argv[1]) if len(sys.argv) > 1 else 256
    figures = measure(mebibytes * 2**20)
    print(f"upload, {mebibytes} MiB: {figures['upload_mebibytes_per_second']:.0f} MiB/s")
    print(f"  bare receiver      {figures['bare_mebibytes_per_second']:.0f} MiB/s")
    print(f"  ratio              {figures['upload']:.2f}  (must reach {FLOORS['upload']}, aim 0.9)")
    print(f"  memory in flight   {figures['upload_in_flight_mebibytes']:.2f} MiB  (at most 4, aim 2)")
    print(json.dumps({name: round(figure, 3) for name, figure in figures.items()}))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["bare", folder_text]:
            _be_bare(Path(folder_text))
        case ["relay", folder_text]:
            uvloop.run(_be_relay(Path(folder_text)))
        case _:
            main()
