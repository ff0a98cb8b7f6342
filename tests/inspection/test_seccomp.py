"""The filter as a program: what it answers to every system call, on both machines, without putting it on."""

import errno
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from vetrelay.inspection.seccomp import SYSCALLS, NoSeccomp, compose

ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
NUMBERS = range(600)
EXEC_ARGUMENTS = (0, 4096, 4)
THREAD_FLAGS = 0x3D0F00
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


def answer(instructions: bytes, number: int, *arguments: int, architecture: int) -> int:
    """What the kernel would do: a small BPF machine over (number, architecture, instruction pointer, arguments)."""
    call = struct.pack("=iIQ6Q", number, architecture, 0, *(*arguments, *[0] * 6)[:6])
    steps = list(struct.iter_unpack("=HBBI", instructions))
    accumulator, at = 0, 0
    while True:
        code, if_true, if_false, operand = steps[at]
        at += 1
        if code == 0x20:
            (accumulator,) = struct.unpack_from("=I", call, operand)
        elif code == 0x15:
            at += if_true if accumulator == operand else if_false
        elif code == 0x45:
            at += if_true if accumulator & operand else if_false
        elif code == 0x35:
            at += if_true if accumulator >= operand else if_false
        elif code == 0x06:
            return int(operand)
        else:
            raise AssertionError(f"an instruction that is not used: {code:x}")


@pytest.mark.parametrize("machine", SYSCALLS)
@pytest.mark.parametrize("threads", [False, True], ids=["plain", "threaded"])
def test_every_call_that_is_not_listed_is_denied(machine: str, *, threads: bool) -> None:
    """600 numbers, one by one: allowed are those of the list, without arguments that make them something else."""
    instructions = compose(machine, threads=threads).instructions
    names = {number: name for name, number in SYSCALLS[machine].items()}
    allowed = {
        names[number]
        for number in NUMBERS
        if answer(instructions, number, architecture=ARCHITECTURES[machine]) == ALLOW
    }
    only_threads = {"set_robust_list", "rseq", "sched_getaffinity", "clock_nanosleep", "sigaltstack"}
    assert set(SYSCALLS[machine]) - {"clone", "clone3"} - (set() if threads else only_threads) == allowed
    for number in NUMBERS:
        if number not in names:
            assert ERRNO | errno.EPERM == answer(instructions, number, architecture=ARCHITECTURES[machine])


@pytest.mark.parametrize("machine", SYSCALLS)
def test_memory_is_never_made_executable(machine: str) -> None:
    """mmap and mprotect are refused with PROT_EXEC, and only with it."""
    instructions = compose(machine, threads=True).instructions
    for name in ("mmap", "mprotect"):
        number = SYSCALLS[machine][name]
        architecture = ARCHITECTURES[machine]
        assert ERRNO | errno.EPERM == answer(instructions, number, *EXEC_ARGUMENTS, architecture=architecture)
        assert ALLOW == answer(instructions, number, 0, 4096, 3, architecture=architecture)


@pytest.mark.parametrize("machine", SYSCALLS)
def test_a_clone_is_a_thread_or_nothing(machine: str) -> None:
    """Exactly what the C library asks for a thread; any other flag, and any clone without threads, is refused."""
    number, architecture = SYSCALLS[machine]["clone"], ARCHITECTURES[machine]
    threaded, plain = (compose(machine, threads=threads).instructions for threads in (True, False))
    denied = ERRNO | errno.EPERM
    assert ALLOW == answer(threaded, number, THREAD_FLAGS, architecture=architecture)
    for flags in (0, 17, 0x10000, THREAD_FLAGS | 0x10000000, THREAD_FLAGS & ~0x10000):
        assert denied == answer(threaded, number, flags, architecture=architecture)
    assert denied == answer(plain, number, THREAD_FLAGS, architecture=architecture)
    clone3 = SYSCALLS[machine]["clone3"]
    assert ERRNO | errno.ENOSYS == answer(threaded, clone3, architecture=architecture)
    assert denied == answer(plain, clone3, architecture=architecture)


def test_another_machine_s_calls_end_the_process() -> None:
    """32-bit and x32 numbers mean other calls: they are not even answered."""
    instructions = compose("x86_64", threads=True).instructions
    assert KILL == answer(instructions, 0, architecture=0x40000003)
    assert KILL == answer(instructions, 0x40000000, architecture=ARCHITECTURES["x86_64"])


@pytest.mark.parametrize("machine", SYSCALLS)
def test_the_numbers_are_those_of_the_kernel_s_headers(machine: str) -> None:
    """A wrong number would allow some other call."""
    header = HEADERS[machine]
    if not header.exists():
        pytest.skip(f"the kernel's headers for {machine} are not installed")
    defined = dict(re.findall(r"#define __NR(?:3264)?_(\w+) (\d+)", header.read_text()))
    expected = {name: int(defined[name]) for name in SYSCALLS[machine]}
    assert expected == dict(SYSCALLS[machine])


def test_a_machine_without_a_list_gets_no_filter() -> None:
    """Better none than a guess: whoever cannot confine a job does not run one."""
    with pytest.raises(NoSeccomp):
        compose("riscv64", threads=False)


PUTS_IT_ON = """
import os
from vetrelay.inspection import kernel
from vetrelay.inspection.seccomp import compose_here

kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
compose_here(threads=False).apply()
for attempt in (lambda: os.open("/", os.O_RDONLY), lambda: kernel.prctl(kernel.PR_SET_DUMPABLE, 1)):
    try:
        attempt()
        os.write(1, b"allowed ")
    except OSError as error:
        os.write(1, b"%d " % error.errno)
os._exit(0)
"""


@pytest.mark.skipif(os.uname().machine not in SYSCALLS, reason="there is no list of this machine's system calls")
def test_a_filter_that_is_on_stays_on() -> None:
    """A process of its own puts it on, and finds open and prctl denied."""
    done = subprocess.run([sys.executable, "-c", PUTS_IT_ON], capture_output=True, check=True, text=True, timeout=60)
    assert f"{errno.EPERM} {errno.EPERM} " == done.stdout


def test_this_test_runs_on_linux() -> None:
    """The jail is Linux's; elsewhere there is no inspection."""
    assert "linux" == sys.platform
