"""A sender killed at every thing it does: S1 to S4 of the crash table. Exactly one message, told once, nothing left."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.client.conftest import Room
from tests.cutting_proxy import cutting_proxy
from tests.journeys.people import People, people
from tests.processes import ROOT
from vetrelay.client import transfer
from vetrelay.client.end import open_end
from vetrelay.client.follow import follow
from vetrelay.client.say import say
from vetrelay.client.thread import read_thread
from vetrelay.errors import Fault


class Sender:
    """`send` as a process that can be told where to die."""

    def __init__(self, process: "subprocess.Popen[str]", here: People, files: list[Path]) -> None:
        self._process = process
        self._here = here
        self._files = files

    def send(self, text: str, *, nth: int = 0) -> dict[str, Any]:
        """One attempt; how it ended, and what it told."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {
            "home": str(self._here.owner.home),
            "url": self._here.url,
            "case": self._here.case,
            "text": text,
            "files": [str(path) for path in self._files],
            "nth": nth,
        }
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


@contextmanager
def sender(here: People, *files: Path) -> Iterator[Sender]:
    """A sender of the owner's."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.journeys.dying_sender"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield Sender(process, here, list(files))
    process.communicate()


async def said(here: People) -> list[str | None]:
    """What the veterinarian reads."""
    await follow(here.veterinarian, here.case)
    return [entry.text for entry in read_thread(here.veterinarian, here.case).entries]


async def test_a_sender_killed_at_any_step_sends_exactly_once(tmp_path: Path) -> None:
    """(S1–S4) Killed before its nth change of the disk or the network, for every n; the command is repeated until told."""
    file = tmp_path / "note.txt"
    file.write_bytes(b"a file of some size " * 5000)
    async with people(tmp_path, with_intake=True) as here:
        if here.intake is not None:
            here.intake.end()  # adopted, and then out: what it would say of the files is not looked at here
        with sender(here, file) as dying:
            nth, killed = 1, 0
            before = (await follow(here.veterinarian, here.case)).tail.n
            while True:
                text = f"killed at {nth}"
                if dying.send(text, nth=nth)["ended"] == 0:
                    break
                killed += 1
                again = dying.send(text)
                assert 0 == again["ended"]
                # Exactly one more position than before this command was first typed, and it is the one that was told.
                log = (await follow(here.veterinarian, here.case)).tail.n
                assert (before + nth, again["entry"]) == (log, here.veterinarian.journal.log(here.case)[-1].link.entry)
                nth += 1
            print(f"killed before each of {killed} steps")
        assert await said(here) == [f"killed at {step}" for step in range(1, nth + 1)]
        assert () == here.owner.journal.outgoing()
        home, keyring = here.owner.home, here.owner.keyring
        await here.stack.aclose()
    async with open_end(home, keyring, now_ms=here.owner.now_ms, random_bytes=here.owner.random_bytes) as end:
        assert [] == list(end.journal.spool.iterdir())


@pytest.mark.parametrize("cut_bytes", [1, 400, 1_500, 6_000, 20_000, 120_000])
async def test_a_sender_whose_connections_are_cut_sends_exactly_once(
    room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut_bytes: int
) -> None:
    """The command is repeated as long as it says that the relay cannot be reached; each cut comes a little later."""
    monkeypatch.setattr(transfer, "LONGEST_PAUSE_SECONDS", 0.01)
    file = tmp_path / "note.txt"
    file.write_bytes(b"a file of some size " * 50_000)
    cuts = [cut_bytes + count * cut_bytes // 3 for count in range(12)]
    async with cutting_proxy(room.town.url, *cuts) as proxy:
        told = None
        while told is None:
            owner = await room.town.again(room.owner, url=proxy.url)
            with suppress(Fault):
                told = await say(owner, room.case, text="through cuts", files=[file])
        assert proxy.cut
    await follow(room.clinic, room.case)
    assert ["through cuts"] == [entry.text for entry in read_thread(room.clinic, room.case).entries]
