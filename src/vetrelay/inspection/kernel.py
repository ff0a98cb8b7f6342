"""The few Linux calls that Python's standard library does not offer, by ctypes on the C library already loaded."""

import ctypes
import os

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38

_CAPABILITY_VERSION_3 = 0x20080522
_CAPABILITY_WORDS = 6
_libc = ctypes.CDLL(None, use_errno=True)
# PyDLL keeps the interpreter's lock across the call, so the child wakes holding it.
_libc_with_lock = ctypes.PyDLL(None, use_errno=True)


def prctl(option: int, *arguments: int) -> None:
    """Changes a setting of this process. Raises OSError."""
    padded = (*arguments, 0, 0, 0, 0)[:4]
    if _libc.prctl(ctypes.c_int(option), *(ctypes.c_ulong(argument) for argument in padded)) != 0:
        _raise_errno()


def syscall(number: int, *arguments: object) -> int:
    """Makes one system call by number, with ctypes arguments. Raises OSError."""
    result = _libc.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        _raise_errno()
    return int(result)


def fork_single_threaded() -> int:
    """fork(2) without Python's after-fork handlers. For a process with one thread only. Raises OSError.

    The handlers (of threading, logging and random) repair locks that another thread may have held; with a single
    thread there is nothing to repair, and running them copies some 150 pages, which is half of an empty job's cost.
    """
    child = int(_libc_with_lock.fork())
    if child < 0:
        _raise_errno()
    return child


def drop_capabilities() -> None:
    """Empties all three capability sets of this process, so that uid 0 is a number like any other. Raises OSError."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * _CAPABILITY_WORDS)()
    if _libc.capset(header, nothing) != 0:
        _raise_errno()


def _raise_errno() -> None:
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number))
