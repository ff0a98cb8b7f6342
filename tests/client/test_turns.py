"""Turns between processes: one at a time, and a kill lets go."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

from vetrelay.client.turns import presence, tried_turn, turn

HOLDER = textwrap.dedent("""
    import asyncio, sys, time
    from pathlib import Path
    from vetrelay.client.turns import turn
    async def main():
        async with turn(Path(sys.argv[1]), "x"):
            print("held", flush=True)
            time.sleep(60)
    asyncio.run(main())
""")


def holder(folder: Path) -> "subprocess.Popen[str]":
    """A process that has the turn."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert "held\n" == process.stdout.readline()
    process.stdout.close()
    return process


def test_a_turn_is_had_by_one_and_others_are_others(tmp_path: Path) -> None:
    """The same name waits, another does not."""
    with tried_turn(tmp_path, "x") as first, tried_turn(tmp_path, "x") as second, tried_turn(tmp_path, "y") as other:
        assert (True, False, True) == (first, second, other)
    with tried_turn(tmp_path, "x") as again:
        assert again


async def test_a_turn_is_waited_for_and_ends_with_its_process(tmp_path: Path) -> None:
    """Whoever was killed while having it blocks nobody."""
    process = holder(tmp_path)
    waiting = asyncio.create_task(_have(tmp_path))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    await asyncio.wait_for(waiting, 10)


async def _have(folder: Path) -> None:
    async with turn(folder, "x"):
        pass


def test_the_first_is_alone_until_it_shares(tmp_path: Path) -> None:
    """Whoever comes while others are at work knows it, and once all are gone the next is alone again."""
    with presence(tmp_path) as first:
        assert first.alone
        first.share()
        with presence(tmp_path) as second:
            assert not second.alone
    with presence(tmp_path) as later:
        assert later.alone
