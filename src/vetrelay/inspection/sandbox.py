"""The parent's side of the jail: starts a zygote, gives it one job at a time, and believes nothing that comes back.

    parent ─────────── request, content, result pipe ──────────▶ job (forked ahead, locks itself down)
       ▲ ▲                                                        │ ▲
       │ └──────── result: bytes on descriptor 3, capped ─────────┘ │ fork, wait
       └─ report: how it ended, in integers ──────────────────── zygote

The clock, the byte cap and the decision to kill are the parent's. However a job ends, `run` gives an `Ending`; only
the zygote's own death raises (`ZygoteLost`).
"""

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Self

from vetrelay.errors import Fault
from vetrelay.inspection.frames import REPORT_BYTES, Exit, Garbled, Report, Request, decode_report, encode_request
from vetrelay.inspection.policy import Limits
from vetrelay.inspection.zygote import KILL, READY

WORKER_COMMAND = (sys.executable, "-I", "-m", "vetrelay.inspection.worker")
# A clean environment: no key, no path, no locale. One malloc arena keeps threads from reserving address space.
_ENVIRONMENT = {"MALLOC_ARENA_MAX": "1", "PATH": "/usr/bin:/bin:/sbin:/usr/sbin"}
_START_SECONDS = 60.0
# A killed job is reported at once; silence for this long means that the zygote hangs.
_GRACE_SECONDS = 10.0
_READ_BYTES = 1 << 20


class ZygoteLost(Exception):
    """The zygote died or hangs; the job it had is lost and may be tried again in another one."""


class End(Enum):
    """How a job ended."""

    FINISHED = "finished"
    TIMED_OUT = "timed out"
    OUT_OF_MEMORY = "out of memory"
    CRASHED = "crashed"
    FLOODED = "flooded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a job ended, what it wrote (untrusted; empty unless it finished), and what it used."""

    end: End
    untrusted: bytes
    cpu_ms: int
    peak_memory_kib: int


class Zygote:
    """One zygote process with one slot: jobs run one after the other. Made by `start`."""

    def __init__(self, process: asyncio.subprocess.Process, channels: tuple[socket.socket, socket.socket]) -> None:
        self._process = process
        self._control, self._jobs = channels
        self._sequence = 0
        self.lost = False
        self.landlock_abi = 0
        self.has_second_opinion = False
        self.opens_heic = False

    @classmethod
    async def start(cls, command: Sequence[str] = WORKER_COMMAND, *options: str) -> Self:
        """Starts a zygote and waits until it is warm. Raises Fault `no_sandbox` or `sandbox_failed`."""
        control, their_control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        jobs, their_jobs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        passed = (their_control.fileno(), their_jobs.fileno())
        with their_control, their_jobs:
            process = await asyncio.create_subprocess_exec(
                *command,
                *(str(descriptor) for descriptor in passed),
                *options,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                pass_fds=passed,
                env=_ENVIRONMENT,
                cwd="/",
                start_new_session=True,
            )
        control.setblocking(False)
        jobs.setblocking(False)
        zygote = cls(process, (control, jobs))
        try:
            await zygote._become_ready()
        except BaseException:
            await zygote.close()
            raise
        return zygote

    async def _become_ready(self) -> None:
        ready = b""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_START_SECONDS):
                ready = await asyncio.get_running_loop().sock_recv(self._control, READY.size)
        if len(ready) != READY.size:
            await self.close()
            raise Fault("no_sandbox" if self._process.returncode == Exit.NO_SANDBOX else "sandbox_failed")
        self.landlock_abi, second_opinion, heic = READY.unpack(ready)
        self.has_second_opinion, self.opens_heic = bool(second_opinion), bool(heic)

    @property
    def pid(self) -> int:
        """The zygote's process id, for tests and for `doctor`."""
        return self._process.pid

    async def run(self, request: Request, content_descriptor: int) -> Ending:
        """One job. Raises ZygoteLost, or Fault `no_sandbox` if the job could not be locked down.

        Whoever cancels it loses the zygote with it: a job that nobody waits for must not go on.
        """
        self._sequence += 1
        reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            try:
                _widen(reader)
                os.set_blocking(writer, True)
                socket.send_fds(self._jobs, [encode_request(request)], [content_descriptor, writer])
            finally:
                os.close(writer)
            return await self._ending(request.limits, reader)
        except (OSError, TimeoutError, Garbled):
            self.kill()
            raise ZygoteLost from None
        except BaseException:
            self.kill()
            raise
        finally:
            os.close(reader)

    async def _ending(self, limits: Limits, reader: int) -> Ending:
        flood = asyncio.Event()
        loop = asyncio.get_running_loop()
        collecting = asyncio.create_task(_collect(reader, limits.output_bytes, flood))
        reporting = asyncio.ensure_future(loop.sock_recv(self._control, REPORT_BYTES + 1))
        flooding = asyncio.create_task(flood.wait())
        try:
            await asyncio.wait(
                (reporting, flooding), timeout=limits.wall_ms / 1000, return_when=asyncio.FIRST_COMPLETED
            )
            killed = not reporting.done()
            if killed:
                self._control.send(KILL.pack(self._sequence))
            async with asyncio.timeout(_GRACE_SECONDS):
                report = decode_report(await reporting)
                untrusted = await collecting
        finally:
            for task in (collecting, reporting, flooding):
                task.cancel()
        if report.sequence != self._sequence:
            raise Garbled
        return _as_ending(report, untrusted, flooded=flood.is_set(), timed_out=killed)

    def kill(self) -> None:
        """Ends the zygote and, with it, its job. It is of no use any more."""
        self.lost = True
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)

    async def close(self) -> None:
        """Closes the channels, at which the zygote ends by itself, and waits for it."""
        self.lost = True
        self._control.close()
        self._jobs.close()
        try:
            async with asyncio.timeout(_GRACE_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


def _widen(pipe: int) -> None:
    # Fewer switches between job and parent; beyond the user's quota the kernel refuses, and the default does.
    with contextlib.suppress(OSError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _READ_BYTES)


async def _collect(reader: int, output_bytes: int, flood: asyncio.Event) -> bytes:
    """Reads until the job's end of the pipe is closed; past the cap it stops and says so."""
    loop = asyncio.get_running_loop()
    finished: asyncio.Future[None] = loop.create_future()
    collected = bytearray()

    def read_some() -> None:
        try:
            step = os.read(reader, _READ_BYTES)
        except BlockingIOError:
            return
        collected.extend(step)
        if len(collected) > output_bytes:
            flood.set()
        if (not step or flood.is_set()) and not finished.done():
            loop.remove_reader(reader)
            finished.set_result(None)

    loop.add_reader(reader, read_some)
    try:
        await finished
    finally:
        loop.remove_reader(reader)
    return b"" if flood.is_set() else bytes(collected)


def _as_ending(report: Report, untrusted: bytes, *, flooded: bool, timed_out: bool) -> Ending:
    exit_code = os.waitstatus_to_exitcode(report.status)
    if exit_code == Exit.NO_SANDBOX:
        raise Fault("no_sandbox")
    if flooded:
        end = End.FLOODED
    elif timed_out or exit_code == -signal.SIGXCPU:
        end = End.TIMED_OUT
    elif exit_code == Exit.OUT_OF_MEMORY:
        end = End.OUT_OF_MEMORY
    else:
        end = End.FINISHED if exit_code == Exit.FINISHED else End.CRASHED
    return Ending(
        end=end,
        untrusted=untrusted if end is End.FINISHED else b"",
        cpu_ms=report.cpu_ms,
        peak_memory_kib=report.peak_memory_kib,
    )
