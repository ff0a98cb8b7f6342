"""`openssl cms -verify` as a process of its own, with limits: the one check that our library does not offer.

The signature goes in by a pipe and everything else by memory that has no name in any folder. The limits are set before the
first byte is sent, so that the process parses nothing without them. Blocking: call it in a thread.
"""

import contextlib
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from vetrelay.errors import Fault

_SECONDS: Final = 30
_CPU_SECONDS: Final = 20
_MEMORY_BYTES: Final = 768 * 1024 * 1024
_WRITTEN_BYTES: Final = 192 * 1024 * 1024
_DESCRIPTORS: Final = 32
# No settings file of this machine decides what counts as a signature.
_ENVIRONMENT: Final = {"LC_ALL": "C", "OPENSSL_CONF": os.devnull}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A signature that holds: what it is over, and the certificates of everyone who signed, in PEM."""

    content: bytes
    signers: bytes


def verified(untrusted_signature: bytes, *, content: bytes | None, certificates: bytes) -> Verified | None:
    """Checks CMS signed data (RFC 5652) over `content`, or over what is inside it where that is None.

    `certificates` (PEM) are tried where the signature does not bring its own; who issued them is not asked, because
    a correspondent's key is approved by its fingerprint. None: it does not hold. Raises Fault `smime_absent`.
    """
    program = shutil.which("openssl")
    if program is None:
        raise Fault("smime_absent")
    with contextlib.ExitStack() as files:
        signers, out = files.enter_context(_memory("signers")), files.enter_context(_memory("content"))
        passed = [signers, out]
        command = [program, "cms", "-verify", "-noverify", "-binary", "-inform", "DER"]
        command += ["-signer", _path(signers), "-out", _path(out)]
        if content is not None:
            passed.append(files.enter_context(_memory("signed", content)))
            command += ["-content", _path(passed[-1])]
        if certificates:
            passed.append(files.enter_context(_memory("known", certificates)))
            command += ["-certfile", _path(passed[-1])]
        if not _ran_well(command, passed, untrusted_signature):
            return None
        return Verified(content=_everything(out), signers=_everything(signers))


def _ran_well(command: list[str], passed: list[int], stdin: bytes) -> bool:
    with subprocess.Popen(  # noqa: S603 - a fixed command without a shell; nothing untrusted is among its words
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=passed,
        env=_ENVIRONMENT,
        cwd="/",
        start_new_session=True,
    ) as process:
        try:
            _limit(process.pid)
            process.communicate(stdin, timeout=_SECONDS)
        except (subprocess.TimeoutExpired, OSError):
            process.kill()
            return False
    return process.returncode == 0


def _limit(process: int) -> None:
    for what, most in (
        (resource.RLIMIT_CORE, 0),  # memory holds what was written in confidence
        (resource.RLIMIT_CPU, _CPU_SECONDS),
        (resource.RLIMIT_AS, _MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, _WRITTEN_BYTES),
        (resource.RLIMIT_NOFILE, _DESCRIPTORS),
    ):
        resource.prlimit(process, what, (most, most))


@contextlib.contextmanager
def _memory(name: str, content: bytes = b"") -> Iterator[int]:
    descriptor = os.memfd_create(name, os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


def _path(descriptor: int) -> str:
    return f"/proc/self/fd/{descriptor}"


def _everything(descriptor: int) -> bytes:
    with open(descriptor, "rb", closefd=False) as file:
        file.seek(0)
        return file.read()
