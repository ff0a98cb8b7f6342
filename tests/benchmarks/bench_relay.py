"""Speed and memory of the relay, as ratios taken on one machine in one run (relay.md, Speed).

Run as a script: `python -m tests.benchmarks.bench_relay` prints a table and one line of JSON. Servers and the driving
client are processes of their own; legs that are compared take turns, so that a busy machine slows all of them alike.
"""

import asyncio
import json
import multiprocessing
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from aiohttp import web

from tests.chains import nonce
from tests.ends import Clock, Draft, End, World, world_at
from vetrelay.config import RelayConfig, RelayLimits
from vetrelay.protocol.ids import CaseId, b64, sha256
from vetrelay.relay.process import now_ms, run

CONCURRENT = 64
CASES = 16
ROUNDS = 5
WIDE = RelayLimits(
    min_free_bytes=0,
    envelopes_per_minute=10**9,
    statements_per_minute=10**9,
    connections=10**6,
    connections_per_address=10**6,
)
FLOORS = {"accept": 0.12, "group_commit": 10.0, "waiter_kib": 20.0, "page_growth": 1.5, "wake_p95_ms": 50.0}


# --- servers, each a process of its own ------------------------------------------------------------------------------


def _serve_relay(folder: str, pipe: Any) -> None:
    config = RelayConfig(data=folder, listen=("127.0.0.1:0",), limits=WIDE)
    run(config, ready=lambda origins: pipe.send(int(origins[0].rpartition(":")[2])))


def _serve_bare(_folder: str, pipe: Any) -> None:
    async def put(request: web.Request) -> web.Response:
        await request.read()
        return web.json_response({}, status=201)

    async def serve() -> None:
        app = web.Application(client_max_size=2**20)
        app.router.add_put("/v1/cases/{case}/envelopes/{id}", put)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        pipe.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    uvloop.run(serve())


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server process and its port."""

    port: int
    pid: int

    def rss_bytes(self) -> int:
        """What the process holds in memory."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * resource.getpagesize()

    def cpu_seconds(self) -> float:
        """What the process has computed so far, in all its threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def server(serve: Callable[[str, Any], None], folder: str = "") -> Iterator[Server]:
    """A server for as long as the block runs."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=serve, args=(folder, theirs), daemon=True)
    process.start()
    try:
        yield Server(port=ours.recv(), pid=process.pid or 0)
    finally:
        process.terminate()
        process.join()


# --- what is sent ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A case with a clinic of two devices, an owner and a consultant: three recipients, fan-out four."""

    case: CaseId
    owner: End
    pattern: Draft


async def prepare(world: World, count: int) -> list[Desk]:
    """Cases ready to be written to."""
    desks = []
    for number in range(count):
        clinic = await world.clinic(f"clinic {number}")
        assert (await clinic.extend(clinic.device_added("second"))).status == 201
        case = await clinic.open_case()
        owner = await world.owner(clinic, case, f"owner {number}")
        other = await world.party(f"consultant {number}", "clinic")
        assert (await other.join(case, await clinic.invite(case, "consultant", label="c"), "consultant")).status == 201
        assert (await clinic.approve(case, other, "consultant")).status == 201
        desks.append(Desk(case=case, owner=owner, pattern=await owner.draft(case, text=b"x" * 480)))
    return desks


def requests_of(desks: Sequence[Desk], count: int) -> list[bytes]:
    """HTTP requests that submit so many new envelopes, each about 8 KiB."""
    made = []
    for number in range(count):
        desk = desks[number % len(desks)]
        manifest = desk.pattern.objects[0]
        # A new MAC makes a new header: the relay has no key that could tell, and nobody waits for ML-KEM here.
        header = manifest.header[:-44] + b64(sha256(b"%d" % number)).encode().replace(b"-", b"+").replace(b"_", b"/")
        header += b"\n"
        ref = msgspec.structs.replace(manifest.ref, h0=b64(sha256(header)))
        draft = desk.pattern.changed(id=nonce(f"{desk.case} {number}"), objects=(ref,))
        body = {
            "envelope": msgspec.to_builtins(desk.owner.sign(draft.envelope, kind="envelope")),
            "headers": {ref.h0: b64(header)},
            "payloads": {ref.p: b64(manifest.payload)},
        }
        raw = msgspec.json.encode(body)
        head = (
            f"PUT /v1/cases/{desk.case}/envelopes/{draft.envelope.id} HTTP/1.1\r\nHost: relay\r\n"
            f"Authorization: Bearer {desk.owner.bearers['first']}\r\nContent-Length: {len(raw)}\r\n\r\n"
        )
        made.append(head.encode() + raw)
    return made


class _Driver(asyncio.Protocol):
    """One connection: sends the next request when the last is answered."""

    def __init__(self, queue: Iterator[bytes], done: "asyncio.Future[None]") -> None:
        self.queue, self.done, self.waiting = queue, done, b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self.waiting += data
        head, blank, body = self.waiting.partition(b"\r\n\r\n")
        if not blank:
            return
        at = head.find(b"Content-Length: ") + 16
        if len(body) < int(head[at : head.find(b"\r", at) if b"\r" in head[at:] else None]):
            return
        if not head.startswith(b"HTTP/1.1 201"):
            self.done.set_exception(RuntimeError(self.waiting.decode()))
            return
        self.waiting = b""
        self._next()

    def _next(self) -> None:
        request = next(self.queue, None)
        if request is not None:
            self.transport.write(request)
        elif not self.done.done():
            self.transport.close()
            self.done.set_result(None)


async def drive(port: int, requests: Sequence[bytes]) -> float:
    """Seconds until all these requests are answered with 201, over 64 connections."""
    loop, queue = asyncio.get_running_loop(), iter(requests)
    dones = [loop.create_future() for _ in range(CONCURRENT)]
    started = time.perf_counter()
    for done in dones:
        await loop.create_connection(partial(_Driver, queue, done), "127.0.0.1", port)
    await asyncio.gather(*dones)
    return time.perf_counter() - started


# --- what is measured ------------------------------------------------------------------------------------------------


async def _prepared(folder: Path, count: int) -> list[bytes]:
    async with world_at(folder, limits=WIDE, clock=Clock(now_ms())) as world:
        return requests_of(await prepare(world, CASES), count)


def measure_accept(requests_per_round: int = 1500) -> dict[str, float]:
    """Durable accepts per second, those of bare aiohttp, and their ratio: by the clock and by processor time."""
    with tempfile.TemporaryDirectory() as folder:
        requests = asyncio.run(_prepared(Path(folder), requests_per_round * (ROUNDS + 1)))
        rounds = [requests[at : at + requests_per_round] for at in range(0, len(requests), requests_per_round)]
        with server(_serve_relay, folder) as relay, server(_serve_bare) as bare:
            uvloop.run(drive(relay.port, rounds[0]))
            uvloop.run(drive(bare.port, rounds[0]))
            spent: dict[str, list[float]] = {"relay": [], "bare": [], "relay_cpu": [], "bare_cpu": []}
            for some in rounds[1:]:
                for name, one in (("relay", relay), ("bare", bare)):
                    before = one.cpu_seconds()
                    spent[name].append(uvloop.run(drive(one.port, some)))
                    spent[f"{name}_cpu"].append(one.cpu_seconds() - before)
    return {
        "body_bytes": float(len(requests[0])),
        "relay_per_second": requests_per_round / statistics.median(spent["relay"]),
        "bare_per_second": requests_per_round / statistics.median(spent["bare"]),
        "accept": statistics.median(b / r for b, r in zip(spent["bare"], spent["relay"], strict=True)),
        "accept_by_cpu": sum(spent["bare_cpu"]) / sum(spent["relay_cpu"]),
    }


if __name__ == "__main__":
    print(json.dumps(measure_accept(), indent=1))
