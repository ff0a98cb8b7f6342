"""Row 1, first half: the bridge is killed at every point between the first byte of a letter and its 250."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.bridge.dying_reception import POINTS
from tests.bridge.mailrooms import ROWAN, case_of, letter, mailroom, zone
from tests.bridge.receiver import ROOT, Wire
from tests.bridge.zone import serving
from vetrelay.bridge.ports import ArrivalState

PEERS = 6
LETTERS = 1000
DEATHS = [(point, 23) for point in POINTS] + [(point, 1) for point in ("data.whole", "spool.renamed", "row.committed")]
LONG = "A line that is there to make the letter longer than one piece.\r\n" * 1200


@dataclass
class Post:
    """What the peers have still to send, and what they were told."""

    waiting: list[int] = field(default_factory=list)
    accepted: dict[int, str] = field(default_factory=dict)


def numbered(number: int) -> bytes:
    """A letter by its number; every fifth is longer than what is written at once."""
    text = f"Number {number}.\r\n" + (LONG if number % 5 == 0 else "")
    return letter("someone@plain.example", message_id=f"<{number}@plain.example>", text=text)


async def send(post: Post, where: str) -> None:
    """One peer: sends what waits, a session of a few letters at a time, until nothing waits or the other end is gone."""
    with suppress(ConnectionError):
        while post.waiting:
            wire = await Wire.greeted(where)
            try:
                for _ in range(10):
                    if not post.waiting:
                        return
                    await deliver(post, wire)
            finally:
                await wire.close()


async def deliver(post: Post, wire: Wire) -> None:
    """One letter; without its 250 it waits again, as in any server's queue."""
    number = post.waiting.pop()
    try:
        await wire.at_data(sender="someone@plain.example", recipient=case_of(ROWAN))
        reply = await wire.say(numbered(number) + b".\r\n")
    except AssertionError as gone:  # no reply at all: the process is dead
        raise ConnectionResetError from gone
    finally:
        post.waiting.append(number)
    if not reply:
        raise ConnectionResetError
    code, enhanced, identifier = reply.split()
    assert (code, enhanced) == ("250", "2.0.0"), reply
    post.accepted[number] = identifier
    post.waiting.remove(number)


async def started(folder: Path, dns: str, point: str, count: int) -> tuple[Process, str]:
    """The listener in its process, and where it listens."""
    words = [sys.executable, "-m", "tests.bridge.dying_reception", str(folder), dns, point, str(count)]
    process = await asyncio.create_subprocess_exec(*words, cwd=ROOT, stdin=PIPE, stdout=PIPE)
    assert process.stdout is not None
    return process, (await process.stdout.readline()).decode().strip()


async def test_row_01_every_letter_with_a_250_is_there_once_wherever_the_bridge_was_killed(tmp_path: Path) -> None:
    """A thousand letters over nine points and twelve deaths, amid other letters and at the very first; what got no 250 is sent again."""
    post = Post(waiting=list(range(LETTERS, 0, -1)))
    deaths = 0
    async with serving(zone()) as dns:
        for point, count in DEATHS:
            process, where = await started(tmp_path, dns, point, count)
            await asyncio.gather(*(send(post, where) for _ in range(PEERS)))
            assert -9 == await process.wait()
            deaths += 1
        process, where = await started(tmp_path, dns, "", 0)
        await asyncio.gather(*(send(post, where) for _ in range(PEERS)))
        await process.communicate(b"")
        assert [] == post.waiting
        assert len(DEATHS) == deaths
        async with mailroom(tmp_path, dns) as room:
            rows = {arrival.id: arrival for arrival in room.arrivals.in_state(ArrivalState.WAITING)}
            assert set(post.accepted.values()) == rows.keys()
            assert LETTERS == len(rows)
            assert {arrival.spool for arrival in rows.values()} == {
                path.name for path in (tmp_path / "spool" / "new").iterdir()
            }
            for number, identifier in post.accepted.items():
                assert numbered(number) == room.spool.read(rows[identifier].spool)
