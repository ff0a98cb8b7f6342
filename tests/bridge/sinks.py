"""A real SMTP server that swallows letters: Postfix's smtp-sink, and what it captured.

Its options plant faults: `-f RCPT` refuses for good, `-r RCPT` for now, `-q DATA` disconnects, `-W DATA:2` is slow.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

READY_SECONDS = 20
BACKLOG = "64"
SINK_HEADERS = ("X-Client-Addr:", "X-Client-Proto:", "X-Helo-Args:", "X-Mail-Args:", "X-Rcpt-Args:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """One letter that a sink took: its envelope as it was said, and its bytes (line ends are the dump's: LF)."""

    helo: str
    mail: str
    rcpt: tuple[str, ...]
    raw: bytes

    @property
    def mail_from(self) -> str:
        """The address of MAIL, without angle brackets and parameters."""
        return self.mail.partition(" ")[0].strip("<>")

    @property
    def recipients(self) -> tuple[str, ...]:
        """The addresses of RCPT."""
        return tuple(each.partition(" ")[0].strip("<>") for each in self.rcpt)

    @property
    def message(self) -> EmailMessage:
        """The letter, parsed."""
        return message_from_bytes(self.raw, policy=policy.default)


@dataclass(slots=True, kw_only=True)
class Sink:
    """A running smtp-sink."""

    port: int
    folder: Path
    process: "subprocess.Popen[bytes]"

    def letters(self, *, at_least: int = 0) -> list[Captured]:
        """What was captured whole, in the order of arrival; waits until there are so many."""
        deadline = time.monotonic() + READY_SECONDS
        while True:
            growing = self._open_files()
            whole = [path for path in self.folder.iterdir() if path.name not in growing]
            if len(whole) >= at_least:
                break
            assert time.monotonic() < deadline, f"{len(whole)} of {at_least} letters came"
            time.sleep(0.02)
        return [captured(path.read_bytes()) for path in sorted(whole, key=lambda path: path.stat().st_mtime_ns)]

    def stop(self) -> None:
        """Ends it; its letters stay."""
        self.process.terminate()
        self.process.wait(READY_SECONDS)

    def _open_files(self) -> set[str]:
        names = set()
        for descriptor in Path(f"/proc/{self.process.pid}/fd").iterdir() if self.process.poll() is None else ():
            with suppress(OSError):  # closed meanwhile
                names.add(descriptor.readlink().name)
        return names


def captured(dump: bytes) -> Captured:
    """A dump file as a value (smtp-sink(1), dump file format)."""
    said: dict[str, list[str]] = {name: [] for name in SINK_HEADERS}
    lines = dump.split(b"\n")
    while not lines[0].startswith(b"Received: from "):
        name, _, value = lines.pop(0).decode().partition(" ")
        said[name].append(value)
    raw = b"\n".join(lines[3:])  # its Received has three lines
    return Captured(
        helo="".join(said["X-Helo-Args:"]),
        mail=said["X-Mail-Args:"][0],
        rcpt=tuple(said["X-Rcpt-Args:"]),
        raw=raw.removesuffix(b"\n"),  # the empty line that ends a dump
    )


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start_sink(folder: Path, *options: str, port: int | None = None) -> Sink:
    """Starts smtp-sink with these options on a port of 127.0.0.1; its captures go into the folder."""
    program = shutil.which("smtp-sink", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    assert program, "smtp-sink is not installed (Debian: postfix)"
    folder.mkdir(parents=True, exist_ok=True)
    as_root = ["-u", "root"] if os.geteuid() == 0 else []
    for _ in range(5):  # a free port may be somebody else's a moment later
        chosen = port or free_port()
        words = [program, *as_root, *options, "-d", f"{folder}/letter.", f"inet:127.0.0.1:{chosen}", BACKLOG]
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + READY_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            if _listens(process.pid, chosen):
                return Sink(port=chosen, folder=folder, process=process)
            time.sleep(0.01)
        process.kill()
        process.wait()
    raise AssertionError("smtp-sink does not start")


@contextmanager
def smtp_sink(folder: Path, *options: str, port: int | None = None) -> Iterator[Sink]:
    """A sink until the block is left."""
    sink = start_sink(folder, *options, port=port)
    try:
        yield sink
    finally:
        sink.stop()


def _listens(pid: int, port: int) -> bool:
    """Whether this process, and no other, listens on the port; looked up, so that no session is spent on it."""
    wanted = f"0100007F:{port:04X}"
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {fields[9] for fields in listening if fields[1] == wanted and fields[3] == "0A"}
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            if str(descriptor.readlink()) in {f"socket:[{inode}]" for inode in inodes}:
                return True
    return False
