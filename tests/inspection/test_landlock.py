"""The second layer on its own."""

import errno
import subprocess
import sys

import pytest

from vetrelay.inspection import landlock


@pytest.mark.parametrize(
    ("version", "size_bytes", "filesystem_rights"),
    [(1, 8, 13), (2, 8, 14), (3, 8, 15), (4, 16, 15), (5, 16, 16), (6, 24, 16), (7, 24, 16), (20, 24, 16)],
)
def test_each_version_is_asked_for_all_that_it_can_deny(version: int, size_bytes: int, filesystem_rights: int) -> None:
    """Asking an older kernel for a newer right would fail; asking for less would leave a door."""
    attribute = landlock.rule_set(version)
    assert size_bytes == len(attribute)
    assert (1 << filesystem_rights) - 1 == int.from_bytes(attribute[:8], "little")
    assert all(attribute[start] == 3 for start in range(8, size_bytes, 8))


def test_a_kernel_without_it_is_left_alone() -> None:
    """Version 0 denies nothing and raises nothing: seccomp stands alone then."""
    landlock.deny_all(0)


CONFINED = """
import os
from vetrelay.inspection import kernel, landlock

kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
landlock.deny_all(landlock.abi())
for attempt in (
    lambda: os.open("/etc/passwd", os.O_RDONLY),
    lambda: os.open("/tmp/vetrelay-escaped", os.O_WRONLY | os.O_CREAT),
    lambda: os.scandir("/"),
    lambda: os.execv("/bin/true", ["true"]),
):
    try:
        attempt()
        os.write(1, b"allowed ")
    except OSError as error:
        os.write(1, b"%d " % error.errno)
os._exit(0)
"""


@pytest.mark.skipif(landlock.abi() == 0, reason="this kernel has no Landlock")
def test_paths_are_denied_without_seccomp() -> None:
    """A process under Landlock alone cannot open, list or run anything."""
    done = subprocess.run([sys.executable, "-c", CONFINED], capture_output=True, check=True, text=True, timeout=60)
    assert f"{errno.EACCES} " * 4 == done.stdout
