"""seccomp, the first layer: an allow-list of system calls as a BPF program; everything else fails with EPERM.

The list is what a picture's decoding was seen to need, by running it, and no more: memory, the clock, the two
descriptors that a job holds, signals to nobody. Not in it, on purpose: opening anything, sockets, processes, `kill`,
`tgkill` (it reaches other processes of the same user), `prlimit64` (it changes them), `fcntl`, `ioctl`, `stat`.
Threads are allowed only for kinds whose decoder needs one. Source: seccomp(2), linux/seccomp.h, linux/audit.h.
"""

import ctypes
import errno
import platform
import struct
from collections.abc import Mapping

from vetrelay.inspection import kernel

_SECCOMP_MODE_FILTER = 2
_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_LOAD, _JUMP_EQUAL, _JUMP_SET, _JUMP_AT_LEAST, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_AT_NUMBER, _AT_ARCHITECTURE, _AT_ARGUMENTS, _ARGUMENT_BYTES = 0, 4, 16, 8

_PROT_EXEC = 4
_X32_BIT = 0x40000000
# What glibc and musl pass to clone(2) for pthread_create: a thread of this process and nothing else. Equality, not a
# mask, so that no namespace flag slips in.
_THREAD_FLAGS = (0x3D0F00, 0x7D0F00)

_PLAIN = (
    "brk",
    "clock_gettime",
    "close",
    "exit",
    "exit_group",
    "futex",
    "getcwd",  # Pillow's save() makes its file name absolute, even for a buffer
    "getpid",
    "getrandom",
    "gettid",
    "lseek",
    "madvise",
    "mremap",
    "munmap",
    "read",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sched_yield",
    "write",
)
_WITHOUT_EXEC = ("mmap", "mprotect")
_FOR_THREADS = ("set_robust_list", "rseq", "sched_getaffinity", "clock_nanosleep", "sigaltstack")

SYSCALLS: Mapping[str, Mapping[str, int]] = {
    "x86_64": {
        "brk": 12, "clock_gettime": 228, "clock_nanosleep": 230, "clone": 56, "clone3": 435, "close": 3, "exit": 60,
        "exit_group": 231, "futex": 202, "getcwd": 79, "getpid": 39, "getrandom": 318, "gettid": 186, "lseek": 8,
        "madvise": 28, "mmap": 9, "mprotect": 10, "mremap": 25, "munmap": 11, "read": 0, "rseq": 334,
        "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15, "sched_getaffinity": 204, "sched_yield": 24,
        "set_robust_list": 273, "sigaltstack": 131, "write": 1,
    },
    "aarch64": {
        "brk": 214, "clock_gettime": 113, "clock_nanosleep": 115, "clone": 220, "clone3": 435, "close": 57, "exit": 93,
        "exit_group": 94, "futex": 98, "getcwd": 17, "getpid": 172, "getrandom": 278, "gettid": 178, "lseek": 62,
        "madvise": 233, "mmap": 222, "mprotect": 226, "mremap": 216, "munmap": 215, "read": 63, "rseq": 293,
        "rt_sigaction": 134, "rt_sigprocmask": 135, "rt_sigreturn": 139, "sched_getaffinity": 123, "sched_yield": 124,
        "set_robust_list": 99, "sigaltstack": 132, "write": 64,
    },
}  # fmt: skip
_LEAF = 3
_STEP_BYTES = 8
_AUDIT_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def _step(code: int, operand: int, *, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, operand)


_PASS = _step(_RETURN, _ALLOW)
_DENY = _step(_RETURN, _ERRNO | errno.EPERM)


class NoSeccomp(Exception):
    """This machine cannot confine a job; whoever meets this must not run one."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


class Filter:
    """A BPF program. Build it before the fork: everything that `apply` needs is then in memory already."""

    def __init__(self, instructions: bytes) -> None:
        self.instructions = instructions
        self._buffer = ctypes.create_string_buffer(instructions, len(instructions))
        self._program = _Program(len(instructions) // _STEP_BYTES, ctypes.cast(self._buffer, ctypes.c_void_p))
        self._address = ctypes.addressof(self._program)

    def apply(self) -> None:
        """Confines this process, for good. Raises NoSeccomp where the kernel will not."""
        try:
            kernel.prctl(kernel.PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, self._address)
        except OSError as error:
            raise NoSeccomp from error


def compose(machine: str, *, threads: bool) -> Filter:
    """The filter for one architecture (`platform.machine()`'s word). Raises NoSeccomp for one that is not listed."""
    if machine not in SYSCALLS:
        raise NoSeccomp
    answers = _answers(SYSCALLS[machine], threads=threads)
    steps = (
        _step(_LOAD, _AT_ARCHITECTURE),
        _step(_JUMP_EQUAL, _AUDIT_ARCHITECTURE[machine], if_true=1),
        _step(_RETURN, _KILL_PROCESS),
        _step(_LOAD, _AT_NUMBER),
        _step(_JUMP_AT_LEAST, _X32_BIT, if_false=1),
        _step(_RETURN, _KILL_PROCESS),
        *_search(sorted(answers.items())),
    )
    return Filter(b"".join(steps))


def _answers(number: Mapping[str, int], *, threads: bool) -> dict[int, list[bytes]]:
    """For each system call that is not simply denied, the steps that answer it; each ends in a return."""
    without_exec = [
        _step(_LOAD, _AT_ARGUMENTS + 2 * _ARGUMENT_BYTES),
        _step(_JUMP_SET, _PROT_EXEC, if_false=1),
        _DENY,
        _PASS,
    ]
    only_a_thread = [
        _step(_LOAD, _AT_ARGUMENTS),
        _step(_JUMP_EQUAL, _THREAD_FLAGS[0], if_true=1),
        _step(_JUMP_EQUAL, _THREAD_FLAGS[1], if_false=1),
        _PASS,
        _DENY,
    ]
    answers = {number[name]: [_PASS] for name in (*_PLAIN, *(_FOR_THREADS if threads else ()))}
    answers |= {number[name]: without_exec for name in _WITHOUT_EXEC}
    if threads:
        # clone3 hides its flags behind a pointer that a filter cannot follow: told that it is missing, glibc uses clone.
        answers |= {number["clone"]: only_a_thread, number["clone3"]: [_step(_RETURN, _ERRNO | errno.ENOSYS)]}
    return answers


def _search(answers: list[tuple[int, list[bytes]]]) -> list[bytes]:
    """A binary search over the numbers.

    The kernel walks a new program once for every number there is; a plain list makes that the longer half of putting
    it on.
    """
    if len(answers) > _LEAF:
        middle = len(answers) // 2
        below, above = _search(answers[:middle]), _search(answers[middle:])
        return [_step(_JUMP_AT_LEAST, answers[middle][0], if_true=len(below)), *below, *above]
    steps = []
    for syscall_number, answer in answers:
        steps += [_step(_JUMP_EQUAL, syscall_number, if_false=len(answer)), *answer]
    return [*steps, _DENY]


def compose_here(*, threads: bool) -> Filter:
    """The filter for the machine this runs on. Raises NoSeccomp."""
    return compose(platform.machine(), threads=threads)
