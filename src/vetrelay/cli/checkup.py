"""The doctor's checks, one function each: what was seen, whether it will do, and what to do if not."""

import os
import shutil
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from vetrelay.cli.words import amount
from vetrelay.client.api import RelayApi
from vetrelay.errors import Fault, VetRelayError
from vetrelay.inspection.inspect import Inspector, Settings
from vetrelay.inspection.kinds import Kind

Verdict = Literal["ok", "warn", "bad"]
LEAST_FREE_BYTES: Final = 256 * 1024 * 1024  # below this the relay takes nothing more (config: min_free_bytes)
COMFORTABLE_FREE_BYTES: Final = 5 * 1024 * 1024 * 1024
SYNCS: Final = 15
SLOW_SYNC_MS: Final = 25.0  # at this pace some forty messages a second, one by one, are all a disk can take
CLOCK_WARN_MS: Final = 60_000
CLOCK_BAD_MS: Final = 10 * 60_000  # sessions are signed for a quarter of an hour


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check: `mend` says what to do, and is empty where nothing is to be done."""

    name: str
    verdict: Verdict
    what: str
    mend: str = ""


_EXTRAS: Final = (
    ("HEIC photos", Kind.HEIC, "heif", "without it owners are asked to send JPEG"),
    ("videos and sound", Kind.MP4, "video", "without it they wait for staff"),
)


async def sandbox() -> list[Check]:
    """The file check's jail, proved by its own self-test, and what it has to work with."""
    try:
        async with Inspector.start(Settings(parallel_jobs=1)) as inspector:
            landlock, opens, magic = inspector.landlock_abi, inspector.opens, inspector.has_second_opinion
    except Fault as fault:
        happened, _, mend = fault.sentence.partition("; ")
        mend = (
            "allow seccomp for this container or user; see docs/operations.md" if fault.code == "no_sandbox" else mend
        )
        return [Check(name="sandbox (seccomp)", verdict="bad", what=happened, mend=mend)]
    checks = [
        Check(name="sandbox (seccomp)", verdict="ok", what="a file is opened in a jail that passes its self-test")
    ]
    if landlock:
        checks.append(Check(name="Landlock", verdict="ok", what=f"ABI {landlock}: the jail sees no file system"))
    else:
        mend = "a kernel of 5.13 or newer with Landlock adds a second wall; the first one holds alone"
        checks.append(Check(name="Landlock", verdict="warn", what="this kernel has none", mend=mend))
    if magic:
        checks.append(Check(name="libmagic", verdict="ok", what="it gives the second opinion on what a file is"))
    else:
        mend = "install it (libmagic1); without it every file waits for staff"
        checks.append(Check(name="libmagic", verdict="bad", what="it is missing", mend=mend))
    for what, kind, extra, without in _EXTRAS:
        if kind in opens:
            checks.append(Check(name=what, verdict="ok", what="they can be opened"))
        else:
            mend = f"install the extra: pip install 'vetrelay[{extra}]'; {without}"
            checks.append(Check(name=what, verdict="warn", what="they cannot be opened", mend=mend))
    return checks


def disk(folder: Path) -> list[Check]:
    """How much room there is, and how long it takes until a disk has really written."""
    free_bytes = shutil.disk_usage(folder).free
    room = f"{amount(free_bytes)} free"
    if free_bytes < LEAST_FREE_BYTES:
        checks = [Check(name="disk", verdict="bad", what=room, mend="make room: nothing more can be accepted")]
    elif free_bytes < COMFORTABLE_FREE_BYTES:
        checks = [Check(name="disk", verdict="warn", what=room, mend="make room soon")]
    else:
        checks = [Check(name="disk", verdict="ok", what=room)]
    try:
        sync_ms = _sync_ms(folder)
    except OSError as wrong:
        mend = "check the folder's permissions"
        return [*checks, Check(name="durable writes", verdict="bad", what=wrong.strerror or "they fail", mend=mend)]
    what = f"a write is on the disk after {sync_ms:.1f} ms"
    if sync_ms > SLOW_SYNC_MS:
        mend = "put the data on a faster disk, an SSD: every accepted message waits for this"
        return [*checks, Check(name="durable writes", verdict="warn", what=what, mend=mend)]
    return [*checks, Check(name="durable writes", verdict="ok", what=what)]


def _sync_ms(folder: Path) -> float:
    """The median time of a small write with fdatasync, in milliseconds."""
    probe = folder / f".doctor-{os.getpid()}"
    spent: list[float] = []
    try:
        with probe.open("xb", buffering=0) as file:
            for _ in range(SYNCS):
                started = time.perf_counter()
                file.write(bytes(4096))
                os.fdatasync(file.fileno())
                spent.append(time.perf_counter() - started)
    finally:
        probe.unlink(missing_ok=True)
    return statistics.median(spent) * 1000


async def clock(api: RelayApi, now_ms: Callable[[], int]) -> Check:
    """This machine's clock against the relay's. Raises Fault when the relay cannot be asked."""
    before = now_ms()
    facts = await api.relay_facts()
    off_ms = facts.time - (before + now_ms()) // 2
    seconds = f"{abs(off_ms) / 1000:.1f} s {'behind' if off_ms > 0 else 'ahead of'} the message server's"
    if abs(off_ms) <= CLOCK_WARN_MS:
        return Check(name="clock", verdict="ok", what=f"within {abs(off_ms) / 1000:.1f} s of the message server's")
    verdict: Verdict = "bad" if abs(off_ms) > CLOCK_BAD_MS else "warn"
    return Check(name="clock", verdict=verdict, what=seconds, mend="set the clock (NTP) on whichever machine is wrong")


async def relay_ready(api: RelayApi) -> Check:
    """Whether the relay can accept: a commit goes through and its disk has room."""
    try:
        async with api.open("GET", "/ready", bearer=False):
            return Check(name="message server", verdict="ok", what="it can accept messages")
    except VetRelayError as error:
        happened, _, mend = error.sentence.partition("; ")
        return Check(name="message server", verdict="bad", what=happened, mend=mend)
