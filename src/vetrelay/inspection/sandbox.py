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
from vetrelay.inspection.frames import DONE, REPORT_BYTES, Exit, Garbled, Request, decode_report, encode_request
from vetrelay.inspection.policy import Limits
from vetrelay.inspection.zygote import KILL, READY, Abilities, decode_ready

WORKER_COMMAND = (sys.executable, "-I", "-m", "vetrelay.inspection.worker")
# A clean environment: no key, no path of ours, no locale. One malloc arena keeps threads from reserving address space;
# huge pages, where the kernel gives them on request, halve what the kernel spends on a photo's fresh memory.
_ENVIRONMENT = {
    "MALLOC_ARENA_MAX": "1",
    "OPENBLAS_NUM_THREADS": "1",  # numpy's would start threads, and a zygote has one
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    "PATH": "/usr/bin:/bin:/sbin:/usr/sbin",
}
_START_SECONDS = 120.0
# A killed job is reported at once; silence for this long means that the zygote hangs.
_GRACE_SECONDS = 10.0
# A job that has closed its answer has only to be taken down by the kernel.
_LEAVE_SECONDS = 0.5
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
    """How a job ended, and what it wrote: untrusted, and empty unless it finished."""

    end: End
    untrusted: bytes | memoryview = b""


class Zygote:
    """One zygote process with one slot: jobs run one after the other. Made by `start`."""

    def __init__(self, process: asyncio.subprocess.Process, channels: tuple[socket.socket, socket.socket]) -> None:
        self._process = process
        self._control, self._jobs = channels
        self._sequence = 0
        self._leaving: asyncio.Task[int] | None = None
        self.lost = False
        self.landlock_abi = 0
        self.abilities = Abilities(second_opinion=False, opens=frozenset())

    @classmethod
    async def start(cls, command: Sequence[str] = WORKER_COMMAND, *options: str) -> Self:
        """Starts a zygote and waits until it is warm. Raises Fault `no_sandbox` or `sandbox_failed`."""
        control, their_control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        jobs, their_jobs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with their_control, their_jobs:
                process = await _spawned(command, (their_control.fileno(), their_jobs.fileno()), options)
            zygote = cls(process, (control, jobs))
        except BaseException:
            control.close()
            jobs.close()
            raise
        try:
            await zygote._become_ready()
        except BaseException:
            await zygote.close()
            raise
        return zygote

    async def _become_ready(self) -> None:
        self._control.setblocking(False)
        self._jobs.setblocking(False)
        ready = b""
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(_START_SECONDS):
                ready = await asyncio.get_running_loop().sock_recv(self._control, READY.size)
        if len(ready) != READY.size:
            await self.close()
            raise Fault("no_sandbox" if self._process.returncode == Exit.NO_SANDBOX else "sandbox_failed")
        self.landlock_abi, self.abilities = decode_ready(ready)

    @property
    def pid(self) -> int:
        """The zygote's process id, for tests and for `doctor`."""
        return self._process.pid

    def is_alive(self) -> bool:
        """Whether the zygote can be given a job, as far as can be seen without asking it."""
        try:
            return not self.lost and self._control.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    async def run(self, request: Request, content_descriptor: int) -> Ending:
        """One job. Raises ZygoteLost, or Fault `no_sandbox` if the job could not be locked down.

        Whoever cancels it loses the zygote with it: a job that nobody waits for must not go on.
        """
        try:
            if self._leaving is not None:
                await self._leaving
            return await self._run(request, content_descriptor)
        except (OSError, TimeoutError, Garbled):
            self.kill()
            raise ZygoteLost from None
        except BaseException:
            self.kill()
            raise

    async def _run(self, request: Request, content_descriptor: int) -> Ending:
        self._sequence += 1
        reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            try:
                _widen(reader)
                os.set_blocking(writer, True)
                socket.send_fds(self._jobs, [encode_request(request)], [content_descriptor, writer])
            finally:
                os.close(writer)
            collected, timed_out = await _collected(reader, request.limits)
        finally:
            os.close(reader)
        flooded = len(collected) > request.limits.output_bytes
        if collected.endswith(DONE) and not flooded:
            self._leaving = asyncio.create_task(self._see_off(_LEAVE_SECONDS))
            return Ending(end=End.FINISHED, untrusted=memoryview(collected)[: -len(DONE)])
        exit_code = await self._see_off(0 if timed_out or flooded else _LEAVE_SECONDS)
        return Ending(end=_end(exit_code, flooded=flooded, timed_out=timed_out))

    async def _see_off(self, seconds: float) -> int:
        """Waits so long for a job to be gone by itself, then kills it; its exit code."""
        loop = asyncio.get_running_loop()
        # One receiving for both waits: stopping one that has its message already would lose the message on uvloop.
        receiving = asyncio.ensure_future(loop.sock_recv(self._control, REPORT_BYTES + 1))
        try:
            await asyncio.wait({receiving}, timeout=seconds)
            if not receiving.done():
                self._control.send(KILL.pack(self._sequence))
                await asyncio.wait({receiving}, timeout=_GRACE_SECONDS)
            if not receiving.done():
                raise TimeoutError
            return self._exit_code(receiving.result())
        finally:
            receiving.cancel()

    def _exit_code(self, untrusted_report: bytes) -> int:
        report = decode_report(untrusted_report)
        if report.sequence != self._sequence:
            raise Garbled
        return os.waitstatus_to_exitcode(report.status)

    def kill(self) -> None:
        """Ends the zygote and, with it, its job. It is of no use any more."""
        self.lost = True
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)

    async def close(self) -> None:
        """Closes the channels, at which the zygote ends by itself, and waits for it."""
        self.lost = True
        if self._leaving is not None:
            self._leaving.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError, TimeoutError, Garbled):
                await self._leaving
        self._control.close()
        self._jobs.close()
        try:
            async with asyncio.timeout(_GRACE_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


async def _spawned(
    command: Sequence[str], passed: tuple[int, int], options: tuple[str, ...]
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
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


def _widen(pipe: int) -> None:
    # Fewer switches between job and parent; beyond the user's quota the kernel refuses, and the default does.
    with contextlib.suppress(OSError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _READ_BYTES)


async def _collected(reader: int, limits: Limits) -> tuple[bytearray, bool]:
    """What the job writes until it closes its end, cut off after the cap; and whether the wall clock ended it."""
    loop = asyncio.get_running_loop()
    finished: asyncio.Future[None] = loop.create_future()
    collected = bytearray()

    def read_some() -> None:
        try:
            step = os.read(reader, _READ_BYTES)
        except BlockingIOError:
            return
        collected.extend(step)
        if (not step or len(collected) > limits.output_bytes) and not finished.done():
            finished.set_result(None)

    loop.add_reader(reader, read_some)
    try:
        async with asyncio.timeout(limits.wall_ms / 1000):
            await finished
    except TimeoutError:
        return collected, True
    finally:
        loop.remove_reader(reader)
    return collected, False


def _end(exit_code: int, *, flooded: bool, timed_out: bool) -> End:
    if exit_code == Exit.NO_SANDBOX:
        raise Fault("no_sandbox")
    if flooded:
        return End.FLOODED
    if timed_out or exit_code == -signal.SIGXCPU:
        return End.TIMED_OUT
    if exit_code == Exit.OUT_OF_MEMORY:
        return End.OUT_OF_MEMORY
    # An exit with 0 that did not say "done" is not an honest job's either.
    return End.CRASHED
