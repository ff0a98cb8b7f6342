"""The zygote: a small, warm, single-threaded process without keys that forks one locked-down child per job.

It is started by exec, never forked from the intake, so no key was ever in its memory. It touches no stranger's byte:
the next child waits on the job channel, already forked, and takes the request with its descriptors from the parent
itself. The zygote only waits for it to end, reports in integers, and forks the next one.

    control channel   zygote → parent: READY, then one Report per job    parent → zygote: KILL with a sequence number
    job channel       parent → the waiting child: Request, content, result pipe
"""

import gc
import itertools
import os
import select
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from mmap import mmap
from pathlib import Path

from vetrelay.inspection import kernel, lockdown, seccomp
from vetrelay.inspection.frames import DONE, REQUEST_BYTES, Exit, Report, decode_request, encode_report

READY = struct.Struct("<BBB")
KILL = struct.Struct("<Q")
_EXIT_CRASHED = 70
_THREADS_END_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a job is given: the mapped content (maybe only the head of `size_bytes`) and one number."""

    content: mmap | bytes
    size_bytes: int
    file_bytes: int
    argument: int


# A job gives the parts of its answer; they are written to descriptor 3 one after the other.
JobFunction = Callable[[Task], Iterable[bytes]]
Channels = tuple[socket.socket, socket.socket]


def channels(arguments: Sequence[str]) -> Channels:
    """The control and the job channel, by the two descriptor numbers that start a worker's arguments."""
    control, job_channel = (socket.socket(fileno=int(descriptor)) for descriptor in arguments[:2])
    return control, job_channel


def serve(channels: Channels, jobs: Mapping[int, JobFunction], *, abilities: tuple[bool, bool]) -> None:
    """Serves jobs until the parent closes the channels.

    The caller has imported and warmed everything a job touches: inside, nothing can be imported any more.
    `abilities` are told to the parent: whether there is a second opinion (libmagic), whether HEIC can be opened.
    Ends the process with `Exit.NO_SANDBOX` where this machine cannot confine a job.
    """
    control, job_channel = channels
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle; it closes the channel
    try:
        locks = lockdown.forge()
    except seccomp.NoSeccomp:
        os._exit(Exit.NO_SANDBOX)
    lockdown.lower_zygote()
    _await_single_thread()
    gc.collect()
    gc.freeze()  # the child's collector leaves the zygote's objects alone, and so their pages stay shared
    control.send(READY.pack(locks.landlock_abi, *abilities))
    for sequence in itertools.count(1):
        child = kernel.fork_single_threaded()
        if child == 0:
            _be_child(locks, job_channel, jobs)
        report = _watch(control, job_channel, child, sequence)
        try:
            control.send(encode_report(report))
        except BrokenPipeError:  # the parent has closed both channels, at which the waiting child ended
            return


def _die_with_parent() -> None:
    parent = os.getppid()
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def _await_single_thread() -> None:
    """Warming HEIC starts a thread that may still be ending; a fork with a second thread is not safe."""
    deadline = time.monotonic() + _THREADS_END_SECONDS
    while len(list(Path("/proc/self/task").iterdir())) > 1:
        if time.monotonic() > deadline:
            raise SystemExit(_EXIT_CRASHED)
        time.sleep(0.001)


def _watch(control: socket.socket, job_channel: socket.socket, child: int, sequence: int) -> Report:
    watch = os.pidfd_open(child)
    poll = select.poll()
    poll.register(watch, select.POLLIN)
    poll.register(control, select.POLLIN)
    while watch not in {descriptor for descriptor, _ in poll.poll()}:
        wanted = _received(control)
        if wanted and KILL.unpack(wanted)[0] != sequence:
            continue  # it was meant for a job that has just ended by itself
        signal.pidfd_send_signal(watch, signal.SIGKILL)
        if not wanted:
            os._exit(0)
        _discard(job_channel)
    os.close(watch)
    _, status = os.waitpid(child, 0)
    return Report(sequence=sequence, status=status)


def _received(control: socket.socket) -> bytes:
    try:
        return control.recv(KILL.size)
    except ConnectionResetError:  # the parent closed it with a report unread
        return b""


def _discard(job_channel: socket.socket) -> None:
    """A request whose child was killed before it took it must not wake the next one."""
    # Asked by select: recv_fds of Python 3.11 forgets its flags, so that MSG_DONTWAIT would wait all the same.
    if select.select([job_channel], [], [], 0)[0]:
        _, descriptors, _, _ = socket.recv_fds(job_channel, REQUEST_BYTES, 2)
        for descriptor in descriptors:
            os.close(descriptor)


def _be_child(locks: lockdown.Locks, job_channel: socket.socket, jobs: Mapping[int, JobFunction]) -> None:
    """Never returns. No text leaves: an exception becomes an exit code."""
    code: int = Exit.NO_SANDBOX
    try:
        lockdown.lock_ahead(locks)
        message, descriptors, _, _ = socket.recv_fds(job_channel, REQUEST_BYTES, 2)
        if not message:
            os._exit(Exit.FINISHED)
        request = decode_request(message)
        content = lockdown.take_descriptors(content_descriptor=descriptors[0], result_descriptor=descriptors[1])
        lockdown.lock(locks, request.limits)
        code = _EXIT_CRASHED
        task = Task(
            content=content,
            size_bytes=request.size_bytes,
            file_bytes=request.limits.file_bytes,
            argument=request.argument,
        )
        for part in jobs[request.job](task):
            _write_all(part)
        _write_all(DONE)
        os.close(lockdown.RESULT_DESCRIPTOR)
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
