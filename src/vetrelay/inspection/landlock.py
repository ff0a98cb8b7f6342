"""Landlock, the second layer: a rule set that allows nothing, so every path and every TCP port is denied.

Alone it is not enough (it denies neither socket(2) nor fork(2)); seccomp is the first layer. Source: the kernel's
Documentation/userspace-api/landlock.rst; the numbers are the same on every architecture.
"""

import ctypes
import os
import struct

from vetrelay.inspection import kernel

_CREATE_RULESET = 444
_RESTRICT_SELF = 446
_ASK_VERSION = 1

# Handled filesystem rights per ABI: 1 has 13 of them, 2 adds REFER, 3 adds TRUNCATE, 5 adds IOCTL_DEV.
_FILESYSTEM_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
_NEWEST_FILESYSTEM_ABI = 5
_NETWORK_ABI = 4  # TCP bind and connect
_SCOPE_ABI = 6  # abstract unix sockets, and signals to processes outside
_BOTH = 0b11


def abi() -> int:
    """The kernel's Landlock version, 0 where there is none (not built in, or not switched on at boot)."""
    try:
        return kernel.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_ASK_VERSION))
    except OSError:
        return 0


def rule_set(version: int) -> bytes:
    """The attribute of a rule set that handles all that `version` (≥ 1) can deny."""
    filesystem = _FILESYSTEM_RIGHTS[min(version, _NEWEST_FILESYSTEM_ABI)]
    if version >= _SCOPE_ABI:
        return struct.pack("=QQQ", filesystem, _BOTH, _BOTH)
    if version >= _NETWORK_ABI:
        return struct.pack("=QQ", filesystem, _BOTH)
    return struct.pack("=Q", filesystem)


def deny_all(version: int) -> None:
    """Denies this process everything that Landlock can deny, for good. `version` 0 does nothing. Raises OSError."""
    if version == 0:
        return
    attribute = rule_set(version)
    rules = kernel.syscall(_CREATE_RULESET, attribute, ctypes.c_size_t(len(attribute)), ctypes.c_uint32(0))
    try:
        kernel.syscall(_RESTRICT_SELF, ctypes.c_int(rules), ctypes.c_uint32(0))
    finally:
        os.close(rules)
