"""A worker whose jobs misbehave, each in its own way, in the real jail.

Started in place of `vetrelay.inspection.worker`, as `misbehaving_worker.py VARIANT CONTROL JOBS`. It serves the real
jobs and, beside them, the misdeeds and attempts below: the product has no way to ask for one. Variants change what
the zygote itself is: another user, a machine without libmagic, a jail with its lock left open.
"""

import contextlib
import ctypes
import mmap
import os
import platform
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from vetrelay.inspection import kernel, lockdown, worker, zygote
from vetrelay.inspection.formats import image
from vetrelay.inspection.frames import DONE, Job
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.result import Result
from vetrelay.inspection.words import Reason

MISDEED, ATTEMPT, EMPTY = 100, 101, 102
NOBODY = 65534
SLOW_MARK = b"take your time"
SLOW_SECONDS = 1.5

_libc = ctypes.CDLL(None, use_errno=True)


# --- ways to end --------------------------------------------------------------------------------------------------------


def loop(_task: zygote.Task) -> Iterable[bytes]:
    """Uses the processor for ever."""
    while True:
        pass


def sleep(_task: zygote.Task) -> Iterable[bytes]:
    """Waits for ever, without using the processor."""
    while True:
        with contextlib.suppress(OSError):
            time.sleep(60)


def eat_memory(_task: zygote.Task) -> Iterable[bytes]:
    """Takes memory until there is none."""
    hoard = []
    while True:
        hoard.append(bytearray(64 << 20))


def write_without_end(_task: zygote.Task) -> Iterable[bytes]:
    """Answers with ten gigabytes."""
    block = bytes(1 << 20)
    for _ in range(10 * 1024):
        yield block


def answer_one_byte_too_many(task: zygote.Task) -> Iterable[bytes]:
    """Answers with one byte more than the size it was told."""
    yield bytes(task.request.size_bytes + 1)


def die_by_signal(_task: zygote.Task) -> Iterable[bytes]:
    """Reads where nothing is mapped."""
    ctypes.string_at(0)
    return []


def exit_without_an_answer(_task: zygote.Task) -> Iterable[bytes]:
    """Says that all is well, and nothing else."""
    os._exit(0)


def die_in_the_middle(_task: zygote.Task) -> Iterable[bytes]:
    """Answers half, then dies."""
    yield b"the first half"
    os._exit(3)


def raise_an_error(_task: zygote.Task) -> Iterable[bytes]:
    """Raises with a text that must not travel."""
    raise RuntimeError("text of a library")


def answer_nonsense(_task: zygote.Task) -> Iterable[bytes]:
    """Answers with bytes that are no result."""
    return [b"\xff" * 500]


def print_everywhere(_task: zygote.Task) -> Iterable[bytes]:
    """Prints, as libraries do, and then answers."""
    for descriptor in (1, 2):
        os.write(descriptor, b"warning: something\n" * 10_000)
    print("more")
    sys.stdout.flush()
    return [b"answer"]


def stay_after_the_answer(_task: zygote.Task) -> Iterable[bytes]:
    """Says that it is done, and is not."""
    os.write(3, b"answer" + DONE)
    os.close(3)
    while True:
        pass


def close_the_answer(_task: zygote.Task) -> Iterable[bytes]:
    """Closes the pipe and lives on."""
    os.close(3)
    while True:
        pass


def refuse_to_be_stopped(_task: zygote.Task) -> Iterable[bytes]:
    """Ignores every signal that can be ignored, and loops."""
    for number in (signal.SIGXCPU, signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    while True:
        pass


MISDEEDS: tuple[zygote.JobFunction, ...] = (
    loop,
    sleep,
    eat_memory,
    write_without_end,
    answer_one_byte_too_many,
    die_by_signal,
    exit_without_an_answer,
    die_in_the_middle,
    raise_an_error,
    answer_nonsense,
    print_everywhere,
    stay_after_the_answer,
    close_the_answer,
    refuse_to_be_stopped,
)


# --- things that must be impossible -------------------------------------------------------------------------------------


def _raw(number: int, *arguments: int) -> Callable[[], object]:
    return lambda: kernel.syscall(number, *(ctypes.c_long(argument) for argument in arguments))


def _called(name: str, *arguments: object) -> Callable[[], object]:
    def call() -> None:
        if getattr(_libc, name)(*arguments) == -1:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    return call


def _executable_memory() -> None:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC)


def _make_executable() -> None:
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    _called("mprotect", ctypes.c_void_p(address), ctypes.c_size_t(4096), 5)()


_ARM = platform.machine() == "aarch64"

ATTEMPTS: Mapping[str, Callable[[], object]] = {
    "open a file": lambda: os.open("/etc/passwd", os.O_RDONLY),
    "open a file to write": lambda: os.open("/tmp/vetrelay-escaped", os.O_WRONLY | os.O_CREAT),
    "open a device": lambda: os.open("/dev/null", os.O_RDWR),
    "open the random device": lambda: os.open("/dev/urandom", os.O_RDONLY),
    "open its own memory": lambda: os.open("/proc/self/mem", os.O_RDWR),
    "openat2": _raw(437, -100, 0, 0, 0),
    "stat": Path("/etc/passwd").stat,
    "list a folder": lambda: list(Path("/").iterdir()),
    "read a link": Path("/proc/self/exe").readlink,
    "make a folder": Path("/tmp/vetrelay-escaped").mkdir,
    "rename": lambda: Path("/tmp/a").rename("/tmp/b"),
    "unlink": Path("/tmp/vetrelay-nothing").unlink,
    "change a mode": lambda: Path("/etc/passwd").chmod(0o644),
    "change the folder": lambda: os.chdir("/"),
    "an internet socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
    "a datagram socket": lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM),
    "a unix socket": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
    "a netlink socket": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "a pair of sockets": socket.socketpair,
    "a pipe": os.pipe,
    "duplicate a descriptor": lambda: os.dup(3),
    "fcntl": lambda: os.set_blocking(3, False),
    "ioctl": _called("ioctl", 0, ctypes.c_ulong(0x5412), ctypes.c_char_p(b"x")),
    "fork": os.fork,
    "vfork and exec": lambda: os.posix_spawn("/bin/true", ["true"], {}),
    "execve": lambda: os.execv("/bin/true", ["true"]),
    "kill the zygote": lambda: os.kill(os.getppid(), signal.SIGKILL),
    "kill itself": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "signal a thread of the zygote": _raw(131 if _ARM else 234, 1, 1, 9),
    "open a process": lambda: os.pidfd_open(1),
    "trace": _called("ptrace", 16, 1, None, None),
    "read another's memory": _raw(270 if _ARM else 310, 1, 0, 0, 0, 0, 0),
    "another's limits": lambda: resource.prlimit(1, resource.RLIMIT_CPU, (1, 1)),
    "its own limits": _raw(261 if _ARM else 302, 0, 0, 0, 0),
    "become root": lambda: os.setuid(0),
    "change groups": lambda: os.setgroups([0]),
    "memory by descriptor": lambda: os.memfd_create("x"),
    "executable memory": _executable_memory,
    "make memory executable": _make_executable,
    "a new namespace": _called("unshare", 0x10000000),
    "mount": _called("mount", b"none", b"/mnt", b"tmpfs", 0, None),
    "change the root": lambda: os.chroot("/"),
    "io_uring": _raw(425, 1, 0),
    "bpf": _raw(280 if _ARM else 321, 0, 0, 0),
    "perf events": _raw(241 if _ARM else 298, 0, 0, 0, 0, 0),
    "userfaultfd": _raw(282 if _ARM else 323, 0),
    "change this process": lambda: kernel.prctl(kernel.PR_SET_DUMPABLE, 1),
    "another filter": _raw(277 if _ARM else 317, 1, 0, 0),
    "the machine's name": os.uname,
}


def attempt(task: zygote.Task) -> Iterable[bytes]:
    """The errno that the attempt met, as one byte; 0 if it was let through."""
    try:
        tuple(ATTEMPTS.values())[task.request.argument]()
    except OSError as error:
        return [bytes([error.errno or 255])]
    return [b"\0"]


# --- variants of the zygote -----------------------------------------------------------------------------------------------


def as_nobody() -> None:
    """Gives up root for a user that owns nothing, as the service's own user would be from the start."""
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 1)  # what exec gives a process that starts as this user


def without_libmagic() -> None:
    """Makes every import of libmagic fail."""
    sys.modules["magic"] = None  # type: ignore[assignment]  # None is how Python marks what must not be imported
    sys.modules["pylibmagic"] = None  # type: ignore[assignment]  # as above


def without_heic() -> None:
    """Makes every import of the HEIC decoder fail."""
    sys.modules["pillow_heif"] = None  # type: ignore[assignment]  # as above


def with_a_broken_decoder() -> None:
    """Has a sample that its decoder cannot open, as after a bad update of a library."""
    setattr(image, "samples", lambda: (b"\x89PNG\r\n\x1a\n" + bytes(100),))  # noqa: B010 - as below


def with_a_decoder_that_fails_inside() -> None:
    """Opens everything before the fork and nothing in a job, as a library does that imports something too late."""
    own, real = os.getpid(), worker.inspect

    def inspect(task: zygote.Task, tools: worker.Tools) -> Result:
        return real(task, tools) if os.getpid() == own else Result(kind=Kind.PNG, reason=Reason.DAMAGED)

    setattr(worker, "inspect", inspect)  # noqa: B010 - as below


def with_an_open_door() -> None:
    """Leaves the jail's lock off, as a broken release would."""
    setattr(lockdown, "lock", lambda _locks, _limits: None)  # noqa: B010 - an assignment would have to be the same type


BEFORE: Mapping[str, Callable[[], None]] = {
    "plain": lambda: None,
    "all-formats": lambda: None,
    "nobody": lambda: None,
    "no-libmagic": without_libmagic,
    "no-heic": without_heic,
    "open-door": with_an_open_door,
    "broken-decoder": with_a_broken_decoder,
    "fails-inside": with_a_decoder_that_fails_inside,
}
AFTER: Mapping[str, Callable[[], None]] = {"nobody": as_nobody}


def main(variant: str, arguments: list[str]) -> None:
    """As the real worker's `main`, with more jobs."""
    BEFORE[variant]()
    # Whatever is asked for: most tests need a jail, not every format.
    tools = worker.prepare(arguments[2] if variant == "all-formats" else "pictures")
    real = worker.jobs_with(tools)

    def inspect_job(task: zygote.Task) -> Iterable[bytes]:
        if SLOW_MARK in task.content[:4096]:
            until = time.monotonic() + SLOW_SECONDS
            while time.monotonic() < until:
                pass
        return real[Job.INSPECT](task)

    jobs: Mapping[int, zygote.JobFunction] = {
        **real,
        Job.INSPECT: inspect_job,
        MISDEED: lambda task: MISDEEDS[task.request.argument](task),
        ATTEMPT: attempt,
        EMPTY: lambda _task: [b"ok"],
    }
    channels = zygote.channels(arguments)
    AFTER.get(variant, lambda: None)()
    zygote.serve(channels, jobs, abilities=worker.abilities_of(tools))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
