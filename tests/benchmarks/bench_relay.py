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
from aiohttp import ClientSession, web
from sqlalchemy import event, insert, select, text, update

from tests.chains import nonce
from tests.ends import Clock, Draft, End, World, world_at
from vetrelay.config import RelayConfig, RelayLimits
from vetrelay.protocol.ids import CaseId, b64, sha256, unb64
from vetrelay.protocol.log import Kind
from vetrelay.relay.process import DATABASE, now_ms, open_relay, run
from vetrelay.relay.storage.engine import writer_engine
from vetrelay.relay.storage.schema import boxes, cases, entries, objects

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


def measure_group_commit(rows: int = 20_000, one_by_one: int = 1_500) -> dict[str, float]:
    """Durable inserts of 2 KB by 64 at once: one commit for many, against SQLAlchemy's asyncio with one commit each.

    The second leg alone needs aiosqlite and greenlet.
    """
    from sqlalchemy.ext.asyncio import create_async_engine

    def values(number: int) -> dict[str, object]:
        return {"party": "a party", "sha256": f"{number}", "content": b"x" * 2048}

    async def all_of(count: int, one: Callable[[int], Any]) -> float:
        numbers = iter(range(count))

        async def some() -> None:
            for number in numbers:
                await one(number)

        started = time.perf_counter()
        await asyncio.gather(*(some() for _ in range(CONCURRENT)))
        return count / (time.perf_counter() - started)

    async def grouped(folder: Path) -> float:
        async with open_relay(folder, WIDE, origins=frozenset()) as relay:

            def job(number: int, store: Any) -> None:
                store._batch.insert(boxes, values(number))

            return await all_of(rows, lambda number: relay.writer.run(partial(job, number)))

    async def single(folder: Path) -> float:
        engine = create_async_engine(f"sqlite+aiosqlite:///{folder / DATABASE}")
        async with engine.connect() as connection:
            await connection.execute(text("PRAGMA journal_mode=WAL"))
        event.listen(engine.sync_engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous=FULL"))
        await engine.dispose()

        async def one(number: int) -> None:
            async with engine.begin() as connection:
                await connection.execute(insert(boxes), values(rows + number))

        try:
            return await all_of(one_by_one, one)
        finally:
            await engine.dispose()

    with tempfile.TemporaryDirectory() as folder:
        fast = uvloop.run(grouped(Path(folder)))
        slow = uvloop.run(single(Path(folder)))
    return {"grouped_per_second": fast, "single_per_second": slow, "group_commit": fast / slow}


def measure_waiters(count: int = 2_000) -> dict[str, float]:
    """What one reader who waits for news takes of the relay's memory, in KiB."""
    _allow_files(count)

    async def wait(port: int, bearers: Sequence[str], one: Server) -> float:
        loop, connections = asyncio.get_running_loop(), []
        before = one.rss_bytes()
        for number in range(count):
            bearer = bearers[number % len(bearers)]
            transport, _ = await loop.create_connection(asyncio.Protocol, "127.0.0.1", port)
            head = f"GET /v1/inbox?after=1000&wait=25 HTTP/1.1\r\nHost: relay\r\nAuthorization: Bearer {bearer}\r\n\r\n"
            transport.write(head.encode())
            connections.append(transport)
            if number % 100 == 0:
                await asyncio.sleep(0.05)
        await asyncio.sleep(5)
        waiting = one.rss_bytes()
        for transport in connections:
            transport.close()
        return (waiting - before) / count / 1024

    with tempfile.TemporaryDirectory() as folder:
        desks = asyncio.run(_desks(Path(folder)))
        with server(_serve_relay, folder) as relay:
            bearers = [desk.owner.bearers["first"] for desk in desks]
            return {"waiter_kib": uvloop.run(wait(relay.port, bearers, relay))}


def measure_wake(times: int = 300) -> dict[str, float]:
    """From a submit's 201 until a reader who waited has the page with it, in milliseconds: the median and the p95."""

    async def wake(port: int, desk: Desk, requests: Sequence[bytes]) -> list[float]:
        url = f"http://127.0.0.1:{port}"
        headers = {"Authorization": f"Bearer {desk.owner.bearers['first']}"}
        spent = []
        async with ClientSession(url, headers=headers) as reading, ClientSession(url, headers=headers) as sending:
            async with reading.get(f"/v1/cases/{desk.case}/log") as answer:
                after = len(unb64((await answer.json())["links"])) // 41
            for number, request in enumerate(requests):

                async def read(cursor: int) -> float:
                    path = f"/v1/cases/{desk.case}/inbox?after={cursor}&wait=25"
                    async with reading.get(path) as answer:
                        assert len((await answer.json(loads=msgspec.json.decode))["items"]) == 1
                    return time.perf_counter()

                waiting = asyncio.create_task(read(after + number))
                await asyncio.sleep(0.01)
                head, _, body = request.partition(b"\r\n\r\n")
                async with sending.put(head.split(b" ")[1].decode(), data=body) as answer:
                    assert answer.status == 201, await answer.text()
                accepted = time.perf_counter()
                spent.append(max(0.0, (await waiting - accepted) * 1000))
        return spent

    with tempfile.TemporaryDirectory() as folder:
        desk = asyncio.run(_desks(Path(folder), count=1))[0]
        with server(_serve_relay, folder) as relay:
            spent = sorted(uvloop.run(wake(relay.port, desk, requests_of([desk], times))))
    return {"wake_median_ms": spent[times // 2], "wake_p95_ms": spent[int(times * 0.95)]}


def measure_page(envelopes: int = 1_000_000, pages: int = 150) -> dict[str, float]:
    """The time of one page of 100 in a case of so many envelopes, against one of 1,000: bare rows, put in directly."""

    async def ask(port: int, desk: Desk, last: int) -> list[float]:
        spent = []
        headers = {"Authorization": f"Bearer {desk.owner.bearers['first']}"}
        async with ClientSession(f"http://127.0.0.1:{port}", headers=headers) as session:
            for number in range(pages):
                after = 20 + (number * 7919) % (last - 150)
                started = time.perf_counter()
                async with session.get(f"/v1/cases/{desk.case}/inbox?after={after}&limit=100") as answer:
                    page = await answer.read()
                spent.append(time.perf_counter() - started)
                assert page.count(b'"role":"manifest"') == 100, page[:500]
        return spent

    with tempfile.TemporaryDirectory() as few, tempfile.TemporaryDirectory() as many:
        small, large = (asyncio.run(_desks(Path(folder), count=1))[0] for folder in (few, many))
        _fill(Path(few), small, 1_000)
        _fill(Path(many), large, envelopes)
        with server(_serve_relay, few) as first, server(_serve_relay, many) as second:
            spent: dict[str, list[float]] = {"few": [], "many": []}
            for _ in range(3):
                spent["few"] += uvloop.run(ask(first.port, small, 1_000))
                spent["many"] += uvloop.run(ask(second.port, large, envelopes))
    few_ms, many_ms = (statistics.median(times) * 1000 for times in (spent["few"], spent["many"]))
    return {"page_small_ms": few_ms, "page_large_ms": many_ms, "page_growth": many_ms / few_ms}


def measure(envelopes: int = 1_000_000) -> dict[str, float]:
    """Everything that has a floor, and the figures behind it; the inbox page is read in a case of so many envelopes."""
    return {
        **measure_accept(),
        **measure_group_commit(),
        **measure_waiters(),
        **measure_wake(),
        **measure_page(envelopes),
    }


# --- how it is prepared ----------------------------------------------------------------------------------------------


async def _desks(folder: Path, count: int = CASES) -> list[Desk]:
    async with world_at(folder, limits=WIDE, clock=Clock(now_ms())) as world:
        return await prepare(world, count)


def _allow_files(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2 * count + 100)), hard))


def _fill(folder: Path, desk: Desk, count: int) -> None:
    """So many envelopes behind the ones that are there, small but read like real ones."""
    envelope = desk.pattern.envelope
    addressed = {"recipients": msgspec.to_builtins(envelope.recipients), "objects": [{"role": "manifest"}]}
    signed = msgspec.json.encode({"body": b64(msgspec.json.encode(addressed)), "sigs": [], "type": "envelope"})
    engine = writer_engine(folder / DATABASE)
    with engine.begin() as connection:
        n = connection.execute(select(cases.c.n).where(cases.c.id == desk.case)).scalar_one()
    for start in range(n + 1, n + 1 + count, 10_000):
        positions = range(start, min(start + 10_000, n + 1 + count))
        names = {at: b64(sha256(b"%d" % at)) for at in positions}
        rows = [
            {
                "case": desk.case,
                "n": at,
                "time_ms": now_ms(),
                "kind": int(Kind.ENVELOPE),
                "entry": names[at],
                "signed": signed,
                "receipt": b"{}",
            }
            for at in positions
        ]
        parts = [
            {
                "h0": names[at],
                "case": desk.case,
                "n": at,
                "entry": names[at],
                "role": "manifest",
                "p": names[at],
                "size_bytes": 64,
                "header": b"h" * 64,
                "payload": b"p" * 64,
            }
            for at in positions
        ]
        with engine.begin() as connection:
            connection.execute(insert(entries), rows)
            connection.execute(insert(objects), parts)
    with engine.begin() as connection:
        connection.execute(update(cases).where(cases.c.id == desk.case).values(n=n + count))
    engine.dispose()


def main() -> None:
    """Measure and print."""
    figures = measure()
    for name, figure in figures.items():
        floor = f"   (must {FLOORS[name]})" if name in FLOORS else ""
        print(f"{name:22} {figure:12.3f}{floor}")
    print(json.dumps({name: round(figure, 4) for name, figure in figures.items()}))


if __name__ == "__main__":
    main()
