"""The zygote: a small, warm, single-threaded process without keys that forks one locked-down child per job.

It is started by exec, never forked from the intake, so no key was ever in its memory. It reads no stranger's byte:
it passes descriptors on, forks, waits, and reports in integers.
"""

import gc
import os
import select
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from mmap import mmap

from vetrelay.inspection import kernel, lockdown, seccomp
from vetrelay.inspection.frames import REQUEST_BYTES, Exit, Report, Request, decode_request, encode_report

READY = struct.Struct("<BBBB")
KILL = b"K"
_EXIT_CRASHED = 70


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a job is given: the mapped content (maybe only the head of `size_bytes`) and one number."""

    content: mmap | bytes
    size_bytes: int
    argument: int
    file_bytes: int


# A job gives the parts of its answer; they are written to descriptor 3 one after the other.
JobFunction = Callable[[Task], Iterable[bytes]]


def serve(channel: socket.socket, jobs: Mapping[int, JobFunction], *, abilities: tuple[bool, bool]) -> None:
    """Serves jobs until the parent closes `channel`.

    The caller has imported and warmed everything a job touches: inside, nothing can be imported any more.
    `abilities` are told to the parent: whether there is a second opinion (libmagic), whether HEIC can be opened.
    Ends the process with `Exit.NO_SANDBOX` where this machine cannot confine a job.
    """
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle; it closes the channel
    try:
        locks = lockdown.forge()
    except seccomp.NoSeccomp:
        os._exit(Exit.NO_SANDBOX)
    lockdown.lower_zygote()
    gc.collect()
    gc.freeze()  # the child's collector leaves the zygote's objects alone, and so their pages stay shared
    second_opinion, heic = abilities
    threads = len(os.listdir("/proc/self/task"))
    channel.send(READY.pack(locks.landlock_abi, second_opinion, heic, min(threads, 255)))
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, REQUEST_BYTES, 2)
        if not message:
            return
        if len(descriptors) != 2:  # noqa: PLR2004 - the content and the result
            continue  # a KILL that came after its job had ended
        report = _run(channel, locks, jobs, request=decode_request(message), descriptors=descriptors)
        channel.send(encode_report(report))


def _die_with_parent() -> None:
    parent = os.getppid()
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def _run(
    channel: socket.socket,
    locks: lockdown.Locks,
    jobs: Mapping[int, JobFunction],
    *,
    request: Request,
    descriptors: list[int],
) -> Report:
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        _be_child(locks, jobs, request=request, descriptors=descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    watch = os.pidfd_open(child)
    timed_out = not _ended_in_time(channel, watch, deadline=started + request.limits.wall_ms / 1000)
    if timed_out:
        signal.pidfd_send_signal(watch, signal.SIGKILL)
    os.close(watch)
    _, status, usage = os.wait4(child, 0)
    return Report(
        timed_out=timed_out,
        status=status,
        cpu_ms=round((usage.ru_utime + usage.ru_stime) * 1000),
        peak_memory_kib=usage.ru_maxrss,
    )


def _ended_in_time(channel: socket.socket, watch: int, *, deadline: float) -> bool:
    poll = select.poll()
    poll.register(watch, select.POLLIN)
    poll.register(channel, select.POLLIN)
    while True:
        remaining_ms = (deadline - time.monotonic()) * 1000
        if remaining_ms <= 0:
            return False
        ready = {descriptor for descriptor, _ in poll.poll(remaining_ms)}
        if watch in ready:
            return True
        if channel.fileno() in ready:
            # Between request and report the parent says only KILL, or is gone; both end the child now.
            signal.pidfd_send_signal(watch, signal.SIGKILL)
            if not channel.recv(len(KILL)):
                os._exit(0)


def _be_child(
    locks: lockdown.Locks, jobs: Mapping[int, JobFunction], *, request: Request, descriptors: list[int]
) -> None:
    """Never returns. No text leaves: an exception becomes an exit code."""
    code: int = _EXIT_CRASHED
    try:
        content = lockdown.take_descriptors(
            locks, content_descriptor=descriptors[0], result_descriptor=descriptors[1]
        )
        code = Exit.NO_SANDBOX
        lockdown.lock(locks, request.limits)
        code = _EXIT_CRASHED
        task = Task(
            content=content,
            size_bytes=request.size_bytes,
            argument=request.argument,
            file_bytes=request.limits.file_bytes,
        )
        for part in jobs[request.job](task):
            _write_all(part)
        code = Exit.FINISHED
    except MemoryError:
        code = Exit.OUT_OF_MEMORY
    except BaseException:  # noqa: BLE001, S110 - whatever it was, it must not travel; the code says "crashed"
        pass
    finally:
        os._exit(code)


def _write_all(part: bytes) -> None:
    view = memoryview(part)
    while view:
        view = view[os.write(lockdown.RESULT_DESCRIPTOR, view) :]
