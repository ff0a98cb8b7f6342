"""ClamAV as a second opinion on every file, where a practice runs `clamd`: told the plaintext, before the jail sees it.

It speaks clamd's INSTREAM (man clamd): `zINSTREAM`, pieces with their length before them, a length of nought; one answer.
It opens packed files itself, so a pack is shown to it whole. What it calls its finding goes nowhere: only that there is one.
"""

import asyncio
import contextlib
import re
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

from vetrelay.inspection.notes import Note
from vetrelay.inspection.source import Source
from vetrelay.inspection.words import Reason
from vetrelay.telemetry import event_log

PIECE_BYTES: Final = 256 * 1024
CONNECT_SECONDS: Final = 10.0
PAUSES_SECONDS: Final = (0.5, 3.0)
"""Between the attempts to reach it: it is away for a moment when its signatures are renewed."""
MAX_ANSWER_BYTES: Final = 1024
_CLEAN: Final = b"stream: OK"
_FOUND: Final = re.compile(rb"stream: [^\n]{1,900} FOUND")


class Scan(Enum):
    """What the scanner said of a file."""

    CLEAN = "clean"
    FOUND = "found"
    NO_ANSWER = "no answer"


class Away(Exception):
    """The scanner could not be reached, or left in the middle: it may be there in a moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clamd:
    """Where a `clamd` listens (`unix:PATH` or `HOST:PORT`), how long one file may take, and what counts without its word."""

    place: str
    seconds: int
    absent: Literal["hold", "pass"]

    async def look(self, source: Source) -> Reason | Note | None:
        """A reason to hold the file, a note that it was not looked at, or None: nothing was found."""
        scanned = await scan(self.place, source, seconds=self.seconds)
        if scanned is Scan.CLEAN:
            return None
        if scanned is Scan.FOUND:
            return Reason.VIRUS_FOUND
        return Reason.SCANNER_ABSENT if self.absent == "hold" else Note.NOT_SCANNED


async def scan(
    place: str, source: Source, *, seconds: float, pauses_seconds: tuple[float, ...] = PAUSES_SECONDS
) -> Scan:
    """What the scanner says of a file. It never raises for the scanner's sake: what is no answer is NO_ANSWER.

    OSError from the source passes: that is our own disk.
    """
    try:
        async with asyncio.timeout(seconds):
            for pause_seconds in (*pauses_seconds, None):
                try:
                    return _understood(await _asked(place, source))
                except Away:
                    if pause_seconds is not None:
                        await asyncio.sleep(pause_seconds)
            code = "away"
    except TimeoutError:
        code = "too_slow"
    event_log()("intake.scanner_silent", code=code)
    return Scan.NO_ANSWER


def _understood(untrusted_answer: bytes) -> Scan:
    """Only the two answers that clamd's manual names say something of the file."""
    if untrusted_answer == _CLEAN:
        return Scan.CLEAN
    if _FOUND.fullmatch(untrusted_answer):
        event_log()("intake.virus_found")
        return Scan.FOUND
    # Among them: the file is longer than clamd's StreamMaxLength.
    code = "too_large" if b"size limit exceeded" in untrusted_answer else "garbled"
    event_log()("intake.scanner_silent", code=code)
    return Scan.NO_ANSWER


@contextlib.asynccontextmanager
async def _connected(place: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            if place.startswith("unix:"):
                reader, writer = await asyncio.open_unix_connection(place.removeprefix("unix:"), limit=MAX_ANSWER_BYTES)
            else:
                host, _, port = place.rpartition(":")
                reader, writer = await asyncio.open_connection(host.strip("[]"), int(port), limit=MAX_ANSWER_BYTES)
    except OSError as away:  # TimeoutError is one
        raise Away from away
    try:
        yield reader, writer
    finally:
        writer.transport.abort()  # nothing is owed to it, and it may have stopped reading


async def _asked(place: str, source: Source) -> bytes:
    """The answer to a whole file, without its closing mark. Raises Away."""
    async with _connected(place) as (reader, writer):
        # It may say no before it has read all, and then reads no more: its answer still stands.
        with contextlib.suppress(ConnectionError):
            await _tell(writer, source)
        try:
            answer = await reader.readuntil(b"\0")
        except (asyncio.IncompleteReadError, ConnectionError) as left:
            raise Away from left
        except asyncio.LimitOverrunError:
            return b""
    return answer.removesuffix(b"\0")


async def _tell(writer: asyncio.StreamWriter, source: Source) -> None:
    writer.write(b"zINSTREAM\0")
    offset, size_bytes = 0, source.size_bytes
    while offset < size_bytes:
        piece = await asyncio.to_thread(source.read, offset, min(PIECE_BYTES, size_bytes - offset))
        if not piece:  # the source ended early: what there is, is judged
            break
        await _send(writer, piece)
        offset += len(piece)
    await _send(writer, b"")


async def _send(writer: asyncio.StreamWriter, piece: bytes) -> None:
    writer.write(struct.pack(">I", len(piece)))
    writer.write(piece)
    await writer.drain()
