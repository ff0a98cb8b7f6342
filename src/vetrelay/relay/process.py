"""The relay as a process: composes the adapters, asks clock and dice for everybody, listens until it is told to stop."""

import asyncio
import fcntl
import gc
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import uvloop
from nacl.signing import SigningKey

from vetrelay.config import RelayConfig
from vetrelay.errors import Fault
from vetrelay.protocol.ids import SignKey, b64, relay_id
from vetrelay.protocol.signature import Signature, Signer
from vetrelay.relay import enrol
from vetrelay.relay.bells.local import LocalBells
from vetrelay.relay.blobs.files import FileBlobs
from vetrelay.relay.heads import Heads
from vetrelay.relay.http.app import build_app
from vetrelay.relay.http.health import VERSION
from vetrelay.relay.http.listen import bind, origin_of, serving
from vetrelay.relay.policy import Limits, check_disk
from vetrelay.relay.ports import RelayServices
from vetrelay.relay.session import ProvenChallenges
from vetrelay.relay.storage.engine import reader_engine, writer_engine
from vetrelay.relay.storage.memory import Memory
from vetrelay.relay.storage.migrate import migrate
from vetrelay.relay.storage.reader import PooledReader
from vetrelay.relay.storage.writer import GroupWriter
from vetrelay.relay.sweep import sweep
from vetrelay.telemetry import event_log, place_of, set_up_logs

DATABASE: Final = "relay.sqlite"
LOG_KEY: Final = "log.key"
LOCK: Final = "relay.lock"
SEED_BYTES: Final = 32
SWEEP_SECONDS: Final = 60 * 60

Ready = Callable[[Sequence[str]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogKey:
    """The key that signs heads: whoever has it can lie about every log, so it is the relay's only secret."""

    public: SignKey
    signer: Signer


def now_ms() -> int:
    """Milliseconds since 1970, by this machine's clock."""
    return time.time_ns() // 1_000_000


def run(config: RelayConfig, *, ready: Ready | None = None) -> None:
    """Serve until SIGTERM or SIGINT, on uvloop. Raises the Faults of `serve`."""
    uvloop.run(serve(config, ready=ready))


async def serve(config: RelayConfig, *, ready: Ready | None = None) -> None:
    """Serve until SIGTERM or SIGINT; `ready` hears the origins once the relay answers.

    Raises Fault `bad_listen`, `already_running`, `bad_log_key`, `blobs_unfit`, `storage_full`, `storage_failed`.
    """
    set_up_logs(as_json=config.log_json)
    log, stopped = event_log(), asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    with ExitStack() as opened:
        opened.enter_context(_locked(Path(config.data)))
        sockets = bind(config.listen)
        own = [origin_of(one) for one in sockets]
        # A socket on this machine is never a look-alike: the intake knows the relay by it, whatever others know it by.
        origins = frozenset(config.origins or own) | {one for one in own if one.startswith("unix:")}
        async with (
            open_relay(Path(config.data), config.limits, origins=origins) as relay,
            serving(build_app(relay), sockets, config.limits),
            _sweeping(relay),
        ):
            gc.freeze()  # what is here by now stays: looking through it again and again would find nothing
            log("relay.ready", listen=own, version=VERSION)
            if ready is not None:
                ready(own)
            await stopped.wait()
            _wake(relay)
    log("relay.stopped")


@asynccontextmanager
async def open_relay(
    data: Path,
    limits: Limits,
    *,
    origins: frozenset[str],
    clock: Callable[[], int] = now_ms,
    random_bytes: Callable[[int], bytes] = os.urandom,
) -> AsyncIterator[RelayServices]:
    """The services on the files of a data folder, made at the first start. The caller has the folder to itself."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = load_log_key(data, random_bytes=random_bytes)
    relay, bells = relay_id(key.public), LocalBells()
    memory, database = Memory(relay), data / DATABASE
    writing = writer_engine(database)
    await asyncio.to_thread(migrate, writing)
    reading = reader_engine(database)
    blobs = FileBlobs(data)
    await blobs.open()
    writer = GroupWriter(
        writing,
        memory,
        ring=bells.ring,
        check_disk=lambda: check_disk(shutil.disk_usage(data).free, limits),
        max_queued_jobs=limits.queued_jobs,
    )
    reader = PooledReader(reading, memory)
    try:
        yield RelayServices(
            relay=relay,
            log_key=key.public,
            heads=Heads(relay, key.signer),
            origins=origins,
            limits=limits,
            writer=writer,
            reader=reader,
            blobs=blobs,
            bells=bells,
            challenges=ProvenChallenges(random_bytes),
            now_ms=clock,
            random_bytes=random_bytes,
        )
    finally:
        await writer.close()
        reader.close()
        await blobs.close()
        reading.dispose()
        writing.dispose()


def load_log_key(data: Path, *, random_bytes: Callable[[int], bytes]) -> LogKey:
    """The log key of a data folder, made at the first start, durable before it is used.

    Raises Fault `bad_log_key` where a database has lost its key: with another one it would be another relay.
    """
    path = data / LOG_KEY
    if not path.exists():
        if (data / DATABASE).exists():
            raise Fault("bad_log_key")
        _write_durably(path, random_bytes(SEED_BYTES))
    seed = path.read_bytes()
    if len(seed) != SEED_BYTES:
        raise Fault("bad_log_key")
    key = SigningKey(seed)
    public = b64(bytes(key.verify_key))
    return LogKey(public=public, signer=lambda covered: Signature(key=public, sig=b64(key.sign(covered).signature)))


def issue_code(config: RelayConfig, kind: Literal["clinic", "machine"]) -> str:
    """A fresh enrolment code, written beside a relay that may be running: nothing else of its folder is touched."""

    async def issue() -> str:
        async with open_relay(Path(config.data), config.limits, origins=frozenset()) as relay:
            return await enrol.issue_code(relay, kind)

    return asyncio.run(issue())


@asynccontextmanager
async def _sweeping(relay: RelayServices) -> AsyncIterator[None]:
    """Sweep now and every hour. One that fails is logged; the next one starts from what is there."""

    async def repeat() -> None:
        log = event_log()
        while True:
            try:
                await sweep(relay)
            except Exception as broken:  # noqa: BLE001  # the relay goes on; what is past its time can wait
                log("sweep.failed", error=type(broken).__name__, where=place_of(broken))
            await asyncio.sleep(SWEEP_SECONDS)

    task = asyncio.create_task(repeat())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _wake(relay: RelayServices) -> None:
    """Answer everybody who waits for news, so that stopping takes no longer than their answers."""
    if isinstance(relay.bells, LocalBells):
        relay.bells.close()


@contextmanager
def _locked(data: Path) -> Iterator[None]:
    """Have a data folder to oneself: two relays on one folder would each believe to be the only writer."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(data / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as held:
        raise Fault("already_running") from held
    finally:
        os.close(lock)


def _write_durably(path: Path, content: bytes) -> None:
    fresh = path.with_suffix(".new")
    file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, content)
        os.fsync(file)
    finally:
        os.close(file)
    fresh.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
