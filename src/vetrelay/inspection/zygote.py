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
from vetrelay.inspection.frames import DONE, REQUEST_BYTES, Exit, Report, Request, decode_request, encode_report
from vetrelay.inspection.kinds import Kind

READY = struct.Struct("<BB16s")
KILL = struct.Struct("<Q")
_KIND_BYTES = 16  # one bit for each kind
_EXIT_CRASHED = 70
_THREADS_END_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a job is given: the mapped content (maybe only the head of `request.size_bytes`), and what is asked."""

    content: mmap | bytes
    request: Request


# A job gives the parts of its answer; they are written to descriptor 3 one after the other.
JobFunction = Callable[[Task], Iterable[bytes]]
Channels = tuple[socket.socket, socket.socket]


def channels(arguments: Sequence[str]) -> Channels:
    """The control and the job channel, by the two descriptor numbers that start a worker's arguments."""
    control, job_channel = (socket.socket(fileno=int(descriptor)) for descriptor in arguments[:2])
    return control, job_channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What a worker tells its parent of itself: whether it has libmagic's second opinion, and what it opens."""

    second_opinion: bool
    opens: frozenset[Kind]

    def encode(self, landlock_abi: int) -> bytes:
        """The message that says that the zygote is ready."""
        bits = sum(1 << kind for kind in self.opens)
        return READY.pack(landlock_abi, self.second_opinion, bits.to_bytes(_KIND_BYTES, "little"))


def decode_ready(message: bytes) -> tuple[int, Abilities]:
    """The zygote's Landlock version and abilities; the zygote has seen no stranger's byte (struct.error)."""
    landlock_abi, second_opinion, raw = READY.unpack(message)
    bits = int.from_bytes(raw, "little")
    opens = frozenset(kind for kind in Kind if bits >> kind & 1)
    return landlock_abi, Abilities(second_opinion=bool(second_opinion), opens=opens)


def serve(channels: Channels, jobs: Mapping[int, JobFunction], *, abilities: Abilities) -> None:
    """Serves jobs until the parent closes the channels.

    The caller has imported and warmed everything a job touches: inside, nothing can be imported any more.
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
    try:
        control.send(abilities.encode(locks.landlock_abi))
    except BrokenPipeError:  # the parent did not wait so long
        return
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
        for part in jobs[request.job](Task(content=content, request=request)):
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
