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
from dataclasses import dataclass

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
_AUDIT_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


class NoSeccomp(Exception):
    """This machine cannot confine a job; whoever meets this must not run one."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """A BPF program ready to be put on: build it before the fork, apply it after."""

    instructions: bytes

    def apply(self) -> None:
        """Confines this process, for good. Raises NoSeccomp where the kernel will not."""
        buffer = ctypes.create_string_buffer(self.instructions, len(self.instructions))
        program = _Program(len(self.instructions) // 8, ctypes.cast(buffer, ctypes.c_void_p))
        try:
            kernel.prctl(kernel.PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(program))
        except OSError as error:
            raise NoSeccomp from error


def compose(machine: str, *, threads: bool) -> Filter:
    """The filter for one architecture (`platform.machine()`'s word). Raises NoSeccomp for one that is not listed."""
    if machine not in SYSCALLS:
        raise NoSeccomp
    number = SYSCALLS[machine]
    eperm, enosys = _ERRNO | errno.EPERM, _ERRNO | errno.ENOSYS
    steps = [
        _step(_LOAD, _AT_ARCHITECTURE),
        _step(_JUMP_EQUAL, _AUDIT_ARCHITECTURE[machine], if_true=1),
        _step(_RETURN, _KILL_PROCESS),
        _step(_LOAD, _AT_NUMBER),
        _step(_JUMP_AT_LEAST, _X32_BIT, if_false=1),
        _step(_RETURN, _KILL_PROCESS),
    ]
    for name in (*_PLAIN, *(_FOR_THREADS if threads else ())):
        steps += [_step(_JUMP_EQUAL, number[name], if_false=1), _step(_RETURN, _ALLOW)]
    for name in _WITHOUT_EXEC:
        steps += [
            _step(_JUMP_EQUAL, number[name], if_false=4),
            _step(_LOAD, _AT_ARGUMENTS + 2 * _ARGUMENT_BYTES),
            _step(_JUMP_SET, _PROT_EXEC, if_false=1),
            _step(_RETURN, eperm),
            _step(_RETURN, _ALLOW),
        ]
    if threads:
        # clone3 hides its flags behind a pointer that a filter cannot follow: glibc falls back to clone.
        steps += [_step(_JUMP_EQUAL, number["clone3"], if_false=1), _step(_RETURN, enosys)]
        steps += [_step(_JUMP_EQUAL, number["clone"], if_false=4), _step(_LOAD, _AT_ARGUMENTS)]
        steps += [
            _step(_JUMP_EQUAL, _THREAD_FLAGS[0], if_true=1),
            _step(_JUMP_EQUAL, _THREAD_FLAGS[1], if_false=1),
            _step(_RETURN, _ALLOW),
        ]
    steps.append(_step(_RETURN, eperm))
    return Filter(instructions=b"".join(steps))


def compose_here(*, threads: bool) -> Filter:
    """The filter for the machine this runs on. Raises NoSeccomp."""
    return compose(platform.machine(), threads=threads)


def _step(code: int, operand: int, *, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, operand)
