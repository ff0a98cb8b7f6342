"""Starts the real worker on a machine where seccomp cannot be put on: a filter that refuses the next one.

The first filter lets everything through but prctl(PR_SET_SECCOMP), which it answers with EINVAL, as a kernel built
without seccomp does.
"""

import errno
import os
import sys

from vetrelay.inspection import kernel
from vetrelay.inspection.sandbox import WORKER_COMMAND
from vetrelay.inspection.seccomp import SYSCALLS, Filter

PRCTL = {"x86_64": 157, "aarch64": 167}[os.uname().machine]
LOAD, JUMP_EQUAL, RETURN, ALLOW, ERRNO = 0x20, 0x15, 0x06, 0x7FFF0000, 0x00050000


def step(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """One BPF instruction."""
    return code.to_bytes(2, sys.byteorder) + bytes([if_true, if_false]) + operand.to_bytes(4, sys.byteorder)


def main() -> None:
    """Puts the filter on, and becomes the worker."""
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    Filter(
        step(LOAD, 0)
        + step(JUMP_EQUAL, PRCTL, if_false=3)
        + step(LOAD, 16)
        + step(JUMP_EQUAL, kernel.PR_SET_SECCOMP, if_false=1)
        + step(RETURN, ERRNO | errno.EINVAL)
        + step(RETURN, ALLOW)
    ).apply()
    os.execv(WORKER_COMMAND[0], [*WORKER_COMMAND, *sys.argv[1:]])


if __name__ == "__main__":
    assert os.uname().machine in SYSCALLS
    main()
