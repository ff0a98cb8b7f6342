"""A GnuPG home in a folder whose name is short enough for its sockets, and what the tests ask of gpg and gpgsm."""

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a program answered."""

    code: int
    out: bytes
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GnupgHome:
    """One user's keys."""

    folder: Path

    def gpg(self, *words: str, stdin: bytes = b"") -> Said:
        """Runs gpg without questions; `status` is its status lines and what it told besides."""
        return self._run(
            "gpg", "--pinentry-mode", "loopback", "--passphrase", "", "--trust-model", "always", *words, stdin=stdin
        )

    def gpgsm(self, *words: str, stdin: bytes = b"") -> Said:
        """The same with gpgsm."""
        return self._run("gpgsm", "--pinentry-mode", "loopback", "--disable-crl-checks", *words, stdin=stdin)

    def new_key(self, address: str, *, algorithm: str = "default", expires: str = "1y") -> bytes:
        """Makes a key for this address and returns its public part."""
        made = self.gpg("--quick-gen-key", address, algorithm, "default", expires)
        assert made.code == 0, made.status
        return self.gpg("--export", f"={address}").out

    def _run(self, program: str, *words: str, stdin: bytes) -> Said:
        path = shutil.which(program)
        assert path is not None, f"{program} is missing"
        run = subprocess.run(
            [path, "--homedir", str(self.folder), "--batch", "--no-tty", "--status-fd", "2", *words],
            input=stdin,
            capture_output=True,
            check=False,
            timeout=60,
        )
        return Said(code=run.returncode, out=run.stdout, status=run.stderr.decode(errors="replace"))


@contextlib.contextmanager
def gnupg_home() -> Iterator[GnupgHome]:
    """A home that is gone afterwards, with its agents."""
    folder = Path(tempfile.mkdtemp(prefix="vr", dir="/tmp"))
    try:
        yield GnupgHome(folder=folder)
    finally:
        ender = shutil.which("gpgconf")
        assert ender is not None
        subprocess.run([ender, "--homedir", str(folder), "--kill", "all"], check=False, capture_output=True, timeout=60)
        shutil.rmtree(folder, ignore_errors=True)
