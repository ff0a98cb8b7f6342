"""What a forked child does to itself before it may look at a stranger's file. One-way: nothing here can be undone.

One line per layer, each with its reason, in the order they are put on:

1. no_new_privs and no capabilities (by the zygote, inherited): uid 0 is a number like any other.
2. Descriptors: 0, 1, 2 are /dev/null (libraries print), 3 is the result, nothing else is open.
3. rlimits: processor time, address space, no core file (it would hold the plaintext), no file growth, no descriptors.
   Not RLIMIT_NPROC: it breaks libde265's worker thread for every uid but 0; the unit's TasksMax bounds processes.
4. Landlock, where the kernel has it: a second, independent denial of every path and TCP port.
5. seccomp: the allow-list. Without it no job runs.

The list of seccomp opens no path in either case, so a kernel without Landlock gets no weaker filter.
"""

import contextlib
import mmap
import os
import resource
import signal
from dataclasses import dataclass
from pathlib import Path

from vetrelay.inspection import kernel, landlock, seccomp
from vetrelay.inspection.policy import Limits

RESULT_DESCRIPTOR = 3
_FIRST_CLOSED = RESULT_DESCRIPTOR + 1
_CPU_GRACE_SECONDS = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Locks:
    """What is worked out once, before the first fork: both filters and the kernel's Landlock version."""

    plain: seccomp.Filter
    threaded: seccomp.Filter
    landlock_abi: int
    null_descriptor: int


def forge() -> Locks:
    """Prepares the locks in the zygote. Raises NoSeccomp on a machine without a list of its system calls."""
    return Locks(
        plain=seccomp.compose_here(threads=False),
        threaded=seccomp.compose_here(threads=True),
        landlock_abi=landlock.abi(),
        null_descriptor=os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC),
    )


def lower_zygote() -> None:
    """Layer 1, once, in the zygote: whatever it forks starts without any privilege. Raises OSError."""
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    # The out-of-memory killer takes a jail before it takes the intake: a courtesy, which a read-only /proc forbids.
    # Done before the process stops being dumpable, because after that its /proc belongs to root.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_bytes(b"800")
    # No core file and no ptrace by the same user: memory holds plaintext.
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    kernel.drop_capabilities()


def lock_ahead(locks: Locks) -> None:
    """In the child, before it has a job: what does not depend on the job. Raises OSError."""
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    # Before the result comes: /dev/null may itself be open as number 3, which the result then takes.
    for standard in (0, 1, 2):
        os.dup2(locks.null_descriptor, standard)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    landlock.deny_all(locks.landlock_abi)


def take_descriptors(*, content_descriptor: int, result_descriptor: int) -> mmap.mmap | bytes:
    """Layer 2, in the child: maps the content read-only, puts the result at 3, and closes every other descriptor."""
    size_bytes = os.lseek(content_descriptor, 0, os.SEEK_END)
    content = mmap.mmap(content_descriptor, size_bytes, prot=mmap.PROT_READ) if size_bytes else b""
    os.dup2(result_descriptor, RESULT_DESCRIPTOR)
    os.closerange(_FIRST_CLOSED, os.sysconf("SC_OPEN_MAX"))
    return content


def lock(locks: Locks, limits: Limits) -> None:
    """The rest, in the child, before it looks at the content. Raises NoSeccomp, OSError: then no job may run."""
    cpu_seconds = limits.cpu_seconds
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + _CPU_GRACE_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (limits.address_space_bytes, limits.address_space_bytes))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_FIRST_CLOSED, _FIRST_CLOSED))
    (locks.threaded if limits.threads else locks.plain).apply()
